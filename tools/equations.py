"""Read the chapters: labelled equations, the checks beside them, and what the checks printed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import nbformat
import yaml
from markdown_it.renderer import RendererHTML
from markdown_it.token import Token
from myst_parser.config.main import MdParserConfig
from myst_parser.parsers.mdit import create_md_parser

RECORD = re.compile(r"✓ (\S+)   (.+?)   rejects: (.+)|≡ (\S+)   definition")
CODE = re.compile(r"(`+).*?\1", re.DOTALL)
KINDS = {"verify": "equation", "verify_slope": "rate", "verify_bound": "bound"}
SIDES = ("lhs", "rhs", "smaller", "larger", "x", "y", "exponent")
# Directives whose body is no Markdown; code-cell is read on its own.
LITERAL = {"code", "code-block", "eval-rst", "literalinclude", "math", "mermaid", "raw"}
LONGEST = 56  # characters of code in a cell of the table
MARKDOWN = create_md_parser(
    MdParserConfig(enable_extensions={"amsmath", "colon_fence", "deflist", "dollarmath"}),
    RendererHTML,
)


class Equation(NamedTuple):
    line: int
    label: str
    fault: str = ""  # why this is no labelled display equation


class Check(NamedTuple):
    line: int
    label: str
    kind: str
    compared: str = ""
    wrong: tuple[str, ...] | None = ()  # None: the names cannot be read from the source


class Record(NamedTuple):
    tolerance: str
    rejected: str


@dataclass
class Chapter:
    """One text with what was found in it, and the lines that its notebook has printed."""

    source: Path  # relative to the root, as is the notebook
    title: str = ""
    equations: list[Equation] = field(default_factory=list)
    checks: list[Check] = field(default_factory=list)
    records: dict[str, list[Record]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    executed: bool = False  # whether there is a notebook to read records from

    @property
    def document(self) -> str:
        return "/".join(self.source.with_suffix("").parts[1:])

    @property
    def notebook(self) -> Path:
        return Path("book") / f"{self.document}.ipynb"

    def place(self, line: int) -> str:
        return f"{self.source.as_posix()}:{line}"

    def at(self, line: int, complaint: str) -> str:
        return f"{self.place(line)}: {complaint}"


# ---------------------------------------------------------------------------------------
# reading


def read_chapters(root: Path) -> list[Chapter]:
    """Read all texts, in the order of the table of contents."""
    toc = root / "book" / "_toc.yml"
    order = list(_files(yaml.safe_load(toc.read_text("utf-8")))) if toc.is_file() else []
    chapters = [read_chapter(root, path) for path in sorted(root.glob("text/*/*.md"))]
    last = len(order)
    return sorted(chapters, key=lambda c: order.index(c.document) if c.document in order else last)


def _files(node: object) -> Iterator[str]:
    if isinstance(node, dict):
        if "file" in node:
            yield str(node["file"])
        for value in node.values():
            yield from _files(value)
    elif isinstance(node, list):
        for value in node:
            yield from _files(value)


def read_chapter(root: Path, path: Path) -> Chapter:
    chapter = Chapter(path.relative_to(root))
    _read_markdown(chapter, path.read_text("utf-8"), first=1)
    if (root / chapter.notebook).is_file():
        chapter.executed = True
        _read_records(chapter, root / chapter.notebook)
    elif chapter.checks:
        missing = f"{chapter.notebook.as_posix()} is missing: run `make notebooks`"
        chapter.faults.append(chapter.at(1, missing))
    return chapter


def _read_markdown(chapter: Chapter, text: str, *, first: int) -> None:
    """Collect equations and checks; `first` is the line of the file on which `text` starts."""
    tokens = MARKDOWN.parse(text)
    for position, token in enumerate(tokens):
        line = first + (token.map[0] if token.map else 0)
        if token.type == "math_block_label":
            chapter.equations.append(Equation(line, token.info))
        elif token.type == "math_block":
            chapter.equations.append(Equation(line, "", "a display equation without a label"))
        elif token.type == "amsmath":
            fault = "an equation outside $$: write $$ ... $$ (eq-...)"
            chapter.equations.append(Equation(line, "", fault))
        elif token.type == "inline":
            _read_inline(chapter, token, line)
            if tokens[position - 1].tag == "h1" and not chapter.title:
                chapter.title = token.content
        elif token.type in {"fence", "colon_fence"}:
            _read_fence(chapter, token, line)


def _read_inline(chapter: Chapter, token: Token, line: int) -> None:
    """Two dollars in running text: the site prints them as they stand."""
    prose = CODE.sub(lambda code: "\n" * code[0].count("\n"), token.content)
    if "$$" in prose:
        line += prose[: prose.index("$$")].count("\n")
        complaint = "$$ inside a paragraph is not drawn: it needs an empty line before it"
        chapter.faults.append(chapter.at(line, complaint))


def _read_fence(chapter: Chapter, token: Token, line: int) -> None:
    directive = re.match(r"\{([\w:.-]+)\}", token.info.strip())
    if directive is None:
        return
    body = _without_options(token.content)
    if directive[1] == "code-cell":
        _read_code(chapter, body, first=line + 1)
    elif directive[1] == "math":
        fault = "a math directive: write $$ ... $$ (eq-...)"
        chapter.equations.append(Equation(line, "", fault))
    elif directive[1] not in LITERAL:
        _read_markdown(chapter, body, first=line + 1)


def _without_options(body: str) -> str:
    """Blank the options of a directive; the lines keep their numbers."""
    lines = body.split("\n")
    end = 0
    if lines[0].strip() == "---" and "---" in (rest := [line.strip() for line in lines[1:]]):
        end = rest.index("---") + 2
    while end < len(lines) and re.match(r":[\w-]+:", lines[end].strip()):
        end += 1
    return "\n".join([""] * end + lines[end:])


def _read_code(chapter: Chapter, code: str, *, first: int) -> None:
    plain = re.sub(r"^(\s*)[%!].*$", r"\1pass", code, flags=re.M)  # magics are no Python
    try:
        tree = ast.parse(plain)
    except SyntaxError as error:
        complaint = f"a code cell is no Python: {error.msg}"
        chapter.faults.append(chapter.at(first + (error.lineno or 1) - 1, complaint))
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and (name := _called(node.func)):
            _read_check(chapter, node, name, line=first + node.lineno - 1)


def _called(function: ast.expr) -> str:
    name = ast.unparse(function)
    owner, _, last = name.rpartition(".")
    if last in KINDS and owner in {"", "verify", "companion.verify"}:  # no method of another thing
        return last
    return "definition" if name.endswith("verify.definition") else ""


def _read_check(chapter: Chapter, call: ast.Call, name: str, *, line: int) -> None:
    given = {keyword.arg: keyword.value for keyword in call.keywords}
    label = call.args[0] if call.args else given.get("label")
    if not (isinstance(label, ast.Constant) and isinstance(label.value, str)):
        chapter.faults.append(chapter.at(line, f"{name}: the label has to be a literal string"))
        return
    if name == "definition":
        chapter.checks.append(Check(line, label.value, name))
        return
    sides = [*call.args[1:], *(given[key] for key in SIDES if key in given)]
    compared = _compared(name, [_code(side) for side in sides])
    wrong = _names(given.get("wrong"))
    chapter.checks.append(Check(line, label.value, KINDS[name], compared, wrong))


def _compared(name: str, sides: list[str]) -> str:
    if name == "verify_slope" and len(sides) == 3:
        return f"{sides[1]} against {sides[0]}, exponent {sides[2]}"
    return (" ≤ " if name == "verify_bound" else " = ").join(sides)


def _code(node: ast.expr) -> str:
    text = ast.unparse(node)
    text = text if len(text) <= LONGEST else text[: LONGEST - 1].rstrip() + "…"
    return f"`` {text} ``" if "`" in text else f"`{text}`"


def _names(wrong: ast.expr | None) -> tuple[str, ...] | None:
    """Names of the wrong variants, () for none, None where they are not literal."""
    if wrong is None:
        return ()
    if not isinstance(wrong, ast.Dict):
        return None
    keys = [key.value if isinstance(key, ast.Constant) else None for key in wrong.keys]
    return tuple(str(key) for key in keys) if None not in keys else None


def _read_records(chapter: Chapter, path: Path) -> None:
    try:
        cells = nbformat.read(path, as_version=4).cells
    except ValueError as error:  # no JSON, or no notebook
        reason = str(error).splitlines()[0][:80]
        chapter.faults.append(f"{chapter.notebook.as_posix()}:1: is no notebook: {reason}")
        return
    for cell in cells:
        outputs = cell.get("outputs", [])
        printed = "".join(o.text for o in outputs if o.get("name") == "stdout")
        for line in printed.splitlines():
            if found := RECORD.fullmatch(line):
                record = Record(found[2] or "", found[3] or "")
                chapter.records.setdefault(found[1] or found[4], []).append(record)
