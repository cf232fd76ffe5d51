"""The exercises of a text: what is shown, what is solved, what is checked.

exercises.py [NAME ...]   name every exercise whose prompt does not show the stub of its solution,
                          and print that stub (all texts, or those named)

The solution is the source. Its cell carries nbgrader's metadata and marks the lines that a
student does not get; the stub in the prompt is made from it by `stub`.
"""

import argparse
import re
import sys
from dataclasses import dataclass
from pathlib import Path

from nbformat import NotebookNode
from notebooks import ROOT, Stop, read_text, select

BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
PROMPT = re.compile(r"^(`{3,})\{exercise\}[^\n]*\n(.*?)^\1\s*$", re.DOTALL | re.MULTILINE)
LABEL = re.compile(r"^:label:\s*(\S+)\s*$", re.MULTILINE)
BLOCK = re.compile(r"^```python\n(.*?)^```\s*$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """One exercise of a text; a part that the text lacks is empty."""

    label: str
    prompt: str
    block: str
    solution: str
    checks: str


def stub(source: str) -> str:
    """Replace what lies between the markers by ``raise NotImplementedError``, indentation kept."""
    kept: list[str] = []
    inside = False
    for line in source.splitlines():
        if line.strip() == BEGIN and not inside:
            inside = True
            kept.append(line.replace(BEGIN, "raise NotImplementedError"))
        elif line.strip() == END and inside:
            inside = False
        elif line.strip() in (BEGIN, END):
            raise Stop(f"`{line.strip()}` without its counterpart in:\n{source}")
        elif not inside:
            kept.append(line)
    if inside:
        raise Stop(f"`{BEGIN}` is never closed in:\n{source}")
    return "\n".join(kept)


def exercises(notebook: NotebookNode) -> list[Shown]:
    """Return the exercises of a notebook, in order, each with its stub, solution and check."""
    graded = {
        cell.metadata.nbgrader.grade_id: cell.source
        for cell in notebook.cells
        if "nbgrader" in cell.metadata
    }
    found = []
    for cell in notebook.cells:
        for prompt in PROMPT.finditer(cell.source) if cell.cell_type == "markdown" else ():
            label, block = LABEL.search(prompt[2]), BLOCK.search(prompt[2])
            name = label[1] if label else ""
            shown = block[1].rstrip() if block else ""
            parts = (graded.get(name, ""), graded.get(f"{name}-check", ""))
            found.append(Shown(name, prompt[2], shown, *parts))
    return found


def complaints(text: Path) -> list[str]:
    """Return one message for each exercise of `text` that is not shown as its solution says."""
    found = []
    for one in exercises(read_text(text)):
        if not one.label:
            found.append(f"{text}: an exercise without a label")
        elif BEGIN not in one.solution:
            found.append(f"{text}: {one.label} has no solution cell with that grade_id")
        elif one.block != stub(one.solution):
            found.append(f"{text}: the prompt of {one.label} should show\n{stub(one.solution)}\n")
    return found


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="chapter, room, or path")
    given = parser.parse_args(arguments)
    try:
        texts = [root / "text" / f"{name}.md" for name in select(given.names, root)]
        found = [message for text in texts for message in complaints(text)]
    except Stop as stop:
        found = [str(stop)]
    for message in found:
        print(f"exercises: {message.replace(f'{root}/', '')}", file=sys.stderr)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
