"""A PDF in fewer bytes: a browser compresses pages only, and most of a tagged PDF is tags.

What has no stream goes into compressed streams of objects (ISO 32000-1, 7.5.7), and the table of
addresses becomes a stream as well (7.5.8). No object changes.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Sequence

from formats_article import ArticleError

TABLE = re.compile(rb"startxref\s+(\d+)\s+%%EOF\s*$")
RANGE = re.compile(rb"(\d+) (\d+)\s*\n((?:\d{10} \d{5} [nf][ \r]?\r?\n)+)")
ENTRY = re.compile(rb"(\d{10}) (\d{5}) ([nf])")
BODY = re.compile(rb"\A(\d+) 0 obj\s(.*?)\s*endobj\s*\Z", re.DOTALL)
TRAILER = re.compile(rb"trailer\s*<<(.*?)>>\s*startxref", re.DOTALL)
TOGETHER = 200  # objects in one stream: a reader opens it whole for each of them


def read_objects(printed: bytes) -> tuple[dict[int, bytes], bytes]:
    """Return the objects of a PDF that was written in one go, and the inside of its trailer."""
    start = TABLE.search(printed)
    trailer = TRAILER.search(printed)
    if start is None or trailer is None or not printed.startswith(b"%PDF-1."):
        raise ArticleError("the browser printed no PDF with a table of addresses at its end")
    table = int(start[1])
    places: list[int] = []
    for run in RANGE.finditer(printed, table):
        places += [int(entry[1]) for entry in ENTRY.finditer(run[3]) if entry[3] == b"n"]
    places.sort()
    objects: dict[int, bytes] = {}
    for place, end in zip(places, [*places[1:], table], strict=True):
        body = BODY.search(printed[place:end])
        if body is None:
            raise ArticleError(f"the browser printed a PDF without an object at byte {place}")
        objects[int(body[1])] = body[2]
    return objects, re.sub(rb"/Size \d+", b"", trailer[1]).strip()


def stream(entries: bytes, content: bytes) -> bytes:
    """Return a compressed stream, with the entries of its dictionary."""
    packed = zlib.compress(content, 9)
    head = b"<<%s /Filter /FlateDecode /Length %d>>" % (entries, len(packed))
    return head + b"\nstream\n" + packed + b"\nendstream"


def pack(objects: dict[int, bytes], numbers: Sequence[int]) -> bytes:
    """Return one stream that holds the objects of these numbers."""
    places, at = [], 0
    for number in numbers:
        places.append(b"%d %d" % (number, at))
        at += len(objects[number]) + 1
    head = b" ".join(places) + b"\n"
    content = head + b"\n".join(objects[number] for number in numbers)
    return stream(b"/Type /ObjStm /N %d /First %d" % (len(numbers), len(head)), content)


def compact(objects: dict[int, bytes], trailer: bytes) -> bytes:
    """Return a PDF of these objects, compressed."""
    plain = sorted(number for number, body in objects.items() if not body.endswith(b"endstream"))
    whole = {number: body for number, body in objects.items() if body.endswith(b"endstream")}
    addresses: dict[int, tuple[int, int, int]] = {0: (0, 0, 65535)}
    number = max(objects)
    for first in range(0, len(plain), TOGETHER):
        number += 1
        together = plain[first : first + TOGETHER]
        whole[number] = pack(objects, together)
        addresses |= {inside: (2, number, at) for at, inside in enumerate(together)}
    parts, length = [b"%PDF-1.5\n%\xd3\xeb\xe9\xe1\n"], 15
    for key in sorted(whole):
        addresses[key] = (1, length, 0)
        parts.append(b"%d 0 obj\n%s\nendobj\n" % (key, whole[key]))
        length += len(parts[-1])
    number += 1
    addresses[number] = (1, length, 0)
    table = b"".join(
        struct.pack(">BIH", *addresses.get(key, (0, 0, 65535))) for key in range(number + 1)
    )
    entries = b"/Type /XRef /Size %d /W [1 4 2] %s" % (number + 1, trailer)
    parts.append(b"%d 0 obj\n%s\nendobj\n" % (number, stream(entries, table)))
    parts.append(b"startxref\n%d\n%%%%EOF\n" % length)
    return b"".join(parts)
