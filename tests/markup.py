"""What is wrong with the HTML of a page, as far as the rules below go.

They are those of the standard that a generator of pages can break: elements closed in order and
standing where they may, ids used once and references that meet one, attributes that are required.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


VOID = names("area base br col embed hr img input link meta source track wbr")
RAW = re.compile(r"<!--.*?-->|<(script|style|mjx-container)\b([^>]*)>.*?</\1>", re.DOTALL)
TAG = re.compile(r"""<(/?)([a-zA-Z][\w:-]*)((?:[^<>"']|"[^"]*"|'[^']*')*)>""")
ATTRIBUTE = re.compile(r"""([^\s"'<>/=]+)(?:\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'=<>`]+)))?""")

PHRASE = names(  # what holds words, and no block
    "abbr b button cite code em h1 h2 h3 h4 h5 h6 i kbd label legend option output p pre q s samp "
    "small span strong sub summary sup title u var"
)
BLOCK = names(
    "address article aside blockquote body dd details dialog div dl dt fieldset figure footer form "
    "h1 h2 h3 h4 h5 h6 header hr html li main nav ol p pre section table ul"
)
HEADING_IN = frozenset({"summary", "legend"})  # these may hold a heading
CHILDREN = {
    "ul": {"li", "script", "template"},
    "ol": {"li", "script", "template"},
    "dl": {"dt", "dd", "div", "script", "template"},
    "table": {"caption", "colgroup", "thead", "tbody", "tfoot", "tr"},
    "thead": {"tr"},
    "tbody": {"tr"},
    "tr": {"th", "td"},
    "colgroup": {"col"},
}
PARENTS = {
    "li": {"ul", "ol", "menu"},
    "dt": {"dl", "div"},
    "dd": {"dl", "div"},
    "figcaption": {"figure"},
    "summary": {"details"},
    "tr": {"table", "thead", "tbody", "tfoot"},
    "td": {"tr"},
    "th": {"tr"},
    "legend": {"fieldset"},
}
FIRST = {"details": "summary"}
REQUIRED = {"img": ("src", "alt"), "label": ("for",), "a": (), "output": (), "meta": ()}
INTERACTIVE = frozenset({"a", "button", "details", "input", "label", "select", "textarea"})
REFERENCES = ("for", "aria-labelledby", "aria-describedby", "aria-controls", "aria-owns", "headers")
OBSOLETE = frozenset({"center", "font", "big", "tt", "strike", "marquee", "acronym", "frame"})
OLD_ATTRIBUTES = frozenset({"align", "valign", "bgcolor", "border", "cellpadding", "frameborder"})


def attributes(text: str) -> list[tuple[str, str]]:
    """The attributes of a tag, names in lower case, in their order."""
    found = ATTRIBUTE.findall(text.rstrip("/ "))
    return [(name.lower(), double or single or bare) for name, double, single, bare in found]


def faults(page: str) -> list[str]:
    """The faults of a page, each in a line; none for a good one."""
    return list(dict.fromkeys(_faults(page)))


def _faults(page: str) -> Iterator[str]:
    if not page.lstrip().lower().startswith("<!doctype html>"):
        yield "the page does not begin with <!DOCTYPE html>"
    # A script, a comment and a drawn formula are one thing each, whatever stands inside.
    page = RAW.sub(lambda raw: f"<{raw[1]}{raw[2]}></{raw[1]}>" if raw[1] else "", page)
    ids: Counter[str] = Counter()
    references: list[tuple[str, str]] = []
    open_: list[str] = []
    seen: set[str] = set()
    first = ""  # an element whose first child is still to come
    for closing, raw, text in TAG.findall(page):
        tag = raw.lower()
        if closing:
            if not open_ or open_.pop() != tag:
                yield f"</{tag}> closes nothing, inside {' '.join(open_[-3:])}"
                return
            continue
        values = attributes(text) if text.strip(" /\n") else []
        yield from place(tag, open_, first)
        yield from attribute_faults(tag, values)
        for name, value in values:
            if name == "id":
                ids[value] += 1
            elif name in REFERENCES:
                references += [(name, word) for word in value.split()]
        seen.add(tag)
        first = ""
        if tag not in VOID and not text.endswith("/"):
            open_.append(tag)
            first = tag
    yield from (f"<{tag}> is never closed" for tag in open_)
    yield from (f'id "{name}" stands there {n} times' for name, n in ids.items() if n > 1)
    yield from (f'{name}="{word}" meets no id' for name, word in references if word not in ids)
    yield from (
        f"there is no <{tag}>" for tag in ("html", "head", "title", "body") if tag not in seen
    )


def place(tag: str, open_: list[str], first: str) -> Iterator[str]:
    """What is wrong with an element where it stands, below the elements `open_`."""
    if "svg" in open_:
        return
    parent = open_[-1] if open_ else ""
    if parent in CHILDREN and tag not in CHILDREN[parent]:
        yield f"<{tag}> in <{parent}>"
    if tag in PARENTS and parent not in PARENTS[tag]:
        yield f"<{tag}> in <{parent}>"
    if first in FIRST and tag != FIRST[first]:
        yield f"<{first}> begins with <{tag}>"
    if tag in BLOCK:
        holder = next((name for name in reversed(open_) if name in PHRASE), None)
        if holder and not (holder in HEADING_IN and tag[0] == "h" and tag[1:].isdigit()):
            yield f"<{tag}> in <{holder}>"
    if tag in INTERACTIVE and tag != "details":
        holder = next((name for name in reversed(open_) if name in {"a", "button"}), None)
        if holder:
            yield f"<{tag}> in <{holder}>"
    if tag in OBSOLETE:
        yield f"<{tag}> is obsolete"


def attribute_faults(tag: str, values: list[tuple[str, str]]) -> Iterator[str]:
    """What is wrong with the attributes of an element."""
    names = [name for name, _ in values]
    yield from (f"<{tag}> has {name} twice" for name, n in Counter(names).items() if n > 1)
    yield from (f"<{tag}> has no {name}" for name in REQUIRED.get(tag, ()) if name not in names)
    yield from (f"<{tag} {name}> is obsolete" for name in names if name in OLD_ATTRIBUTES)
    for name, value in values:
        if name == "id" and (not value or re.search(r"\s", value)):
            yield f'<{tag} id="{value}"> is no id'
    if tag == "html" and "lang" not in names:
        yield "<html> names no language"
