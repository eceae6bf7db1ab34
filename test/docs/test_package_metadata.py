"""pyproject.toml, requirements/ and what colcon installs agree."""

import re
import sys
from importlib import import_module
from typing import Any
from xml.etree import ElementTree

import pytest
from fixtures.markdown_pages import ROOT

from imu_emg_estimator.utils.optional_packages import REQUIREMENTS

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PYPROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT = PYPROJECT["project"]
DATA_FILES = PYPROJECT["tool"]["setuptools"]["data-files"]


def names(requirements: list[str]) -> set[str]:
    """Distribution names of requirements, without versions and markers."""
    return {found[0].lower() for line in requirements if (found := re.match(r"[\w.-]+", line))}


def test_setup_installs_the_dependencies_of_the_project_and_torch() -> None:
    lines = (ROOT / "requirements" / "runtime.txt").read_text().splitlines()
    assert names(lines) == names(PROJECT["dependencies"] + PROJECT["optional-dependencies"]["calibrate"])


def test_package_xml_names_what_distributions_package_and_the_rest_is_optional() -> None:
    """The build farm takes no key of pip's; scripts/check_rosdep.py resolves the keys."""
    depends = {element.text or "" for element in ElementTree.parse(ROOT / "package.xml").getroot()}
    keys = {key.removeprefix("python3-") for key in depends if key.startswith("python3-")}
    assert not [key for key in keys if key.endswith("-pip")]
    modules = {name.partition(".")[0] for name in names(PROJECT["dependencies"])}
    assert modules - {key.replace("yaml", "pyyaml") for key in keys} <= {*REQUIREMENTS, "threadpoolctl"}


def test_commands_that_install_name_the_versions_of_the_project() -> None:
    extras = [line for lines in PROJECT["optional-dependencies"].values() for line in lines]
    lines = [line.partition(";")[0].strip() for line in PROJECT["dependencies"] + extras]
    assert set(REQUIREMENTS.values()) - {"h5py"} <= {line.replace("'", "") for line in lines}


def test_torch_is_an_extra() -> None:
    assert "torch" not in names(PROJECT["dependencies"])
    assert names(PROJECT["optional-dependencies"]["calibrate"]) == {"torch"}


def test_command_exists() -> None:
    module, function = PROJECT["scripts"]["imu-emg"].split(":")
    assert callable(getattr(import_module(module), function))


def test_version_is_taken_from_the_package() -> None:
    module, attribute = PYPROJECT["tool"]["setuptools"]["dynamic"]["version"]["attr"].rsplit(".", 1)
    assert re.fullmatch(r"\d+\.\d+\.\d+", getattr(import_module(module), attribute))


@pytest.mark.parametrize("folder", ["config", "launch", "msg", "resource", "srv"])
def test_pip_installs_every_shared_file(folder: str) -> None:
    shared = {path.relative_to(ROOT) for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"}
    installed = {
        path.relative_to(ROOT)
        for target, patterns in DATA_FILES.items()
        for pattern in patterns
        for path in ROOT.glob(pattern)
        if target == f"share/imu_emg_estimator/{path.parent.relative_to(ROOT)}"
    }
    assert shared <= installed


def test_setup_py_holds_nothing() -> None:
    assert len((ROOT / "setup.py").read_text().splitlines()) < 10
