"""A calibration is judged on data that it was not made from, muscle by muscle, and never makes one worse."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.bags import BagTooShort
from imu_emg_estimator.calibration import calibrate_recordings
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.calibrate_recordings import PHASES, CalibrationResult, calibrate, judge
from imu_emg_estimator.calibration.calibration_report import ADAPTED, KEPT, SCALED, mean_score
from imu_emg_estimator.calibration.calibration_store import calibration_path
from imu_emg_estimator.calibration.request import METHOD
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.model.sensor_drift import profile_of
from imu_emg_estimator.model.worn_ways import signs_of
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.accuracy_metrics import FIGURES
from imu_emg_estimator.training.evaluation import score_recordings
from imu_emg_estimator.utils.progress import Progress, Stopped

SETTINGS = AdaptationSettings(steps=40, sequence=64, learning_rate=5e-3)
BRIEF = replace(SETTINGS, steps=10, batch=2)
RIGHT, LEFT = "vastus_lateralis_right", "vastus_lateralis_left"


@pytest.fixture(scope="module")
def subject(make_recording: RecordingFactory) -> Recording:
    """Whose muscles are both later than the model thinks."""
    return make_recording([("walking", 40.0)], seed=20, emg_delay=0.15)


@pytest.fixture(scope="module")
def usual(make_recording: RecordingFactory) -> Recording:
    """The same movement with the muscles as the model thinks."""
    return make_recording([("walking", 40.0)], seed=20)


@pytest.fixture(scope="module")
def half(subject: Recording, trained_bundle: Bundle) -> Recording:
    """Whose right muscle is later, and whose left is just what the model says, with unpredictable noise."""
    estimated = np.nan_to_num(estimate_envelopes(trained_bundle, [subject])[:, 1])
    noise = np.random.default_rng(0).standard_normal(len(subject) + 30)
    left = np.maximum(estimated + 20.0 * np.convolve(noise, np.ones(31) / 31, mode="valid"), 0.0)
    return replace(subject, envelope=np.stack([subject.envelope[:, 0], left], axis=1))


@pytest.fixture(scope="module")
def result(trained_bundle: Bundle, subject: Recording) -> CalibrationResult:
    return calibrate(trained_bundle, subject, "anna", settings=SETTINGS)


def shuffled(recording: Recording, seed: int) -> Recording:
    """EMG that has nothing to do with the movement."""
    blocks = np.array_split(np.arange(len(recording)), 60)
    order = np.concatenate([blocks[index] for index in np.random.default_rng(seed).permutation(60)])
    return replace(recording, envelope=recording.envelope[order])


@pytest.mark.slow
def test_calibrate_takes_better_bundle_and_records_subject(
    result: CalibrationResult, trained_bundle: Bundle, subject: Recording
) -> None:
    assert result.bundle is not None
    assert result.bundle.parent_id == trained_bundle.model_id
    calibration = result.bundle.calibration
    assert calibration is not None
    assert (calibration.subject, calibration.method, calibration.bag) == ("anna", METHOD, subject.name)
    assert calibration.seconds == pytest.approx(subject.duration, abs=0.1)
    assert {name: muscle.decision for name, muscle in result.report.muscles.items()} == {RIGHT: ADAPTED, LEFT: ADAPTED}
    assert mean_score(result.report.before, "r") < 0.6
    assert mean_score(result.report.after, "r") > 0.75
    assert (
        f"r {mean_score(result.report.before, 'r'):.2f} before, {mean_score(result.report.after, 'r'):.2f} after"
        in result.report.message
    )


def test_improvement_holds_on_another_day(
    result: CalibrationResult, trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    """What was judged on blocks held out must hold for what the subject does later, at least."""
    assert result.bundle is not None
    later = make_recording([("walking", 40.0)], seed=33, emg_delay=0.15)
    before, after = (mean_score(judge(bundle, later), "r") for bundle in (trained_bundle, result.bundle))
    assert after - before > np.mean([muscle.improvement.low for muscle in result.report.muscles.values()])
    assert after > mean_score(result.report.after, "r") - 0.05


def test_figures_before_are_of_all_data(result: CalibrationResult, trained_bundle: Bundle, subject: Recording) -> None:
    whole = score_recordings(trained_bundle, [subject])["all"]
    for name, scores in result.report.before.items():
        assert scores.r == pytest.approx(whole[name].r, abs=1e-6)
        assert scores.samples > 0.99 * len(subject)
        assert result.report.after[name].samples > 0.99 * len(subject)


@pytest.mark.slow
def test_calibrate_keeps_muscle_without_significant_improvement_exactly(
    trained_bundle: Bundle, half: Recording
) -> None:
    result = calibrate(trained_bundle, half, "anna", settings=SETTINGS)
    assert result.report.muscles[RIGHT].decision == ADAPTED
    assert result.report.muscles[LEFT].decision in (KEPT, SCALED)
    assert result.bundle is not None
    before, after = (estimate_envelopes(bundle, [half]) for bundle in (trained_bundle, result.bundle))
    scale = result.bundle.reference.amplitude[1] / trained_bundle.reference.amplitude[1]
    np.testing.assert_allclose(after[:, 1], scale * before[:, 1], rtol=1e-5)
    assert not np.allclose(after[:, 0], before[:, 0], equal_nan=True)
    assert (scale == 1.0) == (result.report.muscles[LEFT].decision == KEPT)
    assert LEFT in result.report.message
    assert result.report.after[LEFT].r == pytest.approx(result.report.before[LEFT].r, abs=1e-3)


@pytest.mark.slow
def test_calibrate_fits_amplitude_alone_where_shape_is_right(trained_bundle: Bundle, usual: Recording) -> None:
    weak = replace(usual, envelope=0.4 * usual.envelope)
    result = calibrate(trained_bundle, weak, "anna", settings=BRIEF)
    assert {muscle.decision for muscle in result.report.muscles.values()} <= {SCALED, ADAPTED}
    assert result.bundle is not None
    assert mean_score(result.report.after, "r2") > mean_score(result.report.before, "r2") + 0.3
    np.testing.assert_allclose(
        result.bundle.reference.amplitude, 0.4 * np.array(trained_bundle.reference.amplitude), rtol=0.2
    )


def test_calibrate_keeps_muscle_without_emg_exactly(trained_bundle: Bundle, subject: Recording) -> None:
    """Nobody could say whether a change of it is for the better."""
    one = replace(subject, muscle_weight=np.array([0.0, 1.0]))
    result = calibrate(trained_bundle, one, "anna", settings=SETTINGS)
    assert list(result.report.before) == list(result.report.after) == [LEFT]
    assert result.bundle is not None
    before, after = (estimate_envelopes(bundle, [subject])[:, 0] for bundle in (trained_bundle, result.bundle))
    np.testing.assert_array_equal(before, after)


@pytest.mark.slow
def test_calibrate_follows_exchanged_leads_only_where_that_is_accepted(
    trained_bundle: Bundle, usual: Recording
) -> None:
    assert "WARNING" not in calibrate(trained_bundle, usual, "anna", settings=BRIEF).report.message
    crossed = replace(usual, envelope=usual.envelope[:, ::-1])
    refused = calibrate(trained_bundle, crossed, "anna", settings=BRIEF)
    assert refused.bundle is None
    assert refused.report.left_out == list(trained_bundle.rig.muscle_names)
    assert "check the leads, and exchange the channels" in refused.report.message
    warned = calibrate(trained_bundle, crossed, "anna", settings=BRIEF, accept_exchanged=True)
    assert warned.report.to_dict()["exchanged"] == list(trained_bundle.rig.muscle_names)
    assert "check the leads" in warned.report.message


def test_calibrated_bundle_can_be_stored(result: CalibrationResult, trained_bundle: Bundle, tmp_path: Any) -> None:
    """With what the subject's movement was like, for drift."""
    assert result.bundle is not None
    path = calibration_path(tmp_path, result.bundle)
    result.bundle.save(path)
    loaded = Bundle.load(path)
    assert loaded.calibration == result.bundle.calibration
    profile = profile_of(loaded)
    assert profile is not None
    assert set(profile.means) <= set(trained_bundle.distribution.conditions if trained_bundle.distribution else ())


