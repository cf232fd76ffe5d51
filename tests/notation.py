"""Formulas as the notation knows them: the symbols of an equation, the rows of book/notation.md."""

import re
from collections.abc import Iterator
from typing import NamedTuple

TOKEN = re.compile(
    r"\\operatorname\*?\{\w+\}|\\(?:text|mathrm|begin|end)\{[^}]*\}|\\mathrm\s*[A-Za-z]"
    r"|\\[A-Za-z]+|\\.|\d+|\S"
)
SPACES = {"\\,", "\\;", "\\:", "\\!", "\\ ", "&", "\\quad", "\\qquad"}
NORM = re.compile(r"(\\\||\\Vert|\\rVert)_(\w|\{\\text\{\w+\}\})")  # which norm is no symbol
GREEK = re.compile(
    r"\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|kappa|lambda|mu|nu|xi"
    r"|pi|rho|sigma|tau|phi|varphi|chi|psi|omega|Gamma|Theta|Lambda|Xi|Pi|Sigma|Phi|Psi|Omega"
    r"|ell|nabla|partial)"
)
MARKS = {"\\hat", "\\bar", "\\tilde", "\\vec", "\\mathbb", "\\mathcal"}  # part of what follows
DISPLAY = re.compile(r"^\$\$\n(.*?)\n\$\$ \((eq-[\w-]+)\)", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"^```.*?^```$|`[^`\n]*`", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"(?<![\\$])\$([^$]+?)\$(?!\$)")
PLACE = re.compile(r"(?:(above|below) )?\{eq\}`(eq-[\w-]+)`")


class Row(NamedTuple):
    line: int
    symbols: tuple[str, ...]
    meaning: str
    side: str = ""  # above, below, or in
    label: str = ""


class Equation(NamedTuple):
    label: str
    tex: str
    before: str  # prose between the equation before this one and this one


def tokens(tex: str) -> list[str]:
    """Cut a formula; spaces go, and so do braces around one token."""
    found = [token for token in TOKEN.findall(NORM.sub(r"\1", tex)) if token not in SPACES]
    plain: list[str] = []
    for token in found:
        if token == "}" and len(plain) > 1 and plain[-2] == "{":
            plain[-2:] = plain[-1:]
        else:
            plain.append(token)
    return plain


def atoms(tex: str) -> list[str]:
    """Return every letter of a formula that needs a meaning, with its accent or font."""
    cut, found = tokens(tex), []
    for position, token in enumerate(cut):
        if GREEK.fullmatch(token) or token.startswith("\\operatorname") or _is_letter(token):
            marks = position
            while marks > 0 and cut[marks - 1] in MARKS:
                marks -= 1
            found.append(
                " ".join(cut[marks : position + 1]).replace("operatorname*", "operatorname")
            )
        elif token == "\\Delta":
            found.append(token)
    return found


def _is_letter(token: str) -> bool:
    return len(token) == 1 and token.isascii() and token.isalpha()


def contains(tex: str, symbol: str) -> bool:
    """Whether a formula has a symbol just so: $x$ is neither in $x_t$ nor in $\\bar x$."""
    cut, wanted = tokens(tex), tokens(symbol)
    for start in range(len(cut) - len(wanted) + 1):
        end = start + len(wanted)
        follows = cut[end] if end < len(cut) else ""
        marked = start > 0 and cut[start - 1] in MARKS
        if cut[start:end] == wanted and not marked and (follows != "_" or "_" in wanted):
            return True
    return False


def read_equations(text: str) -> list[Equation]:
    """Return the labelled equations of a text, and at the end one without a label: the rest."""
    found, end = [], 0
    for match in DISPLAY.finditer(text):
        found.append(Equation(match[2], match[1], text[end : match.start()]))
        end = match.end()
    return [*found, Equation("", "", text[end:])]


def inline(text: str) -> list[str]:
    """Return the formulas within the lines of a text."""
    return INLINE.findall(CODE.sub(" ", text))


def read_tables(page: str) -> dict[str, list[Row]]:
    """Return the rows below each heading of the page."""
    tables: dict[str, list[Row]] = {}
    heading = ""
    for number, line in enumerate(page.splitlines(), start=1):
        if line.startswith("## "):
            heading = line[3:]
            tables[heading] = []
        elif line.startswith("| $"):
            tables[heading].append(_read_row(number, line))
    return tables


def _read_row(number: int, line: str) -> Row:
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    symbols = tuple(formula[1:-1] for formula in re.split(r",\s*(?=\$)", cells[0]))
    place = PLACE.fullmatch(cells[2]) if len(cells) == 3 else None
    side, label = (place[1] or "in", place[2]) if place else ("", "")
    return Row(number, symbols, cells[1], side, label)


def complaints(rows: list[Row], everywhere: list[Row], text: str) -> Iterator[str]:
    """Yield what is wrong with the table of one chapter."""
    equations = read_equations(text)
    known = {
        atom for row in [*rows, *everywhere] for symbol in row.symbols for atom in atoms(symbol)
    }
    for equation in equations:
        for atom in dict.fromkeys(atoms(equation.tex)):
            if atom not in known:
                yield f"{equation.label}: {atom} is in no row"
    for table in (rows, everywhere):
        yield from _row_complaints(table)
    for row in rows:
        for symbol in row.symbols:
            found = list(_place_complaints(row, symbol, equations))
            if row.side == "in" and not found:
                found = list(_sentence_complaints(row, symbol, equations))
            yield from found


def _row_complaints(rows: list[Row]) -> Iterator[str]:
    seen: dict[str, int] = {}
    for row in rows:
        for symbol in row.symbols:
            name = "".join(tokens(symbol))
            if name in seen:
                yield f"line {row.line}: {symbol} has a row already, line {seen[name]}"
            seen.setdefault(name, row.line)
            if _bases(symbol) > 1:
                yield f"line {row.line}: ${symbol}$ is more than one symbol"


def _bases(symbol: str) -> int:
    """Number of letters that are no index."""
    plain = re.sub(r"[_^](\{(?:[^{}]|\{[^{}]*\})*\}|\\[A-Za-z]+|.)", "", symbol)
    return len([atom for atom in atoms(plain) if atom != "\\Delta"])


def _place_complaints(row: Row, symbol: str, equations: list[Equation]) -> Iterator[str]:
    labels = [equation.label for equation in equations]
    if not row.label or row.label not in labels:
        yield f"line {row.line}: {symbol} needs an equation of this chapter, found {row.label!r}"
        return
    position = labels.index(row.label)
    earlier = equations[: position + (row.side == "below")]
    for equation in earlier:
        if contains(equation.tex, symbol):
            yield f"line {row.line}: {symbol} is in {equation.label} already"
            return
    if row.side == "in":
        places = [equations[position].tex]
    else:
        places = inline(equations[position + (row.side == "below")].before)
    if not any(contains(place, symbol) for place in places):
        yield f"line {row.line}: {symbol} is not {row.side} {row.label}"


def _sentence_complaints(row: Row, symbol: str, equations: list[Equation]) -> Iterator[str]:
    """Whether a sentence speaks of the symbol, before its equation or behind it in the section."""
    position = [equation.label for equation in equations].index(row.label)
    sentences = [
        formula for equation in equations[: position + 1] for formula in inline(equation.before)
    ]
    sentences += inline(equations[position + 1].before.split("\n## ")[0])
    base = re.split(r"[_^]", symbol)[0]  # $g_i$ speaks of $g_1$
    if "operatorname" not in symbol and not any(base in formula for formula in sentences):
        yield f"line {row.line}: no sentence around {row.label} speaks of {symbol}"
