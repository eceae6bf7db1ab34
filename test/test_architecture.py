"""The dependency rule: imports go downwards only, ROS stays in ros/, robots run without torch.

The layers are contracts in pyproject.toml. What a contract cannot say is tested here: imports of ROS
and of generated messages, which may not be installed, and imports that happen only when a function
runs, which are allowed to need torch.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAME = "imu_emg_estimator"
PACKAGE = ROOT / NAME
FILES = sorted(PACKAGE.rglob("*.py"))
OUTSIDE_ROS = [file for file in FILES if not file.is_relative_to(PACKAGE / "ros")]

ROS = re.compile(
    rf"(rclpy|rclcpp|rosidl_\w+|ament_\w+|launch\w*|ros2\w+|rosbag2_py|\w+_msgs|std_srvs|\w+_interfaces"
    rf"|{NAME}\.(msg|srv|action))(\.|$)"
)
MADE_OF_TORCH = f"{NAME}.streaming.torch_engine"  # imported when it is chosen
TORCH_FREE = (
    "activation_gate",
    "assistance",
    "errors",
    "utils",
    "rig",
    "recording",
    "signals",
    "streaming",
    "guide",
    "cli",
)


def test_import_layers() -> None:
    pytest.importorskip("importlinter", reason="import-linter is not installed; pip install import-linter")
    run = subprocess.run(
        [
            sys.executable,
            "-c",
            "from importlinter.cli import lint_imports_command as main; main()",
            "--no-cache",
        ],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def test_only_ros_imports_ros() -> None:
    found = {str(file.relative_to(PACKAGE)): list(filter(ROS.match, imported_names(file))) for file in OUTSIDE_ROS}
    assert {file: names for file, names in found.items() if names} == {}


def imported_names(file: Path) -> Iterator[str]:
    """Dotted names of all that a file imports, `from a import b` as a.b."""
    package = [NAME, *file.relative_to(PACKAGE).parent.parts]
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{module}.{alias.name}" for alias in node.names)


@pytest.mark.slow
def test_live_path_imports_without_torch() -> None:
    """Whatever is imported on the way counts, so this runs Python with torch made impossible."""
    code = "\n".join(
        [
            "import importlib, sys",
            "sys.modules['torch'] = None",
            *(f"importlib.import_module({module!r})" for module in torch_free_modules()),
        ]
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr


def torch_free_modules() -> list[str]:
    parts = [file.relative_to(PACKAGE).with_suffix("").parts for file in FILES]
    names = [".".join(part for part in (NAME, *path) if part != "__init__") for path in parts if path[0] in TORCH_FREE]
    return sorted(set(names) - {MADE_OF_TORCH})


def test_package_leaves_names_of_generated_code_free() -> None:
    taken = {"msg", "srv", "action"} & {path.stem for path in PACKAGE.iterdir()}
    assert not taken, f"rosidl generates {NAME}.{taken.pop()} and would overwrite it"


def test_version_is_the_same_everywhere() -> None:
    sources = {
        "package.xml": r"<version>(.+)</version>",
        f"{NAME}/__init__.py": r'__version__ = "(.+)"',
        "CITATION.cff": r"(?m)^version: (.+)$",
    }
    versions = {file: re.search(pattern, (ROOT / file).read_text())[1] for file, pattern in sources.items()}
    assert len(set(versions.values())) == 1, versions
