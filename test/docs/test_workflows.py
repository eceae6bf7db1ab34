"""The public CI workflow and the issue forms are sound YAML that names what exists."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.markdown_pages import ROOT

WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
JOBS = [(path, name) for path in WORKFLOWS for name in yaml.safe_load(path.read_text())["jobs"]]


def job_of(path: Path, name: str) -> Any:
    return yaml.safe_load(path.read_text())["jobs"][name]


@pytest.mark.parametrize(("path", "name"), JOBS, ids=[name for _, name in JOBS])
def test_job_has_a_machine_a_limit_and_steps(path: Path, name: str) -> None:
    job = job_of(path, name)
    assert job["runs-on"]
    assert job["timeout-minutes"]
    assert all(("uses" in step) != ("run" in step) for step in job["steps"])


@pytest.mark.parametrize(("path", "name"), JOBS, ids=[name for _, name in JOBS])
def test_matrix_values_exist(path: Path, name: str) -> None:
    job = job_of(path, name)
    matrix = job.get("strategy", {}).get("matrix", {})
    known = set(matrix) | {key for entry in matrix.get("include", []) for key in entry}
    assert set(re.findall(r"matrix\.(\w+)", yaml.safe_dump(job))) <= known


@pytest.mark.parametrize(("path", "name"), JOBS, ids=[name for _, name in JOBS])
def test_make_targets_of_job_exist(path: Path, name: str) -> None:
    targets = set(re.findall(r"(?m)^(\w+):", (ROOT / "Makefile").read_text()))
    commands = "\n".join(step.get("run", "") for step in job_of(path, name)["steps"])
    named = {word for line in re.findall(r"(?m)(?:^|&& )make (.+)$", commands) for word in line.split()}
    assert named <= targets


def test_workflows_cover_what_is_supported() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text())["jobs"]
    assert {"lint", "docs", "pypi-ros", "ros-containers", "wheel"} <= set(jobs)
    assert jobs["ros-containers"]["strategy"]["matrix"]["ros"] == ["humble", "jazzy", "kilted", "lyrical"]
    assert {entry["ros"] for entry in jobs["pypi-ros"]["strategy"]["matrix"]["include"]} == {"jazzy", "kilted"}


@pytest.mark.parametrize("wheels", ["jazzy", "kilted"])
def test_requirements_of_ros_wheels_exist(wheels: str) -> None:
    assert f"ros-{wheels}-rclpy" in (ROOT / "requirements" / f"ros-{wheels}.txt").read_text()


@pytest.mark.skipif(shutil.which("actionlint") is None, reason="actionlint is not installed")
def test_actionlint_is_content() -> None:
    done = subprocess.run(["actionlint", *map(str, WORKFLOWS)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize(
    "path", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml")), ids=lambda path: path.name
)
def test_issue_forms_are_sound(path: Path) -> None:
    form = yaml.safe_load(path.read_text())
    if path.name == "config.yml":
        assert all(link["url"].startswith("https://") for link in form["contact_links"])
        return
    assert form["name"]
    assert form["description"]
    assert all(field["attributes"]["label"] for field in form["body"])
