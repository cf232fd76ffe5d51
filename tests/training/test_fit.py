"""The loop does what the recipe says: it learns, repeats, and shares the work without a trace."""

import math
import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from training.small_run import DATA, RECIPE, loss, net, same, timeless, train, weigh

from companion.errors import DataError, NumericsError, ShapeError
from companion.training import Draws, Recipe, average_decay, fit, learning_rate
from companion.training.average import Average
from companion.training.order import Order

STEADY = Recipe(steps=12, batch=12, rate=0.05, clip=None, log_every=1)


def steady(recipe: Recipe = STEADY, *, data=DATA, objective=loss, **options):
    model = net(dropout=0.0, norm=False).double()
    return fit(model, objective, data.double(), recipe, progress=False, **options)


def test_the_loss_falls():
    run = steady(replace(STEADY, steps=300, average=None))
    assert run.history[0]["loss"] > 20 * run.history[-1]["loss"]
    assert run.step == len(run.history) == 300


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, second, other = (train(changes={"seed": seed}) for seed in (0, 0, 1))
    assert same(first.model, second.model)
    assert same(first.average, second.average)
    assert timeless(first.history) == timeless(second.history)
    assert not same(first.model, other.model)


def test_micro_batches_add_up_to_the_batch():
    runs = [steady(replace(STEADY, accumulate=parts)) for parts in (1, 2, 3, 12)]
    for run in runs[1:]:
        for mine, whole in zip(run.model.parameters(), runs[0].model.parameters(), strict=True):
            torch.testing.assert_close(mine, whole, rtol=0, atol=1e-10)
        for row, reference in zip(run.history, runs[0].history, strict=True):
            assert row["loss"] == pytest.approx(reference["loss"], abs=1e-10)
            assert row["norm"] == pytest.approx(reference["norm"], abs=1e-10)


def test_workers_load_the_same_batches():
    assert same(steady().model, steady(replace(STEADY, workers=1)).model)


def test_batches_may_be_pairs_and_dicts():
    class Pairs(torch.utils.data.Dataset):
        def __len__(self):
            return len(DATA)

        def __getitem__(self, index):
            return {"x": DATA[index].double(), "y": (DATA[index].double().sum(dim=1),)}

    def distance(model, batch, draws):
        noisy = batch["x"] + 0.1 * draws.normal(batch["x"])
        return (model(noisy)[:, 0] - batch["y"][0]).square().mean()

    model = net(dropout=0.0, norm=False).double()
    assert same(fit(model, distance, Pairs(), STEADY, progress=False).model, steady().model)


def test_every_epoch_sees_every_sample_once_in_a_new_order():
    order = Order(samples=10, batch=4, seed=3)
    seen = torch.cat([order.rows(step) for step in range(1, 6)])
    first, second = seen[:10], seen[10:]
    assert sorted(first.tolist()) == sorted(second.tolist()) == [*range(10)]
    assert first.tolist() != second.tolist()


@pytest.mark.parametrize("decay", ["constant", "linear", "cosine"])
def test_the_rate_rises_and_falls_as_the_formula_says(decay):
    run = steady(replace(STEADY, steps=20, warmup=4, decay=decay))
    for s, row in enumerate(run.history, start=1):
        p = max(0, s - 5) / 16
        fall = {"constant": 1, "linear": 1 - p, "cosine": math.cos(math.pi * p / 2) ** 2}[decay]
        assert row["rate"] == pytest.approx(0.05 * min(1, s / 4) * fall)
        assert row["rate"] == learning_rate(replace(STEADY, steps=20, warmup=4, decay=decay), s)


def test_a_piecewise_rate_lies_on_the_lines_between_its_milestones():
    """The corners of GAU-α, a thousandth of them: as NumPy draws the lines."""
    corners = {"milestones": (16, 64, 128), "factors": (0.5, 0.1, 0.01)}
    recipe = replace(STEADY, steps=150, decay="piecewise", **corners)
    lines = np.interp(range(150), [0, 16, 64, 128], [1, 0.5, 0.1, 0.01])
    rates = [learning_rate(recipe, step) for step in range(1, 151)]
    assert rates == pytest.approx(list(0.05 * lines))
    warmed = replace(recipe, warmup=10)
    assert learning_rate(warmed, 4) == pytest.approx(0.4 * rates[3])
    run = steady(replace(recipe, steps=20))
    assert [row["rate"] for row in run.history] == rates[:20]


