"""Notebooks as they come back: whole, changed, deleted, renamed, and what is none."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

import nbformat
import pytest
from school import NAME, Class

from companion.errors import DataError
from companion.grading import Submission, collect
from companion.grading.assignment import Assignment, grade_id, read_assignments
from companion.grading.submission import rebuild


def graded(cell: nbformat.NotebookNode) -> tuple[str, object]:
    """What nbgrader goes by."""
    return cell.source, cell.metadata.get("nbgrader")


def collected(folder: Path, school: Class) -> dict[str, Submission]:
    found = collect(folder, {NAME: school.assignment})
    return {one.student: one for one in found}


def test_what_was_handed_out_comes_back_as_it_is(school: Class) -> None:
    for notebook in (school.assignment.release, school.notebook()):
        found, notes = rebuild(notebook, school.assignment)
        assert notes == []
        assert [graded(cell) for cell in found.cells] == [graded(cell) for cell in notebook.cells]


def test_locked_cells_are_put_back_and_own_cells_stay(school: Class) -> None:
    changed = school.notebook()
    for cell in changed.cells:
        if cell.metadata.get("nbgrader", {}).get("grade"):
            cell.source = "print('✓')"
            cell.metadata.nbgrader.points = 100
    changed.cells.insert(3, nbformat.v4.new_code_cell("mine = 1", metadata={"tags": ["x"]}))
    found, notes = rebuild(changed, school.assignment)
    assert len(notes) == len(school.assignment.questions)
    assert all("had been changed" in note for note in notes)
    assert found.cells[3].source == "mine = 1"
    assert found.cells[3].metadata == {}
    others = [cell for number, cell in enumerate(found.cells) if number != 3]
    assert [graded(cell) for cell in others] == [graded(cell) for cell in school.notebook().cells]


def test_deleted_cells_come_back_in_their_place(school: Class) -> None:
    short = school.notebook()
    short.cells = [c for c in short.cells if not c.metadata.get("nbgrader", {}).get("grade")]
    found, notes = rebuild(short, school.assignment)
    assert [grade_id(c) for c in found.cells if grade_id(c)] == list(school.assignment.cells)
    assert all("had been deleted" in note for note in notes)
    empty = nbformat.v4.new_notebook()
    found, _ = rebuild(empty, school.assignment)
    assert [grade_id(c) for c in found.cells] == list(school.assignment.cells)


def test_a_cell_twice_counts_once(school: Class) -> None:
    twice = school.notebook()
    name = next(iter(school.solutions))
    again = nbformat.v4.new_code_cell("x = 2", metadata={"nbgrader": {"grade_id": name}})
    twice.cells.append(again)
    found, notes = rebuild(twice, school.assignment)
    assert [grade_id(cell) for cell in found.cells].count(name) == 1
    assert notes == [f"a second cell {name} counts as one of the student's own"]


def test_metadata_of_a_student_changes_nothing(school: Class) -> None:
    """Names of cells of any type, another's name, points, a lock: all are as handed out."""
    changed = school.notebook()
    first, second, *rest = [cell for cell in changed.cells if grade_id(cell)]
    first.metadata.nbgrader.grade_id = ["a", {}]
    second.metadata.nbgrader = "none"
    for cell in rest:
        cell.metadata.nbgrader |= {"points": 1000, "locked": False, "schema_version": "x"}
        cell.metadata["tags"] = ["solution"]
    found, _ = rebuild(changed, school.assignment)
    ours = {grade_id(cell): cell for cell in found.cells if grade_id(cell)}
    assert set(ours) == set(school.assignment.cells)
    for name, cell in ours.items():
        assert cell.metadata == school.assignment.cells[name].metadata


def test_a_notebook_is_known_by_its_cells(school: Class, tmp_path: Path) -> None:
    school.hand_in(tmp_path, {"ada": school.notebook()}, "my homework (2).ipynb")
    nbformat.write(school.notebook(), tmp_path / "bob.ipynb")
    found = collected(tmp_path, school)
    assert found["ada"].notes == [
        f"the file is called my homework (2).ipynb, expected {NAME}.ipynb"
    ]
    assert not found["ada"].refused
    assert not found["bob"].refused


def written(source: str) -> bytes:
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source, id="a")])
    return json.dumps(notebook).encode("ascii")


REFUSED = {
    "no-json": (b"{", "is no notebook: JSONDecodeError"),
    "no-text": (b"\xff\xfe\x00", "is no notebook: UnicodeDecodeError"),
    "no-cells": (b"{}", "is no notebook"),
    "deep": (b'{"cells":' + b"[" * 100_000, "is no notebook"),
    "foreign": (nbformat.writes(nbformat.v4.new_notebook()).encode(), "holds no cell of"),
    "crowded": (b'{"cells":[' + b"{}," * 100_000 + b"{}]}", "100001 cells; at most 500"),
    "long": (written("x" * 2_000_000), "2000000 characters in its cells; at most"),
    "half": (written("\ud800"), "is no notebook: UnicodeEncodeError"),
}


