"""``companion argmax``: a folder of a model in, verdicts with the tokens' text out."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer, decoders, models

from companion.argmax import ArgmaxReport, Scanner
from companion.argmax.output_layer import load_output_layer
from companion.argmax.scan import BLOCK
from companion.argmax.summary import describe
from companion.argmax.token_text import tokens_beside
from companion.cli import main


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tied embedding in bfloat16, four axes, two equal rows, and words for all but the last."""
    folder = tmp_path_factory.mktemp("model")
    rows = torch.randn(120, 4, generator=torch.Generator().manual_seed(1))
    rows[5], rows[9] = rows[3], 0.05 * rows[9]
    layers = {"model.embed_tokens.weight": rows.bfloat16(), "model.norm.weight": torch.ones(4)}
    save_file(layers, folder / "model.safetensors")
    words = ["\u202eĊ", *(f"Ġw{n}" for n in range(1, 119))]  # the first turns a line around
    vocabulary = Tokenizer(models.BPE({word: n for n, word in enumerate(words)}, []))
    vocabulary.decoder = decoders.ByteLevel()
    vocabulary.save(str(folder / "tokenizer.json"))
    return folder


@pytest.fixture
def report(model: Path, tmp_path: Path) -> Path:
    out = tmp_path / "report.npz"
    assert main(["argmax", "scan", str(model), "--quiet", "--out", str(out)]) == 0
    return out


