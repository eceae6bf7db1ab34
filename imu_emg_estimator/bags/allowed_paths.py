"""Which files may be read when someone else names them: those below some directories, after links are followed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from imu_emg_estimator.errors import InputError


def within(directories: Sequence[Path]) -> Callable[[Path], Path]:
    """Make a check that accepts what lies below one of the directories, after every ``..`` and link is followed.

    Returns:
        A function that returns where a path really lies, and raises InputError where that is elsewhere. The error does
        not depend on whether the file exists, so that nobody can explore the disk with it.

    Raises:
        InputError: one of the directories does not exist.
    """
    roots = [_root(Path(directory)) for directory in directories]

    def check(path: Path) -> Path:
        try:
            place = Path(path).absolute().resolve()
        except (OSError, ValueError, RuntimeError):  # a loop of links, a name with a zero in it
            place = None
        if place is None or not any(place.is_relative_to(root) for root in roots):
            allowed = ", ".join(map(str, directories)) or "none"
            raise InputError(
                f"bag {path} lies outside the directories that bags are read from ({allowed}); move it there, "
                "or have its own named among them (the node's parameter 'bag_directories')"
            )
        return place

    return check


def _root(directory: Path) -> Path:
    root = directory.expanduser().absolute().resolve()
    if not root.is_dir():
        raise InputError(f"directory {directory}, which bags may be read from, does not exist; make it or correct it")
    return root
