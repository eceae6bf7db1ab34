"""Set the address of the repository in all files that name it: ``set_repository_url.py URL``.

The address in pyproject.toml is replaced wherever it occurs in tracked text.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
FORM = r"https://[\w.-]+/[\w.-]+/[\w.-]+"


def repository_url(root: Path = ROOT) -> str:
    """Return the address that pyproject.toml has now."""
    found = re.search(rf'(?m)^Repository = "({FORM})"$', (root / "pyproject.toml").read_text(encoding="utf-8"))
    if found is None:
        raise SystemExit("pyproject.toml has no [project.urls] Repository; restore it")
    return found[1]


def replace_url(old: str, new: str, root: Path = ROOT) -> list[str]:
    """Replace the address in all tracked text; returns the files that changed."""
    found = subprocess.run(["git", "grep", "-lIF", old], cwd=root, capture_output=True, text=True).stdout.splitlines()
    for name in found:
        path = root / name
        path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    return found


def main() -> None:
    new = sys.argv[1].removesuffix("/").removesuffix(".git") if len(sys.argv) == 2 else ""
    if not re.fullmatch(FORM, new):
        raise SystemExit("usage: make urls REPOSITORY_URL=https://github.com/OWNER/imu_emg_estimator")
    print("\n".join(replace_url(repository_url(), new)))


if __name__ == "__main__":
    main()
