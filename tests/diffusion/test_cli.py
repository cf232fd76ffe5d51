"""``companion diffusion``: from nothing to pictures and numbers, and one line for a wrong call."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

from companion.cli import main
from companion.diffusion.pretrained import load_diffusion
from companion.diffusion.unet import UNet
from companion.training import newest_checkpoint, read_log

TINY = ["net.base=8", "net.multipliers=[1]", "net.groups=4", "recipe.warmup=0", "recipe.batch=16",
        "schedule.steps=40", "recipe.steps=30", "recipe.log_every=5"]  # fmt: skip


def train(out: Path, *options: str, start: tuple[str, ...] = ("--preset", "digits")) -> int:
    sets = [word for option in options for word in ("--set", option)]
    return main(["diffusion", "train", "--quiet", "--out", str(out), *start, *sets])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("digits")
    assert train(folder, *TINY) == 0
    return folder


def pixels(path: Path) -> bytes:
    with Image.open(path) as picture:
        return picture.tobytes()


def test_a_run_leaves_a_checkpoint_a_log_and_its_settings(run: Path) -> None:
    assert load_diffusion(run).config.net.base == 8
    assert [row["step"] for row in read_log(run / "log.csv")] == [5, 10, 15, 20, 25, 30]
    assert "base: 8" in (run / "config.yaml").read_text()


def test_samples_are_pictures_and_repeat_with_the_seed(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    def sample(name: str, *options: str) -> Path:
        out = tmp_path / name
        call = ["diffusion", "sample", str(run), "--count", "5", "--out", str(out), *options]
        assert main(call) == 0
        return out

    ddim = ["--method", "ddim", "--steps", "4"]
    first = sample("a.png", *ddim, "--each", str(tmp_path / "each"))
    assert pixels(first) == pixels(sample("b.png", *ddim))
    assert pixels(first) != pixels(sample("c.png", *ddim, "--seed", "1"))
    assert pixels(first) != pixels(sample("d.png", "--steps", "4"))
    each = sorted((tmp_path / "each").iterdir())
    assert [path.name for path in each] == [f"{number:05d}.png" for number in range(5)]
    assert Image.open(each[0]).size == (8, 8)
    assert str(first) in capfd.readouterr().out


def test_a_film_shows_the_way_from_the_noise(run: Path, tmp_path: Path) -> None:
    film = tmp_path / "film.png"
    call = ["diffusion", "sample", str(run), "--count", "3", "--out", str(tmp_path / "a.png")]
    assert main([*call, "--trajectory", str(film)]) == 0
    width, height = Image.open(film).size
    assert width > 2 * height > 0  # three rows of nine


def test_the_net_of_the_package_is_there_without_any_run(tmp_path: Path) -> None:
    out = tmp_path / "digits.png"
    assert main(["diffusion", "sample", "--steps", "3", "--count", "4", "--out", str(out)]) == 0
    assert out.is_file()


def test_a_finished_run_becomes_longer_and_needs_no_settings_again(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    constant = [*TINY, "recipe.decay=constant"]
    assert train(whole, *constant, "recipe.steps=12") == 0
    assert train(parts, *constant, "recipe.steps=6") == 0
    assert train(parts, "recipe.steps=12", start=()) == 0
    assert "12 steps" in capfd.readouterr().out
    states = [load_diffusion(folder).model.state_dict() for folder in (whole, parts)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name
    assert train(parts, start=()) == 0  # nothing is left to do


def test_interrupted_it_saves_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    calls, forward = [], UNet.forward

    def interrupted(net: UNet, x: Tensor, t: Tensor) -> Tensor:
        calls.append(t)
        if len(calls) == 7:
            signal.raise_signal(signal.SIGINT)
        return forward(net, x, t)

    monkeypatch.setattr(UNet, "forward", interrupted)
    assert train(tmp_path, *TINY) == 130
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "step-00000007.safetensors"
    assert "stopped after step 7" in capfd.readouterr().err
    assert train(tmp_path, start=()) == 0
    assert len(calls) == 30


def test_numbers_are_printed_and_written(
    run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "numbers.json"
    call = ["diffusion", "evaluate", str(run), "--method", "ddim", "--steps", "4"]
    assert main([*call, "--json", str(file)]) == 0
    found = json.loads(file.read_text())
    out = capfd.readouterr().out
    assert {"1", "40"} <= found["loss"].keys()
    assert all(0 < loss < 3 for loss in found["loss"].values())
    assert f"{found['quality']['distance']:.2f}" in out
    assert f"{found['loss']['40']:.4f}" in out
    assert "of 450" in out


def test_a_net_can_be_taken_out_of_its_run(run: Path, tmp_path: Path) -> None:
    out = tmp_path / "net.safetensors"
    assert main(["diffusion", "export", str(run), "--out", str(out)]) == 0
    assert load_diffusion(out).config.net == load_diffusion(run).config.net
    assert out.stat().st_size < 2 * sum(
        p.numel() * 4 for p in load_diffusion(run).model.parameters()
    )


def test_a_folder_of_images_is_learned_from(tmp_path: Path) -> None:
    for number in range(6):
        Image.new("RGB", (12, 10), (40 * number, 80, 200)).save(tmp_path / f"{number}.png")
    options = [*TINY, "data.size=8", "data.channels=3", "recipe.steps=2"]
    start = ("--preset", "digits", "--data", str(tmp_path))
    assert train(tmp_path / "run", *options, start=start) == 0
    assert load_diffusion(tmp_path / "run").config.data.source == "folder"
    call = ["diffusion", "evaluate", str(tmp_path / "run"), "--data", str(tmp_path)]
    assert main([*call, "--json", str(tmp_path / "numbers.json")]) == 0
    assert json.loads((tmp_path / "numbers.json").read_text()).keys() >= {"loss"}


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (["train", "--out", "{tmp}"], "holds no run yet; say what to train by --preset or --conf"),
        (["train", "--out", "{tmp}", "--preset", "mnist"], "no preset 'mnist'; there are: digits"),
        (["train", "--out", "{tmp}", "--preset", "digits", "--config", "x"], "both given"),
        (["train", "--out", "{tmp}", "--config", "{tmp}/x.yaml"], "x.yaml: cannot be read"),
        (["train", "--out", "{tmp}", "--preset", "digits", "--set", "net.bas=2"], "net.base"),
        (["train", "--out", "{tmp}", "--preset", "cifar10"], "data.path is not set"),
        (["train", "--out", "{tmp}", "--preset", "digits", "--data", "{tmp}/no"], "{tmp}/no"),
        (["sample", "{tmp}/none", "--out", "{tmp}/a.png"], "{tmp}/none cannot be read"),
        (["sample", "{run}", "--out", "{tmp}/a.png", "--method", "magic"], "method is 'magic'"),
        (["sample", "{run}", "--out", "{tmp}/a.png", "--steps", "99"], "99"),
        (["sample", "{run}", "--out", "{tmp}/a.png", "--count", "0"], "count is 0"),
        (["sample", "{run}", "--steps", "1", "--out", "{tmp}/no/a.png"], "{tmp}/no"),
        (["evaluate", "{run}", "--data", "{tmp}"], "--data"),
        (["evaluate", "{run}", "--steps", "2", "--count", "3"], "3"),
    ],
)
def test_a_wrong_call_is_one_line(
    call: list[str], complaint: str, run: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [word.format(tmp=tmp_path, run=run) for word in call]
    assert main(["diffusion", *words]) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("companion: ")
    assert complaint.format(tmp=tmp_path) in last
    assert not [*tmp_path.glob("*.safetensors")]


def test_help_is_there_and_loads_nothing_heavy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["diffusion", "--help"]) == 0
    assert "evaluate" in capsys.readouterr().out
    assert main(["diffusion"]) == 2
    assert "Missing command" in capsys.readouterr().err
    program = (
        "import sys; from companion.cli import main; main(['diffusion', 'train', '--help'])\n"
        "heavy = {'torch', 'numpy', 'yaml', 'companion.diffusion'} & {*sys.modules}\n"
        "print('heavy:', sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "heavy: []" in done.stdout
