"""The U-Net: its size, what it computes, and what it refuses."""

import json

import jaxtyping
import pytest
import torch
from torch.nn import functional

from companion.diffusion import UNet
from companion.diffusion.blocks import Attention, Block, Doubling, embed_time
from companion.errors import DataError, ShapeError


def small(**options):
    defaults = {"base": 8, "multipliers": (1, 2), "attention": (4,), "size": 8, "groups": 4}
    return UNet(2, **{**defaults, **options})


def shaken(net):
    """Give the layers that start at zero something to do."""
    for parameter in net.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    return net.eval()


def count(net):
    return sum(parameter.numel() for parameter in net.parameters())


def test_sizes_of_the_presets():
    with torch.device("meta"):
        assert count(UNet.cifar10()) == 35_746_307
        assert count(UNet.digits()) == 103_473


def test_cifar10_net_has_the_parameters_of_diffusers():
    diffusers = pytest.importorskip("diffusers")
    with torch.device("meta"):
        down = ("DownBlock2D", "AttnDownBlock2D", "DownBlock2D", "DownBlock2D")
        up = ("UpBlock2D", "UpBlock2D", "AttnUpBlock2D", "UpBlock2D")
        peer = diffusers.UNet2DModel(
            sample_size=32,
            block_out_channels=(128, 256, 256, 256),
            down_block_types=down,
            up_block_types=up,
            attention_head_dim=None,
            downsample_padding=0,
        )
        assert count(peer) == count(UNet.cifar10())


def test_untrained_net_predicts_zero():
    x = torch.randn(2, 1, 8, 8)
    assert torch.equal(UNet.digits()(x, torch.tensor([1, 1000])), torch.zeros_like(x))


@pytest.mark.parametrize("shape", [(1, 2, 8, 8), (3, 2, 4, 10), (2, 2, 2, 2)])
@pytest.mark.parametrize("extra", [0, 1])
def test_any_size_and_precision(shape, extra):
    net = shaken(small(extra=extra, blocks=2)).double()
    x, t = torch.randn(shape, dtype=torch.float64), torch.arange(1, shape[0] + 1)
    y = net(x, t)
    assert y.shape == x.shape
    assert y.dtype == torch.float64
    torch.testing.assert_close(net.float()(x.float(), t), y.float(), rtol=1e-3, atol=1e-3)
    with torch.autocast("cpu", torch.bfloat16):
        assert net(x.float(), t).isfinite().all()


def test_memory_format_changes_nothing():
    net = shaken(small()).double()
    x, t = torch.randn(2, 2, 8, 8, dtype=torch.float64), torch.tensor([3, 700])
    y = net(x, t)
    wide = net.to(memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]
    torch.testing.assert_close(wide(x.to(memory_format=torch.channels_last), t), y)


@pytest.mark.parametrize("channels", [1, 3])
def test_channels_are_innermost_on_the_cpu_whatever_comes_in(channels):
    seen = []

    def spy(x, weight, bias, *, groups, eps):
        seen.append(x.is_contiguous(memory_format=torch.channels_last))
        return functional.silu(functional.group_norm(x, groups, weight, bias, eps))

    net = UNet(channels, base=8, multipliers=(1, 2), attention=(), groups=4, normalize=spy)
    net(torch.randn(2, channels, 8, 8), torch.tensor([3, 700]))
    assert all(seen)
    assert seen


def test_one_time_expanded_is_that_time_for_every_picture():
    net = shaken(small(blocks=2)).double()
    x, time = torch.randn(3, 2, 8, 8, dtype=torch.float64), torch.tensor([700])
    rows = []
    net.time.register_forward_hook(lambda layer, given, found: rows.append(len(found)))
    gradients = []
    for t in (time.expand(3), time.repeat(3)):
        net.zero_grad()
        net(x, t).square().sum().backward()
        gradients.append([parameter.grad for parameter in net.parameters()])
    assert rows == [1, 3]
    torch.testing.assert_close(*gradients)
    torch.testing.assert_close(net(x, time.expand(3)), net(x, time.repeat(3)))


def test_samples_do_not_mix_and_time_matters():
    net = shaken(small()).double()
    x, t = torch.randn(3, 2, 8, 8, dtype=torch.float64), torch.tensor([1, 2, 1000])
    whole = net(x, t)
    parts = torch.cat([net(x[row : row + 1], t[row : row + 1]) for row in range(3)])
    torch.testing.assert_close(whole, parts)
    assert (net(x, t + 1) - whole).abs().amin(dim=(1, 2, 3)).min() >= 0
    assert (net(x, t + 1) - whole).abs().amax(dim=(1, 2, 3)).min() > 1e-6


