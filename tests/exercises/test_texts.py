"""Every exercise of every text: solved, not solved, solved wrongly, shown, folded, handed out."""

import importlib
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import jupytext
import pytest
from nbformat import NotebookNode

from companion.errors import AnswerError
from companion.exercises import NOT_SOLVED, Exercise, Mistake, check, other_draws

ROOT = Path(__file__).parents[2]
MYST = {"extension": ".md", "format_name": "myst"}
TEXTS = [
    path
    for path in sorted((ROOT / "text").rglob("*.md"))
    if "{exercise}" in path.read_text("utf-8")
]
BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LEAST = 16  # shorter lines, as `return weights`, tell nothing

texts = pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.stem)


def packaged() -> dict[str, Exercise]:
    """Every Exercise of every room, by its label."""
    found: dict[str, Exercise] = {}
    for file in sorted((ROOT / "src" / "companion").glob("*/exercises.py")):
        module = importlib.import_module(f"companion.{file.parent.name}.exercises")
        for value in vars(module).values():
            if isinstance(value, Exercise):
                assert value.label not in found, f"two exercises are called {value.label}"
                found[value.label] = value
    return found


EXERCISES = packaged()
WRONG = [(exercise, mistake) for exercise in EXERCISES.values() for mistake in exercise.mistakes]


def read(text: Path) -> NotebookNode:
    return jupytext.read(text, fmt=MYST)


def marked(cell: NotebookNode) -> list[str]:
    """The lines of a cell that a student must not get."""
    if BEGIN not in cell.source:
        return []
    lines = cell.source.split(BEGIN)[1].split(END)[0].splitlines()
    return [line.strip() for line in lines if len(line.strip()) >= LEAST]


def graded(text: Path, change: Callable[[str], str]) -> dict[str, Callable[[], None]]:
    """Run the solution cells, each changed by `change`; return the checks, by their label."""
    space: dict[str, object] = {}
    checks: dict[str, Callable[[], None]] = {}
    for cell in read(text).cells:
        metadata = cell.metadata.get("nbgrader")
        if metadata is None or "expected" in cell.metadata.get("tags", []):
            continue
        if metadata["grade"]:
            label = metadata["grade_id"].removesuffix("-check")
            checks[label] = partial(exec, cell.source, space)
        else:
            exec(change(cell.source), space)
    return checks


def test_texts_are_found() -> None:
    assert TEXTS
    assert EXERCISES


def test_every_exercise_is_shown_solved_and_checked(tool: ModuleType) -> None:
    shown = [one for text in TEXTS for one in tool.exercises(read(text))]
    assert sorted(one.label for one in shown) == sorted(EXERCISES)
    for one in shown:
        assert BEGIN in one.solution, one.label
        assert one.checks.startswith("check(exercises."), one.label


def test_every_chapter_has_five_exercises_and_three_show_what_should_come_out() -> None:
    chapters = {path.stem for path in (ROOT / "text").glob("*/*.md")}
    chapters -= {name for name in chapters if name.endswith("-exercises")}
    assert {text.stem.removesuffix("-exercises") for text in TEXTS} == chapters
    assert len(chapters) == 8
    cells = {text.stem: read(text).cells for text in TEXTS}
    counts = {
        name: "\n".join(one.source for one in held).count("{exercise}")
        for name, held in cells.items()
    }
    assert min(counts.values()) >= 5, counts
    drawing = [
        name
        for name, held in cells.items()
        if any("expected" in one.metadata.get("tags", []) for one in held)
    ]
    assert len(drawing) >= 3


@texts
def test_prompts_show_the_stub_of_the_solution(text: Path, tool: ModuleType) -> None:
    assert tool.complaints(text) == []


@texts
def test_solutions_pass_quickly(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for label, run in graded(text, str).items():
        began = time.process_time()
        run()
        assert time.process_time() - began < 1, label
        assert capsys.readouterr().out == f"✓ {label}   {EXERCISES[label].scope()}\n"


@texts
@pytest.mark.parametrize("number", [10**6 + 3, 10**8])
def test_solutions_pass_the_hidden_checks(text: Path, number: int) -> None:
    """The same judges, on inputs that the page does not show."""
    for run in graded(text, str).values():
        with other_draws(number):
            run()


@texts
def test_stubs_are_not_solved_yet(text: Path, tool: ModuleType) -> None:
    for label, run in graded(text, tool.stub).items():
        with pytest.raises(AnswerError) as caught:
            run()
        assert str(caught.value) == f"✗ {label}\n  {NOT_SOLVED}"


def inputs(exercise: Exercise, number: int) -> list[str]:
    """What an exercise hands to an answer, as text."""
    given: list[str] = []

    def spy(*values: object) -> None:
        given.append(repr(values))

    with other_draws(number):
        exercise.judge(spy)
    return given


# the learner finds an example; or judges functions, of which there are no others
NOT_DRAWN = {
    "ex-argmax-fewest",
    "ex-events-smallest",
    "ex-flash-probe",
    "ex-primary-oblique",
    "ex-primary-pcgrad",
}


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES.keys())
def test_hidden_checks_try_other_inputs(exercise: Exercise) -> None:
    shown, hidden = inputs(exercise, 0), inputs(exercise, 10**6 + 3)
    assert (shown == hidden) is (exercise.label in NOT_DRAWN)


@pytest.mark.parametrize("exercise", EXERCISES.values(), ids=EXERCISES.keys())
def test_exercises_know_two_mistakes_at_least(exercise: Exercise) -> None:
    assert len({mistake.message for mistake in exercise.mistakes}) >= 2


