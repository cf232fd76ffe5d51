"""The command `companion`: what it prints, and one clear line for every wrong call."""

import importlib.metadata
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import companion
from companion.cli import bench, doctor, main
from companion.errors import CompanionError, DataError
from companion.grading.sandbox import isolation

LIGHT = """
import sys
from companion.cli import main
status = main(["--help"])
print("heavy:", sorted({"torch", "numpy", "matplotlib"} & set(sys.modules)))
sys.exit(status)
"""


def test_help_loads_nothing_heavy() -> None:
    done = subprocess.run([sys.executable, "-c", LIGHT], capture_output=True, text=True, check=True)
    assert "doctor" in done.stdout
    assert "bench" in done.stdout
    assert "heavy: []" in done.stdout


def test_called_without_a_command_it_shows_its_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert "Usage: companion" in capsys.readouterr().out


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"companion {importlib.metadata.version('companion')}\n"


@pytest.mark.parametrize(
    ("call", "named"),
    [
        (["--nope"], "--nope"),
        (["frobnicate"], "frobnicate"),
        (["doctor", "--loud"], "--loud"),
        (["doctor", "extra"], "extra"),
        (["bench", "one", "two"], "two"),
    ],
)
def test_a_wrong_call_is_one_line_and_status_2(
    call: list[str], named: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(call) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert len(err.splitlines()) == 1
    assert named in err
    assert "companion --help" in err


def test_an_error_of_the_package_is_one_line_and_status_1(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(room: str | None, *, options: list[str]) -> None:
        raise DataError(f"nothing in {room}")

    monkeypatch.setattr(bench, "run", fail)
    assert main(["bench", "attic"]) == 1
    assert capsys.readouterr().err == "companion: nothing in attic\n"


def test_an_error_of_python_is_not_hidden(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(room: str | None, *, options: list[str]) -> None:
        raise ZeroDivisionError(room)

    monkeypatch.setattr(bench, "run", fail)
    with pytest.raises(ZeroDivisionError):
        main(["bench"])


def test_without_typer_it_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "typer", None)
    assert main(["--help"]) == 1
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert "typer" in err
    assert "make setup" in err


def test_doctor_finds_this_environment_complete(capfd: pytest.CaptureFixture[str]) -> None:
    status = main(["doctor"])
    out = capfd.readouterr().out
    assert status == 0, out
    assert f"torch {importlib.metadata.version('torch')}" in out
    assert f"Python {sys.version.split()[0]}" in out
    assert "CPU" in out
    assert "nothing needed is missing" in out


def test_doctor_says_how_to_mend_a_missing_package(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    version = importlib.metadata.version

    def forget(name: str) -> str:
        if name == "nbval":
            raise importlib.metadata.PackageNotFoundError(name)
        return "0.0.1" if name == "einops" else version(name)

    monkeypatch.setattr(importlib.metadata, "version", forget)
    assert main(["doctor"]) == 1
    out = capfd.readouterr().out
    assert "✗ nbval is missing: run `make setup`, or pip install nbval==" in out
    assert "· einops 0.0.1 instead of " in out
    assert "1 needed, but missing" in out


def test_doctor_works_when_torch_does_not(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    assert main(["doctor"]) == 1
    assert "✗ torch cannot be loaded" in capfd.readouterr().out


def test_doctor_says_how_to_get_the_tools(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(doctor, "PLACES", ("~/.cache/ms-playwright/chromium*",))
    isolation.cache_clear()
    try:
        make, git, bubblewrap, browser = doctor.examine_tools()
        os.makedirs(tmp_path / ".cache/ms-playwright/chromium-1")
        *_, found = doctor.examine_tools()
    finally:
        isolation.cache_clear()  # or later tests would take it that there is no bubblewrap
    assert "bubblewrap is not installed" in bubblewrap.words
    assert "it can read and write what you can" in bubblewrap.mend
    assert not bubblewrap.needed
    assert make.needed
    assert not git.needed
    assert not browser.needed
    for finding in (make, git, browser):
        assert "install" in finding.mend
    assert found.mend == ""


def test_doctor_outside_a_checkout_asks_only_for_what_the_package_needs() -> None:
    wanted = doctor.expected(None)
    assert {"torch", "typer", "einops"} <= set(wanted)
    assert not {"torchjd", "jupyter-book"} & set(wanted)


def test_doctor_inside_a_checkout_asks_for_every_pin() -> None:
    root = bench.checkout()
    assert root is not None
    pins = [line for line in (root / "requirements.txt").read_text().splitlines() if "==" in line]
    pins = [line for line in pins if not line.startswith(("#", "triton"))]
    expected = doctor.expected(root)
    assert [f"{name}=={pin}" for name, pin in expected.items() if pin] == pins
    assert {name for name, pin in expected.items() if not pin} <= {"triton"}


def benchmarks(root: Path) -> Path:
    """Two rooms whose scripts leave their name in a file, and a folder of results."""
    for name in ("attic/b", "attic/a", "attic/_shared", "cellar/c"):
        script = root / "benchmarks" / f"{name}.py"
        script.parent.mkdir(parents=True, exist_ok=True)
        script.write_text(f"open('ran', 'a').write('{name} ')")
    (root / "benchmarks" / "results").mkdir()
    return root


@pytest.mark.parametrize(
    ("room", "ran"), [(None, "attic/a attic/b cellar/c "), ("cellar", "cellar/c ")]
)
def test_bench_runs_the_scripts_in_turn(tmp_path: Path, room: str | None, ran: str) -> None:
    bench.run(room, root=benchmarks(tmp_path))
    assert (tmp_path / "ran").read_text() == ran


def test_bench_hands_its_options_to_every_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = benchmarks(tmp_path) / "benchmarks/attic/a.py"
    script.write_text("import sys; open('options', 'w').write(' '.join(sys.argv[1:]))")
    monkeypatch.setattr(bench, "checkout", lambda: tmp_path)
    assert main(["bench", "attic", "--quick", "--device", "cuda"]) == 0
    assert (tmp_path / "options").read_text() == "--device cuda --quick --out _build/benchmarks"
    for found in ("cuda", "mps", "cpu"):
        monkeypatch.setattr(companion, "pick_device", lambda found=found: torch.device(found))
        assert main(["bench", "attic"]) == 0
        expected = "cuda" if found == "cuda" else "cpu"
        assert (tmp_path / "options").read_text() == f"--device {expected}"


def test_bench_stops_at_a_script_that_fails(tmp_path: Path) -> None:
    (benchmarks(tmp_path) / "benchmarks/attic/a.py").write_text("raise SystemExit(3)")
    with pytest.raises(CompanionError, match=r"benchmarks/attic/a\.py ended with status 3"):
        bench.run(None, root=tmp_path)
    assert not (tmp_path / "ran").exists()


def test_bench_names_the_rooms_there_are(tmp_path: Path) -> None:
    with pytest.raises(CompanionError, match=r"'garden'; there are: attic, cellar$"):
        bench.run("garden", root=benchmarks(tmp_path))


def test_bench_without_a_script_says_so(tmp_path: Path) -> None:
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    with pytest.raises(CompanionError, match="no benchmark is written yet"):
        bench.run(None, root=tmp_path)


def test_bench_outside_a_checkout_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "checkout", lambda: None)
    with pytest.raises(CompanionError, match="belong to a checkout"):
        bench.run(None)


def test_doctor_writes_on_a_terminal_without_unicode() -> None:
    program = "from companion.cli import main; raise SystemExit(main(['doctor']))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONIOENCODING": "ascii", "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert "devices" in done.stdout
    assert "Traceback" not in done.stderr
