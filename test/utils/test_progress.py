"""News of long work: in order, with the time that is left, and a way to end it."""

import json
import math

import pytest

from imu_emg_estimator.utils.progress import Progress, ProgressBar, Stopped, Work

PHASES = {"looking": 1.0, "learning": 3.0}


def test_fraction_counts_the_phases_by_their_shares() -> None:
    reported: list[Progress] = []
    work = Work(PHASES, reported.append)
    work.begin("looking")
    work.begin("learning")
    work.advance(0.5, 0.25)
    work.advance(0.2)
    work.done()
    assert [news.fraction for news in reported] == [0.0, 0.25, 0.625, 0.625, 1.0]
    assert [news.phase for news in reported] == ["looking", "learning", "learning", "learning", "done"]
    assert math.isnan(reported[0].seconds_left)
    assert reported[2].seconds_left >= 0.0
    assert reported[-1].seconds_left == 0.0
    assert [news.loss for news in reported[2:]] == [0.25, 0.25, 0.25]


def test_stop_is_polled_at_every_report_until_done() -> None:
    answers = iter([False, True])
    work = Work(PHASES, stop=lambda: next(answers))
    work.begin("looking")
    with pytest.raises(Stopped):
        work.begin("learning")
    work.done()


def test_progress_is_plain() -> None:
    text = json.dumps(Progress("learning", 0.5, math.nan, 0.25).to_dict(), allow_nan=False)
    assert json.loads(text) == {"phase": "learning", "fraction": 0.5, "seconds_left": None, "loss": 0.25}


def test_bar_shows_phase_share_and_loss(capsys: pytest.CaptureFixture[str]) -> None:
    ProgressBar("calibration").show(Progress("learning", 1.0, 0.0, 0.25))
    assert (
        "calibration: learning [##############################] 100%, 0 s left, loss 0.250" in capsys.readouterr().err
    )


def test_bar_of_nothing_is_full(capsys: pytest.CaptureFixture[str]) -> None:
    ProgressBar("reading")(0, 0)
    assert "#" * 30 in capsys.readouterr().err
