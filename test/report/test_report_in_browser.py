"""Reports in a real browser: nothing is wider than a phone, and nothing is asked of the network."""

import shutil
import subprocess
from pathlib import Path

import pytest

from imu_emg_estimator.model.envelope_curves import EnvelopeCurves, MuscleCurves
from imu_emg_estimator.report import html_page as html
from imu_emg_estimator.report.html_page import GOOD, Page
from imu_emg_estimator.report.report_words import envelope_charts
from imu_emg_estimator.report.svg_charts import dot_chart

BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
FRAME = """<body><iframe id="f" src="page.html" style="width:{width}px;height:800px;border:0"></iframe><script>
f.onload = () => {{ const page = f.contentDocument.documentElement;
document.body.innerHTML = `${{page.scrollWidth}} of ${{page.clientWidth}}`; }}</script></body>"""
LONG = "calibration_" * 12
TIMEOUT_S = 300  # a busy machine takes its time

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed"),
]


def page() -> str:
    """A page with long words, a table with many columns, a long command and charts."""
    curves = MuscleCurves((1.0, 2.0, 3.0), (1.5, 2.0, 2.5), (1.0, 1.0, 1.0))
    charts = envelope_charts(EnvelopeCurves(0.0, 20.0, "mV", 0.9, {"one": curves, "two": curves}), "curves")
    table = html.table([f"column {index}" for index in range(9)], [[LONG] * 9])
    dots = html.charts([dot_chart("r", [(LONG, 0.1, 0.9)], "r", ("no calibration", "60 s of calibration"))], "dots")
    blocks = [html.text(LONG), *charts, dots, table, html.command(f"imu-emg {LONG} --bag {LONG}")]
    return Page(LONG, LONG, GOOD, [(LONG, LONG)], {"all": blocks}).html(LONG)


@pytest.mark.parametrize("width", [360, 390, 1280])
def test_page_is_not_wider_than_the_screen(width: int, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page())
    (tmp_path / "frame.html").write_text(FRAME.format(width=width))
    options = ["--headless", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    options += ["--allow-file-access-from-files", "--virtual-time-budget=5000", "--dump-dom"]
    shown = subprocess.run(
        [str(BROWSER), *options, (tmp_path / "frame.html").as_uri()], capture_output=True, text=True, timeout=TIMEOUT_S
    ).stdout
    inner, outer = shown.split("<body>")[1].split("<")[0].split(" of ")
    assert width - 30 < int(outer) <= width
    assert int(inner) <= int(outer)
