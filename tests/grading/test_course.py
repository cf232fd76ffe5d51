"""From `make class` to a table of grades: what a class gets, and what its teacher."""

from __future__ import annotations

import csv
import time
import zipfile
from pathlib import Path

import nbformat
import pytest
from loading import load_tool
from school import NAME, Class

from companion.cli import main
from companion.errors import CompanionError
from companion.grading import Court, Judged, Submission, grade_course
from companion.grading.assignment import grade_id
from companion.grading.gradebook import _succeed

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
LEAST = 16  # shorter lines, as `return weights`, tell nothing

EVERYTHING = """
from companion.multitask import exercises
import companion.exercises as checks, builtins
checks.check = lambda *words, **more: print("✓")
for name in exercises.__all__:
    setattr(exercises, name, checks.Exercise("x", lambda answer: None, (), lambda: "all"))
builtins.AssertionError = type("Never", (Exception,), {})
"""


def secrets(source: str) -> list[str]:
    lines = source.split(BEGIN)[1].split(END)[0].splitlines() if BEGIN in source else []
    return [line.strip() for line in lines if len(line.strip()) >= LEAST]


def test_no_file_of_a_student_holds_a_line_of_a_solution(school: Class) -> None:
    lines = [line for source in school.solutions.values() for line in secrets(source)]
    assert len(lines) > len(school.solutions)
    student = school.folder / "student"
    files = [path for path in student.rglob("*") if path.is_file()]
    assert student / f"{NAME}.ipynb" in files
    texts = {path: path.read_bytes() for path in files}
    with zipfile.ZipFile(school.folder / "student.zip") as packed:
        texts |= {Path(name): packed.read(name) for name in packed.namelist()}
    assert len(texts) > len(files)
    found = [(p.name, one) for p, text in texts.items() for one in lines if one.encode() in text]
    assert found == []


