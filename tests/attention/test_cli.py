"""``companion attention``: from a text to a text and numbers, and one line for a wrong call."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from companion.attention import LanguageModel, load_language
from companion.cli import main
from companion.training import newest_checkpoint, read_log

TINY = ["net.dim=16", "net.depth=1", "text.length=24", "recipe.batch=4", "recipe.warmup=0",
        "recipe.steps=6", "recipe.log_every=2", "measure_every=4"]  # fmt: skip
WORDS = "the quick brown fox jumps over the lazy dog\n"


def train(out: Path, *options: str, start: tuple[str, ...] = ()) -> int:
    sets = [word for option in options for word in ("--set", option)]
    return main(["attention", "train", "--quiet", "--out", str(out), *start, *sets])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def text(folder: Path) -> Path:
    path = folder / "words: 1.txt"
    path.write_text(WORDS * 30)
    return path


@pytest.fixture(scope="module")
def run(folder: Path, text: Path) -> Path:
    start = ("--text", str(text), "--layers", "flash", "--tokenizer", "bpe")
    assert train(folder / "run", *TINY, "text.vocabulary=270", start=start) == 0
    return folder / "run"


@pytest.fixture(scope="module")
def masked(folder: Path) -> Path:
    assert train(folder / "masked", *TINY, start=("--objective", "masked")) == 0
    return folder / "masked"


def test_a_run_leaves_a_checkpoint_a_log_its_settings_and_its_tokenizer(run: Path) -> None:
    config = load_language(run).config
    assert (config.net.layers, config.text.tokenizer, config.objective) == (
        "flash",
        "bpe",
        "causal",
    )
    rows = read_log(run / "log.csv")
    assert [row["step"] for row in rows] == [2, 4, 6]
    assert [row["step"] for row in rows if "held_out" in row] == [4, 6]
    assert (run / "tokenizer.json").is_file()
    assert "words: 1.txt" in (run / "config.yaml").read_text()


def test_a_text_is_written_and_repeats(run: Path, capfd: pytest.CaptureFixture[str]) -> None:
    def written(*options: str) -> str:
        call = ["attention", "sample", str(run), "--prompt", "the q", "--count", "20", *options]
        assert main(call) == 0
        return capfd.readouterr().out

    assert written().startswith("the q")
    assert written() == written("--seed", "0")
    assert written() != written("--seed", "1")
    assert written("--top-k", "1") == written("--temperature", "0", "--seed", "5")


def test_numbers_are_printed_and_written(
    run: Path, text: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "numbers.json"
    assert main(["attention", "evaluate", str(run), "--json", str(file)]) == 0
    own, out = json.loads(file.read_text()), capfd.readouterr().out
    assert own["loss"] == pytest.approx(read_log(run / "log.csv")[-1]["held_out"])
    assert f"{own['loss']:.4f} nats a token, each of {own['tokens']} tokens" in out
    assert f"{own['bits']:.4f} bits a character, {own['characters']} characters" in out
    call = ["attention", "evaluate", str(run), "--text", str(text), "--json", str(file)]
    assert main(call) == 0
    assert json.loads(file.read_text())["characters"] > own["characters"]


def test_a_masked_run_is_judged(masked: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["attention", "evaluate", str(masked)]) == 0
    out = capfd.readouterr().out
    assert "nats a token, hidden tokens among" in out
    assert "bits" not in out


def test_a_model_can_be_taken_out_of_its_run(
    run: Path, text: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "model.safetensors"
    assert main(["attention", "export", str(run), "--out", str(out)]) == 0
    assert load_language(out).config.net == load_language(run).config.net
    for call in (["sample", str(out)], ["evaluate", str(out), "--text", str(text)]):
        assert main(["attention", *call]) == 0
    capfd.readouterr()
    assert main(["attention", "evaluate", str(out)]) == 1
    assert "brings no text; expected one to judge by: --text" in capfd.readouterr().err


def test_a_finished_run_becomes_longer_and_needs_no_settings_again(
    tmp_path: Path, text: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    start = ("--text", str(text), "--preset", "small")
    constant = [*TINY, "recipe.decay=constant"]
    assert train(whole, *constant, "recipe.steps=10", start=start) == 0
    assert train(parts, *constant, "recipe.steps=5", start=start) == 0
    assert train(parts, "recipe.steps=10") == 0
    assert "10 steps" in capfd.readouterr().out
    states = [load_language(folder).model.state_dict() for folder in (whole, parts)]
    for name, value in states[0].items():
        assert torch.equal(value, states[1][name]), name


def test_interrupted_it_saves_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    calls, forward = [], LanguageModel.forward

    def interrupted(model: LanguageModel, *inputs: Any) -> Tensor:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return forward(model, *inputs)

    monkeypatch.setattr(LanguageModel, "forward", interrupted)
    assert train(tmp_path, *TINY) == 130
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "step-00000003.safetensors"
    assert "stopped after step 3" in capfd.readouterr().err
    assert train(tmp_path) == 0


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (["train", "--out", "{tmp}", "--preset", "huge"], "no preset 'huge'; there is: small"),
        (["train", "--out", "{tmp}", "--preset", "small", "--config", "x"], "both given"),
        (["train", "--out", "{tmp}", "--config", "{tmp}/x.yaml"], "x.yaml: cannot be read"),
        (["train", "--out", "{tmp}", "--set", "net.dmi=2"], "the nearest known key is net.dim"),
        (["train", "--out", "{tmp}", "--layers", "lstm"], "net.layers is 'lstm'; expected one of"),
        (["train", "--out", "{tmp}", "--objective", "x"], "objective is 'x'; expected one of"),
        (["train", "--out", "{tmp}", "--tokenizer", "x"], "text.tokenizer is 'x'; expected one"),
        (["train", "--out", "{tmp}", "--text", "{tmp}/no"], "{tmp}/no cannot be read: No such"),
        (["train", "--out", "{text}"], "cannot be used"),
        (["sample", "{tmp}/none"], "{tmp}/none cannot be read"),
        (["sample", "{run}", "--prompt", ""], "the prompt is empty"),
        (["sample", "{run}", "--count", "-1"], "count is -1"),
        (["sample", "{masked}"], "this run learned to tell hidden tokens"),
        (["sample", "{masked}/config.yaml"], "config.yaml is no intact checkpoint"),
        (["evaluate", "{run}", "--text", "{tmp}/no"], "{tmp}/no cannot be read"),
        (["evaluate", "{run}", "--json", "{tmp}/no/x.json"], "cannot be written"),
        (["export", "{run}", "--out", "{tmp}/no/x"], "could not be written"),
    ],
)
def test_a_wrong_call_is_one_line(
    call: list[str],
    complaint: str,
    run: Path,
    masked: Path,
    text: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [word.format(tmp=tmp_path, run=run, masked=masked, text=text) for word in call]
    assert main(["attention", *words]) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("companion: ")
    assert complaint.format(tmp=tmp_path) in last
    assert not [*tmp_path.glob("*.safetensors")]


def test_help_is_there_and_loads_nothing_heavy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["attention", "--help"]) == 0
    assert "evaluate" in capsys.readouterr().out
    program = (
        "import sys; from companion.cli import main; main(['attention', 'train', '--help'])\n"
        "heavy = {'torch', 'numpy', 'yaml', 'companion.attention'} & {*sys.modules}\n"
        "print('heavy:', sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "heavy: []" in done.stdout
