"""The whole command line: help at once, and quiet ends."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from fixtures.command_line import run
from fixtures.markdown_pages import ROOT

from imu_emg_estimator.cli.main import COMMANDS, build_parser, main
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.optional_packages import needs

# import is a keyword, and rig.py the rig itself
MODULES = [command.__name__.rsplit(".", 1)[-1] for command in COMMANDS]
NAMES = [name.removesuffix("_recordings").removesuffix("_commands") for name in MODULES]
WITHOUT_HEAVY_MODULES = """
import sys
sys.modules['torch'] = sys.modules['numpy'] = sys.modules['rclpy'] = None
from imu_emg_estimator.cli.main import main
for line in sys.argv[1:]:
    try:
        main(line.split())
    except SystemExit as end:
        print(line, 'ended with', end.code, flush=True)
"""


@pytest.mark.parametrize("command", [(), *((name,) for name in NAMES), ("calibrations", "use")], ids=str)
def test_help_shows_usage(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        run(*command, "--help")
    assert exit_.value.code == 0
    assert capsys.readouterr().out.startswith(f"usage: imu-emg{''.join(f' {name}' for name in command)}")


def test_help_lists_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        run("--help")
    text = capsys.readouterr().out
    assert [name for name in NAMES if name not in text] == []


def test_help_needs_no_numpy_torch_or_ros() -> None:
    lines = ["--help", *(f"{name} --help" for name in NAMES), "--version", "nonsense"]
    command = [sys.executable, "-c", WITHOUT_HEAVY_MODULES, *lines]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    ends = [line for line in done.stdout.splitlines() if "ended with" in line]
    assert ends == [f"{line} ended with {2 if line == 'nonsense' else 0}" for line in lines]


def test_build_parser_describes_every_option() -> None:
    """The documentation of the command line is generated from it."""
    for parser in _leaves(build_parser()):
        undescribed = [action.dest for action in parser._actions if not action.help]
        assert undescribed == [], parser.prog


def _leaves(parser: argparse.ArgumentParser) -> Iterator[argparse.ArgumentParser]:
    """The parsers that run something."""
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for below in action.choices.values():
                yield from _leaves(below)
            return
    yield parser


def test_module_runs_the_command(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "imu_emg_estimator", "inspect", str(tmp_path / "none")],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "none") in done.stderr


def test_main_refuses_ros_arguments_of_commands_without_ros(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["inspect", "--ros-args", "-r", "a:=b"])
    assert exit_.value.code == 2
    assert "unrecognized arguments: --ros-args -r a:=b" in capsys.readouterr().err


def test_main_ends_quietly_on_a_broken_pipe() -> None:
    command = [sys.executable, "-m", "imu_emg_estimator", "inspect"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()
        error = process.stderr.read().decode()
        assert process.wait(600) == 0, error
    assert "Traceback" not in error


def test_main_ends_quietly_on_an_interrupt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(_: Path) -> Bundle:
        raise KeyboardInterrupt

    monkeypatch.setattr(Bundle, "load", interrupt)
    assert run("inspect") == 130


@pytest.mark.slow
def test_command_without_torch_names_what_to_install(tmp_path: Path) -> None:
    bag = tmp_path / "bag"
    assert main(["simulate", "--out", str(bag), "--seconds", "6"]) == 0
    code = "import sys; sys.modules['torch'] = None; from imu_emg_estimator.cli.main import main; sys.exit(main())"
    command = [sys.executable, "-c", code, "calibrate", "--bag", str(bag), "--out", str(tmp_path / "new.safetensors")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == f"imu-emg calibrate {needs('torch')}\n"


@pytest.mark.parametrize(
    ("line", "expected"), [("imu-emg calib", {"calibrate", "calibrations"}), ("imu-emg calibrate --dry", {"--dry-run"})]
)
def test_shell_completes_commands_and_options(line: str, expected: set[str], tmp_path: Path) -> None:
    pytest.importorskip("argcomplete", reason="argcomplete is not installed; pip install argcomplete")
    asked = {"_ARGCOMPLETE": "1", "_ARGCOMPLETE_IFS": "\n", "COMP_LINE": line, "COMP_POINT": str(len(line))}
    answer = {"_ARGCOMPLETE_STDOUT_FILENAME": str(tmp_path / "answer")}
    program = [sys.executable, str(ROOT / "scripts" / "bin" / "imu-emg")]
    subprocess.run(program, env={**os.environ, **asked, **answer}, timeout=600, check=False)
    assert {word.strip() for word in (tmp_path / "answer").read_text().split("\n")} == expected
