"""Libraries that read single forms, of the extra ``import``; nothing else needs them."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any

from imu_emg_estimator.errors import InputError

INSTALL = "pip install 'imu_emg_estimator[import]'"


def optional_reader(module: str, what: str, path: Path) -> Any:
    """Import a library that reads ``what``; raise InputError that names the command to install it."""
    try:
        return import_module(module)
    except ImportError:
        package = {"pyarrow.parquet": "pyarrow"}.get(module, module)
        raise InputError(f"{path}: {what} need {package}, which is not installed; {INSTALL}") from None
