"""TeX as it would be said in a line of plain text: enough for the symbols of a table."""

from __future__ import annotations

import re

from search_words import LETTERS, MARKS

COMMANDS = {
    **{name: letter for letter, name in LETTERS.items()},
    **{name.capitalize(): letter.upper() for letter, name in LETTERS.items()},
    **{f"var{name}": letter for letter, name in LETTERS.items()},
    **{"in": "∈", "ge": "≥", "le": "≤", "ne": "≠", "approx": "≈", "to": "→", "infty": "∞"},
    **{"langle": "⟨", "rangle": "⟩", "lVert": "‖", "rVert": "‖", "|": "‖", "nabla": "∇"},
    **{"partial": "∂", "sqrt": "√", "cdot": "·", "times": "×", "odot": "⊙", "circ": "∘"},
    **{"sum": "Σ", "dots": "…", "cdots": "…", "ldots": "…", "ell": "ℓ", "top": "ᵀ", "pm": "±"},
    **{",": " ", ";": " ", "!": "", " ": " ", "quad": " ", "left": "", "right": "", "big": ""},
}
DROPPED = ("operatorname", "text", "mathrm", "mathbf", "mathcal", "mathbb", "boldsymbol")
ACCENTS = {name: mark for mark, name in MARKS.items() if mark != "\u0305"} | {
    "overline": "\u0304", "widehat": "\u0302", "widetilde": "\u0303",
}  # fmt: skip
RAISED = dict(zip("0123456789+-nT", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿᵀ", strict=True)) | {"ᵀ": "ᵀ"}
LOWERED = dict(zip("0123456789+-aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ", strict=True))


def _script(table: dict[str, str], sign: str, body: str) -> str:
    """A raised or lowered part: in small signs where there is one for each, else as it stands."""
    if body and all(one in table for one in body):
        return "".join(table[one] for one in body)
    return sign + body


def _known(found: re.Match[str]) -> str:
    name: str = found[1]
    return COMMANDS.get(name, name)


def plain(tex: str) -> str:
    r"""Return the formula in plain text.

    >>> plain(r"\bar\beta_t, \operatorname{relu}^2(x) \in \mathbb R^d")
    'β̄ₜ, relu²(x) ∈ R^d'
    """
    text = re.sub(rf"\\(?:{'|'.join(DROPPED)})(?![a-zA-Z])\s*", "", tex)
    text = re.sub(r"\\(?:frac|tfrac)\{([^{}]*)\}\{([^{}]*)\}", r"\1/\2", text)
    for name, mark in ACCENTS.items():
        body = rf"\\{name}\s*(?:\{{(\\?\w+)\}}|(\\[a-zA-Z]+|\w))"
        text = re.sub(body, lambda found, mark=mark: f"{found[1] or found[2]} {mark}", text)
    text = re.sub(r"\\([a-zA-Z]+|.)", _known, text).replace(" \u0304", "\u0304")
    for mark in MARKS:
        text = text.replace(f" {mark}", mark)
    for table, sign in ((RAISED, "^"), (LOWERED, "_")):
        part = rf"\{sign}(?:\{{([^{{}}]*)\}}|(\S))"
        text = re.sub(
            part,
            lambda found, table=table, sign=sign: _script(table, sign, found[1] or found[2] or ""),
            text,
        )
    return " ".join(text.replace("{", "").replace("}", "").split())
