"""The pages around the plans: the commands that they show exist, and take what is shown."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import typer.main
import yaml
from ipykernel.kernelspec import InstallIPythonKernelSpecApp
from loading import load_tool
from nbgrader.api import Gradebook
from nbgrader.apps.nbgraderapp import NbGraderApp

from companion.cli.commands import app
from companion.grading import gradebook

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "book" / "teaching"
RESULTS = ROOT / "benchmarks" / "results"
PAGES = sorted(GUIDE.glob("*.md"))
NAME = "primary-tasks-exercises"


def page(name: str) -> str:
    return (GUIDE / f"{name}.md").read_text("utf-8")


def commands() -> list[list[str]]:
    """The words of every command that a page shows at a prompt, without settings of variables."""
    lines = [line for one in PAGES for line in re.findall(r"^ *\$ (.+)$", one.read_text(), re.M)]
    found = [shlex.split(line) for line in lines]
    return [[word for word in words if not re.match(r"[A-Z_]+=", word)] for words in found]


@cache
def pip_help(command: str) -> str:
    words = [sys.executable, "-m", "pip", command, "--help"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout


def known_options(words: list[str]) -> set[str]:
    """What the program of a command takes, by its own account."""
    program = Path(words[0]).name
    if program == "companion":
        group: Any = typer.main.get_command(app)
        command = group.commands[words[1]]
        return {name for parameter in command.params for name in parameter.opts}
    if "pip" in (program, *words[1:3]):
        name = next(word for word in words if word in {"install", "download"})
        return set(re.findall(r"(?<!\S)--?[\w-]+", pip_help(name)))
    raise LookupError(words)


@pytest.mark.parametrize("words", [c for c in commands() if {"companion", "pip"} & {
    *(Path(word).name for word in c[:3])}], ids=lambda words: Path(words[0]).name)  # fmt: skip
def test_a_command_takes_the_options_that_are_shown(words: list[str]) -> None:
    shown = {word for word in words if word.startswith("-")} - {"-m"}
    assert shown <= known_options(words)


def test_every_program_that_is_shown_is_known() -> None:
    known = {"cd", "companion", "jupyter", "make", "pip", "python", "python3", "unzip"}
    assert {Path(words[0]).name for words in commands()} == known


def test_a_kernel_is_installed_with_the_options_that_are_shown(
    capsys: pytest.CaptureFixture[str],
) -> None:
    (words,) = [words for words in commands() if "ipykernel" in words]
    installer = InstallIPythonKernelSpecApp()
    installer.initialize(["--help"])
    with pytest.raises(SystemExit):
        installer.start()
    told = capsys.readouterr().out
    assert all(word in told for word in words if word.startswith("--"))


def test_scripts_that_are_shown_exist() -> None:
    found = {name for path in PAGES for name in re.findall(r"[\w/]+\.py\b", path.read_text())}
    scripts = {name for name in found if "/" in name} - {"course/nbgrader_config.py"}
    assert scripts == {"benchmarks/teaching/kernels.py", "tools/classroom.py"}
    assert all((ROOT / name).is_file() for name in scripts)


def test_each_option_of_grade_has_its_row() -> None:
    rows = re.findall(r"^\| `(--[\w-]+)` \|", page("grading"), re.M)
    options = known_options(["companion", "grade"]) - {"submissions"}
    assert sorted(rows) == sorted(name for name in options if name.startswith("--"))


def test_nbgrader_has_the_commands_that_are_named() -> None:
    named = {one for path in PAGES for one in re.findall(r"`nbgrader ([a-z_]+)", path.read_text())}
    assert named
    known: Any = NbGraderApp.subcommands
    assert named <= set(known)


@pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SAWarning")  # nbgrader's own queries cause some
def test_marks_by_hand_are_entered_as_shown(tmp_path: Path) -> None:
    gradebook.Gradebook(tmp_path)
    place = f"sqlite:///{tmp_path / 'gradebook.db'}"
    with Gradebook(place) as opened:
        book: Any = opened  # nbgrader's own annotations are wrong here
        book.add_assignment(NAME)
        book.add_notebook(NAME, NAME)
        book.add_grade_cell("ex-primary-pair-check", NAME, NAME, max_score=2, cell_type="code")
        book.add_source_cell("ex-primary-pair", NAME, NAME, cell_type="code")
        book.add_solution_cell("ex-primary-pair", NAME, NAME)
        book.add_student("bob")
        book.add_submission(NAME, "bob")
    (shown,) = re.findall(r"```python\n(from nbgrader.+?)```", page("grading"), re.S)
    assert "sqlite:///_build/class/course/gradebook.db" in shown
    exec(shown.replace("sqlite:///_build/class/course/gradebook.db", place), {})
    with Gradebook(place) as book:
        grade = book.find_grade("ex-primary-pair-check", NAME, NAME, "bob")
        assert (grade.score, grade.needs_manual_grade) == (1, False)
        comment = book.find_comment("ex-primary-pair", NAME, NAME, "bob").comment
        assert comment == "Two of the four cases are right."


def test_every_page_is_in_the_book() -> None:
    toc = yaml.safe_load((ROOT / "book" / "_toc.yml").read_text("utf-8"))
    part = next(part for part in toc["parts"] if part["caption"] == "Teaching")
    first = part["chapters"][0]
    named = [first["file"], *(entry["file"] for entry in first["sections"])]
    assert sorted(named) == sorted(f"teaching/{path.stem}" for path in PAGES)


def test_the_pages_of_a_class_leave_the_guide_out(tmp_path: Path) -> None:
    shutil.copytree(GUIDE, tmp_path / "teaching")
    shutil.copyfile(ROOT / "book" / "_toc.yml", tmp_path / "_toc.yml")
    load_tool("classroom").leave_out_guide(tmp_path)
    assert [path.name for path in tmp_path.rglob("*.md")] == ["index.md"]
    assert "plan" not in (tmp_path / "teaching" / "index.md").read_text("utf-8")
    toc = (tmp_path / "_toc.yml").read_text("utf-8")
    assert re.findall(r"teaching/[\w-]+", toc) == ["teaching/index"]
    assert "multitask/primary-tasks" in toc


def test_the_index_names_each_lesson_once_in_the_four_weeks() -> None:
    rows = re.findall(r"^\| [1-4] \| (.+?) \|", page("index"), re.M)
    named = [name for row in rows for name in re.findall(r"<([\w-]+)>`", row)]
    plans = {path.stem for path in PAGES} - {"index", "running", "grading"}
    assert sorted(named) == sorted(plans)


def time_of_a_class() -> str:
    """What the guide must say of the time that a class takes."""
    path = RESULTS / "grading-class-cpu.json"
    if not path.is_file():
        return "The time for 300 submissions is not yet recorded."
    record = json.loads(path.read_text("utf-8"))
    minutes = {one["submissions"]: one["seconds"] / 60 for one in record["classes"]}
    assert all(one["wrong_scores"] == {} for one in record["classes"])
    return (
        f"In the recorded run ({record['device']}, {record['workers']} workers) a class of 100 "
        f"took {minutes[100]:.1f} minutes and one of 300 took {minutes[300]:.1f}. Submissions that "
        "loop, exit, fork or ask for 30 GB were among them, and every score was as it should be."
    )


def test_the_time_of_a_class_is_that_of_its_record() -> None:
    assert time_of_a_class() in page("grading")


def test_what_a_student_needs_is_what_was_recorded() -> None:
    path = RESULTS / "teaching-kernels-cpu.json"
    said = "Processor time and memory of such a kernel are not yet recorded."
    if path.is_file():
        record = json.loads(path.read_text("utf-8"))
        seconds = [one["processor_s"] for one in record["kernels"]]
        peaks = [one["peak_bytes"] / 2**20 for one in record["kernels"]]
        said = (
            f"In the recorded run ({record['device']}, one thread) it took {min(seconds):.0f} to "
            f"{max(seconds):.0f} seconds of processor time and {min(peaks):.0f} to "
            f"{max(peaks):.0f} MiB of memory, depending on the chapter."
        )
    assert said in page("running")
