"""A calibration is judged on data that it was not made from, and a worse one is not taken."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from helpers import RecordingFactory, refusal

from imu_emg_estimator import __version__
from imu_emg_estimator.datasets.bag import BagTooShort
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.store import calibration_path
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.adapt import DEFAULT_METHOD, AdaptationSettings
from imu_emg_estimator.training.calibrate import CalibrationResult, calibrate, mean
from imu_emg_estimator.training.evaluate import score_recordings
from imu_emg_estimator.training.metrics import FIGURES

SETTINGS = AdaptationSettings(steps=40, sequence=64, learning_rate=5e-3)
BRIEF = replace(SETTINGS, steps=3, batch=2)


@pytest.fixture(scope="module")
def wearer(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 40.0)], seed=20, emg_delay=0.15)


@pytest.fixture(scope="module")
def result(trained_bundle: Bundle, wearer: Recording) -> CalibrationResult:
    return calibrate(trained_bundle, wearer, "anna", settings=SETTINGS)


def judged_from(recording: Recording) -> int:
    """First sample that may be judged: the last 30 %."""
    return round(0.7 * len(recording))


def test_better_bundle_is_taken_and_says_whose_it_is(
    result: CalibrationResult, trained_bundle: Bundle, wearer: Recording
) -> None:
    assert result.bundle is not None
    assert result.bundle.parent_id == trained_bundle.model_id
    calibration = result.bundle.calibration
    assert calibration is not None
    assert (calibration.subject, calibration.method, calibration.bag) == ("anna", DEFAULT_METHOD, wearer.name)
    assert calibration.seconds == pytest.approx(0.7 * wearer.duration, abs=0.1)
    assert mean(result.before, "r") < 0.6
    assert mean(result.after, "r") > 0.85
    assert f"r {mean(result.before, 'r'):.2f} before, {mean(result.after, 'r'):.2f} after" in result.message


def test_bundle_holds_how_it_came_about(result: CalibrationResult, trained_bundle: Bundle, tmp_path: Any) -> None:
    assert result.bundle is not None
    result.bundle.save(tmp_path / "a.safetensors")
    calibration = Bundle.load(tmp_path / "a.safetensors").calibration
    assert calibration is not None
    assert calibration.software == __version__
    assert calibration.settings["learning_rate"] == SETTINGS.learning_rate
    assert calibration.figures["running"] == trained_bundle.model_id
    assert calibration.figures["judged_seconds"] == result.judged_seconds
    for when in ("before", "after"):
        for figure in FIGURES:
            assert calibration.mean(figure, when) == pytest.approx(mean(getattr(result, when), figure))


def test_exchanged_leads_are_told(trained_bundle: Bundle, make_recording: RecordingFactory) -> None:
    """The result follows what the electrodes carry; who wired them must hear of it."""
    wearer = make_recording([("walking", 40.0)], seed=20)
    assert "WARNING" not in calibrate(trained_bundle, wearer, "anna", settings=BRIEF).message
    crossed = replace(wearer, envelope=wearer.envelope[:, ::-1])
    told = calibrate(trained_bundle, crossed, "anna", settings=BRIEF)
    assert told.to_dict()["exchanged"] == list(trained_bundle.rig.muscle_names)
    assert "check the leads" in told.message


def test_calibration_can_be_stored(result: CalibrationResult, tmp_path: Any) -> None:
    assert result.bundle is not None
    path = calibration_path(tmp_path, result.bundle)
    result.bundle.save(path)
    assert Bundle.load(path).calibration == result.bundle.calibration


def test_figures_are_those_of_the_last_part(
    result: CalibrationResult, trained_bundle: Bundle, wearer: Recording
) -> None:
    """The last 30 % less a second, in which the envelope still knows of what came before."""
    rest = wearer.slice(judged_from(wearer) + round(wearer.rig.rate), len(wearer))
    assert result.judged_seconds == pytest.approx(rest.duration)
    assert result.before == score_recordings(trained_bundle, [rest])["all"]
    assert result.bundle is not None
    assert result.after == score_recordings(result.bundle, [rest])["all"]


def test_judged_part_does_not_touch_the_weights(trained_bundle: Bundle, wearer: Recording) -> None:
    envelope, imu = wearer.envelope.copy(), wearer.imu.copy()
    envelope[judged_from(wearer) :] *= 1 + 0.3 * np.sin(np.arange(len(wearer) - judged_from(wearer)))[:, None]
    imu[judged_from(wearer) :] += 0.1
    poisoned = replace(wearer, envelope=envelope, imu=imu)
    honest, other = (calibrate(trained_bundle, each, "anna", settings=BRIEF) for each in (wearer, poisoned))
    assert honest.bundle is not None
    assert other.bundle is not None
    assert honest.after != other.after
    assert honest.bundle.reference == other.bundle.reference
    for name, weight in honest.bundle.weights.items():
        np.testing.assert_array_equal(weight, other.bundle.weights[name])


def test_adapted_part_does_not_touch_the_figures_before(trained_bundle: Bundle, wearer: Recording) -> None:
    envelope = wearer.envelope.copy()
    envelope[: judged_from(wearer)] = envelope[: judged_from(wearer)][::-1]
    honest, other = (
        calibrate(trained_bundle, each, "anna", settings=BRIEF) for each in (wearer, replace(wearer, envelope=envelope))
    )
    assert honest.before == other.before


def test_worse_bundle_is_not_taken(
    trained_bundle: Bundle, make_recording: RecordingFactory, result: CalibrationResult
) -> None:
    """EMG of another time than the IMUs while adapting, and as it should be while judging."""
    wearer = make_recording([("walking", 40.0)], seed=21)
    envelope, end = wearer.envelope.copy(), judged_from(wearer)
    envelope[:end] = make_recording([("walking", 40.0)], seed=22, emg_delay=0.5).envelope[:end]
    worse = calibrate(trained_bundle, replace(wearer, envelope=envelope), "anna", settings=SETTINGS)
    assert worse.bundle is None
    assert mean(worse.before, "r") > 0.95
    assert mean(worse.after, "r") <= mean(worse.before, "r")
    assert "not better" in worse.message or "hardly follows" in worse.message
    assert worse.to_dict()["calibration"] is None


@pytest.mark.parametrize("seed", [30, 31, 32])
def test_emg_that_does_not_go_with_the_movement_is_not_learned(
    trained_bundle: Bundle, wearer: Recording, make_recording: RecordingFactory, seed: int
) -> None:
    """There nothing can be judged, and an estimate that gives up may seem the better one."""
    generator = np.random.default_rng(seed)
    blocks = np.array_split(np.arange(len(wearer)), 60)
    order = np.concatenate([blocks[index] for index in generator.permutation(60)])
    shuffled = replace(wearer, envelope=wearer.envelope[order])
    outcome = calibrate(trained_bundle, shuffled, "anna", settings=SETTINGS)
    assert outcome.bundle is None
    assert "old model was kept" in outcome.message


def test_bundle_in_use_must_be_bettered(result: CalibrationResult, trained_bundle: Bundle, wearer: Recording) -> None:
    assert result.bundle is not None
    brief = calibrate(trained_bundle, wearer, "anna", running=result.bundle, settings=BRIEF)
    assert brief.before == result.after
    assert brief.bundle is None
    assert calibrate(trained_bundle, wearer, "anna", settings=BRIEF).bundle is not None


def test_other_unit_is_judged_by_r_alone(trained_bundle: Bundle, wearer: Recording) -> None:
    """Millivolts cannot be compared with counts before the wearer's scale is known."""
    millivolts = replace(wearer, envelope=0.003 * wearer.envelope, envelope_unit="mV")
    result = calibrate(trained_bundle, millivolts, "anna", settings=SETTINGS)
    assert result.bundle is not None
    assert result.bundle.reference.unit == "mV"
    assert np.isnan([[entry.r2, entry.nrmse] for entry in result.before.values()]).all()
    assert np.isfinite([entry.r for entry in result.before.values()]).all()
    assert mean(result.after, "r2") > 0.7
    again = calibrate(trained_bundle, millivolts, "anna", running=result.bundle, settings=BRIEF)
    assert np.isfinite(mean(again.before, "r2"))


