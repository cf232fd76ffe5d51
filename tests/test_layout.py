"""The order of the house: who imports whom, what is called how, what is pinned.

Each guard returns its complaints about a tree. It runs on this one, and is seen to fail on bad.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
SHARED = {
    *("verify", "explore", "exercises", "training", "text", "plotting", "errors", "grading", "cli"),
}
PUBLIC = {
    "attention",
    "events",
    "multitask",
}  # rooms that others may use, through their public names
BANNED = re.compile(r"(?:.*_)?(?:utils?|helpers?|common|base|misc|v\d+)")
FLOATING = {"triton"}  # a CUDA build of torch asks for one version of its own
LONGEST = 300  # lines of a file in src


def modules(root: Path, folder: str) -> Iterator[Path]:
    yield from sorted((root / folder).rglob("*.py"))


def rooms(root: Path) -> set[str]:
    """Everything in the package that is not shared."""
    package = root / "src" / "companion"
    names = {path.stem for path in package.glob("[!_]*.py")}
    names |= {path.parent.name for path in package.glob("[!_]*/__init__.py")}
    return names - SHARED


def imports(root: Path, path: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything of `companion` that a file imports, wherever it does."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            package = path.parent.relative_to(root / "src").parts if node.level else ()
            start = [*package[: len(package) - node.level + 1], *filter(None, [node.module])]
            names = [".".join([*start, alias.name]) for alias in node.names]
        else:
            continue
        for name in names:
            if name.partition(".")[0] == "companion":
                yield node.lineno, name


def public_names(root: Path, room: str) -> set[str]:
    """The names in `__all__` of a room."""
    path = root / "src" / "companion" / room / "__init__.py"
    path = path if path.is_file() else root / "src" / "companion" / f"{room}.py"
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return set(ast.literal_eval(node.value))
    return set()


def import_faults(root: Path) -> list[str]:
    found = []
    for path in modules(root, "src/companion"):
        owner = path.relative_to(root / "src" / "companion").parts[0].removesuffix(".py")
        for line, name in imports(root, path):
            target, _, used = name.removeprefix("companion").lstrip(".").partition(".")
            if owner == "cli" and target == path.stem:  # cli/<room>.py holds the room's commands
                continue
            if reason := _arrow_fault(root, owner, target, used):
                found.append(f"{path.relative_to(root)}:{line}: {reason}")
    for folder in ("tools", "benchmarks"):
        for path in modules(root, folder):
            for line, name in imports(root, path):
                if name.split(".")[1:2] == ["cli"]:
                    found.append(f"{path.relative_to(root)}:{line}: nothing imports cli")
    return found


def _arrow_fault(root: Path, owner: str, target: str, used: str) -> str:
    known = rooms(root)
    if target == owner:
        return ""
    if target == "cli":
        return "" if owner == "__main__" else "nothing imports cli"
    if target not in known:
        return ""
    if owner not in known:
        return f"{owner} is shared and imports the room {target}"
    if target not in PUBLIC:
        return f"the room {owner} imports the room {target}, which is not public"
    if used and used not in public_names(root, target):
        return f"the room {owner} imports {target}.{used}, which is no public name"
    return ""


def name_faults(root: Path) -> list[str]:
    folders = [root / name for name in ("src", "tests", "benchmarks", "tools", "text", "book")]
    paths = [path for folder in folders for path in sorted(folder.rglob("*"))]
    stems = [(path, path.stem.removeprefix("test_").lower()) for path in paths]
    return [
        f"{path.relative_to(root)}: a name that says nothing"
        for path, stem in stems
        if BANNED.fullmatch(stem) and not {"__pycache__", ".ipynb_checkpoints"} & {*path.parts}
    ]


def room_faults(root: Path) -> list[str]:
    found = [
        f"src/companion/{room}: there is no test in tests/{room}/"
        for room in sorted(rooms(root))
        if not [*(root / "tests" / room).glob("test_*.py")]
    ]
    for text in sorted(root.glob("text/*/*.md")):
        notebook = Path("book") / text.parent.name / f"{text.stem}.ipynb"
        if not (root / notebook).is_file():
            found.append(f"{text.relative_to(root)}: there is no {notebook}")
    for notebook in sorted(root.glob("book/*/*.ipynb")):
        text = Path("text") / notebook.parent.name / f"{notebook.stem}.md"
        if not (root / text).is_file():
            found.append(f"{notebook.relative_to(root)}: there is no {text}")
    return found


def pins(path: Path) -> tuple[dict[str, str], list[str]]:
    """Versions by name, and complaints about lines that pin nothing."""
    versions, found = {}, []
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if not (entry := line.partition("#")[0].strip()):
            continue
        if re.split(r"[^\w.-]", entry)[0] in FLOATING:
            continue
        if match := re.fullmatch(r"([\w.-]+)(?:\[[\w,-]+\])?==([\w.!+]+)", entry):
            versions[canonicalize_name(match[1])] = match[2]
        else:
            found.append(f"{path.name}:{number}: {entry!r} is not pinned with ==")
    return versions, found


def pin_faults(root: Path) -> list[str]:
    required, found = pins(root / "requirements.txt")
    resolved, more = pins(root / "constraints.txt")
    found += more
    project = tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project.get("optional-dependencies", {}).values()
    for entry in [*project["dependencies"], *(name for extra in extras for name in extra)]:
        needed = Requirement(entry)
        if needed.name in FLOATING:
            continue
        version = required.get(canonicalize_name(needed.name))
        if version is None:
            found.append(f"pyproject.toml: {needed.name} is not pinned in requirements.txt")
        elif version not in needed.specifier:
            found.append(f"pyproject.toml: {entry} excludes the pinned {version}")
    for name, version in required.items():
        if resolved.get(name) != version:
            found.append(f"constraints.txt: {name} is {resolved.get(name)}, required is {version}")
    return found


def size_faults(root: Path) -> list[str]:
    lengths = [(path, len(path.read_text("utf-8").splitlines())) for path in modules(root, "src")]
    return [f"{p.relative_to(root)}: {n} lines, split it" for p, n in lengths if n > LONGEST]


GUARDS: list[Callable[[Path], list[str]]] = [
    import_faults,
    name_faults,
    room_faults,
    pin_faults,
    size_faults,
]


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_this_tree_is_in_order(guard):
    assert guard(ROOT) == []


def test_guards_find_something_to_look_at():
    assert "multitask" in rooms(ROOT)
    assert [*modules(ROOT, "src/companion")]
    assert [*ROOT.glob("text/*/*.md")]
    assert {"torch", "numpy"} <= pins(ROOT / "requirements.txt")[0].keys()


# ---------------------------------------------------------------------------------------
# a small tree in order, and what breaks it

GOOD = {
    "src/companion/__init__.py": "",
    "src/companion/errors.py": "class BookError(Exception): ...",
    "src/companion/plotting.py": "from companion.errors import BookError",
    "src/companion/cli/__init__.py": "from companion.cli.doctor import report\nimport companion",
    "src/companion/cli/doctor.py": "def report(): ...",
    "src/companion/cli/depth.py": "def train():\n    from companion.depth import x",
    "src/companion/__main__.py": "from companion.cli import main",
    "src/companion/multitask/__init__.py": (
        "from .descent import primary_descent\n__all__ = ['primary_descent']"
    ),
    "src/companion/multitask/descent.py": (
        "from . import gram\nfrom ..errors import BookError\ndef primary_descent(): ..."
    ),
    "src/companion/multitask/gram.py": "",
    "src/companion/depth.py": (
        "from companion.multitask import primary_descent\nfrom companion import errors, multitask"
    ),
    "tests/multitask/test_descent.py": "",
    "tests/depth/test_depth.py": "from companion.cli import app",
    "tools/site.py": "import companion",
    "benchmarks/harness.py": "from companion.multitask import descent",
    "text/depth/why.md": "",
    "book/depth/why.ipynb": "",
    "requirements.txt": "# all\ntorch==2.13.0\nscikit-learn==1.9.1  # why\nTorchJD[qp]==0.18.0\n",
    "constraints.txt": "torch==2.13.0\nscikit_learn==1.9.1\ntorchjd==0.18.0\nsix==1.17.0\n",
    "pyproject.toml": (
        "[project]\ndependencies = ['torch>=2.6', 'scikit-learn>=1.5']\n"
        "[project.optional-dependencies]\npeers = ['torchjd[qp]>=0.18']\n"
    ),
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, content in GOOD.items():
        put(tmp_path, name, content)
    return tmp_path


def put(root: Path, name: str, content: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(content, "utf-8")


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.__name__)
def test_good_tree_is_in_order(guard, tree):
    assert guard(tree) == []


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("plotting.py", "import companion.multitask", "plotting is shared and imports the room"),
        ("plotting.py", "from companion import depth", "plotting is shared and imports the room"),
        ("plotting.py", "def f():\n    from .depth import x", "plotting is shared and imports"),
        ("__init__.py", "from . import multitask", "__init__ is shared and imports the room"),
        ("cli/doctor.py", "from ..depth import x", "cli is shared and imports the room depth"),
        ("cli/depth.py", "from ..multitask import x", "cli is shared and imports the room mul"),
        ("__main__.py", "from . import multitask", "__main__ is shared and imports the room"),
        ("multitask/gram.py", "from companion.depth import x", "which is not public"),
        ("multitask/gram.py", "from ..depth import x", "which is not public"),
        ("depth.py", "from companion.multitask import descent", "multitask.descent, which is no"),
        ("depth.py", "import companion.multitask.gram", "multitask.gram, which is no public name"),
        ("depth.py", "from .multitask.gram import x", "multitask.gram.x, which is no public name"),
        ("depth.py", "from companion.cli import app", "nothing imports cli"),
        ("plotting.py", "from . import cli", "nothing imports cli"),
        ("multitask/gram.py", "import companion.cli.doctor", "nothing imports cli"),
    ],
)
def test_import_against_the_arrows_is_found(name, content, complaint, tree):
    put(tree, f"src/companion/{name}", content)
    line = content.count("\n") + 1
    found = import_faults(tree)
    assert len(found) == 1
    assert found[0].startswith(f"src/companion/{name}:{line}: ")
    assert complaint in found[0]


@pytest.mark.parametrize("folder", ["tools", "benchmarks"])
def test_import_of_the_command_line_is_found_outside(folder, tree):
    put(tree, f"{folder}/other.py", "from companion.cli import app")
    assert import_faults(tree) == [f"{folder}/other.py:1: nothing imports cli"]


@pytest.mark.parametrize(
    "name",
    ["src/companion/utils.py", "src/companion/depth_utils.py", "tests/test_helpers.py",
     "src/companion/common/__init__.py", "tools/base.py", "text/depth/why_v2.md",
     "benchmarks/helper.py"],
)  # fmt: skip
def test_name_that_says_nothing_is_found(name, tree):
    put(tree, name, "")
    complaint = f"{name.removesuffix('/__init__.py')}: a name that says nothing"
    assert name_faults(tree) == [complaint]


def test_name_that_only_resembles_one_is_left_alone(tree):
    put(tree, "src/companion/multitask/basement.py", "")
    put(tree, "src/companion/multitask/baseline.py", "")
    assert name_faults(tree) == []


def test_room_without_tests_is_found(tree):
    put(tree, "src/companion/argmax.py", "")
    put(tree, "src/companion/diffusion/__init__.py", "")
    (tree / "tests" / "multitask" / "test_descent.py").unlink()
    assert room_faults(tree) == [
        f"src/companion/{room}: there is no test in tests/{room}/"
        for room in ("argmax", "diffusion", "multitask")
    ]


def test_text_and_notebook_come_in_pairs(tree):
    put(tree, "text/depth/alone.md", "")
    put(tree, "book/depth/lonely.ipynb", "")
    assert room_faults(tree) == [
        "text/depth/alone.md: there is no book/depth/alone.ipynb",
        "book/depth/lonely.ipynb: there is no text/depth/lonely.md",
    ]


@pytest.mark.parametrize(
    ("file", "before", "after", "complaint"),
    [
        ("requirements.txt", "==2.13.0", ">=2.13.0", "'torch>=2.13.0' is not pinned with =="),
        ("requirements.txt", "torch==2.13.0", "torch", "'torch' is not pinned with =="),
        ("requirements.txt", "torch==2.13.0", "torch==2.*", "'torch==2.*' is not pinned"),
        ("requirements.txt", "torch==2.13.0\n", "", "torch is not pinned in requirements.txt"),
        ("requirements.txt", "TorchJD[qp]==0.18.0", "", "torchjd is not pinned in requirements"),
        ("requirements.txt", "==2.13.0", "==2.5.0", "torch>=2.6 excludes the pinned 2.5.0"),
        ("constraints.txt", "torch==2.13.0\n", "", "torch is None, required is 2.13.0"),
        ("constraints.txt", "1.9.1", "1.9.0", "scikit-learn is 1.9.0, required is 1.9.1"),
        ("constraints.txt", "six==", "six>=", "'six>=1.17.0' is not pinned"),
        ("pyproject.toml", "torch>=", "jax>=", "jax is not pinned in requirements.txt"),
    ],
)
def test_loose_pin_is_found(file, before, after, complaint, tree):
    assert before in GOOD[file]
    put(tree, file, GOOD[file].replace(before, after, 1))
    assert any(complaint in line for line in pin_faults(tree))


def test_long_file_is_found(tree):
    put(tree, "src/companion/depth.py", "x = 1\n" * LONGEST)
    assert size_faults(tree) == []
    put(tree, "src/companion/depth.py", "x = 1\n" * (LONGEST + 1))
    assert size_faults(tree) == ["src/companion/depth.py: 301 lines, split it"]