def test_what_is_no_notebook_is_refused_and_the_others_are_read(
    school: Class, tmp_path: Path
) -> None:
    school.hand_in(tmp_path, {"ada": school.notebook()})
    for student, (content, _) in REFUSED.items():
        (tmp_path / student).mkdir()
        (tmp_path / student / f"{NAME}.ipynb").write_bytes(content)
    with (tmp_path / "huge.ipynb").open("wb") as file:
        file.truncate(200 * 10**6)
    (tmp_path / "link.ipynb").symlink_to(tmp_path / "ada" / f"{NAME}.ipynb")
    (tmp_path / "theirs").symlink_to(tmp_path / "ada")
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "packed").mkdir()
    (tmp_path / "packed" / "work.zip").write_bytes(b"PK")
    (tmp_path / "bomb.zip").write_bytes(b"PK")
    found = collected(tmp_path, school)
    reasons = {student: one.refused for student, one in found.items() if one.refused}
    assert set(reasons) == {*REFUSED, "huge", "link", "theirs", "pipe", "packed", "bomb"}
    assert all(words in reasons[student] for student, (_, words) in REFUSED.items())
    assert "191 MiB; at most 10" in reasons["huge"]
    assert "is a link" in reasons["link"]
    assert "is a link" in reasons["theirs"]
    assert reasons["packed"] == "packed holds no notebook, but work.zip"
    assert all("expected a file *.ipynb" in reasons[name] for name in ("pipe", "bomb"))


def test_a_student_s_second_notebook_is_named_not_graded(school: Class, tmp_path: Path) -> None:
    school.hand_in(tmp_path, {"ada": school.notebook(solved=False)}, "b.ipynb")
    (tmp_path / "ada" / "a.ipynb").write_text("{")
    (tmp_path / "ada" / f"{NAME}.ipynb").write_text("{")
    found = collected(tmp_path, school)["ada"]
    assert found.path.name == "b.ipynb"
    assert any("second notebook" in note for note in found.notes)


NAMES = [
    "ada",
    "Zoë-李",
    "Jane Doe_12345_assignsubmission_file",
    "Jane.Doe_12345_assignsubmission_file",
    "O'Neil, Zoë",
    "O Neil Zoë",
    "*?[!]",
    "$(reboot);\n<b>",
    "x" * 200,
    "Zoe\u0308",  # the same letters as two code points
    "ada-0123abcd",
]
BYTES = "Jos\udce9"  # no text in UTF-8, which some systems take for a name all the same


def test_every_name_of_a_student_is_taken_and_all_stay_apart(school: Class, tmp_path: Path) -> None:
    names = [*NAMES, BYTES] if sys.platform == "linux" else NAMES
    for name in names:
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name[:50]}.ipynb").write_text("{")
    found = collected(tmp_path, school)
    assert set(found) == {name.encode("utf-8", "backslashreplace").decode() for name in names}
    folders = [one.folder for one in found.values()]
    assert len({folder.casefold() for folder in folders}) == len(names)
    assert all(re.fullmatch(r"[\w@+-][\w.@+-]*", folder) for folder in folders)
    assert max(len(folder.encode()) for folder in folders) < 200
    assert found["ada"].folder == "ada"
    assert found["ada-0123abcd"].folder != "ada-0123abcd", "it may be another's"
    assert all("is no notebook" in one.refused.encode().decode() for one in found.values())


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda path: path / "nowhere", "is no folder"),
        (lambda path: path, "holds no notebook to grade"),
    ],
    ids=["missing", "empty"],
)
def test_nothing_to_collect_is_an_error(prepare, words: str, school: Class, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=words):
        collected(prepare(tmp_path), school)


def test_an_assignment_that_is_not_there_is_named(school: Class, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=f"no assignment 'x'; there are: {NAME}"):
        collect(tmp_path, {NAME: school.assignment}, only="x")
    with pytest.raises(DataError, match="hands out no assignment"):
        read_assignments(tmp_path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("check(exercises.SINGLE, lambda x: x)", "expected one call"),
        ("print(1)", "expected one call"),
        ("check(nothing.SINGLE, f)", "nothing is imported as 'nothing'"),
        ("check(exercises.NOPE, f)", "has no exercise NOPE"),
    ],
)
def test_a_check_of_another_form_is_named(source: str, words: str, school: Class) -> None:
    notebook = school.notebook()
    cell = next(c for c in notebook.cells if c.metadata.get("nbgrader", {}).get("grade"))
    cell.source = source
    with pytest.raises(DataError, match=words):
        _ = Assignment(NAME, notebook).questions