@pytest.mark.parametrize(
    ("exercise", "mistake"),
    WRONG,
    ids=[f"{exercise.label}-{mistake.message[:30]}" for exercise, mistake in WRONG],
)
def test_every_mistake_gets_its_own_message(exercise: Exercise, mistake: Mistake) -> None:
    with pytest.raises(AnswerError) as caught:
        check(exercise, mistake.answer)
    said = " ".join(str(caught.value).split())
    assert said.startswith(f"✗ {exercise.label} {mistake.message} ")
    others = {one.message for one in exercise.mistakes} - {mistake.message}
    assert not [message for message in others if message in said]
    with pytest.raises(AnswerError, match="✗") as again:
        check(exercise, mistake.answer)
    assert str(again.value) == str(caught.value)


@texts
def test_solutions_are_folded(text: Path) -> None:
    cells = read(text).cells
    for cell in cells:
        if BEGIN in cell.source:
            assert "hide-input" in cell.metadata["tags"]
            assert cell.metadata["jupyter"]["source_hidden"] is True
            assert len(cell.source.splitlines()) <= 17
        if "folded below" in cell.source:  # or a class is promised what it does not get
            assert cell.metadata["tags"] == ["solution"]
        if "{solution}" in cell.source:
            assert cell.metadata["tags"] == ["solution"]
            assert ":class: dropdown" in cell.source
    reasoned = [line for cell in cells for line in cell.source.split("\n") if "{solution}" in line]
    assert len(reasoned) == sum(BEGIN in cell.source for cell in cells)


@texts
def test_metadata_survives_the_text_format(text: Path) -> None:
    """Text to notebook to text to notebook: nothing is lost, nbgrader's fields are complete."""
    notebook = read(text)
    again = jupytext.reads(jupytext.writes(notebook, fmt=MYST), fmt=MYST)
    pairs = list(zip(notebook.cells, again.cells, strict=True))
    assert all(one.metadata == two.metadata and one.source == two.source for one, two in pairs)
    fields = {"grade", "grade_id", "locked", "schema_version", "solution", "task"}
    for cell in notebook.cells:
        metadata = cell.metadata.get("nbgrader")
        if metadata is not None:
            assert set(metadata) == (fields | {"points"} if metadata["grade"] else fields)
            assert metadata["locked"] is not metadata["solution"]
            assert metadata["solution"] is (BEGIN in cell.source)
            assert metadata["schema_version"] == 3
            assert not metadata["grade"] or metadata["points"] > 0


@texts
def test_nbgrader_hands_out_no_solution(text: Path, tool: ModuleType) -> None:
    from nbconvert.exporters.exporter import ResourcesDict
    from nbconvert.preprocessors import TagRemovePreprocessor
    from nbgrader.preprocessors import ClearSolutions

    solved = read(text)
    secret = [line for cell in solved.cells for line in marked(cell)]
    prompts = sum(cell.source.count("{exercise}") for cell in solved.cells)
    assert secret
    assert all(line in jupytext.writes(solved, fmt="py:percent") for line in secret)

    clear = ClearSolutions()
    clear.code_stub = {"python": "raise NotImplementedError"}
    drop = TagRemovePreprocessor(enabled=True, remove_cell_tags={"solution"})
    student: Any = solved
    for step in (clear, drop):
        student, _ = step.preprocess(student, ResourcesDict())
    handed = "\n".join(cell.source for cell in student.cells)
    assert not [line for line in secret if line in handed]
    assert "{solution}" not in handed
    assert handed.count("{exercise}") == prompts, "a prompt went with a solution; part them by +++"
    stubs = [tool.stub(cell.source) for cell in read(text).cells if BEGIN in cell.source]
    assert all(stub in handed for stub in stubs)


def test_package_holds_no_line_of_a_solution() -> None:
    """The package travels with the student version."""
    files = sorted((ROOT / "src" / "companion").rglob("*.py"))
    lines = [line for text in TEXTS for cell in read(text).cells for line in marked(cell)]
    found = [(file.name, one) for file in files for one in lines if one in file.read_text("utf-8")]
    assert found == []


def test_stub_tool_names_what_is_wrong(
    tool: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = TEXTS[0].read_text("utf-8")
    room = tmp_path / "text" / "room"
    room.mkdir(parents=True)
    (room / "good.md").write_text(text, "utf-8")
    assert tool.main([], tmp_path) == 0
    changed = text.replace("    raise NotImplementedError\n", "    return 0\n", 1)
    (room / "good.md").write_text(changed, "utf-8")
    assert tool.main(["good"], tmp_path) == 1
    assert "text/room/good.md: the prompt of ex-" in capsys.readouterr().err
    (room / "good.md").write_text(text.replace(END, "", 1), "utf-8")
    assert tool.main(["good"], tmp_path) == 1
    assert "SOLUTION` " in capsys.readouterr().err


@pytest.mark.parametrize("source", [f"{END}\n", f"{BEGIN}\n", f"{BEGIN}\n{BEGIN}\n{END}\n"])
def test_stub_refuses_markers_without_counterpart(tool: ModuleType, source: str) -> None:
    with pytest.raises(tool.Stop):
        tool.stub(source)


def test_stub_keeps_indentation_and_the_rest(tool: ModuleType) -> None:
    source = f'def f(x):\n    """Say."""\n    {BEGIN}\n    y = x\n    return y\n    {END}\n\nz = 1'
    wanted = 'def f(x):\n    """Say."""\n    raise NotImplementedError\n\nz = 1'
    assert tool.stub(source) == wanted
