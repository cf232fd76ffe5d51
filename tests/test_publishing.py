"""What stands around the book: the files that test, publish, cite and open it can be read."""

import importlib.metadata
import json
import re
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def load(path: Path) -> Any:
    return yaml.safe_load(path.read_text("utf-8"))


def triggers(workflow: dict[Any, Any]) -> dict[str, Any]:
    return workflow[True]  # YAML 1.1 reads the key `on` as the boolean


def steps(workflow: dict[Any, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job["steps"]]


def make_targets() -> set[str]:
    text = (ROOT / "Makefile").read_text("utf-8")
    return set(re.findall(r"^([a-z]+):", text, re.MULTILINE))


def test_there_are_two_workflows() -> None:
    assert [path.name for path in WORKFLOWS] == ["publish.yml", "test.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_asks_for_little_and_pins_what_it_uses(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"]["contents"] == "read"
    assert all("timeout-minutes" in job for job in workflow["jobs"].values())
    for step in steps(workflow):
        assert ("uses" in step) != ("run" in step), step
        if "uses" in step:
            assert re.fullmatch(r"actions/[a-z-]+@v\d+", step["uses"])
        for target in re.findall(r"\bmake ([a-z]+)", step.get("run", "")):
            assert target in make_targets()


def test_every_supported_python_and_system_is_tested() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "test.yml")
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    matrix = workflow["jobs"]["test"]["strategy"]["matrix"]
    assert project["requires-python"] == f">={matrix['python'][0]}"
    assert {system.split("-")[0] for system in matrix["os"]} == {"ubuntu", "macos"}
    assert workflow["jobs"]["test"]["needs"] == "check"
    runs = [step.get("run") for step in steps(workflow)]
    assert "make check" in runs
    assert "make test BROWSER=required" in runs
    assert "schedule" in triggers(workflow)


def test_only_a_tested_push_to_main_is_published() -> None:
    workflow = load(ROOT / ".github" / "workflows" / "publish.yml")
    trigger = triggers(workflow)["workflow_run"]
    tests = load(ROOT / ".github" / "workflows" / "test.yml")
    assert trigger["workflows"] == [tests["name"]]
    assert trigger["branches"] == ["main"]
    condition = workflow["jobs"]["publish"]["if"]
    assert "workflow_run.conclusion == 'success'" in condition
    assert "workflow_run.event == 'push'" in condition


@pytest.mark.parametrize("name", [".ci/run", ".binder/postBuild"])
def test_a_script_is_executable_and_stops_at_the_first_failure(name: str) -> None:
    path = ROOT / name
    assert path.stat().st_mode & 0o111
    assert "set -euo pipefail" in path.read_text("utf-8")
    subprocess.run(["bash", "-n", path], check=True)


def test_ci_runs_the_commands_of_the_readme() -> None:
    lines = (ROOT / ".ci" / "run").read_text("utf-8").splitlines()
    assert lines[-2:] == ["make check", "make test BROWSER=required"]


def test_hooks_before_a_commit_need_no_network() -> None:
    for repository in load(ROOT / ".pre-commit-config.yaml")["repos"]:
        assert repository["repo"] == "local"
        for hook in repository["hooks"]:
            assert hook["language"] == "system"
            for word in hook["entry"].split():
                if word.startswith(("tools/", ".venv/")):
                    assert (ROOT / word).exists(), word


@pytest.mark.parametrize("name", ["bug", "erratum"])
def test_an_issue_form_asks_for_the_doctor(name: str) -> None:
    form = load(ROOT / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml")
    assert {"name", "description", "body"} <= set(form)
    labels = [part["attributes"]["label"] for part in form["body"]]
    assert "Output of `companion doctor`" in labels


def test_the_container_sets_the_book_up() -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert container["postCreateCommand"].endswith("make setup")


def test_binder_installs_the_pins() -> None:
    folder = ROOT / ".binder"
    lines = (folder / "requirements.txt").read_text("utf-8").splitlines()
    named = [line.split()[1] for line in lines if line.startswith(("-r ", "-c "))]
    assert {(folder / name).resolve() for name in named} == {
        ROOT / "requirements.txt",
        ROOT / "constraints.txt",
    }


def test_the_citation_and_the_changelog_know_the_version() -> None:
    version = importlib.metadata.version("companion")
    citation = load(ROOT / "CITATION.cff")
    assert citation["version"] == version
    assert citation["license"] == ["MIT", "CC-BY-4.0"]
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text("utf-8"), re.M)
    assert headings[0] == "Unreleased"


def test_both_licences_are_whole() -> None:
    code = (ROOT / "LICENSE").read_text("utf-8")
    assert code.startswith(
        "MIT License\n\nCopyright (c) 2026 The authors of Taken Apart, Rebuilt\n"
    )
    text = (ROOT / "LICENSE-TEXT").read_text("utf-8")
    sections = re.findall(r"^Section (\d) -- ", text, re.MULTILINE)
    assert sections == list("12345678")


def test_contributing_names_ten_steps_and_files_that_exist() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    steps_of_a_chapter = re.findall(r"^(\d+)\. \*\*", text, re.MULTILINE)
    assert steps_of_a_chapter == [str(number) for number in range(1, 11)]
    for target in re.findall(r"`make ([a-z]+)", text):
        assert target in make_targets()
    named = re.findall(r"`((?:book|src|tools|benchmarks|\.github)/[^`<]+)`", text)
    assert named
    for path in named:
        assert (ROOT / path).exists(), path


def test_contributing_names_the_limits_that_are_enforced() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text("utf-8")
    rules = (ROOT / "tools" / "rules.py").read_text("utf-8")
    longest = re.search(r"^LONGEST_CELL = (\d+)", rules, re.MULTILINE)
    assert longest is not None
    assert f"No cell is longer than {longest[1]} lines" in text
