"""Build the site: book/ with _config.yml -> _build/html, every warning an error."""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
COLOR = re.compile(r"\x1b\[[0-9;]*m")
PROBLEM = re.compile(
    r"^(?:(?P<place>.*?): )?(?P<kind>WARNING|ERROR|CRITICAL|SEVERE): (?P<what>.*)$"
)
DUPLICATE = re.compile(
    r"duplicate label of equation (?P<label>[^,]+), other instance in (?P<other>.*)"
)


class SiteError(Exception):
    """The site cannot be built: one line says where and what to do."""


def check_notebook(path: Path, name: str) -> None:
    """Raise SiteError unless every code cell of the notebook was executed."""
    try:
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise SiteError(f"{name}: this is no notebook ({error}); run `make notebooks`") from None
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    for number, cell in enumerate(code, start=1):
        if "".join(cell["source"]).strip() and cell.get("execution_count") is None:
            raise SiteError(f"{name}: code cell {number} was never executed; run `make notebooks`")


def check_sources(root: Path) -> None:
    """Raise SiteError at the first thing that is missing or was not executed."""
    for name in ("_config.yml", "book/_toc.yml"):
        if not (root / name).is_file():
            raise SiteError(f"{name}: no such file in {root}")
    for path in sorted((root / "book").rglob("*.ipynb")):
        if ".ipynb_checkpoints" not in path.parts:
            check_notebook(path, path.relative_to(root).as_posix())


def clear(build: Path) -> None:
    """Remove what an earlier build left, so that no stale page survives."""
    try:
        for name in ("html", ".doctrees", "jupyter_execute"):
            if (build / name).exists():
                shutil.rmtree(build / name)
        build.mkdir(parents=True, exist_ok=True)
        probe = build / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise SiteError(f"cannot write {error.filename}: {error.strerror}") from None


def problems(log: str, root: Path) -> list[str]:
    """The warnings and errors in Sphinx's log, one line each, paths relative to `root`."""
    found: list[str] = []
    for raw in log.splitlines():
        match = PROBLEM.match(COLOR.sub("", raw).strip())
        if match is None:
            continue
        place = (match["place"] or "book").replace(f"{root}/", "")
        what = match["what"]
        if twice := DUPLICATE.match(what):
            what = (
                f"equation label {twice['label']} is used twice; the other is in {twice['other']}"
            )
        line = f"{place}: {what}"
        if line not in found:
            found.append(line)
    return found


def build(root: Path) -> Path:
    """Build the site of `root` and return its folder, or raise SiteError."""
    check_sources(root)
    clear(root / "_build")
    jupyter_book = str(Path(sys.executable).with_name("jupyter-book"))
    command = [jupyter_book, "build", "book", "--config", "_config.yml"]
    command += ["--path-output", ".", "--all", "-W", "--keep-going", "-n"]
    # Python's hash seed would otherwise reorder the search index from one build to the next.
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    run = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True)
    log = run.stdout + run.stderr
    (root / "_build" / "site.log").write_text(COLOR.sub("", log), encoding="utf-8")
    site = root / "_build" / "html"
    if run.returncode != 0 or not (site / "index.html").is_file():
        lines = problems(log, root) or COLOR.sub("", log).strip().splitlines()[-5:]
        shutil.rmtree(site, ignore_errors=True)  # a site with faults must not look built
        raise SiteError("\n".join([*lines, f"the site was not built ({len(lines)} to mend)"]))
    return site


def megabytes(folder: Path) -> float:
    """Size of all files below `folder` in units of 10^6 bytes."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    """Build, and print one line: where the site is, how many pages, how large."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--root", type=Path, default=ROOT, help="folder with _config.yml and book/")
    root = parser.parse_args().root.resolve()
    try:
        site = build(root)
    except SiteError as error:
        sys.exit(f"site: {error}")
    pages = sum(1 for page in site.rglob("*.html") if "_static" not in page.parts)
    place = site.relative_to(root)
    print(f"site: {place}/index.html   {pages} pages   {megabytes(site):.1f} MB")


if __name__ == "__main__":
    main()
