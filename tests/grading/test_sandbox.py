"""What a submission can reach and use: one process tries everything, then some are stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
import torch

from companion.grading.sandbox import Limits, isolation
from companion.grading.session import Ended, Session

SMALL = Limits(cell_seconds=20, seconds=120, memory=2**30, processes=16)


def start(limits: Limits = SMALL) -> Session:
    return Session(limits, time.monotonic() + limits.seconds)


@pytest.fixture(scope="module")
def session() -> Iterator[Session]:
    with start() as opened:
        yield opened


def error(session: Session, source: str) -> str:
    found = session.run(source)[1]
    assert found is not None, f"nothing stopped {source}"
    return found


def test_cells_share_their_names_and_what_they_print_comes_back(session: Session) -> None:
    assert session.run("a = 20\nprint('twenty')") == ("twenty\n", None)
    assert session.run("print(a + 1)") == ("21\n", None)
    assert session.run("print('x' * 50_000)")[0] == "x" * 10_000
    printed, problem = session.run("1 / 0")
    assert "Traceback" in printed
    assert problem == "ZeroDivisionError: division by zero"
    assert "SyntaxError" in error(session, "def")


def test_functions_are_called_over_there(session: Session) -> None:
    session.run("def f(x, y):\n    x += 1\n    return x * y, (x.dtype, [None])")
    given = torch.ones(2, dtype=torch.float64)
    product, rest = session.function("f")(given, 3.0)
    assert torch.equal(product, torch.full((2,), 6.0, dtype=torch.float64))
    assert torch.equal(given, torch.full((2,), 2.0, dtype=torch.float64)), "a change goes unseen"
    assert isinstance(rest, tuple)


def test_errors_come_back_as_they_were_raised(session: Session) -> None:
    session.run("def g():\n    raise NotImplementedError\nclass Mine(Exception): pass")
    session.run("def h():\n    raise Mine('so')\ndef bye():\n    raise SystemExit(3)")
    with pytest.raises(NotImplementedError):
        session.function("g")()
    with pytest.raises(Exception, match="so") as caught:
        session.function("h")()
    assert type(caught.value).__name__ == "Mine"
    with pytest.raises(NameError, match="name 'nobody' is not defined"):
        session.function("nobody")()
    with pytest.raises(Exception, match="3"):
        session.function("bye")()


def test_a_function_of_the_judge_can_be_called_from_over_there(session: Session) -> None:
    session.run("def twice(f, x):\n    return f(f(x))")
    assert session.function("twice")(lambda x: 3 * x, 2) == 18


def test_a_state_of_any_type_can_be_handed_back(session: Session) -> None:
    session.run(
        "class State:\n    n = 4\ndef make():\n    return State()\ndef use(s):\n    return s.n"
    )
    state = session.function("make")()
    assert type(state).__name__ == "State"
    assert session.function("use")(state) == 4


@pytest.mark.usefixtures("_shut_in")
def test_no_network(session: Session) -> None:
    session.run("import socket")
    assert "OSError" in error(session, "socket.create_connection(('192.0.2.1', 80), 1)")
    assert session.run("print([n for _, n in socket.if_nameindex()])") == ("['lo']\n", None)


@pytest.mark.usefixtures("_shut_in")
def test_no_file_of_anybody_and_none_to_write(session: Session, tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("the solution")
    assert "FileNotFoundError" in error(session, f"open({str(secret)!r})")
    for home in (Path.home() / "left-behind", Path(__file__).parent / "left-behind"):
        assert "Error" in error(session, f"open({str(home)!r}, 'w')")
        assert not home.exists()
    assert "Error" in error(session, "import companion; open(companion.__file__, 'a')")
    assert "Error" in error(session, "open('/dev/shm/mine', 'w')")
    assert session.run("open('mine', 'w').write('x')")[1] is None
    assert not Path("mine").exists()


@pytest.mark.usefixtures("_shut_in")
def test_no_text_and_no_course_is_in_sight(session: Session) -> None:
    found, problem = session.run(
        "import os\n"
        "ends = ('-exercises.md', '-exercises.ipynb', 'hidden-checks.txt')\n"
        "places = sorted({'/' + name for name in os.listdir('/')} - {'/proc', '/dev', '/usr'})\n"
        "held = [name for p in places for _, _, names in os.walk(p) for name in names]\n"
        "print([name for name in held if name.endswith(ends)], len(held) > 1000)"
    )
    assert (found, problem) == ("[] True\n", None)


@pytest.mark.usefixtures("_shut_in")
def test_no_other_process_and_no_variable_of_the_user(session: Session) -> None:
    shown, problem = session.run(
        "import os\nprint(sorted(p for p in os.listdir('/proc') if p.isdigit())[:3], os.getuid())"
    )
    assert problem is None
    assert shown.startswith("['1', '2'")
    assert "65534" in shown
    assert "OSError" in error(session, "os.setuid(0)")
    assert session.run("print('SECRET' in ' '.join(os.environ))") == ("False\n", None)


def test_thirty_gigabytes_are_refused(session: Session) -> None:
    assert "MemoryError" in error(session, "import numpy; numpy.ones(30 * 2**30 // 8)")
    assert "RuntimeError" in error(session, "import torch; torch.ones(30 * 2**30 // 8)")
    assert session.run("print('alive')") == ("alive\n", None)


def test_a_bound_cannot_be_raised(session: Session) -> None:
    if isolation().program is None:
        pytest.skip(isolation().words)
    source = "import resource as r\nr.setrlimit(r.RLIMIT_DATA, (r.RLIM_INFINITY, r.RLIM_INFINITY))"
    assert "Error" in error(session, source)


STOPPED = {
    "an endless loop": ("while True: pass", "its time was up"),
    "an exit": ("import os; os._exit(0)", "it ended by itself"),
    "too much shared memory": (
        "import mmap\nm = mmap.mmap(-1, 3 * 2**30)\nfor k in range(0, len(m), 4096): m[k] = 1",
        "GiB of memory",
    ),
    "a fork storm": (
        "import os\nwhile True:\n    os.fork()",
        "more than 16 processes|GiB of memory|ended by",
    ),
    "noise in the pipe": (
        "import os\n"
        "for d in range(3, 40):\n"
        "    try:\n        os.write(d, b'noise\\n')\n    except OSError:\n        pass",
        "wrote to the judge's pipe|ended by itself",
    ),
}


@pytest.mark.parametrize(("source", "reason"), STOPPED.values(), ids=STOPPED)
def test_what_does_not_end_is_stopped(source: str, reason: str) -> None:
    mark = 7000 + list(STOPPED).index(next(k for k, v in STOPPED.items() if v[0] == source))
    limits = Limits(cell_seconds=4, seconds=mark, memory=2**30, processes=16)
    began = time.monotonic()
    with start(limits) as session, pytest.raises(Ended, match=reason):
        session.run(source)
    assert time.monotonic() - began < 60
    assert survivors(f'"seconds": {mark + 1}') == []


def survivors(mark: str) -> list[str]:
    """Processes whose command line bears the mark of a session that is over."""
    words = (" ".join(one.info["cmdline"] or []) for one in psutil.process_iter(["cmdline"]))
    return [line for line in words if "companion.grading.worker" in line and mark in line]


def test_a_session_leaves_nothing_behind() -> None:
    with start() as session:
        folder = Path(session.folder)
        session.run("open('mine', 'w').write('x')")
        assert folder.is_dir()
    assert not folder.exists()
