"""Libraries that read single forms, of the extra ``import``; nothing else needs them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.utils.optional_packages import needs


def optional_reader(module: str, what: str, path: Path) -> Any:
    """Import a library that reads ``what``; raise InputError that names the command to install it."""
    try:
        return import_module(module)
    except ImportError:
        raise InputError(f"{path}: reading {what} {needs(module.partition('.')[0])}") from None
