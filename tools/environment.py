"""Make `.venv` with the pinned packages; `--lock` resolves the pins anew.

Runs on whatever `python3` the machine has, so that a Python that is too old
is told so: nothing in this file needs a newer syntax than Python 3.0's.
"""

# ruff: noqa: UP031

import os
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "bin", "python")
HEADER = "# The full resolution of requirements.txt (Python 3.11, Linux). Made by `make lock`.\n"


def stop(message):
    sys.exit("setup: " + message)


def check_machine():
    """Say in one line what this machine lacks."""
    if sys.version_info < OLDEST:
        stop(
            "needs Python %d.%d or newer, found %s at %s; try `make PYTHON=python3.12 ...`"
            % (OLDEST[0], OLDEST[1], sys.version.split()[0], sys.executable)
        )
    if not os.access(ROOT, os.W_OK):
        stop("no permission to write in %s" % ROOT)
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        stop(
            "Python's venv module is incomplete; on Debian/Ubuntu: "
            "sudo apt install python%d.%d-venv" % sys.version_info[:2]
        )


def run(*command):
    code = subprocess.call(command, cwd=ROOT)
    if code:
        stop("`%s` ended with status %d" % (" ".join(command), code))


def install(venv, python, *constraints):
    run(sys.executable, "-m", "venv", "--clear", venv)
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "-r", "requirements.txt", *constraints)  # fmt: skip


def setup():
    print("setup: installing the pinned packages into .venv (once, a minute or more)", flush=True)
    install(VENV, PYTHON, "-c", "constraints.txt")
    run(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "--no-deps", "--editable", ".")  # fmt: skip
    open(os.path.join(VENV, "ready"), "w").close()


def lock():
    """Write constraints.txt from a fresh environment; local builds (`+cpu`) are not pinned."""
    venv = os.path.join(ROOT, "_build", "lock")
    python = os.path.join(venv, "bin", "python")
    install(venv, python)
    frozen = subprocess.check_output([python, "-m", "pip", "freeze", "--all"]).decode()
    pins = [line.split("+")[0] for line in frozen.splitlines() if not line.startswith("pip==")]
    with open(os.path.join(ROOT, "constraints.txt"), "w") as file:
        file.write(HEADER + "\n".join(pins) + "\n")


if __name__ == "__main__":
    check_machine()
    if sys.argv[1:] == ["--lock"]:
        lock()
    else:
        setup()
