"""Protocol `calibration`: bags are cut without what they are scored on, and what was decided is counted."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from benchmarks.accuracy.calibration_protocol import (
    LEAD_S,
    WITHOUT_EMG,
    Bag,
    cut_bag,
    score_bags,
    summarise,
)
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.data_splits import GUARD_S

BRIEF = AdaptationSettings(steps=10, batch=2, sequence=64)
WALKING = Bag("walking", (("walking",),), 30.0)
MIXED = Bag("mixed", (("walking",), ("stairs_up", "stairs_down"), ("running",)), 30.0)


@pytest.fixture(scope="module")
def recordings(make_recording: RecordingFactory) -> list[Recording]:
    schedules = ([("standing", 5.0), ("walking", 25.0)], [("running", 20.0), ("walking", 40.0)])
    return [
        make_recording(schedule, subject="9", seed=20 + seed, emg_delay=0.15) for seed, schedule in enumerate(schedules)
    ]


def seconds_known(parts: list[Recording]) -> float:
    return sum(float(np.isfinite(part.envelope[:, 0]).sum()) for part in parts) / parts[0].rig.rate


def test_bag_has_stated_duration_and_is_not_scored(recordings: list[Recording]) -> None:
    cut = cut_bag(recordings, WALKING)
    assert cut is not None
    assert seconds_known(cut.recordings) == pytest.approx(30.0, abs=0.1)
    assert {label for part in cut.recordings for label in part.condition[np.isfinite(part.envelope[:, 0])]} == {
        "walking"
    }
    used = sum(map(np.count_nonzero, cut.used)) / recordings[0].rig.rate
    assert 30.0 + 2 * GUARD_S < used < 30.0 + 4 * GUARD_S + 0.1
    lead = cut.recordings[0]
    assert np.isnan(lead.envelope[: round(LEAD_S * lead.rig.rate) - 1]).all()
    assert np.isfinite(lead.imu).all()


def test_mixed_bag_shares_time_between_activities(recordings: list[Recording]) -> None:
    cut = cut_bag(recordings, MIXED)
    assert cut is not None
    known = np.concatenate([part.condition[np.isfinite(part.envelope[:, 0])] for part in cut.recordings])
    assert (known == "running").mean() == pytest.approx(0.5, abs=0.01)


def test_bag_is_none_with_too_little_data(recordings: list[Recording]) -> None:
    assert cut_bag(recordings, replace(WALKING, seconds=70.0)) is None
    assert cut_bag(recordings, replace(WALKING, parts=(("cycling",),))) is None


@pytest.mark.slow
def test_improvement_is_scored_outside_bag(trained_bundle: Bundle, recordings: list[Recording]) -> None:
    settings = AdaptationSettings(steps=40, sequence=64, learning_rate=5e-3)
    scored = score_bags(trained_bundle, recordings, [WALKING], settings)
    summary = summarise([{"subjects": {"9": scored, "8": {}}}])
    row = summary[str(WALKING)]
    assert row["subjects"] == 1
    assert row["decisions"] == {"adapted": 2}
    gain = row["changes"]["rest"]["locomotion"]
    assert gain["r"] > 0.2
    assert gain["subjects"] == {"9": pytest.approx(gain["r"])}
    assert gain["made_worse"] == {}
    assert summary[WITHOUT_EMG]["decisions"] == {}
    assert np.isfinite(summary[WITHOUT_EMG]["changes"]["rest"]["all"]["r"])


@pytest.mark.slow
def test_refused_bag_changes_nothing_and_gives_reason(trained_bundle: Bundle, recordings: list[Recording]) -> None:
    imu = [recording.imu.copy() for recording in recordings]
    for samples in imu:
        samples[:, :5] = np.nan
    blind = [replace(recording, imu=samples) for recording, samples in zip(recordings, imu, strict=True)]
    row = summarise([{"subjects": {"9": score_bags(trained_bundle, blind, [WALKING], BRIEF)}}])[str(WALKING)]
    assert row["changes"]["rest"]["all"]["r"] == 0.0
    assert "too few sensors" in row["messages"]["9"]