def test_a_scan_says_what_it_read_and_what_it_found(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "report.npz"
    assert main(["argmax", "scan", str(model), "--out", str(out), "--show", "200"]) == 0
    told, errors = capfd.readouterr()
    found = ArgmaxReport.load(out)
    assert "model.embed_tokens.weight (tied to the embedding), 120 classes x 4, bfloat16" in told
    assert str(found) in told
    never = ((found.verdict == 0) & (found.twin < 0)).sum()
    assert f"never the best: {never}\n" in told
    assert "9  outdone by    5 others together  'Ġw9' = ' w9'\n" in told
    assert "never the best alone, duplicates: 2\n" in told
    assert "3  has the row of 5  'Ġw3' = ' w3'\n" in told
    assert "no token\n" in told
    assert "'\\u202eĊ'" in told
    assert "\u202e" not in told
    assert told.endswith(f"report: {out}\n")
    assert "120/120" in errors
    least = found.margin[found.verdict == 1].min()
    assert told.partition("least proved leads")[2].splitlines()[1].split()[1] == f"{least:.3g}"


def test_tokens_are_shown_printable(model: Path) -> None:
    tokens = tokens_beside(model / "model.safetensors")
    assert tokens is not None
    assert tokens[0] == "'\\u202eĊ'"
    assert tokens[7] == "'Ġw7' = ' w7'"
    assert tokens[119] == "no token"
    assert all(word.isprintable() for word in (tokens[n] for n in range(120)))


def test_the_undecided_are_listed_and_lists_are_cut(report: Path) -> None:
    found = ArgmaxReport.load(report)
    found.verdict[11] = -1
    told = describe(found, show=1)
    assert "undecided: 1\n        11  no proof\n" in told
    never = int(((found.verdict == 0) & (found.twin < 0)).sum())
    assert f"  and {never - 1} more\n" in told


def test_a_report_is_verified_against_its_model_only(
    report: Path, model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    call = ["argmax", "verify", str(report)]
    assert main([*call, str(model), "--memory", "4GB"]) == 0
    said = capfd.readouterr()
    assert "120 verdicts proved, 0 undecided" in said.out
    assert "120/120" in said.err
    assert main([*call, str(model), "--quiet"]) == 0
    assert capfd.readouterr().err == ""
    rows = load_output_layer(model).weight.float()
    save_file({"lm_head.weight": rows.flip(0).contiguous()}, tmp_path / "other.safetensors")
    assert main([*call, str(tmp_path / "other.safetensors")]) == 1
    assert "report.npz does not hold for" in capfd.readouterr().err
    tampered = ArgmaxReport.load(report)
    won = int((tampered.verdict == 1).nonzero()[0])
    tampered.verdict[won] = 0
    tampered.save(tmp_path / "tampered.npz")
    assert main(["argmax", "verify", str(tmp_path / "tampered.npz"), str(model)]) == 1


def test_help_says_how_many_classes_a_kill_can_cost(capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["argmax", "scan", "--help"]) == 0
    assert f"left out: {BLOCK}" in " ".join(capfd.readouterr().out.split())


def test_interrupted_it_says_how_to_go_on(
    model: Path,
    report: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    decide, calls = Scanner.decide, []

    def interrupted(self, classes):
        calls.append(classes)
        if len(calls) == 3:
            raise KeyboardInterrupt  # as Ctrl-C does; a job in the background ignores the signal
        return decide(self, classes)

    monkeypatch.setattr(Scanner, "decide", interrupted)
    out = tmp_path / "again.npz"
    call = ["argmax", "scan", str(model), "--quiet", "--block", "30", "--out", str(out)]
    assert main(call) == 130
    assert "stopped; the same command goes on from the last block" in capfd.readouterr().err
    assert not out.exists()
    assert main([*call, "--radius", "2"]) == 1
    assert "its radius is None, here 2.0" in capfd.readouterr().err
    assert main(call) == 0
    assert len(calls) == 5  # of four blocks the third was begun twice
    assert torch.equal(ArgmaxReport.load(out).verdict, ArgmaxReport.load(report).verdict)


def test_shards_biases_and_parts_can_be_named(tmp_path: Path) -> None:
    rows = torch.randn(50, 3, generator=torch.Generator().manual_seed(2))
    bias = torch.linspace(-1, 1, 50)
    save_file({"x": rows, "y": bias}, tmp_path / "one-00001-of-00002.safetensors")
    save_file({"z": bias}, tmp_path / "one-00002-of-00002.safetensors")
    out = tmp_path / "report.npz"
    call = ["argmax", "scan", str(tmp_path), "--quiet", "--out", str(out)]
    chosen = ["--tensor", "x", "--bias", "z", "--radius", "5", "--classes", "7,0:3, 48:"]
    assert main([*call, *chosen]) == 0
    found = ArgmaxReport.load(out)
    assert found.classes.tolist() == [0, 1, 2, 7, 48, 49]
    assert found.radius == 5
    assert found.verify(rows, bias)
    assert not found.verify(rows)


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--tensor", "model.embed.weight"], "holds no tensor 'model.embed.weight'; is it model.e"),
        (["--bias", "b"], "holds no tensor 'b'"),
        (["--bias", "b", "--no-bias"], "--bias and --no-bias were both given"),
        (["--radius", "0"], "radius is 0.0; expected a positive number"),
        (["--classes", "0:x"], "--classes has '0:x'; expected a number or a range such as 0:1000"),
        (["--classes", "100:121"], "--classes has '100:121'; expected classes of 0 to 119"),
        (["--memory", "much"], "--memory is 'much'; expected a size such as 4GB"),
        (["--memory", "3B"], "memory is 3 bytes"),
        (["--device", "tpu"], "--device is 'tpu'; there is: cpu"),
        (["--block", "0"], "block is 0"),
    ],
)
def test_a_wrong_call_is_one_line(
    options: list[str],
    complaint: str,
    model: Path,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    call = ["argmax", "scan", str(model), "--quiet", "--out", str(tmp_path / "a.npz"), *options]
    assert main(call) == 1
    last = capfd.readouterr().err.splitlines()[-1]
    assert last.startswith("companion: ")
    assert complaint in last
    assert not [*tmp_path.iterdir()]


def test_a_broken_tokenizer_and_a_broken_report_are_named(
    model: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "model.safetensors").write_bytes((model / "model.safetensors").read_bytes())
    (tmp_path / "tokenizer.json").write_text("{")
    out = tmp_path / "report.npz"
    assert main(["argmax", "scan", str(tmp_path), "--out", str(out)]) == 1
    assert "tokenizer.json is no tokenizer" in capfd.readouterr().err
    out.write_bytes(b"PK\x03\x04")
    assert main(["argmax", "verify", str(out), str(model)]) == 1
    assert f"{out} is no report" in capfd.readouterr().err


MEASURED = """
import sys, torch
from pathlib import Path
import companion.argmax
from companion.cli import main
torch.set_num_threads(1)
model, folder = sys.argv[1:]

def resident(field):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(field))

def grown(classes, memory):
    Path("/proc/self/clear_refs").write_text("5")
    before = resident("VmHWM")
    options = ["--quiet", "--show", "0", "--classes", classes, "--memory", memory]
    assert main(["argmax", "scan", model, "--out", f"{folder}/{memory}.npz", *options]) == 0
    return resident("VmHWM") - before

print(grown("0:16", "9MB"), grown("0:512", "16MB"), grown("0:512", "128MB"))
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux")
def test_the_memory_that_was_allowed_is_kept_to(tmp_path: Path) -> None:
    rows = torch.randn(60_000, 48, generator=torch.Generator().manual_seed(0)).bfloat16()
    save_file({"lm_head.weight": rows}, tmp_path / "model.safetensors")
    weight = 2 * rows.numel()  # the pages of the file count where they are read
    program = [sys.executable, "-c", MEASURED, str(tmp_path), str(tmp_path)]
    done = subprocess.run(program, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    _, little, much = map(int, done.stdout.splitlines()[-1].split())
    assert little <= 16e6 + weight
    assert 1.4 * (16e6 + weight) < much <= 128e6 + weight  # the bound is what kept it down


def test_help_is_there_and_loads_nothing_heavy(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["argmax", "--help"]) == 0
    assert "verify" in capsys.readouterr().out
    assert main(["argmax", "scan"]) == 2
    assert "Missing argument" in capsys.readouterr().err
    program = (
        "import sys; from companion.cli import main; main(['argmax', 'scan', '--help'])\n"
        "heavy = {'torch', 'numpy', 'scipy', 'companion.argmax'} & {*sys.modules}\n"
        "print('heavy:', sorted(heavy))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert "heavy: []" in done.stdout