def test_groups_keep_the_ratio_of_their_rates():
    rates = []

    def two_groups(parameters):
        groups = [{"params": parameters[:1]}, {"params": parameters[1:], "lr": 0.3}]
        optimizer = torch.optim.SGD(groups, lr=0.1)
        optimizer.register_step_pre_hook(
            lambda o, *_: rates.append([g["lr"] for g in o.param_groups])
        )
        return optimizer

    steady(replace(STEADY, steps=2, warmup=2), optimizer=two_groups)
    assert rates == [pytest.approx([0.025, 0.075]), pytest.approx([0.05, 0.15])]


def test_one_step_of_descent_is_the_formula():
    model = nn.Linear(2, 1, bias=False).double()
    x, w = torch.eye(2).double(), model.weight.detach().clone()
    recipe = Recipe(steps=1, batch=2, rate=0.1, clip=0.5, average=None)
    run = fit(
        model,
        lambda model, batch, draws: (model(batch) - 5).square().mean(),
        x,
        recipe,
        optimizer=lambda parameters: torch.optim.SGD(parameters, lr=0.1),
        progress=False,
    )
    gradient = w - 5  # of the mean over two rows
    assert run.history[0]["norm"] == pytest.approx(gradient.norm().item())
    expected = w - 0.1 * gradient * 0.5 / gradient.norm()
    torch.testing.assert_close(model.weight.detach(), expected, rtol=0, atol=1e-6)


def test_the_average_is_the_formula():
    torch.manual_seed(0)
    weights = torch.randn(6, 3)
    model = nn.Linear(3, 1, bias=False)
    model.weight.data = weights[:1].clone()
    average = Average(model, limit=0.3)
    expected = weights[0]
    for step, row in enumerate(weights[1:], start=1):
        model.weight.data = row[None].clone()
        average.update(model, step=step)
        d = min(0.3, (1 + step) / (10 + step))
        assert average_decay(0.3, step) == d
        expected = d * expected + (1 - d) * row
    torch.testing.assert_close(average.module.get_parameter("weight")[0], expected)


def test_buffers_are_averaged_counters_and_masks_copied():
    model = nn.BatchNorm1d(2)
    model.register_buffer("mask", torch.tensor([0.0, -math.inf]))
    average = Average(model, limit=0.999)
    model.running_mean = torch.tensor([11.0, 22.0])
    model.num_batches_tracked = torch.tensor(7)
    average.update(model, step=1)  # d = 2/11
    found = average.module.state_dict()
    torch.testing.assert_close(found["running_mean"], torch.tensor([9.0, 18.0]))
    assert found["num_batches_tracked"] == 7
    assert torch.equal(found["mask"], torch.tensor([0.0, -math.inf]))


def test_measure_sees_the_average_in_evaluation_mode():
    seen = []

    def measure(model):
        seen.append((model.training, torch.is_grad_enabled()))
        return {"weight": next(model.parameters()).sum()}

    run = steady(measure=measure, measure_every=5)
    assert seen == [(False, False)] * 3
    assert [row["step"] for row in run.history if "weight" in row] == [5, 10, 12]
    assert run.history[-1]["weight"] == pytest.approx(weigh(run.average)["weight"])
    assert not same(run.average, run.model)
    assert not run.average.training
    assert not run.model.training


def test_no_average_means_the_model_itself():
    run = steady(replace(STEADY, average=None), measure=weigh)
    assert run.average is run.model


def test_a_row_holds_the_mean_since_the_last_row():
    fine, coarse = steady(), steady(replace(STEADY, log_every=5))
    losses = [row["loss"] for row in fine.history]
    means = [sum(losses[:5]) / 5, sum(losses[5:10]) / 5, sum(losses[10:]) / 2]
    assert [row["loss"] for row in coarse.history] == pytest.approx(means)


def test_bf16_computes_in_bfloat16_and_leaves_no_trace():
    kinds = set()

    class Watched(nn.Linear):
        def forward(self, input):
            output = super().forward(input)
            kinds.add(output.dtype)
            return output

    model = Watched(4, 1)
    forward = model.forward
    for precision, kind in (("bf16", torch.bfloat16), ("float32", torch.float32)) * 2:
        kinds.clear()
        recipe = Recipe(steps=30, batch=8, rate=0.05, precision=precision)
        run = fit(model, loss, DATA, recipe, progress=False)
        assert kinds == {kind}
        assert model.forward == forward
        assert model.weight.dtype == torch.float32
        assert math.isfinite(run.history[-1]["loss"])