def test_muscle_that_was_never_measured_in_this_unit_is_judged_by_r_alone(
    trained_bundle: Bundle, wearer: Recording
) -> None:
    """It still has the amplitude of the base, in counts: R² against millivolts would mean nothing."""
    millivolts = replace(wearer, envelope=0.003 * wearer.envelope, envelope_unit="mV")
    one = calibrate(trained_bundle, replace(millivolts, muscle_weight=np.array([0.0, 1.0])), "anna", settings=SETTINGS)
    assert one.bundle is not None
    before = calibrate(trained_bundle, millivolts, "anna", running=one.bundle, settings=BRIEF).before
    assert np.isnan(before["vastus_lateralis_right"].r2)
    assert np.isfinite(before["vastus_lateralis_right"].r)
    assert np.isfinite(before["vastus_lateralis_left"].r2)


def test_muscle_without_emg_is_not_judged(trained_bundle: Bundle, wearer: Recording) -> None:
    result = calibrate(trained_bundle, replace(wearer, muscle_weight=np.array([0.0, 1.0])), "anna", settings=BRIEF)
    assert list(result.before) == list(result.after) == ["vastus_lateralis_left"]


def test_judged_part_without_emg_is_not_a_success(trained_bundle: Bundle, wearer: Recording) -> None:
    envelope = wearer.envelope.copy()
    envelope[judged_from(wearer) :] = np.nan
    result = calibrate(trained_bundle, replace(wearer, envelope=envelope), "anna", settings=BRIEF)
    assert result.bundle is None


