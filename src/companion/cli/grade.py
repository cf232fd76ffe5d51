"""`companion grade`: a folder of submitted notebooks becomes a table of grades and feedback."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["grade"]


def grade(
    submissions: Annotated[
        Path,
        typer.Argument(help="A folder: one folder, or one notebook, for each student."),
    ],
    out: Annotated[Path, typer.Option(help="The table (CSV); feedback is written beside it.")],
    course: Annotated[
        Path, typer.Option(help="The course folder that `make class` writes.")
    ] = Path("_build/class/course"),
    assignment: Annotated[
        str | None, typer.Option(help="Grade this one only, such as ddpm-exercises.")
    ] = None,
    seconds: Annotated[float, typer.Option(help="Wall time of one submission.")] = 120.0,
    cell_seconds: Annotated[
        float, typer.Option(help="Wall time of one cell, and of one answer's checks.")
    ] = 20.0,
    memory: Annotated[float, typer.Option(help="Gigabytes that a submission may take.")] = 4.0,
    workers: Annotated[
        int | None, typer.Option(help="Submissions at a time; left out: one a core.")
    ] = None,
    allow_open: Annotated[
        bool,
        typer.Option(
            "--allow-open", help="Grade even where submissions cannot be shut in (see the guide)."
        ),
    ] = False,
) -> None:
    """Grade submitted notebooks: each runs shut in, its answers are judged from outside."""
    from collections import Counter

    from tqdm import tqdm

    from companion.errors import CompanionError
    from companion.grading import Limits, grade_course, isolation

    found = isolation()
    if found.program is None and not allow_open:
        raise CompanionError(
            f"submissions cannot be shut in here: {found.words}. Without it they could read and "
            "write what you can; with --allow-open they are graded nevertheless, their time and "
            "memory bounded"
        )
    print(found.words)
    limits = Limits(seconds=seconds, cell_seconds=cell_seconds, memory=int(memory * 2**30))
    with tqdm(unit=" submissions") as bar:
        grades = grade_course(
            submissions,
            course=course,
            out=out,
            only=assignment,
            limits=limits,
            workers=workers,
            report=lambda one: bar.set_postfix_str(one.folder, refresh=bool(bar.update())),
        )
    counts = Counter(one.status for one in grades)
    print(f"{counts['graded']} graded, {counts['refused']} refused: {out}")
    for one in grades:
        if one.status != "graded":
            line = f"{one.submission.student}: {one.status}: {'; '.join(one.notes)}"
            print("  " + "".join(sign if sign.isprintable() else " " for sign in line))
    print(f"feedback: {out.parent / 'feedback'}")
    if counts["failed"]:
        raise CompanionError(
            f"{counts['failed']} of {len(grades)} submissions failed and have no grade; "
            f"the reasons are in {out}"
        )
