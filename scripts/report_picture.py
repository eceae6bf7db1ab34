"""Draw docs/img/report.png: ``report_picture.py``. It needs Chromium or Chrome on the path.

The upper part of the report of a calibration of a SIMULATED subject, on a wide screen.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from imu_emg_estimator.cli.main import main as imu_emg

PICTURE = Path(__file__).parents[1] / "docs" / "img" / "report.png"
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
SIZE = (820, 720)  # CSS pixels


def photograph(url: str, picture: Path, size: tuple[int, int], profile: Path) -> None:
    """Show a page in a browser without a window, and save what it looks like after two seconds.

    Args:
        size: width and height of the window [CSS pixels].
        profile: folder for the browser's own files.
    """
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        raise SystemExit(f"no browser was found; install one of {', '.join(BROWSERS)}")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", f"--user-data-dir={profile}"]
    what = ["--virtual-time-budget=2000", f"--window-size={size[0]},{size[1]}", f"--screenshot={picture}", url]
    subprocess.run([browser, *options, *what], check=True, stderr=subprocess.DEVNULL)


def main() -> int:
    """Simulate, calibrate, and photograph the report."""
    with tempfile.TemporaryDirectory() as folder:
        bag, page = Path(folder, "today"), Path(folder, "anna.html")
        imu_emg(["simulate", "--out", str(bag), "--seconds", "60"])
        imu_emg(["calibrate", "--bag", str(bag), "--subject", "anna", "--dry-run", "--report", str(page)])
        photograph(page.as_uri(), PICTURE, SIZE, Path(folder))
    return 0


if __name__ == "__main__":
    sys.exit(main())