def test_channels_last_changes_the_layout_and_not_the_numbers():
    images = torch.randn(12, 3, 6, 6, generator=torch.Generator().manual_seed(0)).double()
    seen = []

    def blur(model, batch, draws):
        seen.append(batch.is_contiguous(memory_format=torch.channels_last))
        return (model(batch) - batch.mean(dim=1, keepdim=True)).square().mean()

    def run(flag):
        torch.manual_seed(0)
        layers = nn.Conv2d(3, 8, 3, padding=1), nn.SiLU(), nn.Conv2d(8, 1, 3, padding=1)
        model = nn.Sequential(*layers).double()
        recipe = Recipe(steps=8, batch=4, rate=0.01, channels_last=flag)
        return fit(model, blur, images, recipe, progress=False).model

    plain, last = run(False), run(True)
    assert seen == [False] * 8 + [True] * 8
    assert next(last.parameters()).is_contiguous(memory_format=torch.channels_last)
    for mine, other in zip(plain.parameters(), last.parameters(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-10)


def test_convolutions_on_the_cpu_have_their_channels_innermost_and_nothing_else_has():
    model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.Conv3d(8, 2, 1), nn.Conv2d(2, 1, 1))
    model[1].spare = nn.Parameter(torch.randn(2, 3, 4, 5))

    def blur(model, batch, draws):
        return model[0](batch).square().mean() + model[1].spare.square().mean()

    recipe = Recipe(steps=2, batch=4)
    run = fit(model, blur, torch.randn(12, 3, 6, 6), recipe, progress=False)
    for trained in (run.model, run.average):
        weights = trained.state_dict()
        assert weights["0.weight"].is_contiguous(memory_format=torch.channels_last)
        assert weights["1.spare"].is_contiguous()


def test_the_random_state_of_the_caller_is_untouched():
    torch.manual_seed(5)
    before = torch.get_rng_state()
    train()  # builds its model from a seed of its own: the state is set before fit
    torch.manual_seed(5)
    model = net()
    before = torch.get_rng_state()
    fit(model, loss, DATA, RECIPE, progress=False)
    assert torch.equal(torch.get_rng_state(), before)


def test_another_accelerator_survives():
    from accelerate import Accelerator
    from accelerate.state import AcceleratorState, GradientState, PartialState

    theirs = Accelerator(cpu=True)
    try:
        steady(replace(STEADY, precision="bf16", steps=1))
        assert theirs.mixed_precision == "no"
        assert theirs.device.type == "cpu"
    finally:
        AcceleratorState._reset_state(reset_partial_state=True)
        GradientState._reset_state()
    assert PartialState._shared_state == {}


def test_draws_depend_on_seed_and_step_and_not_on_the_share():
    like = torch.empty(6, 3)
    whole = Draws(6, step=4)
    parts = [Draws(6, rows=slice(i, i + 2), step=4) for i in (0, 2, 4)]
    for _ in range(2):  # a second call goes on in the same way
        for draw in ("normal", "uniform"):
            mine = torch.cat([getattr(part, draw)(like[:2]) for part in parts])
            assert torch.equal(getattr(whole, draw)(like), mine)
        mine = torch.cat([part.integers(1, 9) for part in parts])
        assert torch.equal(whole.integers(1, 9), mine)
    first = Draws(6, step=4).normal(like)
    assert not torch.equal(first, Draws(6, step=5).normal(like))
    assert not torch.equal(first, Draws(6, step=4, seed=1).normal(like))


def test_draws_are_distributed_as_they_say():
    draws = Draws(20_000)
    like = torch.empty(20_000, 2, dtype=torch.float64)
    normal, uniform = draws.normal(like), draws.uniform(like)
    assert normal.dtype == uniform.dtype == torch.float64
    assert normal.mean().abs() < 0.02
    assert abs(normal.std() - 1) < 0.02
    assert uniform.min() >= 0
    assert uniform.max() < 1
    assert abs(uniform.mean() - 0.5) < 0.01
    counts = draws.integers(1, 5).bincount()
    assert counts[0] == 0
    assert (counts[1:] - 5000).abs().max() < 300


def test_draws_refuse_other_rows():
    with pytest.raises(ShapeError, match=r"shape \(3, 2\); expected the 2 rows"):
        Draws(4, rows=slice(0, 2)).normal(torch.empty(3, 2))
    with pytest.raises(DataError, match="low is 3, high is 3"):
        Draws(4).integers(3, 3)


