"""``companion events``: from a folder like DuEE's to a submission, and one line if it fails."""

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from companion.cli import main
from companion.events import EventLinker, load_linker, read_duee, read_submission
from companion.events.submission import write_submission
from companion.training import newest_checkpoint, read_log

TINY = ["net.dim=16", "net.depth=1", "net.key_dim=8", "key_dim=8", "recipe.batch=4",
        "recipe.warmup=0", "recipe.steps=6", "recipe.log_every=2",
        "recipe.decay=constant", "threshold=4"]  # fmt: skip
FILES = ("duee_dev.json", "duee_event_schema.json", "duee_test1.json", "duee_train.json")


def train(data: Path, out: Path, *options: str, start: tuple[str, ...] = ()) -> int:
    sets = [word for option in options for word in ("--set", option)]
    call = ["events", "train", "--quiet", "--data", str(data), "--out", str(out)]
    return main([*call, "--tokens", "word", *start, *sets])


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("events")


@pytest.fixture(scope="module")
def data(folder: Path) -> Path:
    """Generated sentences, copied: just the files that DuEE 1.0 has."""
    made, data = folder / "made", folder / "DuEE1.0"
    sizes = ["--train", "24", "--dev", "8", "--held-out", "4"]
    assert main(["events", "generate", "--out", str(made), "--language", "en", *sizes]) == 0
    data.mkdir()
    for name in FILES:
        shutil.copy(made / name, data / name)
    return data


@pytest.fixture(scope="module")
def run(folder: Path, data: Path) -> Path:
    assert train(data, folder / "run", *TINY) == 0
    return folder / "run"


def test_a_run_leaves_a_checkpoint_a_log_and_what_it_takes_to_use_it(run: Path) -> None:
    linker = load_linker(run)
    assert linker.config.tokens == "word"
    rows = read_log(run / "log.csv")
    assert [row["step"] for row in rows] == [2, 4, 6]
    assert 0 <= rows[-1]["event_f1"] <= 1
    assert (run / "event_schema.json").is_file()
    assert len(linker.schema.labels) == 33


