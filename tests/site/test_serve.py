"""tools/serve.py: the small server behind `make book`."""

from __future__ import annotations

import gzip
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path

import pytest

SERVE = Path(__file__).resolve().parents[2] / "tools" / "serve.py"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site" / "a b.html").write_text("<p>a page</p>")
    (tmp_path / "site" / "font.woff2").write_bytes(b"font")
    (tmp_path / "secret.txt").write_text("not for readers")
    return tmp_path / "site"


def fetch(address: str) -> tuple[int, str, str]:
    """Status, type and text behind an address."""
    try:
        with urllib.request.urlopen(address, timeout=10) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, "", ""


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the script to its end."""
    command = [sys.executable, str(SERVE), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30)


def test_serves_below_a_sub_path_only(folder, serve_folder):
    with serve_folder(folder) as site:
        assert fetch(site.address + "a%20b.html") == (200, "text/html", "<p>a page</p>")
        assert fetch(site.address + "font.woff2")[1] == "font/woff2"
        assert fetch(site.address.replace("/some/where/", "/") + "a%20b.html")[0] == 404
        assert fetch(site.address + "missing.html")[0] == 404


def test_serves_nothing_outside_the_folder(folder, serve_folder):
    with serve_folder(folder) as site:
        assert fetch(site.address + "../../../secret.txt")[0] == 404
        assert fetch(site.address + "%2e%2e/secret.txt")[0] == 404


def ask(address: str, headers: dict[str, str]) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body behind an address, as they were sent."""
    try:
        with urllib.request.urlopen(urllib.request.Request(address, headers=headers)) as answer:
            return answer.status, dict(answer.headers), answer.read()
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers), b""


@pytest.mark.parametrize("accepted", ["gzip", "deflate, GZIP;q=0.5, br"])
def test_text_travels_gzipped(folder, serve_folder, accepted):
    (folder / "long.html").write_text("<p>a page</p>" * 1000)
    with serve_folder(folder) as site:
        status, headers, body = ask(site.address + "long.html", {"Accept-Encoding": accepted})
        assert (status, headers["Content-Encoding"]) == (200, "gzip")
        assert headers["Content-Type"] == "text/html"
        assert int(headers["Content-Length"]) == len(body) < 200
        assert gzip.decompress(body) == (folder / "long.html").read_bytes()
        (folder / "long.html").write_text("another page")
        body = ask(site.address + "long.html", {"Accept-Encoding": accepted})[2]
        assert gzip.decompress(body) == b"another page"


@pytest.mark.parametrize("accepted", ["", "br", "gzip;q=0", "identity"])
def test_nothing_is_gzipped_for_who_cannot_read_it(folder, serve_folder, accepted):
    with serve_folder(folder) as site:
        headers, body = ask(site.address + "a%20b.html", {"Accept-Encoding": accepted})[1:]
        assert "Content-Encoding" not in headers
        assert body == b"<p>a page</p>"


def test_fonts_stay_as_they_are_and_old_copies_are_confirmed(folder, serve_folder):
    with serve_folder(folder) as site:
        assert ask(site.address + "font.woff2", {"Accept-Encoding": "gzip"})[2] == b"font"
        when = ask(site.address + "a%20b.html", {"Accept-Encoding": "gzip"})[1]["Last-Modified"]
        again = {"Accept-Encoding": "gzip", "If-Modified-Since": when}
        assert ask(site.address + "a%20b.html", again)[0] == 304
        assert ask(site.address + "none.html", {"Accept-Encoding": "gzip"})[0] == 404


def test_prints_its_address_and_serves(folder):
    command = [sys.executable, str(SERVE), str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        address = next(word for word in line.split() if word.startswith("http://127.0.0.1:"))
        assert fetch(address + "a%20b.html")[0] == 200
        process.terminate()


def test_port_in_use_is_one_clear_line(folder):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run(str(folder), "--port", str(port))
    assert done.returncode == 1
    assert done.stderr == f"serve: port {port} is in use; try `make book PORT={port + 1}`\n"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["nowhere"], "serve: nowhere: no such folder; run `make book SERVE=0` first\n"),
        ([".", "--port", "70000"], "serve: port 70000 does not exist; ports go from 1 to 65535\n"),
    ],
)
def test_bad_input_is_one_clear_line(arguments, line):
    done = run(*arguments)
    assert (done.returncode, done.stderr) == (1, line)
