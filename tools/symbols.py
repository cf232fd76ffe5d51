r"""Symbols in formulas: finds those of a table of notation, and gives each a class.

>>> table = [Symbol(7, r"g_i"), Symbol(8, "u")]
>>> mark(r"\langle g_0, u\rangle", table)
'\\langle \\class{sym-7}{g}_\\class{sym-7}{0}, \\class{sym-8}{u}\\rangle'

A class goes on a letter and on its index, never on both together: so the type is set as without.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

LETTER = re.compile(
    r"[A-Za-z]|\\(?:alpha|beta|gamma|delta|epsilon|varepsilon|zeta|eta|theta|vartheta|kappa|lambda"
    r"|mu|nu|xi|pi|rho|sigma|tau|phi|varphi|chi|psi|omega|Gamma|Delta|Theta|Lambda|Xi|Pi|Sigma|Phi"
    r"|Psi|Omega|ell|nabla|partial)"
)
# Words, the columns of an array and the length behind a line are one token each: no symbols inside.
TOKEN = re.compile(
    r"\\begin\{[^}]*\}(?:\{[lcr|]+\})?|\\(?:operatorname\*?|end|text|mathrm)\s*\{[^}]*\}"
    r"|\\mathrm\s*[A-Za-z]|\\\\\[[^\]]*\]|\\[A-Za-z]+|\\.|\s+|.",
    re.DOTALL,
)
ACCENTS = {r"\hat", r"\bar", r"\tilde", r"\vec", r"\mathbb", r"\mathcal", r"\mathbf"}
ARGUMENTS = {r"\frac": 2, r"\dfrac": 2, r"\tfrac": 2, r"\binom": 2, r"\sqrt": 1, r"\overline": 1}
RUNNING = set("ghijklmnt")  # an index that stands for any other


@dataclass(frozen=True)
class Symbol:
    """A symbol of a table: its number in the book and its TeX, such as `g_i`."""

    number: int
    tex: str

    @cached_property
    def parts(self) -> tuple[str, tuple[str, ...], tuple[str, ...]]:
        """The letter with its accent, the tokens of the index below, and of that above."""
        found = Formula(self.tex)
        letter, end = found.letter(0)
        scripts = {kind: found.plain(start, stop) for kind, start, stop in found.scripts(end)}
        if len(found.tokens) > max([end, *(stop for *_, stop in found.scripts(end))]):
            return "", (), ()  # more than a letter, such as a norm: never found
        return letter, scripts.get("_", ()), scripts.get("^", ())

    def classed(self, tex: str) -> str:
        """TeX that draws the same, with the class of this symbol."""
        return rf"\class{{sym-{self.number}}}{{{tex}}}"

    def fit(self, letter: str, below: tuple[str, ...], above: tuple[str, ...]) -> int:
        """How well this is the symbol with these scripts; 0: it is not."""
        own, index, mark = self.parts
        if not own or own != letter or (mark and mark != above):
            return 0
        bonus = 10 if mark else 0
        if index == below:
            return bonus + 5
        if any(LETTER.fullmatch(token) for token in set(index) & set(below)):
            return bonus + 4
        running = not RUNNING.isdisjoint(index)
        if running and below:
            return bonus + 3
        return bonus + (2 if not index else int(running))


class Formula:
    """A formula, cut into tokens."""

    def __init__(self, tex: str) -> None:
        self.tokens: list[str] = TOKEN.findall(tex)

    def text(self, start: int, stop: int) -> str:
        """The TeX of some tokens."""
        return "".join(self.tokens[start:stop])

    def skip(self, at: int) -> int:
        """The next token that is no space."""
        while at < len(self.tokens) and self.tokens[at].isspace():
            at += 1
        return at

    def group_end(self, at: int) -> int:
        """Where the argument that begins at a token ends: a group, or one token."""
        depth = 0
        for end in range(at, len(self.tokens)):
            depth += (self.tokens[end] == "{") - (self.tokens[end] == "}")
            if depth <= 0:
                return end + 1
        return len(self.tokens)

    def plain(self, start: int, stop: int) -> tuple[str, ...]:
        """Tokens without spaces and without the braces around them."""
        found = [token for token in self.tokens[start:stop] if not token.isspace()]
        return tuple(found[1:-1] if found[:1] == ["{"] else found)

    def letter(self, at: int) -> tuple[str, int]:
        """The letter at a token, accents in front, and where it ends; "" if there is none."""
        if at >= len(self.tokens):
            return "", at
        token = self.tokens[at]
        if token in ACCENTS:
            start = self.skip(at + 1)
            end = self.group_end(start)
            inside = self.plain(start, end)
            return (f"{token} {inside[0]}", end) if len(inside) == 1 else ("", at)
        return token.replace("operatorname*", "operatorname"), at + 1

    def scripts(self, at: int) -> list[tuple[str, int, int]]:
        """The scripts behind a letter: `_` or `^`, and where what it holds starts and ends."""
        found: list[tuple[str, int, int]] = []
        at = self.skip(at)
        while at < len(self.tokens) and self.tokens[at] in {"_", "^"}:
            start = self.skip(at + 1)
            accent = start < len(self.tokens) and self.tokens[start] in ACCENTS
            end = self.letter(start)[1] if accent else self.group_end(start)
            found.append((self.tokens[at], start, end))
            at = self.skip(end)
        return found


def mark(tex: str, table: Sequence[Symbol]) -> str:
    r"""The formula with `\class{sym-<number>}{...}` around each symbol of the table.

    Where several fit, the one with the most fitting index wins; among equals, the first.
    """
    formula, out, at = Formula(tex), [], 0
    while at < len(formula.tokens):
        arguments = ARGUMENTS.get(formula.tokens[at], 0)
        piece, at = _step(formula, at, table)
        out.append(piece)
        for _ in range(arguments):
            start = formula.skip(at)
            if formula.tokens[start : start + 1] == ["["]:  # the degree of a root
                start = formula.tokens.index("]", start) + 1
            end = formula.group_end(start)
            content = mark(formula.text(start, end), table)
            out += [formula.text(at, start), content if content[:1] == "{" else f"{{{content}}}"]
            at = end
    return "".join(out)


def unmarked(marked: str) -> list[str]:
    """The letters of a marked formula that belong to no symbol."""
    formula, found, at = Formula(marked), [], 0
    while at < len(formula.tokens):
        if formula.tokens[at] == r"\class":
            at = formula.group_end(formula.group_end(at + 1))
        else:
            if LETTER.fullmatch(formula.tokens[at]):
                found.append(formula.tokens[at])
            at += 1
    return found


def _step(formula: Formula, at: int, table: Sequence[Symbol]) -> tuple[str, int]:
    """Mark the letter at a token with its scripts, or hand on the token; and where to go on."""
    letter, end = formula.letter(at)
    scripts = formula.scripts(end)
    held = {kind: formula.plain(start, stop) for kind, start, stop in scripts}
    fits = [(s.fit(letter, held.get("_", ()), held.get("^", ())), s) for s in table]
    score, symbol = max(fits, key=lambda fit: fit[0], default=(0, None))
    if not score or symbol is None:
        end = end if letter and formula.tokens[at] in ACCENTS else at + 1
        return formula.text(at, end), end
    out = [symbol.classed(formula.text(at, end))]
    _, index, above = symbol.parts
    for kind, start, stop in scripts:
        out.append(formula.text(end, start))
        content = formula.text(start, stop)
        if not (index if kind == "_" else above):
            out.append(mark(content, table))
        elif len(inside := formula.plain(start, stop)) == 1:
            classed = symbol.classed(inside[0])
            out.append(f"{{{classed}}}" if content.startswith("{") else classed)
        else:  # one class around all of it would be a group more, with spaces of its own
            letters = [symbol.classed(t) if LETTER.fullmatch(t) else t for t in inside]
            out.append(f"{{{''.join(letters)}}}")
        end = stop
    return "".join(out), end
