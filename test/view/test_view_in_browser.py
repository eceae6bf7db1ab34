"""A bag on the page, in a real browser: curves move, nothing is asked of the network, buttons work."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.browser_page import BROWSER, PATIENCE_S, browser_page
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag

VIEW = (sys.executable, "-m", "imu_emg_estimator", "view")
WIDTHS = (1280, 820)
ROWS = "curves.estimates.length"
SIZES = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
DRAWN = "[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 600, 200).data].some(Boolean)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed"),
]


@contextmanager
def ended(command: list[str]) -> Iterator["subprocess.Popen[str]"]:
    """A process, of which nothing is left at the end."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def test_bag_is_seen_on_wide_and_narrow_screens(
    bundle_path: Path, make_recording: RecordingFactory, tmp_path: Path
) -> None:
    recording = make_recording([("walking", 40.0)])
    imu, sensor = recording.imu.copy(), recording.rig.sensor_names.index("left_shank")
    imu[30:, sensor] = imu[30, sensor]
    write_bag(replace(recording, imu=imu), tmp_path / "walk")
    command = [*VIEW, str(tmp_path / "walk"), "--bundle", str(bundle_path), "--port", "0"]
    with ended(command) as process, browser_page(tmp_path / "profile") as page:
        url = next(word for word in process.stdout.readline().split() if word.startswith("http"))
        for width in WIDTHS:
            page.show(url, width)
            page.until(f"{ROWS} > 30 && curves.emg.length > 9")
            assert page.until(DRAWN)
            assert page.until("byId('word').textContent", lambda word: word == "DEGRADED")
            assert "left shank frozen, not used" in page.value("byId('list').textContent")
            assert page.value("byId('body').querySelectorAll('.bad, .good').length") == 6
            inner, outer = page.value(SIZES)
            assert inner <= outer == width
        before = page.value("epoch")
        page.value("byId('again').click()")
        page.until("epoch", lambda epoch: epoch != before)
        page.until("state.speed > 0 && !state.ended")
        page.value("byId('pause').click()")
        page.until("byId('pause').textContent", lambda text: text == "Go on")
        page.until("state.speed === 0")
        page.value("call('speed', {speed: -1})")
        assert "is not between" in page.until("byId('answer').textContent")
        assert {address.rpartition("/")[0] for address in page.requests} <= {url.rstrip("/"), "data:"}
        assert [fault for fault in page.faults if "400" not in fault] == []
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=PATIENCE_S) == 0
        page.until("byId('alert').textContent", lambda text: "does not answer" in text)