def test_every_parameter_learns():
    net = shaken(small(blocks=2, dropout=0.0)).double()
    net(
        torch.randn(2, 2, 8, 8, dtype=torch.float64), torch.tensor([3, 700])
    ).square().sum().backward()
    silent = [n for n, p in net.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert silent == []


def test_doubling_is_repetition_and_a_convolution():
    layer = Doubling(3).double()
    x = torch.randn(2, 3, 5, 4, dtype=torch.float64)
    repeated = functional.interpolate(x, scale_factor=2.0, mode="nearest")
    torch.testing.assert_close(layer(x), layer.conv(repeated))


def test_attention_is_the_softmax_formula():
    layer = Attention(8, groups=4).double()
    x = torch.randn(2, 8, 3, 2, dtype=torch.float64)
    pixels = layer.norm(x).flatten(2).transpose(1, 2)
    q, k, v = layer.qkv(pixels).chunk(3, dim=-1)
    mixed = (q @ k.transpose(1, 2) / 8**0.5).softmax(-1) @ v
    torch.testing.assert_close(layer(x), x + layer.project(mixed).transpose(1, 2).view_as(x))


def test_block_is_two_convolutions_with_the_time_between():
    block = Block(8, 12, groups=4).double()
    x, shift = torch.randn(2, 8, 4, 4).double(), torch.randn(2, 12).double()
    h = block.conv1(functional.silu(block.norm1(x))) + shift[..., None, None]
    expected = block.shortcut(x) + block.conv2(functional.silu(block.norm2(h)))
    torch.testing.assert_close(block(x, shift), expected)


def test_time_embedding():
    found = embed_time(torch.tensor([7]), 6, torch.float64)[0]
    angles = 7.0 * 10.0 ** -(4.0 * torch.arange(3).double() / 2)
    torch.testing.assert_close(found, torch.cat([angles.sin(), angles.cos()]))
    half = embed_time(torch.tensor([999]), 6, torch.bfloat16)
    exact = embed_time(torch.tensor([999]), 6, torch.float32)
    torch.testing.assert_close(half.float(), exact, atol=0.01, rtol=0)


def test_dropout_only_while_training():
    net = shaken(small(dropout=0.5))
    x, t = torch.randn(1, 2, 8, 8), torch.tensor([5])
    assert torch.equal(net(x, t), net(x, t))
    net.train()
    assert not torch.equal(net(x, t), net(x, t))


def test_norm_is_an_argument():
    calls = []

    def spy(x, weight, bias, *, groups, eps):
        calls.append(groups)
        return functional.silu(functional.group_norm(x, groups, weight, bias, eps))

    net = UNet.digits(normalize=spy)
    net(torch.randn(1, 1, 8, 8), torch.tensor([5]))
    assert calls == [8] * (2 * 5 + 1)


def test_options_rebuild_the_net():
    net = small(extra=0)
    again = UNet(**json.loads(json.dumps(net.options)))
    again.load_state_dict(net.state_dict())


@pytest.fixture
def _as_for_a_user():
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("x", "t", "error", "message"),
    [
        (torch.zeros(2, 3, 8, 8), torch.tensor([1, 2]), ShapeError, r"expected \[batch, 2, height"),
        (torch.zeros(2, 8, 8), torch.tensor([1, 2]), ShapeError, r"\(2, 8, 8\)"),
        (torch.zeros(2, 2, 8, 7), torch.tensor([1, 2]), ShapeError, "width 7.* multiples of 2"),
        (torch.zeros(2, 2, 8, 8), torch.tensor([1]), ShapeError, r"t has shape \(1,\)"),
        (torch.zeros(2, 2, 8, 8), torch.tensor(1), ShapeError, r"t has shape \(\)"),
        (torch.zeros(2, 2, 8, 8), torch.tensor([1.0, 2.0]), DataError, "t is torch.float32"),
        (torch.zeros(2, 2, 8, 8).int(), torch.tensor([1, 2]), DataError, "x is torch.int32"),
        (torch.zeros(0, 2, 8, 8), torch.tensor([]).long(), ShapeError, "at least one picture"),
    ],
)
def test_bad_input(x, t, error, message):
    with pytest.raises(error, match=message):
        small()(x, t)


@pytest.mark.usefixtures("_as_for_a_user")
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"groups": 3}, "groups=3 does not divide a level of width 8"),
        ({"multipliers": ()}, "multipliers is empty"),
        ({"multipliers": (1, 0)}, "multipliers is"),
        ({"base": 0}, "base is 0"),
        ({"base": 7, "groups": 7}, "even number"),
        ({"blocks": 1.5}, "blocks is 1.5"),
        ({"dropout": 1.0}, "dropout is 1.0"),
        ({"extra": 2}, "extra is 2"),
        ({"size": 9}, "size is 9; expected a multiple of 2"),
        ({"attention": (5,)}, r"attention at height 5; the levels have the heights \[8, 4\]"),
    ],
)
def test_options_that_make_no_net(options, message):
    with pytest.raises(DataError, match=message):
        small(**options)
