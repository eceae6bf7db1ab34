"""Check that rosdep resolves every key of package.xml to a package of the distribution, on each supported ROS 2.

    python scripts/check_rosdep.py [ROSDISTRO]

ROSDISTRO is a checkout of github.com/ros/rosdistro, whose lists are read in place of the public ones. Needs the
packages `rosdep` and `rosdistro` from PyPI. A key of pip counts as a fault: the build farm refuses it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PUBLIC_LISTS = "https://raw.githubusercontent.com/ros/rosdistro/master"
PLATFORMS = {"humble": "jammy", "jazzy": "noble", "kilted": "noble", "lyrical": "resolute"}  # of REP 2000
ROSDEP = (sys.executable, "-c", "from rosdep2.main import rosdep_main; rosdep_main()")


def main(arguments: Sequence[str]) -> int:
    """Print a line for each distribution; return 1 if a key is unknown or one of pip, 2 if the lists are missing."""
    lists = f"file://{Path(arguments[0]).resolve()}" if arguments else PUBLIC_LISTS
    if find_spec("rosdep2") is None:
        print(f"rosdep is not installed; {sys.executable} -m pip install rosdep rosdistro", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as folder:
        environment = isolated(Path(folder), lists)
        faults = [fault_of(*platform, environment) for platform in PLATFORMS.items()]
    return max(faults)


def isolated(folder: Path, lists: str) -> dict[str, str]:
    """Return an environment in which rosdep knows these lists alone, and touches nothing of its user's."""
    sources, package = folder / "sources", folder / "package"
    sources.mkdir()
    package.mkdir()
    shutil.copy(ROOT / "package.xml", package)  # alone, as its checkout holds an environment to be searched
    lines = [f"yaml {lists}/rosdep/{name}.yaml\n" for name in ("base", "python", "ruby")]
    (sources / "20-default.list").write_text("".join(lines))
    return {
        **os.environ,
        "ROS_HOME": str(folder),
        "ROSDEP_SOURCE_PATH": str(sources),
        "ROSDISTRO_INDEX_URL": f"{lists}/index-v4.yaml",
    }


def fault_of(distribution: str, release: str, environment: Mapping[str, str]) -> int:
    """Check one distribution; return its exit status."""
    updated = rosdep(environment, "update", "--rosdistro", distribution)
    if updated.returncode:
        print(f"{distribution}: the lists cannot be read\n{updated.stdout}{updated.stderr}", file=sys.stderr)
        return 2
    keys = rosdep(
        environment, "keys", "--from-paths", environment["ROS_HOME"], "--rosdistro", distribution
    ).stdout.split()
    resolved = rosdep(environment, "resolve", *keys, "--rosdistro", distribution, "--os", f"ubuntu:{release}")
    installers = {line[1:] for line in resolved.stdout.splitlines() if line.startswith("#") and "ROSDEP" not in line}
    if resolved.returncode or not keys or installers != {"apt"}:
        print(f"{distribution}: not all keys resolve to apt\n{resolved.stdout}{resolved.stderr}", file=sys.stderr)
        return 1
    print(f"{distribution} (Ubuntu {release}): {len(keys)} keys, all by apt")
    return 0


def rosdep(environment: Mapping[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run rosdep with the interpreter that runs this script."""
    return subprocess.run([*ROSDEP, *arguments], env=dict(environment), capture_output=True, text=True, check=False)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
