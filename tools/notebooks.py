"""text/<room>/<chapter>.md is the source, book/<room>/<chapter>.ipynb the executed notebook.

notebooks.py run [NAME ...]     execute the texts into their notebooks (all, or those named)
notebooks.py prose [NAME ...]   carry changed prose over, where no cell of code changed
notebooks.py check              compare the two trees and judge every notebook; executes nothing
"""

import argparse
import os
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import jupytext
import nbformat
import status
from jupytext.myst import myst_to_notebook
from launch import start_cells
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat import NotebookNode
from rules import judge_cell, judge_order

ROOT = Path(__file__).resolve().parents[1]
MYST = {"extension": ".md", "format_name": "myst"}
CELL_TIMEOUT = 300  # seconds, as in `make test`
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}


class Stop(Exception):
    """One line for the author."""


def read_text(path: Path) -> NotebookNode:
    """Read a text file as the notebook it describes, without outputs."""
    try:
        notebook = jupytext.read(path, fmt=MYST)
    except Exception as error:  # YAML, jupytext and nbformat each have their own
        reason = " ".join(str(error).split())[:120]
        raise Stop(f"{path}: is no MyST text of a notebook: {reason}") from None
    notebook.metadata.pop("jupytext", None)
    notebook.metadata["kernelspec"] = dict(KERNEL)
    notebook.metadata["language_info"] = dict(LANGUAGE)
    for position, cell in enumerate(notebook.cells):
        cell["id"] = f"cell-{position + 1:03d}"
    notebook.cells[:0] = start_cells(path)
    return notebook


def read_notebook(path: Path) -> NotebookNode:
    try:
        return nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat lets a dozen kinds through
        reason = str(error).splitlines()[0]
        raise Stop(f"{path}: is no notebook: {reason}") from None


def cell_line(path: Path, position: int, *, within: int = 1) -> int:
    """Return the line of `path` that holds line `within` of a cell (both count from 1)."""
    lines = path.read_text("utf-8").splitlines()
    notebook = myst_to_notebook("\n".join(lines) + "\n", add_source_map=True)
    position -= len(start_cells(path))
    if position < 0:
        return 1  # the start-up cell stands in no text
    start = notebook.metadata["source_map"][position]
    source = notebook.cells[position].source.splitlines()
    while source and start < len(lines) and lines[start] != source[0]:
        start += 1  # past the options of the cell
    return min(start + within, len(lines))


# ---------------------------------------------------------------------------------------
# run, prose


def execute(text: Path, book: Path) -> NotebookNode:
    """Run every cell of `text` in a fresh kernel that works in the folder of `book`."""
    notebook = read_text(text)
    book.parent.mkdir(parents=True, exist_ok=True)
    client = NotebookClient(
        notebook,
        kernel_name="python3",
        timeout=CELL_TIMEOUT,
        record_timing=False,
        store_widget_state=False,
        coalesce_streams=True,
        extra_arguments=["--IPKernelApp.log_level=40"],  # else it talks about TCP
        resources={"metadata": {"path": str(book.parent)}},
    )
    position = 0
    try:
        with client.setup_kernel():
            for position, cell in enumerate(notebook.cells):
                client.execute_cell(cell, position)
    except CellExecutionError as error:
        line = cell_line(text, position, within=error_line(error.traceback))
        raise Stop(f"{text}:{line}: {error.ename}: {error.evalue}") from None
    except CellTimeoutError:
        line = cell_line(text, position)
        raise Stop(f"{text}:{line}: the cell ran longer than {CELL_TIMEOUT} s") from None
    except DeadKernelError:
        raise Stop(f"{text}:{cell_line(text, position)}: the kernel died in this cell") from None
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    return notebook


def error_line(traceback: str) -> int:
    """Return the line of the cell that a traceback of IPython begins with."""
    plain = re.sub(r"\x1b\[[0-9;]*m", "", traceback)
    found = re.search(r"Cell In\s?\[\d+\], line (\d+)", plain)
    return int(found[1]) if found else 1


def carry(text: Path, book: Path) -> NotebookNode:
    """Put the outputs stored in `book` under the cells of `text`, which have to be the same."""
    remedy = f"run `make notebooks ONLY={text.stem}`"
    if not book.exists():
        raise Stop(f"{book}: is missing, so there is no output to keep; {remedy}")
    notebook, stored = read_text(text), read_notebook(book)
    old = [cell for cell in stored.cells if cell.cell_type == "code"]
    new = [(at, cell) for at, cell in enumerate(notebook.cells) if cell.cell_type == "code"]
    for (position, cell), other in zip(new, old, strict=False):
        if cell.source != other.source or cell.metadata != other.metadata:
            line = cell_line(text, position)
            raise Stop(f"{text}:{line}: this cell of code differs from {book}; {remedy}")
        cell["outputs"], cell["execution_count"] = other.outputs, other.execution_count
    if len(new) != len(old):
        found = f"{len(new)} cells of code, {book} has {len(old)}"
        raise Stop(f"{text}: has {found}; {remedy}")
    return notebook


