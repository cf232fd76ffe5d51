"""Serve a folder of static files on 127.0.0.1, for reading the book without anything else."""

from __future__ import annotations

import argparse
import errno
import sys
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class ServeError(Exception):
    """The folder cannot be served: one line says why and what to do."""


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files below `prefix`, answers 404 outside it, and logs nothing."""

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

    def end_headers(self) -> None:
        """Ask the browser to look again, so that a rebuilt page is seen at once."""
        self.send_header("Cache-Control", "no-cache")
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