@pytest.mark.parametrize("seed", [30, 31])
def test_calibrate_rejects_emg_unrelated_to_movement(trained_bundle: Bundle, subject: Recording, seed: int) -> None:
    told = replace(trained_bundle, scores={"muscle_r": {RIGHT: 0.7, LEFT: 0.7 if seed == 30 else 0.3}})
    outcome = calibrate(told, shuffled(subject, seed), "anna", settings=SETTINGS)
    assert outcome.bundle is None
    assert "old model was kept" in outcome.report.message
    assert ("; motion tells little of vastus_lateralis_left: " in outcome.report.message) == (seed == 31)
    assert outcome.report.to_dict()["calibration"] is None


def test_calibrate_leaves_out_and_names_bad_channels(trained_bundle: Bundle, subject: Recording) -> None:
    imu, envelope = subject.imu.copy(), subject.envelope.copy()
    imu[:, 3, :3] /= 9.81
    envelope[:, 0] = shuffled(subject, 30).envelope[:, 0]
    faulty = replace(subject, imu=imu, envelope=envelope)
    result = calibrate(trained_bundle, faulty, "anna", settings=SETTINGS)
    assert set(result.quality.left_out) == {"left_foot", RIGHT}
    assert list(result.report.muscles) == [LEFT]
    assert result.report.muscles[LEFT].decision == ADAPTED
    assert "left_foot and vastus_lateralis_right" in result.report.message
    verdicts = result.report.to_dict()["quality"]["verdicts"]
    assert "as if in g" in verdicts["left_foot"]
    assert verdicts["left_shank"] == "good"


