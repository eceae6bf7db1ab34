"""Every column of the streaming protocol is scored on the same samples, none of which was calibrated on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from benchmarks.accuracy import streaming_protocol as streaming
from benchmarks.accuracy import within_subject_reference as reference
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.accuracy_metrics import score
from imu_emg_estimator.training.data_splits import GUARD_S, split_for_calibration

SETTINGS = AdaptationSettings()
DAY = (
    (("sitting", 6.0), ("walking", 20.0), ("standing", 6.0)),
    (("running", 12.0),),
    (("walking", 15.0), ("stairs_up", 8.0)),
    (("walking", 9.0),),
)


@dataclass
class Remembering:
    """Estimates half the first IMU channel, and remembers what it was shown; adapted, it adds 1."""

    shift: float = 0.0
    estimated: list[Recording] = field(default_factory=list)
    calibrations: list[list[Recording]] = field(default_factory=list)

    def estimate(self, recordings: Sequence[Recording]) -> FloatArray:
        self.estimated += recordings
        level = np.concatenate([recording.imu[:, 0, 0] for recording in recordings])
        return np.stack([0.5 * level, -level], axis=1) + self.shift

    def adapted(self, calibration: Sequence[Recording], settings: AdaptationSettings) -> Remembering:
        self.calibrations.append(list(calibration))
        return replace(self, shift=self.shift + 1.0)


@pytest.fixture(scope="module")
def day(make_recording: RecordingFactory) -> list[Recording]:
    """One subject's recordings; the second IMU channel counts the samples."""
    recordings, count = [], 0
    for index, schedule in enumerate(DAY):
        recording = make_recording(schedule, subject="4", seed=index)
        imu = recording.imu.copy()
        imu[:, 0, 1] = np.arange(count, count + len(recording))
        recordings.append(replace(recording, name=f"day_{index}", start=100.0 * index, imu=imu))
        count += len(recording)
    return recordings


def numbers(recordings: Sequence[Recording]) -> set[int]:
    return {int(number) for recording in recordings for number in recording.imu[:, 0, 1]}


def test_calibration_is_first_in_time_and_not_scored(day: list[Recording]) -> None:
    fitted = Remembering()
    outcome = streaming.score_subject(fitted, day, [10.0, 0.0, 25.0], SETTINGS)
    assert outcome is not None
    assert list(outcome["scores"]) == ["0", "10", "25"]
    split = split_for_calibration(day, 25.0)
    assert split is not None
    shown = [numbers(calibration) for calibration in fitted.calibrations]
    assert [len(each) for each in shown] == [round(seconds * day[0].rig.rate) for seconds in (10.0, 25.0)]
    assert shown[0] < shown[1]
    scored = numbers(fitted.estimated)
    assert scored == numbers(split.scored)
    assert max(shown[1]) < min(scored)
    # Three columns, the same samples.
    assert len(fitted.estimated) == 3 * len(split.scored)
    assert {figures["walking"]["vastus_lateralis_right"]["samples"] for figures in outcome["scores"].values()} == {
        sum(int((recording.condition == "walking").sum()) for recording in split.scored)
    }


def test_scores_equal_accuracy_metrics(day: list[Recording]) -> None:
    outcome = streaming.score_subject(Remembering(), day, [0.0, 10.0], SETTINGS)
    assert outcome is not None
    split = split_for_calibration(day, 10.0)
    assert split is not None
    measured = np.concatenate([recording.envelope for recording in split.scored])
    condition = np.concatenate([recording.condition for recording in split.scored])
    level = np.concatenate([recording.imu[:, 0, 0] for recording in split.scored])
    running = condition == "running"
    expected = score(measured[running, 0], 0.5 * level[running])
    for seconds, shift in (("0", 0.0), ("10", 1.0)):
        figures = outcome["scores"][seconds]["running"]["vastus_lateralis_right"]
        assert figures["r"] == pytest.approx(expected.r)
        assert figures["r2"] == pytest.approx(score(measured[running, 0], 0.5 * level[running] + shift).r2)


def test_scaled_r2_is_free_of_amplitude_and_offset(make_recording: RecordingFactory) -> None:
    """One scale for all conditions: what a wrong amplitude costs is gone, what a wrong shape costs stays."""
    recording = make_recording([("walking", 20.0), ("running", 20.0)])
    right, wrong_scale = recording.envelope, 7.0 * recording.envelope + 3.0
    mixed = recording.envelope.copy()
    mixed[recording.condition == "running"] *= 2.0
    for estimate, exact in ((right, True), (wrong_scale, True), (mixed, False)):
        figures = streaming.score_estimate([recording], estimate)
        for muscle in recording.rig.muscle_names:
            assert (figures["walking"][muscle]["r2_scaled"] == pytest.approx(1.0)) == exact
            assert figures["walking"][muscle]["r"] == pytest.approx(1.0)
            # Over everything the best affine fit has the R² that r stands for.
            assert figures["all"][muscle]["r2_scaled"] == pytest.approx(figures["all"][muscle]["r"] ** 2)
    assert streaming.score_estimate([recording], wrong_scale)["walking"][muscle]["r2"] < 0


