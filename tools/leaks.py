"""What a solution gives away, and where of it something stands in what a class gets.

Secret are the lines between the markers, and whatever a cell with the tag `solution` says or has
printed. What the book says elsewhere as well is no secret: a chapter's own formula, a line of a
prompt.
"""

import html
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import nbformat
from exercises import BEGIN, END
from nbformat import NotebookNode

SOLUTION = "solution"  # the tag of a cell that explains a solution
LEAST = 16  # characters without blanks; shorter lines, as `return weights`, tell nothing
PHRASE = 32  # the same for a part of a sentence, which may stand elsewhere by chance
TAG = re.compile(r"<[^<>]*>")
MARKUP = re.compile(  # what a page shows otherwise than a text writes it
    r"^```.*$|^:[\w-]+:.*$|\{[\w:-]+\}`[^`]*`|\$\$?[^$]+\$\$?|`[^`\n]+`|\]\([^)]*\)|[*\\\[]",
    re.MULTILINE,
)
QUOTES = str.maketrans("‘’“”–—", "''\"\"--")
COMPILED = (".pyc", ".pyo")


@dataclass(frozen=True)
class Secret:
    """Characters that betray a solution, without blanks, and the line that they are from."""

    squeezed: str
    line: str


def squeeze(text: str) -> str:
    """Return `text` without blanks and with plain quotes: pages break lines and turn quotes."""
    return re.sub(r"\s+", "", text.translate(QUOTES))


def hidden_lines(cell: NotebookNode) -> Iterator[str]:
    """The lines of a cell that a student must not get, as they are written."""
    if SOLUTION not in cell.metadata.get("tags", []):
        if BEGIN in cell.source:
            yield from cell.source.split(BEGIN)[1].split(END)[0].splitlines()
        return
    yield from cell.source.splitlines()
    for output in cell.get("outputs", []):
        yield from output.get("text", "").splitlines()


def open_text(cell: NotebookNode) -> str:
    """What is left of a cell for everybody."""
    if SOLUTION in cell.metadata.get("tags", []):
        return ""
    before, _, rest = cell.source.partition(BEGIN)
    return before + rest.partition(END)[2]


def secrets_of(book: Path) -> list[Secret]:
    """Every secret of the notebooks below `book`, but for what is said openly there as well."""
    cells = [
        cell
        for path in sorted(book.rglob("*.ipynb"))
        for cell in nbformat.read(path, as_version=4).cells
    ]
    told = [open_text(cell) for cell in cells]
    told += [path.read_text("utf-8") for path in sorted(book.rglob("*.md"))]
    openly = squeeze("\n".join(told))
    found: dict[str, str] = {}
    for cell in cells:
        for line in hidden_lines(cell):
            pieces = MARKUP.split(line) if cell.cell_type == "markdown" else []
            for piece, least in ((line, LEAST), *((piece, PHRASE) for piece in pieces)):
                if len(squeezed := squeeze(piece)) >= least and squeezed not in openly:
                    found.setdefault(squeezed, piece.strip())
    return [Secret(squeezed, line) for squeezed, line in found.items()]


def views(name: str, content: bytes) -> Iterator[str]:
    """The ways in which a curious reader can look at a file."""
    if zipfile.is_zipfile(BytesIO(content)):
        with zipfile.ZipFile(BytesIO(content)) as packed:
            for inner in packed.namelist():
                yield from views(inner, packed.read(inner))
        return
    if name.endswith("objects.inv"):  # Sphinx's list of labels
        head, _, body = content.partition(b"zlib.\n")
        content = head + zlib.decompress(body)
    text = content.decode("utf-8", "replace")
    yield squeeze(text)
    if name.endswith((".ipynb", ".json")):
        yield squeeze("\n".join(strings(json.loads(text))))
    if "<" in text:
        plain = html.unescape(text)
        yield squeeze(plain)
        yield squeeze(html.unescape(TAG.sub("", text)))


def strings(value: object) -> Iterator[str]:
    """Every string in a value that JSON holds; those of a list are one text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (one for inner in value.values() for one in strings(inner))
    elif isinstance(value, list):
        yield "".join(one for inner in value for one in strings(inner))


def leaks(folder: Path, book: Path) -> list[str]:
    """Return one line for each secret of `book` in a file of `folder`: the file, and the secret."""
    secrets = secrets_of(book)
    labels = [Secret(label, label) for label in labels_of(book)]
    found = []
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        place = path.relative_to(folder).as_posix()
        if path.suffix in COMPILED:
            found.append(f"{place}: is compiled, and holds what its source holds")
            continue
        looks = list(views(path.name, path.read_bytes()))
        found += [
            f"{place}: {secret.line}"
            for secret in (*secrets, *labels)
            if any(secret.squeezed in look for look in looks)
        ]
    return found


def labels_of(book: Path) -> list[str]:
    """The labels of solutions."""
    text = "\n".join(path.read_text("utf-8") for path in sorted(book.rglob("*-exercises.ipynb")))
    return sorted(set(re.findall(r":label: (sol-[\w-]+)", text)))
