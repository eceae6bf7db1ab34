"""rosdep resolves the keys of package.xml, by the public lists."""

import os
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from fixtures.markdown_pages import ROOT

LISTS = os.environ.get("IMU_EMG_ROSDISTRO", "")
SCRIPT = ROOT / "scripts" / "check_rosdep.py"
needs_rosdep = pytest.mark.skipif(find_spec("rosdep2") is None, reason="rosdep is not installed; pip install rosdep")


def check(script: Path, lists: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, str(script), lists], capture_output=True, text=True, check=False)


@pytest.mark.slow
@needs_rosdep
@pytest.mark.skipif(not LISTS, reason="IMU_EMG_ROSDISTRO names no checkout of github.com/ros/rosdistro")
def test_every_key_resolves_by_public_lists(tmp_path: Path) -> None:
    done = check(SCRIPT, LISTS)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("all by apt") == 4

    checkout = tmp_path / "scripts"  # with a key that no list knows, and one of pip
    checkout.mkdir()
    (checkout / SCRIPT.name).write_text(SCRIPT.read_text())
    for key in ("python3-lz4", "python3-rosbags-pip"):
        package = (ROOT / "package.xml").read_text().replace("python3-joblib", key)
        (tmp_path / "package.xml").write_text(package)
        spoilt = check(checkout / SCRIPT.name, LISTS)
        assert spoilt.returncode == 1
        assert "humble: not all keys resolve to apt" in spoilt.stderr


@needs_rosdep
def test_missing_lists_are_named(tmp_path: Path) -> None:
    done = check(SCRIPT, str(tmp_path / "none"))
    assert done.returncode == 2
    assert "lists cannot be read" in done.stderr


def test_missing_rosdep_is_named_with_the_command_that_brings_it() -> None:
    code = f"import sys; sys.modules['rosdep2'] = None; sys.path.insert(0, {str(SCRIPT.parent)!r}); import check_rosdep"
    run = f"{code}; check_rosdep.find_spec = lambda _: None; sys.exit(check_rosdep.main([]))"
    done = subprocess.run([sys.executable, "-c", run], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "-m pip install rosdep rosdistro" in done.stderr
