"""Packages that only part of the work needs, and the one command that brings a missing one to this Python.

Estimating live needs NumPy and PyYAML. All else may be absent: whoever needs it says so in one sentence.
"""

from __future__ import annotations

import shlex
import sys
import sysconfig
from importlib.util import find_spec
from pathlib import Path

REQUIREMENTS = {  # module: what pip installs; versions as in pyproject.toml
    "backports": "backports.zstd",
    "dask": "dask[distributed]",
    "distributed": "dask[distributed]",
    "ezc3d": "ezc3d",
    "filelock": "filelock>=3.6",
    "h5py": "h5py",
    "joblib": "joblib>=1.3",
    "lz4": "lz4>=3",
    "matplotlib": "matplotlib>=3.5",
    "onnxruntime": "onnxruntime>=1.19",
    "openpyxl": "openpyxl",
    "pyarrow": "pyarrow",
    "pyedflib": "pyedflib",
    "pylsl": "pylsl>=1.18",
    "pymatreader": "pymatreader",
    "pyxdf": "pyxdf",
    "ray": "ray",
    "rosbags": "rosbags>=0.11.7",
    "scipy": "scipy>=1.8",
    "torch": "torch>=2.2",
}


def needs(module: str) -> str:
    """Return the rest of a sentence that begins with who needs an absent module."""
    return f"needs {module}, which is not installed; {install_command(module)}"


def unmet(error: ImportError) -> str:
    """Return the same for a failed import, or nothing where it was not of an optional package."""
    module = (error.name or "").partition(".")[0]
    if module not in REQUIREMENTS:
        return ""
    if isinstance(error, ModuleNotFoundError):
        return needs(module)
    reason = " ".join(str(error).split())[:200]
    return f"needs {module}, which cannot be loaded ({reason}); install it again: {install_command(module)}"


def install_command(module: str) -> str:
    """Return the command that installs a module's package where this Python finds it.

    A distribution's own Python refuses pip (PEP 668). It is what ROS runs on, so the package goes beside it, into the
    user's folder, where it overwrites nothing of the system; a virtual environment would have to be active in every
    terminal and launch file.
    """
    options = "--user --break-system-packages " if _is_externally_managed() else ""
    first = "" if find_spec("pip") else "sudo apt install python3-pip && "
    return f"{first}{sys.executable} -m pip install {options}{shlex.quote(REQUIREMENTS[module])}"


def _is_externally_managed() -> bool:
    marker = Path(sysconfig.get_path("stdlib"), "EXTERNALLY-MANAGED")
    return sys.prefix == sys.base_prefix and marker.is_file()
