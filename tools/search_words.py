"""How the search splits a text into words: λ is lambda, β̄ is beta and bar, ² is 2.

The same rule is written out for the browser (`splitter`), which splits what the reader types.
"""

from __future__ import annotations

import json
import re
import unicodedata

NAMES_OF_LETTERS = (
    "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma "
    "tau upsilon phi chi psi omega"
)
LETTERS = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", NAMES_OF_LETTERS.split(), strict=True))
SHAPES = {"ς": "sigma", "ϑ": "theta", "ϕ": "phi", "ϵ": "epsilon", "µ": "mu"}
MARKS = {"\u0304": "bar", "\u0305": "bar", "\u0302": "hat", "\u0303": "tilde", "\u0307": "dot"}
SIGNS = {"∇": "nabla", "∂": "partial", "∞": "infty", "√": "sqrt", "ℓ": "ell", "∘": "circ"}
CAPITALS = {letter.upper(): name for letter, name in LETTERS.items()}
NAMES = CAPITALS | LETTERS | SHAPES | MARKS | SIGNS
RAISED = "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻ⁿⁱᵀ₀₁₂₃₄₅₆₇₈₉₊₋ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"  # and lowered: words of their own
SPOKEN = {sign: f" {name} " for sign, name in NAMES.items()} | {
    sign: " " + unicodedata.normalize("NFKD", sign) for sign in RAISED
}
TEX = {f"var{name}": name for name in ("epsilon", "theta", "phi", "pi", "rho", "sigma")} | {
    "overline": "bar",
    "widehat": "hat",
    "widetilde": "tilde",
}
INDEXED = re.compile(rf"\b({'|'.join(LETTERS.values())})_")  # β_t in TeX: beta, and t


def split(text: str) -> list[str]:
    """The words of a text, as the search keeps them; accents on letters are dropped.

    >>> split("GAU-α, β̄ and relu²")
    ['GAU', 'alpha', 'beta', 'bar', 'and', 'relu', '2']
    """
    said = "".join(SPOKEN.get(sign, sign) for sign in unicodedata.normalize("NFC", text))
    plain = unicodedata.normalize("NFKD", said)
    bare = "".join(sign for sign in plain if not unicodedata.category(sign).startswith("M"))
    words: list[str] = re.findall(r"\w+", INDEXED.sub(r"\1 ", bare))
    return [TEX.get(word, word) for word in words]


def findable(name: str) -> str:
    """A name that holds all its words: those that it lacks are added in brackets.

    >>> findable("β̄ₜ")
    'β̄ₜ (beta bar)'
    """
    lacking = [word for word in split(name) if word.lower() not in name.lower()]
    lacking = [word for word in dict.fromkeys(lacking) if len(word) > 1 and not word.isdigit()]
    return f"{name} ({' '.join(lacking)})" if lacking else name


def splitter() -> str:
    """The same for the browser: the function that Sphinx's search calls on what was typed.

    Numbers are left out where there is a word beside them; Sphinx does not search for them either.
    """
    return f"""\
const SPOKEN = {json.dumps(SPOKEN)};
const TEX = {json.dumps(TEX)};
function splitQuery(query) {{
  const said = Array.from(query.normalize("NFC"), (sign) => SPOKEN[sign] ?? sign).join("");
  const bare = said.normalize("NFKD").replace(/\\p{{Mark}}/gu, "");
  const apart = bare.replace(/{INDEXED.pattern}/g, "$1 ");
  const words = apart.split(/[^\\p{{Letter}}\\p{{Number}}_]+/u).filter(Boolean)
    .map((word) => TEX[word] ?? word);
  const letters = words.filter((word) => !/^\\d+$/.test(word));
  return letters.length ? letters : words;
}}
"""
