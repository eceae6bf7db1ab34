"""Files that belong to the package: message definitions, rigs, bundles, derived figures; and where its users' are kept.

In a checkout they lie at its root; installed, in ``share/imu_emg_estimator``. Both have the same layout.
"""

from __future__ import annotations

import os
from pathlib import Path

from imu_emg_estimator.errors import InputError

PACKAGE = "imu_emg_estimator"


def share_directory() -> Path:
    """Return the folder that holds ``msg``, ``config`` and ``resource``: the checkout, or the installed share folder.

    Raises:
        InputError: neither is there.
    """
    package = Path(__file__).absolute().parents[1]
    if (package.parent / "package.xml").is_file():
        return package.parent
    for parent in package.parents:
        share = parent / "share" / PACKAGE
        if share.is_dir():
            return share
    raise InputError(f"no share/{PACKAGE} lies above {package}; install the package with its data files")


def resource_file(name: str) -> Path:
    """Return the path of a file in the package's ``resource`` folder; raises InputError where it is missing."""
    return _existing(share_directory() / "resource" / name)


def rig_file(name: str) -> Path:
    """Return the path of the rig that the package ships under this name, e.g. ``hugadb``."""
    return _existing(share_directory() / "config" / "rigs" / f"{name}.yaml")


def shipped_rigs() -> list[str]:
    """Return the names of the rigs that the package ships."""
    return sorted(path.stem for path in (share_directory() / "config" / "rigs").glob("*.yaml"))


def shipped_bundle() -> Path:
    """Return the path of the bundle that the package ships."""
    return resource_file("hugadb.safetensors")


def shipped_bundles() -> list[Path]:
    """Return the paths of all bundles that the package ships."""
    return sorted((share_directory() / "resource").glob("*.safetensors"))


def calibration_directory() -> Path:
    """Return the default folder of subjects' calibrations: below ``$ROS_HOME``, or ``~/.ros``."""
    return Path(os.path.expanduser(os.environ.get("ROS_HOME") or "~/.ros")) / PACKAGE / "calibrations"


def message_definition(name: str) -> str:
    """Return the text of one of the package's own messages, e.g. ``Emg``."""
    return _existing(share_directory() / "msg" / f"{name}.msg").read_text(encoding="utf-8")


def _existing(path: Path) -> Path:
    if not path.is_file():
        raise InputError(f"{path} is missing from the installation; install {PACKAGE} again")
    return path