def test_untrusted_emg_is_not_scored(day: list[Recording]) -> None:
    doubted = [replace(recording, muscle_weight=np.array([0.0, 1.0])) for recording in day]
    outcome = streaming.score_subject(Remembering(), doubted, [0.0], SETTINGS)
    assert outcome is not None
    assert list(outcome["scores"]["0"]["all"]) == ["vastus_lateralis_left"]
    assert outcome["shown"]["walking"]["muscles"] == ["vastus_lateralis_left"]
    untrusted = [replace(recording, muscle_weight=np.zeros(2)) for recording in day]
    assert streaming.score_subject(Remembering(), untrusted, [0.0], SETTINGS) is None
    assert streaming.score_subject(Remembering(), day, [0.0, 1000.0], SETTINGS) is None


def test_samples_without_estimate_are_not_scored(day: list[Recording]) -> None:
    """The last ones of a recording, with a look-ahead."""
    measured = np.concatenate([recording.envelope for recording in day])
    estimate = measured.copy()
    estimate[-3:] = np.nan
    figures = streaming.score_estimate(day, estimate)["all"]["vastus_lateralis_right"]
    assert figures["samples"] == len(measured) - 3
    assert figures["r2_scaled"] == pytest.approx(1.0)


# the within-subject reference


def test_halves_are_alternate_recordings_of_each_activity(day: list[Recording]) -> None:
    half = reference.halves(day)
    ends = np.cumsum([len(recording) for recording in day])
    first, running, second, third = np.split(half, ends[:-1])
    assert set(first) == {0}
    assert set(second) == {1}
    assert set(third) == {0}
    # The only recording of running gives to both.
    assert running.tolist() == sorted(running.tolist())
    assert 0.4 < running.mean() < 0.6


def test_within_subject_reference_scores_other_half(day: list[Recording]) -> None:
    fitted = Remembering()
    outcome = reference.score_subject(fitted, day, [0.0, 5.0], [SETTINGS, SETTINGS])
    assert outcome is not None
    split = split_for_calibration(day, 5.0)
    assert split is not None
    half = reference.halves(split.scored)
    order = np.concatenate([recording.imu[:, 0, 1] for recording in split.scored]).astype(int)
    calibration = numbers(split.calibration)
    guard = round(GUARD_S * day[0].rig.rate)
    assert len(fitted.calibrations) == 2 * 3
    for scored_half, shown in enumerate(map(numbers, fitted.calibrations[2::3])):
        scored = set(order[half == scored_half].tolist())
        for trial in map(numbers, fitted.calibrations[3 * scored_half : 3 * scored_half + 2]):
            assert trial < shown
        assert calibration < shown
        assert shown - calibration < set(order[half == 1 - scored_half].tolist())
        # Where a recording was cut, the envelope's filter does not reach across.
        cut = numbers([split.scored[1]])
        assert min(abs(a - b) for a in shown & cut for b in scored & cut) > guard
    measured = np.concatenate([recording.envelope for recording in split.scored])
    figures = outcome["scores"][reference.WITHIN_SUBJECT]["all"]["vastus_lateralis_right"]
    assert figures["samples"] == len(measured)


def test_within_subject_reference_is_adapted_in_the_way_that_does_better_on_what_it_may_see(
    day: list[Recording],
) -> None:
    @dataclass
    class Wavering(Remembering):
        """Estimates the measured envelopes, but noise where it was adapted in the wrong way."""

        way: AdaptationSettings | None = None

        def adapted(self, calibration: Sequence[Recording], settings: AdaptationSettings) -> Wavering:
            return replace(self, way=settings)

        def estimate(self, recordings: Sequence[Recording]) -> FloatArray:
            measured = np.concatenate([recording.envelope for recording in recordings])
            return measured if self.way == right else np.random.default_rng(0).normal(size=measured.shape)

    wrong, right = SETTINGS, replace(SETTINGS, steps=100)
    for ways, index in (([wrong, right], 1), ([right, wrong], 0)):
        outcome = reference.score_subject(Wavering(), day, [0.0, 5.0], ways)
        assert outcome is not None
        assert outcome["ways"] == [index, index]
        assert outcome["scores"][reference.WITHIN_SUBJECT]["all"]["vastus_lateralis_right"]["r"] == pytest.approx(1.0)
