"""The C++ helper for controllers passes its own test, which needs no ROS."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "cpp"
COMPILER = os.environ.get("CXX", "c++")


@pytest.mark.skipif(not shutil.which(COMPILER), reason="a C++ compiler is not installed")
def test_fade_holds_its_contract(tmp_path: Path) -> None:
    program = tmp_path / "fade_test"
    source = EXAMPLE / "test" / "fade_test.cpp"
    subprocess.run([COMPILER, "-std=c++17", f"-I{EXAMPLE / 'src'}", source, "-o", program], check=True)
    run = subprocess.run([program], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout
    assert run.stdout.count("ok: ") == (EXAMPLE / "test" / "fade_test.cpp").read_text().count("expect(") - 1
