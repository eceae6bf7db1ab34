"""What launch files check before they start a node: ROS would pass over it, and start with defaults."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

ASSIGN = ":="
BOOLEANS = ["true", "false", "True", "False"]
LOG_LEVELS = ["debug", "info", "warn", "error", "fatal"]


def existing_file(argument: str, text: str) -> str:
    """Return a file's path with ``~`` expanded; raises ValueError where there is none, with the nearest name."""
    path = Path(text).expanduser()
    if path.is_file():
        return str(path)
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    raise ValueError(f"{argument}: there is no file {path}{_question(path.name, names)}")


def check_arguments(command: Sequence[str], launch_file: str, declared: Iterable[str]) -> None:
    """Raise ValueError for an argument that the launch file has not, where the command launches this very file.

    Args:
        command: of the process.
        launch_file: its name.
        declared: names of its arguments.
    """
    if not any(Path(word).name == launch_file for word in command):
        return  # another launch file includes this one: the arguments are for that
    known = list(declared)
    for word in command:
        name, assign, _ = word.partition(ASSIGN)
        if assign and name not in known:
            raise ValueError(
                f"{launch_file} has no argument '{name}'{_question(name, known)}; it has {', '.join(known)}"
            )


def ros_options(log_level: str, enclave: str) -> list[str]:
    """Return ROS arguments of a process; those for an empty value are left out."""
    given = {"--log-level": log_level, "--enclave": enclave}
    return [word for option, value in given.items() if value for word in (option, value)]


def _question(name: str, known: Sequence[str]) -> str:
    nearest = get_close_matches(name, known, 1)
    return f"; did you mean '{nearest[0]}'?" if nearest else ""
