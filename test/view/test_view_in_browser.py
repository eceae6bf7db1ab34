"""A bag on the page, in a real browser: curves move, nothing is asked of the network, buttons work."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.browser_page import BROWSER, browser_page
from fixtures.factories import RecordingFactory

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.view.bag_feed import BagFeed
from imu_emg_estimator.view.live_history import LiveHistory
from imu_emg_estimator.view.page_server import serving

WIDTHS = (1280, 820)
ROWS = "curves.estimates.length"
SIZES = "[document.documentElement.scrollWidth, document.documentElement.clientWidth]"
DRAWN = "[...document.querySelector('canvas').getContext('2d').getImageData(0, 0, 600, 200).data].some(Boolean)"

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="neither chromium nor google-chrome is installed"),
]


def test_bag_is_seen_on_wide_and_narrow_screens(
    bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path
) -> None:
    recording = make_recording([("walking", 12.0)])
    imu, sensor = recording.imu.copy(), recording.rig.sensor_names.index("left_shank")
    imu[30:, sensor] = imu[30, sensor]
    write_bag(replace(recording, imu=imu), tmp_path / "walk")
    history = LiveHistory()
    feed = BagFeed(tmp_path / "walk", bundle, None, history)
    threading.Thread(target=feed.run, daemon=True).start()
    with serving(history, feed.actions, 0) as server, browser_page(tmp_path / "profile") as page:
        for width in WIDTHS:
            page.show(server.url, width)
            page.until(f"{ROWS} > 30 && curves.emg.length > 9")
            assert page.until(DRAWN)
            assert page.until("byId('word').textContent", lambda word: word == "DEGRADED")
            assert "left shank frozen, not used" in page.value("byId('list').textContent")
            assert page.value("byId('body').querySelectorAll('.bad, .good').length") == 6
            inner, outer = page.value(SIZES)
            assert inner <= outer == width
        page.value("byId('pause').click()")
        page.until("byId('pause').textContent", lambda text: text == "Go on")
        assert page.until("state.speed", lambda speed: speed == 0) == 0
        page.value("byId('again').click()")
        page.until(f"{ROWS} < 30 && state.speed > 0")
        page.value("call('speed', {speed: -1})")
        assert "is not between" in page.until("byId('answer').textContent")
        assert {address.rpartition("/")[0] for address in page.requests} <= {server.url.rstrip("/"), "data:"}
        assert [fault for fault in page.faults if "400" not in fault] == []
