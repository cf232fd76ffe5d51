"""What a notebook of this book has to be. Each rule yields its complaints, one line each."""

import re
from collections.abc import Iterator

from nbformat import NotebookNode

LONGEST_CELL = 20  # lines
LONGEST_LINE = 84  # characters: what fits beside the sidebar in a window of 1280 pixels
IMAGES = {"image/png", "image/jpeg", "image/svg+xml"}
WIDGET = "application/vnd.jupyter.widget-view+json"
ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
ABSOLUTE = re.compile(
    r"(?<![\w./:<~-])/(?:home|root|Users|tmp|var|private|usr|opt|mnt|work|srv)/[\w.-]+"
)
# What would make nbval pass a cell without comparing it. `raises-exception` is among
# them: nbval is content when such a cell raises nothing. Catch the exception, print it.
BYPASS_TAGS = {
    "nbval-ignore-output",
    "nbval-raises-exception",
    "nbval-skip",
    "raises-exception",
    "skip-execution",
}
BYPASS_COMMENT = re.compile(r"^\s*#\s*(?:NBVAL|PYTEST_VALIDATE)_", re.IGNORECASE | re.MULTILINE)


def judge_order(notebook: NotebookNode) -> Iterator[str]:
    code = [(n, c) for n, c in enumerate(notebook.cells, start=1) if c.cell_type == "code"]
    if not any(cell.outputs for _, cell in code):
        yield "has no outputs: it was never executed, or belongs in book/ as a page"
        return
    for expected, (number, cell) in enumerate(code, start=1):
        if cell.execution_count is None:
            yield f"cell {number}: was never executed"
        elif cell.execution_count != expected:
            yield f"cell {number}: was executed as {cell.execution_count}, expected {expected}"


def judge_cell(cell: NotebookNode) -> Iterator[str]:
    lines = len(cell.source.splitlines())
    if not cell.source.strip():
        yield "is empty"
    if lines > LONGEST_CELL:
        yield f"has {lines} lines, at most {LONGEST_CELL} are allowed"
    for number, line in enumerate(cell.source.splitlines(), start=1):
        if len(line) > LONGEST_LINE:
            yield f"line {number} has {len(line)} characters, at most {LONGEST_LINE} are allowed"
    if cell.source.rstrip().endswith(";"):
        yield "ends with `;`, which the notebook test does not honour; end with plt.show()"
    for tag in sorted(BYPASS_TAGS & set(cell.metadata.get("tags", []))):
        yield f"tag {tag}: its output would not be compared"
    if BYPASS_COMMENT.search(cell.source):
        yield "a comment asks the notebook test not to compare its output"
    for output in cell.outputs:
        yield from judge_output(output, cell)


def judge_output(output: NotebookNode, cell: NotebookNode) -> Iterator[str]:
    if output.output_type == "error":
        yield f"stores an error: {output.ename}: {output.evalue}"
        return
    if output.get("name") == "stderr":
        yield f"warns: {output.text.strip().splitlines()[0]}"
        return
    data = output.get("data", {})
    if WIDGET in data:
        yield "stores a live widget, which is dead on the page; show a companion.explore figure"
    if IMAGES & set(data):
        yield from judge_picture(cell.metadata.get("mystnb", {}))
    for words in [output.get("text", ""), *(v for k, v in data.items() if k.startswith("text/"))]:
        for pattern, kind in (
            (ADDRESS, "an address in memory"),
            (ABSOLUTE, "a machine's own path"),
        ):
            found = pattern.search(words)
            if found:
                yield f"shows {kind}: {found[0]}"


def judge_picture(options: dict) -> Iterator[str]:
    if not str(options.get("image", {}).get("alt") or "").strip():
        yield "a picture without alt text; set mystnb: image: alt: in the cell's options"
    if not str(options.get("figure", {}).get("caption") or "").strip():
        yield "a picture without caption; set mystnb: figure: caption: in the cell's options"