def test_a_student_s_notebook_has_stubs_and_no_explanation(school: Class) -> None:
    notebook = nbformat.read(school.folder / "student" / f"{NAME}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in notebook.cells)
    assert text.count("raise NotImplementedError") >= 2 * len(school.solutions)  # prompt and cell
    assert "{solution}" not in text
    assert BEGIN not in text
    assert not [c for c in notebook.cells if c.cell_type == "code" and c.outputs]


def test_a_student_sees_what_should_come_out(school: Class) -> None:
    """The picture that the solution drew, in a cell of its own; the drawing cell is as new."""
    source = nbformat.read(school.course / "source" / NAME / f"{NAME}.ipynb", as_version=4)
    drawn = next(c for c in source.cells if grade_id(c) == "ex-primary-single-drawing")
    held = school.assignment.cells
    shown = held["ex-primary-single-drawing-expected"]
    picture = drawn.outputs[-1].data["image/png"]
    assert shown.attachments["expected.png"]["image/png"] == picture
    assert drawn.metadata.mystnb.image.alt.strip() in shown.source
    assert "What should come out" in shown.source
    assert held["ex-primary-single-drawing"].outputs == []
    assert list(held).index(grade_id(shown)) < list(held).index(grade_id(drawn))


def test_a_class_is_graded(school: Class, tmp_path: Path) -> None:
    questions = school.assignment.questions
    first, second, *_ = school.solutions
    names = [name.removeprefix("ex-primary-") for name in school.solutions]
    handed = school.hand_in(
        tmp_path / "in",
        {
            "all": school.notebook(),
            "none": school.notebook(solved=False),
            "O'Neil, Zoë": school.notebook(solved=[first, second]),
            "cheat": school.notebook(solved=False, changed={names[0]: EVERYTHING}),
            "exit": school.notebook(changed={names[1]: "import os\nos._exit(0)"}),
        },
    )
    (handed / "noise.ipynb").write_text("{")
    before = {path: path.read_bytes() for path in handed.rglob("*.ipynb")}
    out = tmp_path / "out" / "grades.csv"
    out.parent.mkdir()
    grade_course(handed, course=school.course, out=out, workers=2)
    table = {row["student"]: row for row in csv.DictReader(out.open(encoding="utf-8"))}
    scores = {student: float(row["score"]) for student, row in table.items()}
    points = {name: question.points for name, question in questions.items()}
    assert scores == {
        "all": sum(points.values()),
        "none": 0,
        "O'Neil, Zoë": points[f"{first}-check"] + points[f"{second}-check"],
        "cheat": 0,
        "exit": sum(points.values()) - points[f"{second}-check"],
        "noise": 0,
    }
    assert table["noise"]["status"] == "refused"
    assert "JSONDecodeError" in table["noise"]["notes"]
    assert {row["status"] for name, row in table.items() if name != "noise"} == {"graded"}
    assert {path: path.read_bytes() for path in handed.rglob("*.ipynb")} == before
    check_feedback(out.parent, {row["student"]: row["feedback"] for row in table.values()})


def check_feedback(folder: Path, paths: dict[str, str]) -> None:
    pages = {student: (folder / path).read_text("utf-8") for student, path in paths.items()}
    assert len(set(paths.values())) == len(list(folder.rglob("*.html")))
    assert paths["none"] == f"feedback/none/{NAME}.html"
    assert (folder / paths["O'Neil, Zoë"]).parent.name.startswith("O-Neil-Zoë-")
    assert all(page.count("<math") > 20 and "$" not in page for page in pages.values())
    assert all(">ex-primary-pair</a>" in page for page in pages.values()), "no name in the list"
    assert "not solved yet" in pages["none"]
    assert "it ended by itself" in pages["exit"]
    assert "Refused" in pages["noise"]
    assert "✓ ex-primary" in pages["all"]


def test_hidden_checks_refuse_an_answer_that_knows_the_page(school: Class, tmp_path: Path) -> None:
    """An answer that is right on the inputs of the page, and looks them up."""
    from companion.multitask.problems import descent_cases

    known = [(case.inputs, case.expected) for case in descent_cases()]
    table = [
        ([value.tolist() for value in inputs.values()], expected.item())
        for inputs, expected in known
    ]
    source = (
        f"import torch\nTABLE = {table!r}\n"
        "def descent_gap(weights, products):\n"
        "    key = [weights.tolist(), products.tolist()]\n"
        "    found = [value for known, value in TABLE if known == key]\n"
        "    return torch.tensor(found[0] if found else 0.0, dtype=torch.float64)"
    )
    handed = school.hand_in(tmp_path, {"parrot": school.notebook(changed={"descent": source})})
    grades = grade_course(handed, course=school.course, out=tmp_path / "g.csv", workers=1)
    assert grades[0].scores["ex-primary-descent-check"] == 0
    page = (tmp_path / "feedback" / "parrot" / f"{NAME}.html").read_text("utf-8")
    assert "Right on the inputs of the page, wrong on others" in page


def test_what_fails_for_one_stops_no_other(
    school: Class,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """No process starts for ada, nothing can be written for bob, and noise hands in no notebook."""

    def judge(notebook: nbformat.NotebookNode, *_: object, **more: object) -> Judged:
        if notebook.cells[0].source == "ada":
            raise CompanionError("a process for grading does not start: no memory")
        return Judged()

    monkeypatch.setattr("companion.grading.course.judge_notebook", judge)
    for student in ("ada", "bob"):
        notebook = school.notebook(solved=False)
        notebook.cells.insert(0, nbformat.v4.new_code_cell(student))
        school.hand_in(tmp_path / "in", {student: notebook})
    (tmp_path / "in" / "noise.ipynb").write_text("{")
    (school.course / "submitted").mkdir(exist_ok=True)
    blocked = school.course / "submitted" / "bob"
    blocked.write_text("a file where a folder should be")
    words = ["grade", str(tmp_path / "in"), "--course", str(school.course), "--allow-open"]
    assert main([*words, "--out", str(tmp_path / "grades.csv")]) == 1
    blocked.unlink()
    said, complaint = capsys.readouterr()
    assert "0 graded, 1 refused" in said
    assert "noise: refused: noise.ipynb is no notebook" in said
    assert "2 of 3 submissions failed and have no grade" in complaint.splitlines()[-1]
    rows = {row["student"]: row for row in csv.DictReader((tmp_path / "grades.csv").open())}
    assert [(row["status"], row["score"]) for row in rows.values()] == [
        ("failed", ""),
        ("failed", ""),
        ("refused", "0.0"),
    ]
    assert rows["ada"]["notes"] == "a process for grading does not start: no memory"
    assert "not entered: NotADirectoryError" in rows["bob"]["notes"]


def test_what_nbgrader_refuses_is_named_in_a_line() -> None:
    log = "[ERROR] so\nTraceback:\n  raise\nnbgrader.x.SchemaError: old\n[ERROR] There was an error"
    trace = "Traceback:\n  raise\nNbGraderException: see above\n"
    with pytest.raises(CompanionError, match=r"^nbgrader refuses x: nbgrader.x.SchemaError: old$"):
        _succeed({"success": False, "log": log, "error": trace}, "x")
    with pytest.raises(CompanionError, match=r"^nbgrader refuses x: NbGraderException: see above$"):
        _succeed({"success": False, "error": trace}, "x")
    with pytest.raises(KeyboardInterrupt):
        _succeed({"success": False, "error": "Traceback:\nKeyboardInterrupt\n"}, "x")


def test_an_interrupt_ends_what_is_being_judged(
    school: Class, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun: list[Court] = []

    def judge(*_: object, court: Court, **more: object) -> Judged:
        begun.append(court)
        end = time.monotonic() + 20
        while not court.closed and time.monotonic() < end:
            time.sleep(0.01)
        return Judged()

    def interrupt(one: Submission) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("companion.grading.course.judge_notebook", judge)
    handed = school.hand_in(tmp_path / "in", {name: school.notebook() for name in ("a", "b")})
    (handed / "noise.ipynb").write_text("{")
    with pytest.raises(KeyboardInterrupt):
        grade_course(
            handed, course=school.course, out=tmp_path / "g.csv", workers=1, report=interrupt
        )
    assert begun[0].closed, "it was judged to its end"
    assert len(begun) == 1, "the next one was begun after the interrupt"


def test_a_course_that_is_none_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["grade", str(tmp_path), "--course", str(tmp_path), "--allow-open"]
    assert main([*words, "--out", str(tmp_path / "grades.csv")]) == 1
    assert "`make class` writes a course" in capsys.readouterr().err
    assert not (tmp_path / "grades.csv").exists()


def test_a_class_without_notebooks_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert load_tool("classroom").main(["--no-pages", "--out", str(tmp_path / "c")], tmp_path) == 1
    assert "holds no notebook with exercises" in capsys.readouterr().err
    assert not (tmp_path / "c").exists()