def replace(path: Path, content: str) -> bool:
    """Write `content` in one step, if it is new; a reader never sees half a file."""
    if path.exists() and path.read_text("utf-8") == content:
        return False
    beside = path.with_name(f".{path.name}.tmp")
    beside.write_text(content, "utf-8")
    os.replace(beside, path)
    return True


def write(names: list[str], root: Path, make: Callable[[Path, Path], NotebookNode]) -> int:
    """Write the notebooks of the texts that `names` mean, as `make` (execute, carry) makes them."""
    complaints = 0
    for name in select(names, root):
        text, book = root / "text" / f"{name}.md", root / "book" / f"{name}.ipynb"
        started, before = time.perf_counter(), kernel_seconds()
        notebook = make(text, book)
        changed = replace(book, nbformat.writes(notebook) + "\n")
        seconds = time.perf_counter() - started
        print(f"{seconds:6.1f} s  book/{name}.ipynb{'' if changed else '  unchanged'}", flush=True)
        if make is execute and (changed or name not in status.read(root).get("notebooks", {})):
            status.record_notebook(root, name, kernel_seconds() - before)
        complaints += report(name, root)
    return complaints


def kernel_seconds() -> float:
    """Return the processor seconds of all kernels that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def select(names: list[str], root: Path) -> list[str]:
    """Return the chapters (`room/chapter`) that `names` mean: a room, a chapter, or a path."""
    known = chapters(root / "text", ".md")
    chosen = set() if names else set(known)
    for name in names:
        plain = re.sub(r"^(?:\./)?(?:text|book)/|\.(?:md|ipynb)$|/$", "", name)
        found = {one for one in known if plain in (one, one.split("/")[-1], one.split("/")[0])}
        if not found:
            raise Stop(f"no text is called {name}; there are: {', '.join(known) or 'none'}")
        chosen |= found
    return sorted(chosen)


def chapters(folder: Path, suffix: str) -> list[str]:
    return sorted(
        path.relative_to(folder).with_suffix("").as_posix()
        for path in folder.rglob(f"*{suffix}")
        if not any(part.startswith((".", "_")) for part in path.relative_to(folder).parts)
    )


# ---------------------------------------------------------------------------------------
# check


def check(root: Path) -> int:
    texts, books = chapters(root / "text", ".md"), chapters(root / "book", ".ipynb")
    complaints = 0
    for name in sorted(set(texts) | set(books)):
        complaints += report(name, root)
    print(f"{len(texts)} texts, {len(books)} notebooks, {complaints} complaints")
    return complaints


def report(name: str, root: Path) -> int:
    """Print every complaint about one chapter; return how many."""
    found = list(judge(name, root))
    for complaint in found:
        print(f"book/{name}.ipynb: {complaint}", file=sys.stderr, flush=True)
    return len(found)


def judge(name: str, root: Path) -> Iterator[str]:
    text, book = root / "text" / f"{name}.md", root / "book" / f"{name}.ipynb"
    if not text.exists():
        yield f"has no text; expected text/{name}.md"
        return
    if not book.exists():
        yield f"is missing; make it from its text with `make notebooks ONLY={name}`"
        return
    try:
        notebook, source = read_notebook(book), read_text(text)
    except Stop as stop:
        yield str(stop).replace(f"{root}/", "").removeprefix(f"book/{name}.ipynb: ")
        return
    yield from compare(source, notebook, name, text)
    yield from judge_order(notebook)
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type == "code":
            yield from (f"cell {number}: {words}" for words in judge_cell(cell))


def compare(source: NotebookNode, notebook: NotebookNode, name: str, text: Path) -> Iterator[str]:
    """Yield the first difference between a text and its notebook."""
    remedy = f"run `make notebooks ONLY={name}`"
    if dict(source.metadata) != dict(notebook.metadata):
        keys = [k for k in {**source.metadata, **notebook.metadata}
                if source.metadata.get(k) != notebook.metadata.get(k)]  # fmt: skip
        yield f"its metadata ({', '.join(keys)}) differs from text/{name}.md; {remedy}"
    for position, (wanted, cell) in enumerate(zip(source.cells, notebook.cells, strict=False)):
        for part in ("cell_type", "source", "metadata"):
            if wanted[part] != cell[part]:
                where = f"text/{name}.md:{cell_line(text, position)}"
                yield f"cell {position + 1}: {part} differs from {where}; {remedy}"
                return
    if len(source.cells) != len(notebook.cells):
        found = f"has {len(notebook.cells)} cells, text/{name}.md has {len(source.cells)}"
        yield f"{found}; {remedy}"


def main(arguments: list[str] | None = None, root: Path = ROOT) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("command", choices=["run", "prose", "check"])
    parser.add_argument("names", nargs="*", metavar="NAME", help="chapter, room, or path")
    given = parser.parse_args(arguments)
    try:
        match given.command:
            case "run":
                complaints = write(given.names, root, execute)
            case "prose":
                complaints = write(given.names, root, carry)
            case _:
                complaints = check(root)
    except Stop as stop:
        print(f"notebooks: {str(stop).replace(f'{root}/', '')}", file=sys.stderr)
        return 1
    return 1 if complaints else 0


if __name__ == "__main__":
    sys.exit(main())
