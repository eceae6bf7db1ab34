"""One sentence with the one command that brings a missing package, for the Python at hand."""

import sys
from pathlib import Path

import pytest

from imu_emg_estimator.utils import optional_packages
from imu_emg_estimator.utils.optional_packages import install_command, needs, unmet


@pytest.fixture(autouse=True)
def distribution_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Take this Python for one that a distribution made; return its marker of PEP 668, which is missing."""
    monkeypatch.setattr(optional_packages.sysconfig, "get_path", lambda _: str(tmp_path))
    monkeypatch.setattr(sys, "prefix", sys.base_prefix)
    monkeypatch.setattr(optional_packages, "find_spec", lambda _: object())
    return tmp_path / "EXTERNALLY-MANAGED"


def test_command_installs_for_this_python() -> None:
    assert install_command("torch") == f"{sys.executable} -m pip install 'torch>=2.2'"
    assert install_command("distributed").endswith("-m pip install 'dask[distributed]'")


def test_command_leaves_externally_managed_python_untouched(distribution_python: Path) -> None:
    distribution_python.touch()
    assert install_command("lz4") == f"{sys.executable} -m pip install --user --break-system-packages 'lz4>=3'"


def test_command_in_virtual_environment_of_managed_python_is_plain(
    distribution_python: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution_python.touch()
    monkeypatch.setattr(sys, "prefix", "/home/anna/.venv")
    assert install_command("lz4") == f"{sys.executable} -m pip install 'lz4>=3'"


def test_command_brings_pip_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(optional_packages, "find_spec", lambda _: None)
    assert install_command("ray").startswith("sudo apt install python3-pip && ")


def test_unmet_names_missing_package_of_a_module_within_it() -> None:
    error = ModuleNotFoundError("No module named 'rosbags.rosbag2'", name="rosbags.rosbag2")
    assert unmet(error) == needs("rosbags")
    assert needs("rosbags").startswith("needs rosbags, which is not installed; ")


def test_unmet_names_reason_of_package_that_cannot_be_loaded() -> None:
    error = ImportError("libtorch.so: undefined\nsymbol", name="torch._C")
    assert "needs torch, which cannot be loaded (libtorch.so: undefined symbol); install it again: " in unmet(error)


@pytest.mark.parametrize("name", [None, "imu_emg_estimator.nothing", "numpy"])
def test_unmet_leaves_other_errors_alone(name: str | None) -> None:
    assert unmet(ImportError("no", name=name)) == ""
