"""Texts to learn from: a small one that every installation has, and files of one's own."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path

from companion.errors import DataError

__all__ = ["read_text", "small_text"]

RULE = re.compile(r"[=\-~^*+ ]{3,}")  # under a heading, and around a table
DROPPED = re.compile(r"(?:\.\. .*|\.\.|:[\w ]+:|\(?https?://\S+)$")  # directives, addresses
ROLE = re.compile(r":[\w:]+:`~?([^`<]*?)\s*(?:<[^`>]*>)?`")
LINK = re.compile(r"`([^`<]*?)\s*<[^`>]*>`_{0,2}")


def small_text() -> str:
    """Return English prose that every installation has: scikit-learn's words on its data sets.

    The files ``sklearn/datasets/descr/*.rst`` in the order of their names, without marks, code and
    the rules of tables: some 31,000 characters on irises, newsgroups and network attacks, by the
    developers of scikit-learn and those they quote (BSD licence). Another version of scikit-learn
    than the book's may hold other words.

    Raises:
        DataError: if they are missing.

    >>> text = small_text()
    >>> "The famous Iris database, first used by Sir R.A. Fisher." in text
    True
    """
    package = find_spec("sklearn")  # found, not imported, which takes seconds
    if package is None or package.origin is None:
        raise DataError(
            "the small text comes with scikit-learn, which is missing: run `make setup`"
        )
    folder = Path(package.origin).parent / "datasets" / "descr"
    found = sorted(folder.glob("*.rst"))
    if not found:
        raise DataError(f"{folder} holds no .rst file; expected those of scikit-learn")
    return "\n".join(_prose(path.read_text("utf-8")) for path in found)


def _prose(text: str) -> str:
    """Take the marks of reStructuredText out."""
    kept: list[str] = []
    code = False  # between a line of a Python session and the next blank one
    for raw in text.splitlines():
        line = " ".join(raw.split())
        code = bool(line) and (code or line.startswith(">>>"))
        if code or RULE.fullmatch(line) or DROPPED.match(line):
            continue
        if line or (kept and kept[-1]):
            kept.append(line)
    prose = LINK.sub(r"\1", ROLE.sub(r"\1", "\n".join(kept)))
    for mark, plain in (("**", ""), ("`_", ""), ("`", ""), ("::", ":")):
        prose = prose.replace(mark, plain)
    return re.sub(r"\n{3,}", "\n\n", prose).strip() + "\n"


def read_text(path: Path | str) -> str:
    """Return the text of a file in UTF-8, line ends as ``\\n``.

    Raises:
        DataError: if it cannot be read, is empty, or is not UTF-8; the message says which byte.
    """
    path = Path(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror or error}") from error
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        found = f"byte {error.start} is 0x{raw[error.start]:02x} ({error.reason})"
        raise DataError(f"{path}:{line}: {found}; expected text in UTF-8") from error
    if not text.strip():
        raise DataError(f"{path} is empty; expected text")
    return text.replace("\r\n", "\n").replace("\r", "\n")