BAD_RECIPES = [
    ({"steps": 0}, "steps is 0; expected at least 1"),
    ({"batch": 0}, "batch is 0; expected at least 1"),
    ({"accumulate": 0}, "accumulate is 0"),
    ({"save_every": 0}, "save_every is 0"),
    ({"keep": 0}, "keep is 0"),
    ({"log_every": -1}, "log_every is -1"),
    ({"rate": -1.0}, "rate is -1.0; expected 0 or more"),
    ({"rate": math.nan}, "rate is nan"),
    ({"clip": 0.0}, "clip is 0.0; expected a number above 0, or None"),
    ({"average": 1.0}, "average is 1.0; expected 0 <= average < 1, or None"),
    ({"decay": "steep"}, "decay is 'steep'; expected one of 'constant', 'linear', 'cosine'"),
    ({"precision": "fp8"}, "precision is 'fp8'; expected one of 'float32', 'bf16'"),
    ({"decay": "linear", "warmup": 40}, "warmup is 40; expected less than steps, 40"),
    ({"decay": "piecewise"}, "decay is 'piecewise' with 0 milestones; expected milestones with"),
    ({"milestones": (5,), "factors": (1.0,)}, "decay is 'cosine' with 1 milestones; expected"),
    ({"decay": "piecewise", "milestones": (5,)}, "1 milestones and 0 factors; expected a factor"),
    (
        {"decay": "piecewise", "milestones": (0,), "factors": (1.0,)},
        "milestones are [0]; expected steps above 0, each later than the one before",
    ),
    ({"decay": "piecewise", "milestones": (9, 9), "factors": (1.0, 0.5)}, "milestones are [9, 9]"),
    ({"decay": "piecewise", "milestones": (9,), "factors": (-1.0,)}, "factors are [-1.0]"),
]


@pytest.mark.parametrize(("change", "message"), BAD_RECIPES)
def test_a_recipe_out_of_range_is_refused(change, message):
    with pytest.raises(DataError, match=re.escape(message)):
        replace(RECIPE, **change)


def detached(model, batch, draws):
    return batch.mean()


def per_row(model, batch, draws):
    return model(batch)


def number(model, batch, draws):
    return 1.0


BAD_ARGUMENTS = [
    ({"objective": per_row}, ShapeError, r"loss has shape \(12, 1\); expected a scalar"),
    ({"objective": detached}, DataError, "a tensor without a gradient; expected a scalar"),
    ({"objective": number}, DataError, "loss returned 1.0"),
    ({"data": DATA[:0]}, DataError, "the data is empty"),
    ({"recipe": replace(STEADY, accumulate=5)}, DataError, "batch is 12; expected a multiple of"),
    ({"measure_every": 0}, DataError, "measure_every is 0"),
    ({"about": {"x": {1, 2}}}, DataError, "about cannot be stored"),
]


@pytest.mark.parametrize(("options", "error", "message"), BAD_ARGUMENTS)
def test_bad_arguments_are_refused(options, error, message):
    with pytest.raises(error, match=message):
        steady(**options)


def test_data_without_batches_is_refused():
    with pytest.raises(DataError, match=r"data is a list; expected a tensor, or a dataset"):
        fit(net(), loss, [1, 2, 3], RECIPE, progress=False)
    with pytest.raises(DataError, match="no parameter to train"):
        fit(net().requires_grad_(False), loss, DATA, RECIPE, progress=False)


def test_a_batch_larger_than_the_data_wraps():
    assert math.isfinite(steady(replace(STEADY, batch=100)).history[-1]["loss"])


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_no_number_names_the_first_step(value, tmp_path):
    calls = 0

    def breaks(model, batch, draws):
        nonlocal calls
        calls += 1
        return loss(model, batch, draws) * (value if calls in (18, 19) else 1)

    recipe = replace(RECIPE, save_every=4, log_every=8, keep=9)
    with pytest.raises(NumericsError, match=rf"the loss is {value} in step 18; .*00016") as error:
        fit(net(), breaks, DATA, recipe, folder=tmp_path, progress=False)
    assert "is the last good one" in str(error.value)
    assert sorted(p.name for p in tmp_path.glob("step*")) == [
        f"step-{s:08d}.safetensors" for s in (4, 8, 12, 16)
    ]
    assert "nan" not in (tmp_path / "log.csv").read_text()


def test_a_gradient_that_is_no_number_names_its_step():
    def breaks(model, batch, draws):
        zero = (model[0].bias - model[0].bias).square().sum()
        return loss(model, batch, draws) + zero.sqrt()  # 0, with a slope of 0 · ∞

    with pytest.raises(NumericsError, match=r"the gradient norm is nan in step 1; no checkpoint"):
        fit(net(), breaks, DATA, RECIPE, progress=False)


def test_weights_that_are_no_numbers_are_not_saved(tmp_path):
    def exploding(parameters):
        optimizer = torch.optim.SGD(parameters, lr=1.0)
        optimizer.register_step_post_hook(lambda *_: parameters[0].data.fill_(math.inf))
        return optimizer

    with pytest.raises(NumericsError, match="a weight is no longer finite after step 1"):
        fit(
            net(),
            loss,
            DATA,
            replace(RECIPE, save_every=1),
            folder=tmp_path,
            optimizer=exploding,
            progress=False,
        )
    assert not [*tmp_path.glob("step*")]
