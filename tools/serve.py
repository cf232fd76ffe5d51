"""Serve a folder of static files on 127.0.0.1, for reading the book without anything else."""

from __future__ import annotations

import argparse
import errno
import gzip
import io
import sys
from functools import lru_cache, partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

COMPRESSIBLE = {".css", ".html", ".ipynb", ".js", ".json", ".md", ".svg", ".txt", ".xml"}


class ServeError(Exception):
    """The folder cannot be served: one line says why and what to do."""


@lru_cache(maxsize=256)
def compressed(path: Path, changed: int) -> bytes:
    """The gzipped file at `path`, kept until its time of change is another one."""
    return gzip.compress(path.read_bytes(), compresslevel=6, mtime=0)


def takes_gzip(accepted: str) -> bool:
    """Whether an Accept-Encoding names gzip, and not in order to refuse it.

    >>> takes_gzip("deflate, gzip;q=0.5"), takes_gzip("gzip;q=0, br"), takes_gzip("")
    (True, False, False)
    """
    offers = (offer.replace(" ", "").lower().partition(";q=") for offer in accepted.split(","))
    return any(name == "gzip" and float(share or 1) > 0 for name, _, share in offers)


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files below `prefix`, gzipped where that helps, answers 404 outside, logs nothing."""

    extensions_map = {  # noqa: RUF012  (the base class declares it as a plain dict)
        **SimpleHTTPRequestHandler.extensions_map,
        ".js": "text/javascript",
        ".svg": "image/svg+xml",
        ".woff2": "font/woff2",
        ".woff": "font/woff",
    }

    def __init__(self, *args: object, prefix: str, directory: str) -> None:
        self.prefix = prefix
        super().__init__(*args, directory=directory)  # pyright: ignore[reportArgumentType]

    def translate_path(self, path: str) -> str:
        """The file behind a request, or a path that does not exist outside the prefix."""
        inside = unquote(urlsplit(path).path)
        if not inside.startswith(self.prefix):
            return str(Path(self.directory) / "no such page")
        return super().translate_path("/" + path[len(self.prefix) :])

    def send_head(self) -> BinaryIO | None:
        """Send the headers and return what follows them: the file, gzipped if the browser can."""
        path = Path(self.translate_path(self.path))
        asked = takes_gzip(self.headers.get("Accept-Encoding", ""))
        unchanged = "If-Modified-Since" in self.headers  # likely: the base class sends no body
        if not asked or unchanged or path.suffix not in COMPRESSIBLE or not path.is_file():
            return super().send_head()  # pyright: ignore[reportReturnType]
        status = path.stat()
        body = compressed(path, status.st_mtime_ns)
        self.send_response(HTTPStatus.OK)
        self.send_header("Content-Type", self.guess_type(path))
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Last-Modified", self.date_time_string(status.st_mtime))
        self.end_headers()
        return io.BytesIO(body)

    def end_headers(self) -> None:
        """Ask the browser to look again, so that a rebuilt page is seen at once."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("Vary", "Accept-Encoding")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Server(ThreadingHTTPServer):
    """A server that refuses a port which somebody else listens on."""

    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing when a browser hangs up in the middle of a file; else report as usual."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)  # pyright: ignore[reportArgumentType]


def open_server(folder: Path, port: int, *, prefix: str = "/") -> Server:
    """Return a server of `folder` under the path `prefix`; port 0 takes any free one."""
    if not folder.is_dir():
        raise ServeError(f"{folder}: no such folder; run `make book SERVE=0` first")
    handler = partial(QuietHandler, prefix=prefix, directory=str(folder))
    try:
        return Server(("127.0.0.1", port), handler)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            message = f"port {port} is in use; try `make book PORT={port + 1}`"
        elif error.errno == errno.EACCES:
            message = f"port {port} needs more rights; try `make book PORT=8000`"
        else:
            message = f"cannot serve on port {port}: {error.strerror}"
        raise ServeError(message) from None
    except OverflowError:
        raise ServeError(f"port {port} does not exist; ports go from 1 to 65535") from None


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, default=8000)
    options = parser.parse_args()
    try:
        server = open_server(options.folder, options.port)
    except ServeError as error:
        sys.exit(f"serve: {error}")
    print(f"The book is at http://127.0.0.1:{server.server_port}/  (stop with Ctrl-C)", flush=True)
    try:
        server.serve_forever()
    except KeyboardInterrupt:
        print()
    finally:
        server.server_close()


if __name__ == "__main__":
    main()
