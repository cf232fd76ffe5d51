"""A replayed call gives what the model gives; what cannot be recorded goes to the model."""

import warnings

import pytest
import torch
from torch import nn

from companion.diffusion import Schedule, graphs, sample
from companion.diffusion.graphs import Graphed
from companion.diffusion.unet import UNet


class Counting(nn.Module):
    """A model that counts its calls: a replay makes none."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(2.0))
        self.calls = 0

    def forward(self, x, t):
        self.calls += 1
        return self.scale * x + t.reshape(-1, *[1] * (x.ndim - 1))


@pytest.fixture
def pretended(monkeypatch):
    """Pretend that the CPU records: a replay then runs the model's formula into the same memory."""

    def record(model, x, t):
        model(x, t)
        x, t = x.clone(), t.clone()
        y, scale = torch.empty_like(x), model.scale.detach()  # the memory that it has now

        def replay() -> None:
            y.copy_(scale * x + t.reshape(-1, *[1] * (x.ndim - 1)))

        return graphs._Recording(x, t, y, replay, [model.scale], [scale.data_ptr()])

    monkeypatch.setattr(graphs, "_on_cuda", lambda x: True)
    monkeypatch.setattr(graphs, "_record", record)


@pytest.fixture
def model():
    return Counting().eval()


def inputs(batch=3):
    return torch.randn(batch, 2), torch.arange(1, batch + 1)


def test_one_recording_serves_all_calls_of_a_shape(pretended, model):
    graphed = Graphed(model).eval()
    with torch.no_grad():
        for batch in (3, 5, 3, 5, 3):
            x, t = inputs(batch)
            assert torch.equal(graphed(x, t), 2 * x + t[:, None])
    assert model.calls == 2


def test_a_result_is_not_overwritten_by_the_next_call(pretended, model):
    graphed = Graphed(model).eval()
    with torch.no_grad():
        x, t = inputs()
        first = graphed(x, t)
        before = first.clone()
        graphed(x + 1, t)
    assert torch.equal(first, before)


def test_new_numbers_in_the_weights_are_seen_and_moved_weights_recorded_again(pretended, model):
    graphed = Graphed(model).eval()
    x, t = inputs()
    with torch.no_grad():
        graphed(x, t)
        model.scale.fill_(5.0)
        assert torch.equal(graphed(x, t), 5 * x + t[:, None])
        assert model.calls == 1
        model.scale.data = torch.tensor(7.0)
        assert torch.equal(graphed(x, t), 7 * x + t[:, None])
    assert model.calls == 2


def test_training_and_gradients_go_to_the_model(pretended, model):
    graphed = Graphed(model)
    x, t = inputs()
    with torch.no_grad():
        graphed.train()(x, t)
    y = graphed.eval()(x, t)
    assert y.requires_grad
    assert model.calls == 2
    assert not graphed._recordings


def test_the_oldest_recording_goes_first(pretended, model):
    graphed = Graphed(model, keep=2).eval()
    with torch.no_grad():
        for batch in (1, 2, 3):
            graphed(*inputs(batch))
        assert [len(one.x) for one in graphed._recordings.values()] == [2, 3]
        graphed(*inputs(2))
    assert model.calls == 3


def test_precisions_are_recorded_apart(pretended, model):
    graphed = Graphed(model).eval()
    x, t = inputs()
    with torch.no_grad():
        graphed(x, t)
        assert graphed(x.double(), t).dtype == torch.float64
        with torch.autocast("cuda", torch.bfloat16) if torch.cuda.is_available() else as_if():
            graphed(x, t)
    assert model.calls == 2 + torch.cuda.is_available()


def as_if():
    return torch.autocast("cpu", torch.bfloat16)  # no autocast on CUDA: the recording of before


def test_on_the_cpu_the_model_is_called_and_one_warning_says_so(model):
    graphed = Graphed(model).eval()
    x, t = inputs()
    with torch.no_grad():
        with pytest.warns(UserWarning, match="x is on cpu: without CUDA there is no graph"):
            assert torch.equal(graphed(x, t), 2 * x + t[:, None])
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            graphed(x, t)
    assert model.calls == 2


def test_it_samples_what_the_model_samples():
    torch.manual_seed(0)
    net, schedule = UNet.digits(), Schedule.su(20, largest=0.5)
    nn.init.normal_(net.last.weight, std=0.1)
    with pytest.warns(UserWarning, match="no graph"):
        found, expected = (
            sample(one, schedule, (2, 1, 8, 8), generator=torch.Generator().manual_seed(1))
            for one in (Graphed(net), net)
        )
    assert torch.equal(found, expected)


@pytest.mark.parametrize("cast", [None, torch.bfloat16])
def test_a_cuda_graph_samples_what_the_model_samples(cast):
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device on this machine")
    torch.manual_seed(0)
    net, schedule = UNet.digits().cuda().eval(), Schedule.su(20, largest=0.5)
    nn.init.normal_(net.last.weight, std=0.1)
    graphed = Graphed(net)
    for batch in (2, 5):
        shape = (batch, 1, 8, 8)
        with torch.autocast("cuda", cast or torch.bfloat16, enabled=cast is not None):
            found, expected = (
                sample(one, schedule, shape, generator=torch.Generator().manual_seed(batch))
                for one in (graphed, net)
            )
        close = 1e-5 if cast is None else 5e-2
        torch.testing.assert_close(found, expected, rtol=close, atol=close)
    assert len(graphed._recordings) == 2
    with torch.no_grad():
        x, t = torch.randn(2, 1, 8, 8, device="cuda"), torch.tensor([1, 7], device="cuda")
        before = graphed(x, t)
        net.get_parameter("last.bias").add_(1.0)
        # A recording that kept the old bias would be off by 1, a hundred times what is allowed.
        torch.testing.assert_close(graphed(x, t), before + 1, rtol=1e-2, atol=1e-2)
