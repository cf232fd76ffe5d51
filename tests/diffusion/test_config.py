"""Configurations: what a file and the command line may say, and the complaint for the rest."""

from dataclasses import replace
from pathlib import Path

import pytest

from companion.diffusion.config import (
    DataConfig,
    DiffusionConfig,
    LossConfig,
    NetConfig,
    ScheduleConfig,
)
from companion.diffusion.unet import UNet
from companion.errors import DataError
from companion.training import Recipe


def written(folder: Path, text: str) -> Path:
    path = folder / "run.yaml"
    path.write_text(text, "utf-8")
    return path


@pytest.mark.parametrize("name", ["digits", "cifar10"])
def test_a_preset_survives_its_file(name: str, tmp_path: Path) -> None:
    config = DiffusionConfig.preset(name)
    config.to_yaml(tmp_path / "run.yaml")
    assert DiffusionConfig.from_yaml(tmp_path / "run.yaml") == config
    assert DiffusionConfig.from_plain(config.to_plain(), name="x") == config


def test_every_setting_survives_its_file(tmp_path: Path) -> None:
    config = DiffusionConfig(
        data=DataConfig(source="folder", path="a: 1", size=16, channels=3, flip=True),
        schedule=ScheduleConfig(kind="linear", steps=50, largest=0.3),
        net=NetConfig(
            base=8,
            multipliers=(1, 2, 3),
            attention=(8, 4),
            blocks=2,
            extra=2,
            dropout=0.25,
            groups=4,
        ),
        loss=LossConfig(form="four-noise", weighting="essay"),
        recipe=replace(DiffusionConfig().recipe, clip=None, average=None, rate=3e-5, seed=4),
    )
    config.to_yaml(tmp_path / "run.yaml")
    assert DiffusionConfig.from_yaml(tmp_path / "run.yaml") == config


def test_what_a_file_leaves_out_comes_from_the_preset_it_names(tmp_path: Path) -> None:
    assert DiffusionConfig.from_yaml(written(tmp_path, "")) == DiffusionConfig.digits()
    path = written(tmp_path, "preset: cifar10\ndata:\n  path: here\nrecipe:\n  rate: 1e-4\n")
    config = DiffusionConfig.cifar10("here")
    expected = replace(config, recipe=replace(config.recipe, rate=1e-4))
    assert DiffusionConfig.from_yaml(path) == expected


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("net:\n  bsae: 64\n", ":2: net.bsae is unknown; the nearest known key is net.base"),
        ("base: 64\n", ":1: base is unknown; the nearest known key is net.base"),
        ("zebra: 1\n", ":1: zebra is unknown; known keys are data, schedule, net, loss, recipe"),
        ("net: 64\n", ":1: net is 64; expected some of the keys base, multipliers, attention"),
        ("net:\n  base: wide\n", ":2: net.base is 'wide'; expected a whole number"),
        ("net:\n  base: 1.5\n", ":2: net.base is 1.5; expected a whole number"),
        ("net:\n  base: true\n", ":2: net.base is True; expected a whole number"),
        ("net: {multipliers: 2}", ":1: net.multipliers is 2; expected a list such as [1, 2]"),
        ("net: {multipliers: [1, b]}", ":1: net.multipliers is 'b'; expected a whole number"),
        ("net:\n  base: 1\n\n  base: 2", ":4: net.base was set before, in line 2"),
        ("recipe: {rate: .nan}", ":1: recipe.rate is nan; expected a finite number"),
        ("recipe: {compile: 1}", ":1: recipe.compile is 1; expected true or false"),
        ("recipe: {seed: null}", ":1: recipe.seed is None; expected a whole number"),
        ("data: {path: 2024}", ":1: data.path is 2024; expected text"),
        ("loss: {form: redcued}", "loss.form is 'redcued'; expected one of reduced, four-noise"),
        ("data: {source: cifar10}", ":1: data: channels 1 and size 8; cifar10 has channels 3 and"),
        ("data: {source: own, size: 0}", ":1: data: channels 1, size 0; expected 1 or more"),
        ("schedule: {steps: 0}", ":1: schedule: steps 0; expected 1 or more"),
        ("schedule: {kind: cosine, largest: .1}", "the cosine schedule has no such number"),
        ("preset: cifr10", ":1: preset: no preset 'cifr10'; there are: digits, cifar10"),
        ("[1, 2]", "run.yaml: holds a list; expected keys and values"),
        ("net: [", "run.yaml: is no YAML: "),
    ],
)
def test_a_wrong_file_is_told_by_file_line_and_key(
    text: str, complaint: str, tmp_path: Path
) -> None:
    path = written(tmp_path, text)
    with pytest.raises(DataError) as caught:
        DiffusionConfig.from_yaml(path)
    assert str(caught.value).startswith(str(path))
    assert complaint in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none\.yaml: cannot be read: No such file"):
        DiffusionConfig.from_yaml(tmp_path / "none.yaml")