def test_calibrate_refuses_recording_without_movement(trained_bundle: Bundle, make_recording: RecordingFactory) -> None:
    result = calibrate(trained_bundle, make_recording([("standing", 30.0)], seed=4), "anna", settings=BRIEF)
    assert result.bundle is None
    assert "did not move" in result.report.message
    assert result.report.to_dict()["refused"]
    assert result.report.to_dict()["success"] is False
    json.dumps(result.report.to_dict(), allow_nan=False)


@pytest.mark.slow
def test_calibrate_must_improve_on_bundle_in_use(
    result: CalibrationResult, trained_bundle: Bundle, subject: Recording
) -> None:
    """Its EMG is what the bundle in use says, with unpredictable noise: nothing can improve."""
    assert result.bundle is not None
    estimated = np.nan_to_num(estimate_envelopes(result.bundle, [subject]))
    noise = np.random.default_rng(0).standard_normal((len(subject) + 30, 2))
    smooth = np.stack([np.convolve(column, np.ones(31) / 31, mode="valid") for column in noise.T], axis=1)
    followed = replace(subject, envelope=np.maximum(estimated + 20.0 * smooth, 0.0))
    again = calibrate(trained_bundle, followed, "anna", running=result.bundle, settings=BRIEF)
    assert again.bundle is None
    assert all(muscle.decision == KEPT for muscle in again.report.muscles.values())
    assert again.report.after == again.report.before


@pytest.mark.slow
def test_calibrate_one_muscle_keeps_earlier_calibration_of_other(
    trained_bundle: Bundle, half: Recording, make_recording: RecordingFactory
) -> None:
    """The first calibration changed one head; the next, with the other muscle alone, must keep it."""
    first = calibrate(trained_bundle, half, "anna", settings=SETTINGS).bundle
    assert first is not None
    later = make_recording([("walking", 40.0)], seed=21, emg_delay=0.15)
    only_left = replace(later, muscle_weight=np.array([0.0, 1.0]))
    second = calibrate(trained_bundle, only_left, "anna", running=first, settings=SETTINGS).bundle
    assert second is not None
    before, after = (estimate_envelopes(bundle, [later]) for bundle in (first, second))
    np.testing.assert_array_equal(before[:, 0], after[:, 0])
    assert mean_score(judge(second, later), "r") > mean_score(judge(first, later), "r")


@pytest.mark.slow
def test_calibrate_judges_other_unit_by_r_alone(trained_bundle: Bundle, subject: Recording) -> None:
    """Millivolts cannot be compared with counts before the subject's scale is known."""
    millivolts = replace(subject, envelope=0.003 * subject.envelope, envelope_unit="mV")
    result = calibrate(trained_bundle, millivolts, "anna", settings=SETTINGS)
    assert result.bundle is not None
    assert result.bundle.reference.unit == "mV"
    assert np.isnan([[entry.r2, entry.nrmse] for entry in result.report.before.values()]).all()
    assert np.isfinite([entry.r for entry in result.report.before.values()]).all()
    assert mean_score(result.report.after, "r2") > 0.5
    again = calibrate(trained_bundle, millivolts, "anna", running=result.bundle, settings=BRIEF)
    assert np.isfinite(mean_score(again.report.before, "r2"))


@pytest.mark.slow
def test_calibrate_uses_several_recordings_together(
    trained_bundle: Bundle, subject: Recording, make_recording: RecordingFactory
) -> None:
    """What only the second holds is learned, and what only the first holds is not forgotten."""
    running = make_recording([("running", 20.0)], seed=22, emg_delay=0.15)
    walking = subject.slice(0, round(20 * subject.rig.rate))
    both = calibrate(trained_bundle, [walking, running], "anna", settings=SETTINGS)
    assert both.bundle is not None
    assert both.bundle.calibration is not None
    assert both.bundle.calibration.bag == f"{walking.name}, {running.name}"
    assert both.report.seconds == pytest.approx(40.0, abs=0.1)
    for name, recording in (
        ("walking", make_recording([("walking", 20.0)], seed=40, emg_delay=0.15)),
        ("running", make_recording([("running", 20.0)], seed=41, emg_delay=0.15)),
    ):
        before, after = (mean_score(judge(bundle, recording), "r") for bundle in (trained_bundle, both.bundle))
        assert after > before + 0.05, name


