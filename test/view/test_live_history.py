"""What a page receives, however often it asks."""

import math

import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.view.live_history import SPAN_S, LiveHistory

RATE_HZ = 200
START = 1_700_000_000 * SECOND


def filled(seconds: float, start: int = START) -> LiveHistory:
    history = LiveHistory()
    for index in range(round(seconds * RATE_HZ)):
        history.estimate(start + index * SECOND // RATE_HZ, 0, [0.25, math.nan], [0.1, math.nan])
    return history


def test_page_receives_each_row_once_and_all_of_them_after_a_reload() -> None:
    history = filled(2.0)
    first = history.since(0, 0)
    assert first["estimates"][0] == [0.0, 0, 0.25, None, 0.1, None]
    assert len(first["estimates"]) == pytest.approx(2.0 * 30, abs=5)  # no more than the eye sees
    history.emg(START + 2 * SECOND, [1.0, 2.0])
    news = history.since(first["epoch"], first["number"])
    assert (news["estimates"], news["emg"]) == ([], [[2.0, 1.0, 2.0]])
    assert history.since(first["epoch"], news["number"])["emg"] == []
    assert len(history.since(0, news["number"])["estimates"]) == len(first["estimates"])


def test_history_and_what_a_slow_page_receives_are_bounded() -> None:
    rows = filled(3 * SPAN_S).since(0, 0)["estimates"]
    assert rows[-1][0] - rows[0][0] == pytest.approx(SPAN_S, abs=0.1)
    assert len(rows) < 31 * SPAN_S


@pytest.mark.parametrize("leap", [-5 * SECOND, 3600 * SECOND])
def test_clock_that_leaps_begins_a_new_epoch(leap: int) -> None:
    history = filled(1.0)
    before = history.since(0, 0)
    history.estimate(START + leap, 0, [0.5, 0.5], [0.1, 0.1])
    after = history.since(before["epoch"], before["number"])
    assert after["epoch"] != before["epoch"]
    assert [row[0] for row in after["estimates"]] == [0.0]
    assert after["epoch"] < 2**53  # JavaScript's whole numbers


@pytest.mark.parametrize("leap", [-5 * SECOND, 3600 * SECOND])
def test_emg_on_another_clock_keeps_the_curves(leap: int) -> None:
    history = filled(1.0)
    history.emg(START + SECOND, [1.0, 1.0])
    history.emg(START + SECOND + leap, [2.0, 2.0])
    assert [row[0] for row in history.since(0, 0)["emg"]] == [1.0]
    assert len(history.since(0, 0)["estimates"]) > 20


def test_time_goes_on_while_nothing_comes_unless_it_is_halted() -> None:
    history = filled(1.0)
    last = history.since(0, 0)["estimates"][-1][0]
    assert history.since(0, 0)["edge"] > last
    history.show(speed=0.0)
    assert history.since(0, 0)["edge"] == last
