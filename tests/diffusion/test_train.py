"""Training by configuration: what is learned, resumed, saved, shared between processes, refused."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import Tensor, nn

from companion.diffusion.config import DataConfig, DiffusionConfig
from companion.diffusion.evaluate import loss_by_step, sample_quality
from companion.diffusion.pretrained import export, load_diffusion, pretrained_digits
from companion.diffusion.sources import check_images, held_out_images, training_images
from companion.diffusion.train import Diffusion, is_main_process, train_diffusion
from companion.errors import CheckpointError, DataError, NumericsError, ShapeError
from companion.training import Recipe, fit, newest_checkpoint, read_log

SHIPPED_STEPS = 3000  # of the net of the package
SHIPPED_DISTANCE = 3.0  # Fréchet; real against real is about 1.2, seeds reach 1.3 to 1.8

TINY = ["net.base=8", "net.multipliers=[1]", "net.groups=4", "recipe.warmup=0", "recipe.batch=8"]


def tiny(*options: str) -> DiffusionConfig:
    return DiffusionConfig.digits().amended([*TINY, *options])


def trained(config: DiffusionConfig, **options: object) -> Diffusion:
    return train_diffusion(config, device="cpu", progress=False, **options)  # pyright: ignore


def weights(model: nn.Module) -> Tensor:
    return torch.cat([value.flatten() for value in model.state_dict().values()])


@pytest.fixture
def images() -> Tensor:
    return torch.rand(32, 1, 8, 8) * 2 - 1


def losses(result: Diffusion) -> list[float]:
    assert result.run is not None
    return [row["loss"] for row in result.run.history]


def test_the_loss_falls_on_digits() -> None:
    found = losses(trained(tiny("recipe.steps=60", "recipe.log_every=1",
                          "recipe.batch=64", "recipe.rate=5e-3")))  # fmt: skip
    assert found[0] > 0.8
    assert found[-1] < 0.6 * found[0]


def test_the_same_configuration_gives_the_same_weights(images: Tensor) -> None:
    torch.manual_seed(1)
    first = trained(tiny("recipe.steps=3"), data=images)
    torch.manual_seed(2)
    again = trained(tiny("recipe.steps=3"), data=images)
    other = trained(tiny("recipe.steps=3", "recipe.seed=1"), data=images)
    assert torch.equal(weights(first.model), weights(again.model))
    assert not torch.equal(weights(first.model), weights(other.model))


def test_the_result_holds_the_averaged_weights(images: Tensor) -> None:
    result = trained(tiny("recipe.steps=5"), data=images)
    assert result.run is not None
    assert result.model is result.run.average
    assert not result.model.training
    assert not torch.equal(weights(result.model), weights(result.run.model))


def test_a_run_that_was_stopped_goes_on_as_if_it_had_not(tmp_path: Path, images: Tensor) -> None:
    config = tiny("recipe.steps=8", "recipe.save_every=2", "recipe.log_every=1", "data.flip=true")
    whole = trained(config, data=images)
    with Stop(after=5), pytest.raises(KeyboardInterrupt):
        trained(config, folder=tmp_path, data=images)
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "step-00000004.safetensors"
    resumed = trained(config, folder=tmp_path, data=images)
    assert torch.equal(weights(resumed.model), weights(whole.model))
    assert losses(resumed) == losses(whole)


class Stop:
    """Ends a run in the forward pass after so many steps, as a kill would."""

    def __init__(self, *, after: int) -> None:
        self.left = after

    def __enter__(self) -> None:
        from companion.diffusion.unet import UNet

        self.forward = UNet.forward

        def forward(net: UNet, x: Tensor, t: Tensor) -> Tensor:
            self.left -= 1
            if self.left < 0:
                raise KeyboardInterrupt
            return self.forward(net, x, t)

        UNet.forward = forward  # pyright: ignore[reportAttributeAccessIssue]

    def __exit__(self, *error: object) -> None:
        from companion.diffusion.unet import UNet

        UNet.forward = self.forward


def test_another_configuration_does_not_go_on(tmp_path: Path, images: Tensor) -> None:
    trained(tiny("recipe.steps=2"), folder=tmp_path, data=images)
    before = (tmp_path / "config.yaml").read_text()
    with pytest.raises(CheckpointError, match=r"net\.dropout: 0\.0 in the checkpoint, 0\.5 asked"):
        trained(tiny("recipe.steps=2", "net.dropout=0.5"), folder=tmp_path, data=images)
    assert (tmp_path / "config.yaml").read_text() == before


def test_images_that_moved_to_another_folder_do_not_hinder(tmp_path: Path) -> None:
    from companion.diffusion.train import about

    assert about(tiny().with_data("here")) == about(tiny().with_data("there"))
    assert about(tiny()) != about(tiny().with_data("here"))


def test_every_setting_of_the_loss_reaches_it(images: Tensor) -> None:
    options = ["", "loss.form=four-noise", "loss.weighting=essay", "data.flip=true",
               "schedule.kind=cosine", "schedule.steps=50"]  # fmt: skip
    found = {losses(trained(tiny("recipe.steps=3", *filter(None, [o])), data=images))[-1]
             for o in options}  # fmt: skip
    assert len(found) == len(options)


def test_flip_mirrors_about_half_of_the_images() -> None:
    from companion.diffusion.train import _loss
    from companion.training import Draws

    seen = []

    class Spy(nn.Module):
        def forward(self, x: Tensor, t: Tensor) -> Tensor:
            seen.append(x)
            return x

    left = torch.full((400, 1, 8, 8), -1.0)
    left[..., :4] = 1
    config = tiny("data.flip=true", "schedule.largest=1e-9")  # no noise to speak of
    _loss(config, config.schedule.build())(Spy(), left, Draws(400, step=1))
    mirrored = (seen[0][..., 0].mean((1, 2)) < 0).sum()
    assert 160 < mirrored < 240
    assert (seen[0].abs() > 0.9).all()


@pytest.mark.parametrize(
    ("bad", "kind", "complaint"),
    [
        (torch.zeros(4, 1, 9, 8), ShapeError, r"shape \(4, 1, 9, 8\); expected \[image, 1, 8, 8\]"),
        (torch.zeros(4, 3, 8, 8), ShapeError, r"expected \[image, 1, 8, 8\].*data\.channels"),
        (torch.zeros(4, 64), ShapeError, r"shape \(4, 64\)"),
        (torch.zeros(0, 1, 8, 8), ShapeError, r"shape \(0, 1, 8, 8\)"),
        (torch.zeros(4, 1, 8, 8, dtype=torch.int64), DataError, r"are torch\.int64; expected"),
        (torch.full((4, 1, 8, 8), 255.0), DataError, r"\[255, 255\]; expected \[−1, 1\]"),
        (torch.full((4, 1, 8, 8), -1.5), DataError, r"\[-1\.5, -1\.5\]; expected \[−1, 1\]"),
        (torch.full((4, 1, 8, 8), 0.5), DataError, r"2 \* images - 1 brings \[0, 1\] there"),
        (torch.full((4, 1, 8, 8), torch.nan), DataError, r"images\[0, 0, 0, 0\] is nan"),
    ],
)
def test_wrong_images_are_refused_before_training(
    bad: Tensor, kind: type[Exception], complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(kind, match=complaint):
        trained(tiny("recipe.steps=1"), folder=tmp_path / "run", data=bad)
    assert not (tmp_path / "run").exists()


def test_images_at_the_bounds_are_fine() -> None:
    config = DataConfig(source="own", size=1)
    bounds = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1)
    assert torch.equal(check_images(bounds, config), bounds)
    assert torch.equal(check_images(torch.tensor([0, 255], dtype=torch.uint8)
                                    .view(2, 1, 1, 1), config), bounds)  # fmt: skip
    blank = torch.zeros(2, 1, 1, 1)
    assert torch.equal(check_images(blank, config), blank)


def test_a_net_that_does_not_fit_the_images_is_refused() -> None:
    with pytest.raises(DataError, match="size is 8; expected a multiple of 16"):
        trained(DiffusionConfig.digits().amended(["net.multipliers=[1, 1, 1, 1, 1]"]))


def test_a_loss_that_is_no_number_stops_and_names_the_step(tmp_path: Path, images: Tensor) -> None:
    config = tiny("recipe.steps=50", "recipe.rate=1e30", "recipe.clip=null", "recipe.log_every=1")
    with pytest.raises(NumericsError, match="step "):
        trained(config, folder=tmp_path, data=images)
    assert newest_checkpoint(tmp_path) is None


def test_samples_repeat_with_the_seed_and_stay_in_range(images: Tensor) -> None:
    result = trained(tiny("recipe.steps=2"), data=images)
    first = result.sample(5, steps=4, seed=3)
    assert first.shape == (5, 1, 8, 8)
    assert first.abs().max() <= 1
    assert torch.equal(first, result.sample(5, steps=4, seed=3))
    assert not torch.equal(first, result.sample(5, steps=4, seed=4))
    assert result.sample(5, steps=4, batch=2).shape == (5, 1, 8, 8)
    with pytest.raises(DataError, match="count is 0"):
        result.sample(0)
    with pytest.raises(DataError, match="method is 'magic'"):
        result.sample(1, method="magic")


def test_a_film_ends_with_the_images(images: Tensor) -> None:
    result = trained(tiny("recipe.steps=2"), data=images)
    film = result.film(3, moments=5, steps=8, seed=1)
    assert film.shape == (3, 5, 1, 8, 8)
    assert torch.equal(film[:, -1], result.sample(3, steps=8, seed=1))


def test_what_is_loaded_is_what_was_trained(tmp_path: Path, images: Tensor) -> None:
    result = trained(tiny("recipe.steps=3", "schedule.kind=cosine"), folder=tmp_path, data=images)
    export(result, tmp_path / "net.safetensors")
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    for path in (tmp_path, newest, tmp_path / "net.safetensors"):
        loaded = load_diffusion(path)
        assert torch.equal(weights(loaded.model), weights(result.model))
        assert loaded.config == result.config
        assert loaded.schedule == result.schedule
        assert not loaded.model.training


def test_an_exported_file_holds_one_copy_of_the_weights_and_no_path(tmp_path: Path) -> None:
    config = tiny("data.path=secret")
    net = Diffusion(model=config.build_net(), schedule=config.schedule.build(), config=config)
    export(net, tmp_path / "net.safetensors")
    assert b"secret" not in (tmp_path / "net.safetensors").read_bytes()
    saved = safetensors.torch.load_file(tmp_path / "net.safetensors")
    assert saved.keys() == net.model.state_dict().keys()
    with pytest.raises(CheckpointError, match="could not be written: No such file"):
        export(net, tmp_path / "none" / "net.safetensors")


@pytest.fixture
def other(tmp_path: Path) -> dict[str, Path]:
    """Files that are no nets of diffusion."""

    def loss(model, batch, draws):
        return model(batch).square().mean()

    fit(nn.Linear(1, 1), loss, torch.ones(4, 1), Recipe(steps=1, batch=2),
        folder=tmp_path / "other", progress=False)  # fmt: skip
    config = tiny()
    net = Diffusion(model=config.build_net(), schedule=config.schedule.build(), config=config)
    export(net, tmp_path / "cut.safetensors")
    whole = (tmp_path / "cut.safetensors").read_bytes()
    (tmp_path / "cut.safetensors").write_bytes(whole[:-9])
    (tmp_path / "empty").mkdir()
    (tmp_path / "words.txt").write_text("no net")
    state = {"first.weight": torch.zeros(1)}
    for name, metadata in {
        "silent": {"format": "companion.diffusion 1"},
        "odd": {"format": "companion.diffusion 1", "config": '{"net": {"depth": 3}}'},
        "bare": {"format": "companion.diffusion 1", "config": "{}"},
    }.items():
        safetensors.torch.save_file(state, tmp_path / name, metadata)
    return {path.name: path for path in tmp_path.iterdir()}


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("other", "is of another kind of run; expected one of diffusion"),
        ("cut.safetensors", "is no intact checkpoint"),
        ("empty", "holds no checkpoint"),
        ("words.txt", "is no intact checkpoint"),
        ("silent", "does not say of which configuration it is"),
        ("odd", r"net\.depth is unknown.*another version of companion"),
        ("bare", r"time\.0\.weight has shape nothing; expected"),
    ],
)
def test_a_file_of_another_kind_is_refused(
    name: str, complaint: str, other: dict[str, Path]
) -> None:
    with pytest.raises(CheckpointError, match=complaint) as caught:
        load_diffusion(other[name])
    assert name in str(caught.value)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="none cannot be read"):
        load_diffusion(tmp_path / "none")


def test_two_processes_share_a_run(tmp_path: Path) -> None:
    config = tiny("recipe.steps=20", "recipe.log_every=1", "recipe.save_every=10", "data.flip=true")
    config.to_yaml(tmp_path / "run.yaml")
    launch = [
        sys.executable, "-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes=2",
        "--num_machines=1", "--mixed_precision=no", "--dynamo_backend=no", "--main_process_port=0",
        "--tee=3", "--log_dir", str(tmp_path / "told"),
        "-m", "companion", "diffusion", "train", "--quiet",
        "--config", str(tmp_path / "run.yaml"), "--out", str(tmp_path / "two"),
    ]  # fmt: skip
    done = subprocess.run(
        launch, capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("done, loss") == 1
    assert len(list((tmp_path / "told").rglob("stdout.log"))) == 2  # of each process
    one = trained(config, folder=tmp_path / "one")
    curve = [row["loss"] for row in read_log(tmp_path / "two" / "log.csv")]
    assert len(curve) == 20
    assert curve == pytest.approx(losses(one), abs=1e-5)
    names = [sorted(p.name for p in (tmp_path / run).glob("step-*")) for run in ("one", "two")]
    assert names[0] == names[1]
    both = weights(load_diffusion(tmp_path / "two").model), weights(one.model)
    assert torch.allclose(*both, atol=1e-5)


def test_only_the_first_process_speaks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RANK", raising=False)
    assert is_main_process()
    monkeypatch.setenv("RANK", "1")
    assert not is_main_process()


def test_digits_are_judged_by_those_not_learned_from() -> None:
    learned, held_out = training_images(DataConfig()), held_out_images(DataConfig())
    assert isinstance(learned, Tensor)
    assert len(learned) + len(held_out) == 1797
    assert torch.cdist(learned.flatten(1), held_out.flatten(1)).min() > 0.5


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({"source": "own"}, r"train_diffusion\(config, data=images\)"),
        ({"source": "folder"}, r"data\.path is not set"),
        ({"source": "folder", "path": "/nowhere"}, "/nowhere is no folder"),
        ({"source": "folder", "path": ".", "channels": 2}, "data.channels is 2; a folder"),
        ({"source": "cifar10", "path": "/no", "size": 32, "channels": 3}, "/no does not exist"),
    ],
)
def test_images_that_are_not_there_are_missed(settings: dict, complaint: str) -> None:
    with pytest.raises(DataError, match=complaint):
        training_images(DataConfig(**settings))


def test_the_net_of_the_package_is_the_preset() -> None:
    shipped, preset = pretrained_digits(), DiffusionConfig.digits()
    assert shipped.config == replace(preset, recipe=replace(preset.recipe, steps=SHIPPED_STEPS))
    assert sum(p.numel() for p in shipped.model.parameters()) == 103_473
    assert weights(shipped.model).dtype == torch.float32
    assert weights(shipped.model).isfinite().all()


def test_the_net_of_the_package_makes_digits() -> None:
    found = sample_quality(pretrained_digits(), 450, method="dpm-solver++", steps=20)
    assert found.distance < SHIPPED_DISTANCE, found
    assert min(found.classes) > 15, found
    assert found.recall > 0.6, found
    assert found.copied > 0.5 * found.apart, found
    losses = loss_by_step(pretrained_digits(), held_out_images(DataConfig()))
    assert losses[1] > 0.5 > losses[100] > losses[500] > 0