def test_calibrate_refuses_two_units(trained_bundle: Bundle, subject: Recording) -> None:
    other = replace(subject, name="other", envelope_unit="mV")
    with refusal("other", "mV", subject.name, "count"):
        calibrate(trained_bundle, [subject, other], "anna", settings=BRIEF)


def test_report_holds_figures_for_json(result: CalibrationResult) -> None:
    report = json.loads(json.dumps(result.report.to_dict(), allow_nan=False))
    assert report["success"] is True
    assert report["muscle_names"] == [RIGHT, LEFT]
    for figure in FIGURES:
        assert report[f"{figure}_before"] == [getattr(entry, figure) for entry in result.report.before.values()]
        assert report[f"{figure}_after"] == [getattr(entry, figure) for entry in result.report.after.values()]
    change = report["gain_r"][RIGHT]
    assert change["low"] < change["at_least"] < change["change"] < change["high"]
    assert report["decisions"] == {RIGHT: ADAPTED, LEFT: ADAPTED}


@pytest.mark.slow
def test_calibrate_reports_progress_to_the_end(trained_bundle: Bundle, subject: Recording) -> None:
    reported: list[Progress] = []
    calibrate(trained_bundle, subject, "anna", settings=BRIEF, progress=reported.append)
    assert list(dict.fromkeys(each.phase for each in reported)) == [*PHASES, "done"]
    fractions = [each.fraction for each in reported]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    assert reported[-1].seconds_left == 0.0
    assert np.isfinite(reported[-1].loss)


def test_calibrate_can_be_stopped(trained_bundle: Bundle, subject: Recording) -> None:
    reported: list[Progress] = []
    with pytest.raises(Stopped):
        calibrate(
            trained_bundle, subject, "anna", settings=BRIEF, progress=reported.append, stop=lambda: len(reported) == 5
        )
    assert len(reported) == 5


@pytest.mark.slow
def test_calibrations_have_distinct_ids(trained_bundle: Bundle, subject: Recording) -> None:
    results = [calibrate(trained_bundle, subject, "anna", settings=SETTINGS) for _ in range(2)]
    ids = {result.bundle.calibration_id for result in results if result.bundle}
    assert len(ids) == 2
    assert all(name.startswith("anna-2") for name in ids)


@pytest.mark.parametrize("seconds", [2.5, 13.0])
def test_calibrate_refuses_too_short_recording(trained_bundle: Bundle, subject: Recording, seconds: float) -> None:
    with pytest.raises(BagTooShort, match=f"{subject.name} has {seconds:.1f} s .* at least 14 s"):
        calibrate(trained_bundle, subject.slice(0, round(seconds * subject.rig.rate)), "anna", settings=BRIEF)


@pytest.mark.slow
def test_calibrate_accepts_fourteen_seconds(trained_bundle: Bundle, subject: Recording) -> None:
    recording = subject.slice(0, round(14.1 * subject.rig.rate))
    assert list(calibrate(trained_bundle, recording, "anna", settings=BRIEF).report.muscles) == [RIGHT, LEFT]


def test_calibrate_refuses_another_rig(trained_bundle: Bundle, subject: Recording) -> None:
    with refusal("'other'"):
        calibrate(trained_bundle, replace(subject, rig=replace(subject.rig, name="other")), "anna", settings=BRIEF)


@pytest.mark.parametrize(("names", "any_shape"), [(["a"] * 4, False), (list("abcd"), True)])
def test_calibrate_judges_sensors_turned_back_and_counts_recordings_by_name(
    trained_bundle: Bundle, subject: Recording, monkeypatch: pytest.MonkeyPatch, names: list[str], any_shape: bool
) -> None:
    either = tuple(
        replace(own, either_way="z" if index == 1 else "none") for index, own in enumerate(subject.rig.sensors)
    )
    few = {"subjects": ["1", "2", "3"]}
    base = replace(trained_bundle, rig=replace(trained_bundle.rig, sensors=either), training=few)
    turned = replace(subject, rig=base.rig, imu=subject.imu * signs_of([1], base.rig)).slice(0, len(subject) // 4)
    judged: dict[str, Any] = {}

    def cross_fit(running: object, ways: object, usable: list[Recording], given: list[Recording]) -> None:
        judged["imu"] = [own.imu for own in (*usable, *given)]

    def decide(*arguments: object) -> None:
        judged["any_shape"] = arguments[-1]
        raise Stopped

    monkeypatch.setattr(calibrate_recordings, "cross_fit", cross_fit)
    monkeypatch.setattr(calibrate_recordings, "decide", decide)
    with pytest.raises(Stopped):
        calibrate(base, [replace(turned, name=name) for name in names], "anna")
    for imu in judged["imu"]:
        np.testing.assert_array_equal(imu, subject.imu[: len(imu)])
    assert judged["any_shape"] is any_shape