def test_a_wrong_recipe_is_told_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"run\.yaml:1: recipe: .*-3"):
        DiffusionConfig.from_yaml(written(tmp_path, "recipe: {steps: -3}"))


def test_options_change_what_they_name() -> None:
    config = DiffusionConfig().amended(
        ["net.base=24", "net.multipliers=[1, 2, 4]", "recipe.rate=1e-3", "recipe.average=null",
         "data.flip=true", "net.base=32", "recipe.steps=1e3"]
    )  # fmt: skip
    assert config.net == NetConfig(base=32, multipliers=(1, 2, 4))
    assert (config.recipe.rate, config.recipe.average) == (1e-3, None)
    assert config.recipe.steps == 1000
    assert config.data.flip


def test_options_that_only_fit_together_are_taken_together() -> None:
    config = DiffusionConfig().amended(["data.source=cifar10", "data.size=32", "data.channels=3"])
    assert config.data == DataConfig(source="cifar10", size=32, channels=3)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["net.base"], "--set net.base: expected KEY=VALUE"),
        (["=3"], "--set =3: expected KEY=VALUE"),
        (["net.bas=3"], "--set net.bas is unknown; the nearest known key is net.base"),
        (["net.base=[1"], r"--set net.base=\[1: '\[1' cannot be read as a value"),
        (["net=4", "net.base=3"], "--set net.base=3: net was set to 4 before"),
        (["net=4"], "--set net is 4; expected some of the keys base"),
    ],
)
def test_a_wrong_option_is_named(options: list[str], complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        DiffusionConfig().amended(options)


def test_the_presets_are_the_published_recipes() -> None:
    digits, cifar = DiffusionConfig.digits(), DiffusionConfig.cifar10("here")
    assert digits.recipe == Recipe(
        steps=3000, batch=128, rate=2e-3, warmup=100, decay="linear", average=0.999, clip=1.0
    )
    assert cifar.data == DataConfig(source="cifar10", path="here", size=32, channels=3, flip=True)
    assert (cifar.recipe.rate, cifar.recipe.warmup, cifar.recipe.steps) == (2e-4, 5000, 800_000)
    assert (cifar.recipe.average, cifar.net.dropout) == (0.9999, 0.1)


def test_the_presets_have_the_nets_of_their_names() -> None:
    for name, net in {"digits": UNet.digits(), "cifar10": UNet.cifar10()}.items():
        assert DiffusionConfig.preset(name).build_net().options == net.options


def test_schedules_tear_down_as_far_at_every_number_of_steps() -> None:
    for kind in ("su", "linear"):
        for steps in (50, 200, 1000):
            left = ScheduleConfig(kind=kind, steps=steps).build().alpha_bar[-1]
            assert left < 0.0081, (kind, steps)
    trap = ScheduleConfig(steps=50, largest=0.02).build().alpha_bar[-1]
    assert trap == pytest.approx(0.77, abs=0.01)
    ho = ScheduleConfig(kind="linear").build()
    assert float(ho.beta[1]) ** 2 == pytest.approx(1e-4)
    assert float(ho.beta[-1]) ** 2 == pytest.approx(0.02)


def test_too_few_steps_for_the_rule_are_refused() -> None:
    with pytest.raises(DataError, match=r"schedule\.largest is 2; expected a number between"):
        ScheduleConfig(steps=10).build()
