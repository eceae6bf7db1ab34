"""Dockerfile, devcontainer and systemd unit name what exists, and give no more rights than they need."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from xml.etree import ElementTree

import pytest
from fixtures.markdown_pages import ROOT

DOCKERFILE = (ROOT / "Dockerfile").read_text()
STAGES = dict(re.findall(r"(?ms)^FROM \S+ AS (\w+)\n(.*?)(?=^FROM|\Z)", DOCKERFILE))
UNIT = "imu_emg_estimator@.service"


def packages(stage: str) -> set[str]:
    return set(re.search(r"--no-install-recommends([^&]*)", STAGES[stage])[1].replace("\\", "").split())  # type: ignore[index]


def test_image_installs_what_package_xml_names() -> None:
    depends = {element.text for element in ElementTree.parse(ROOT / "package.xml").getroot()}
    assert packages("live") <= depends


def test_stage_for_development_installs_what_the_tests_in_containers_need() -> None:
    workflow = (ROOT / ".github" / "workflows" / "ci.yml").read_text()
    (line,) = re.findall(r"apt-get install --yes (build-essential .*)", workflow)
    assert packages("dev") == set(line.split())


def test_image_runs_as_an_ordinary_user() -> None:
    assert re.findall(r"(?m)^USER (.*)", STAGES["live"])[-1] not in ("root", "0")


def test_devcontainer_opens_a_stage_of_the_dockerfile() -> None:
    settings = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    assert settings["build"]["target"] in STAGES
    assert (ROOT / ".devcontainer" / settings["build"]["dockerfile"]).samefile(ROOT / "Dockerfile")


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not installed")
def test_systemd_accepts_the_unit_and_finds_little_exposed(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.replace("@", "@root")
    shutil.copy(ROOT / "config" / UNIT, unit)
    verified = subprocess.run(["systemd-analyze", "verify", unit], capture_output=True, text=True)
    assert (verified.returncode, verified.stderr) == (0, "")
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=30", unit]  # of 100; 96 without hardening
    assert subprocess.run(command, stdout=subprocess.DEVNULL).returncode == 0