def test_report_is_plain_figures(result: CalibrationResult) -> None:
    report = json.loads(json.dumps(result.to_dict(), allow_nan=False))
    assert report["success"] is True
    assert report["muscle_names"] == ["vastus_lateralis_right", "vastus_lateralis_left"]
    for figure in FIGURES:
        assert report[f"{figure}_before"] == [getattr(entry, figure) for entry in result.before.values()]
        assert report[f"{figure}_after"] == [getattr(entry, figure) for entry in result.after.values()]


def test_every_calibration_has_its_own_id(trained_bundle: Bundle, wearer: Recording) -> None:
    results = [calibrate(trained_bundle, wearer, "anna", settings=BRIEF) for _ in range(2)]
    ids = {result.bundle.calibration_id for result in results if result.bundle}
    assert len(ids) == 2
    assert all(name.startswith("anna-2") for name in ids)


@pytest.mark.parametrize("seconds", [0.5, 5.0, 13.0])
def test_too_short_is_told_with_what_is_needed(trained_bundle: Bundle, wearer: Recording, seconds: float) -> None:
    with pytest.raises(BagTooShort, match=f"{wearer.name} has {seconds:.1f} s .* at least 14 s"):
        calibrate(trained_bundle, wearer.slice(0, round(seconds * wearer.rig.rate)), "anna", settings=BRIEF)


def test_shortest_that_is_promised_is_enough(trained_bundle: Bundle, wearer: Recording) -> None:
    recording = wearer.slice(0, round(13.5 * wearer.rig.rate))
    assert calibrate(trained_bundle, recording, "anna", settings=BRIEF).judged_seconds >= 3.0


def test_another_rig_is_refused(trained_bundle: Bundle, wearer: Recording) -> None:
    with refusal("'other'"):
        calibrate(trained_bundle, replace(wearer, rig=replace(wearer.rig, name="other")), "anna", settings=BRIEF)