def test_predictions_are_a_submission_and_are_judged(
    run: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out, numbers = tmp_path / "predicted.json", tmp_path / "numbers.json"
    for name in ("duee_test1.json", "duee_dev.json"):
        assert main(["events", "predict", str(run), str(data / name), "--out", str(out)]) == 0
        schema = load_linker(run).schema
        wanted = [document.id for document in read_duee(data / name, schema)]
        assert [*read_submission(out, schema)] == wanted
        for line in out.read_text("utf-8").splitlines():
            entry = json.loads(line)
            assert entry.keys() == {"id", "event_list"}
            assert all(e.keys() == {"event_type", "arguments"} for e in entry["event_list"])
    judge = ["events", "evaluate", str(out), str(data / "duee_dev.json"), "--json", str(numbers)]
    assert main(judge) == 0
    assert "8 sentences" in capfd.readouterr().out
    assert json.loads(numbers.read_text())["arguments"]["f1"] <= 1


def test_a_perfect_submission_scores_one_and_a_merged_one_fools_the_judges_of_arguments(
    run: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    schema, numbers = load_linker(run).schema, tmp_path / "numbers.json"
    documents = read_duee(data / "duee_dev.json", schema)
    judge = ["events", "evaluate", str(tmp_path / "x.json"), str(data / "duee_dev.json")]

    def judged(predicted: dict[str, Any]) -> dict[str, Any]:
        write_submission(tmp_path / "x.json", predicted, schema)
        assert main([*judge, "--json", str(numbers)]) == 0
        return json.loads(numbers.read_text())

    perfect = judged({one.id: one.events for one in documents})
    assert [perfect[name]["f1"] for name in ("arguments", "events", "official")] == [1, 1, 1]
    half = judged({one.id: one.events[:1] for one in documents[1:]})
    assert half["missing"] == 1
    assert "1 sentences are not predicted" in capfd.readouterr().out
    assert half["events"]["precision"] == 1
    assert half["events"]["recall"] < 1
    assert half["arguments"]["recall"] < 1


def test_without_triggers_and_without_links(
    data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert train(data, tmp_path / "run", *TINY, "recipe.steps=2", start=("--no-triggers",)) == 0
    assert "26 labels" in capfd.readouterr().out
    assert load_linker(tmp_path / "run").config.triggers is False
    call = ["events", "predict", str(tmp_path / "run"), str(data / "duee_dev.json"), "--out"]
    assert main([*call, str(tmp_path / "x.json"), "--no-links", "--threshold", "9"]) == 0
    assert "8 sentences, 0 events" in capfd.readouterr().out
    assert main([*call, str(tmp_path / "y.json"), "--require-trigger"]) == 1
    assert "require_trigger is True; the schema has no triggers" in capfd.readouterr().err


def test_a_run_becomes_longer_and_needs_no_settings_again(data: Path, tmp_path: Path) -> None:
    assert train(data, tmp_path / "run", *TINY) == 0
    assert train(data, tmp_path / "run", "recipe.steps=8") == 0
    assert [row["step"] for row in read_log(tmp_path / "run" / "log.csv")] == [2, 4, 6, 8]


def test_interrupted_it_saves_and_says_so(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    calls, forward = [], EventLinker.forward

    def interrupted(model: EventLinker, *inputs: Any) -> Any:
        calls.append(1)
        if len(calls) == 3:
            signal.raise_signal(signal.SIGINT)
        return forward(model, *inputs)

    monkeypatch.setattr(EventLinker, "forward", interrupted)
    assert train(data, tmp_path, *TINY) == 130
    newest = newest_checkpoint(tmp_path)
    assert newest is not None
    assert newest.name == "step-00000003.safetensors"
    assert "stopped after step 3" in capfd.readouterr().err


def test_lines_that_are_wrong_or_too_long_are_skipped_counted_and_listed(
    run: Path, data: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    good = (data / "duee_test1.json").read_text("utf-8").splitlines()[:2]
    long = json.dumps({"id": "long", "text": "no " * 300})
    file, out = tmp_path / "x.json", tmp_path / "out.json"
    file.write_text("\n".join([good[0], "{", long, good[1]]) + "\n", "utf-8")
    call = ["events", "predict", str(run), str(file), "--out", str(out)]
    assert main(call) == 1
    assert f"{file}:2: no JSON at column 2" in capfd.readouterr().err
    assert not out.exists()
    assert main([*call, "--on-error", "skip"]) == 0
    told = capfd.readouterr()
    assert f"companion: skipped: {file}:2: no JSON at column 2" in told.err
    assert f"{file}:3: text has 300 tokens; expected 1 to 256 (length)" in told.err
    assert f"{file}: 2 of 4 lines skipped" in told.err
    assert "3 sentences" in told.out  # the long one has an id, and no events
    assert read_submission(out, load_linker(run).schema)["long"] == []
    file.write_text(f"{long}\n")
    assert main(call) == 1
    assert f"{file}:1: text has 300 tokens; expected 1 to 256" in capfd.readouterr().err


@pytest.mark.parametrize(
    ("call", "complaint"),
    [
        (["train", "--data", "{tmp}", "--out", "{tmp}/r"], "duee_event_schema.json cannot be read"),
        (["train", "--data", "{data}", "--out", "{tmp}/r", "--set", "net.dmi=2"], "is net.dim"),
        (["train", "--data", "{data}", "--out", "{tmp}/r", "--tokens", "x"], "tokens is 'x'"),
        (["train", "--data", "{data}", "--out", "{tmp}/r", "--on-error", "x"], "raise or skip"),
        (["train", "--data", "{data}", "--out", "{tmp}/r", "--set", "length=5"], "expected 1 to 5"),
        (["train", "--data", "{data}", "--out", "{tmp}/r", "--config", "no"], "no: cannot be read"),
        (["predict", "{tmp}/none", "{data}/duee_dev.json", "--out", "{tmp}/x"], "cannot be read"),
        (["predict", "{run}", "{tmp}/none", "--out", "{tmp}/x"], "none cannot be read"),
        (["evaluate", "{tmp}/none", "{data}/duee_dev.json"], "none cannot be read"),
        (["evaluate", "{data}/duee_dev.json", "{data}/duee_test1.json"], "no sentence of the true"),
        (["generate", "--out", "{tmp}/r", "--language", "de"], "--language is 'de'"),
        (["generate", "--out", "{tmp}/r", "--train", "0"], "expected at least one sentence"),
    ],
)
def test_a_wrong_call_is_one_line(
    call: list[str],
    complaint: str,
    run: Path,
    data: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    words = [word.format(tmp=tmp_path, run=run, data=data) for word in call]
    assert main(["events", *words]) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("companion: ")
    assert complaint in last
    assert not (tmp_path / "r").exists()


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys; from companion.cli import main; main(['events', 'train', '--help'])\n"
        "heavy = {'torch', 'numpy', 'yaml', 'companion.events'} & {*sys.modules}\n"
        "print('heavy:', sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "heavy: []" in done.stdout
