"""Scores are of subjects and samples that nothing was learned from, and columns compare like with like."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory, refusal, subject_scores
from fixtures.numbered_day import sample_numbers

from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.calibrate_recordings import calibrate
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import network_of
from imu_emg_estimator.model.offline_estimate import estimate_envelopes, estimate_recording
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.accuracy_metrics import Scores, score
from imu_emg_estimator.training.data_splits import split_for_calibration
from imu_emg_estimator.training.evaluation import (
    MIN_SCORED_S,
    check_unseen,
    evaluate_bundle,
    evaluate_folds,
    evaluate_subject,
    muscle_r,
    score_recordings,
    summarise,
)
from imu_emg_estimator.training.pretraining import TrainingSettings

BRIEF = AdaptationSettings(steps=10, batch=2, sequence=64)
SETTINGS = AdaptationSettings(steps=40, sequence=64, learning_rate=5e-3)


def test_score_recordings_scores_every_condition(trained_bundle: Bundle, day: list[Recording]) -> None:
    result = score_recordings(trained_bundle, day)
    estimated = estimate_envelopes(trained_bundle, day)
    measured = np.concatenate([recording.envelope for recording in day])
    condition = np.concatenate([recording.condition for recording in day])
    assert set(result) == {"all", "locomotion", "walking", "running", "stairs_up"}
    for index, muscle in enumerate(trained_bundle.rig.muscle_names):
        assert result["all"][muscle] == score(measured[:, index], estimated[:, index])
        walking = condition == "walking"
        assert result["walking"][muscle] == score(measured[walking, index], estimated[walking, index])
        moving = np.isin(condition, ["walking", "running", "stairs_up", "stairs_down"])
        assert result["locomotion"][muscle] == score(measured[moving, index], estimated[moving, index])


def test_estimate_envelopes_is_activation_times_reference(trained_bundle: Bundle, day: list[Recording]) -> None:
    model = network_of(trained_bundle)
    activation = [estimate_recording(model, trained_bundle.normalisation, recording.imu)[0] for recording in day]
    expected = np.concatenate(activation) * trained_bundle.reference.amplitude
    np.testing.assert_array_equal(estimate_envelopes(trained_bundle, day), expected)


def test_score_recordings_leaves_out_short_conditions_and_untrusted_muscles(
    trained_bundle: Bundle, day: list[Recording]
) -> None:
    short = day[2].slice(0, round(MIN_SCORED_S * day[2].rig.rate) - 1)
    assert score_recordings(trained_bundle, [short]) == {}
    doubted = replace(day[2], muscle_weight=np.array([0.0, 1.0]))
    assert list(score_recordings(trained_bundle, [doubted])["all"]) == ["vastus_lateralis_left"]
    untrusted = [replace(recording, muscle_weight=np.zeros(2)) for recording in day]
    assert score_recordings(trained_bundle, untrusted) == {}
    assert evaluate_subject(trained_bundle, untrusted, [0.0], BRIEF) == {}


@pytest.mark.slow
def test_evaluate_subject_scores_same_samples_for_all_amounts(trained_bundle: Bundle, day: list[Recording]) -> None:
    result = evaluate_subject(trained_bundle, day, [20.0, 0.0, 5.0], BRIEF)
    assert list(result) == ["0", "5", "20"]
    counts = [{c: {m: s.samples for m, s in by.items()} for c, by in result[key].items()} for key in result]
    assert counts[0] == counts[1] == counts[2]
    split = split_for_calibration(day, 20.0)
    assert split is not None
    assert result["0"] == score_recordings(trained_bundle, split.scored)
    service = calibrate(trained_bundle, split.calibration, day[0].subject, settings=BRIEF).bundle
    assert service is not None
    assert result["20"] == score_recordings(service, split.scored) != result["0"]
    assert result["5"] == result["0"]  # the service refuses so little


@pytest.mark.slow
def test_evaluate_subject_does_not_calibrate_on_scored_emg(trained_bundle: Bundle, day: list[Recording]) -> None:
    """Poison what is scored: r ignores scale, so a network without access to it scores the same."""
    split = split_for_calibration(day, 20.0)
    assert split is not None
    later = set(sample_numbers(split.scored).tolist())
    poisoned = [
        replace(
            each, envelope=np.where(np.isin(sample_numbers([each]), list(later))[:, None], 2.0, 1.0) * each.envelope
        )
        for each in day
    ]
    honest, other = (evaluate_subject(trained_bundle, each, [20.0], BRIEF)["20"]["all"] for each in (day, poisoned))
    for muscle in honest:
        assert other[muscle].r == pytest.approx(honest[muscle].r, abs=1e-9)
        assert other[muscle].r2 != honest[muscle].r2


@pytest.mark.slow
def test_evaluate_subject_scores_better_after_calibration(
    trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    subject = make_recording([("walking", 60.0)], seed=20, emg_delay=0.15)
    result = evaluate_subject(trained_bundle, [subject], [0.0, 30.0], SETTINGS)
    for muscle, after in result["30"]["walking"].items():
        assert after.r > 0.85 > 0.6 > result["0"]["walking"][muscle].r


@pytest.mark.slow
def test_evaluate_bundle_does_not_depend_on_workers(
    make_bundle: BundleFactory, day: list[Recording], make_recording: RecordingFactory
) -> None:
    bundle = make_bundle()
    other = make_recording([("walking", 20.0)], subject="5", seed=50)
    lying = make_recording([("lying", 20.0)], subject="6", seed=60)
    calls: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        calls.append((done, total))

    alone = evaluate_bundle(bundle, [*day, other, lying], [5.0], BRIEF, progress=progress)
    assert list(alone) == ["4", "5"]
    assert alone["4"] == evaluate_subject(bundle, day, [5.0], BRIEF)
    assert calls[-1] == (3, 3)
    assert evaluate_bundle(bundle, [*day, other, lying], [5.0], BRIEF, workers=2) == alone


def test_check_unseen_refuses_subjects_of_the_training(trained_bundle: Bundle) -> None:
    with refusal(trained_bundle.model_id, "synthetic subject 2"):
        check_unseen(trained_bundle, "synthetic", ["7", "2", "8"])
    check_unseen(trained_bundle, "synthetic", ["7", "8"])
    check_unseen(trained_bundle, "another data set", ["2"])


def test_evaluate_folds_scores_left_out_subjects(make_recording: RecordingFactory) -> None:
    subjects = [
        make_recording([("walking", 12.0)], subject=name, seed=seed) for seed, name in enumerate(["8", "2", "11"])
    ]
    training = TrainingSettings(steps=2, batch=2, sequence=32)
    scores, bundles = evaluate_folds(subjects, 2, "synthetic", [0.0], training, BRIEF)
    assert list(scores) == ["8", "2", "11"]
    assert [bundle.training["subjects"] for bundle in bundles] == [["2"], ["11", "8"]]
    assert [bundle.name for bundle in bundles] == ["synthetic_without_8_11", "synthetic_without_2"]
    for bundle, left_out in zip(bundles, (["8", "11"], ["2"]), strict=True):
        check_unseen(bundle, "synthetic", left_out)
        for name in left_out:
            own = [recording for recording in subjects if recording.subject == name]
            assert scores[name]["0"] == score_recordings(bundle, own)


def test_summarise_averages_over_muscles_then_subjects() -> None:
    def subject(*r: float) -> dict[str, Any]:
        muscles = {f"muscle_{index}": Scores(value, value - 1, 2 * value, 100) for index, value in enumerate(r)}
        return {"0": {"all": muscles}, "30": {"all": muscles, "walking": muscles}}

    summary = json.loads(json.dumps(summarise({"1": subject(0.2, 0.4), "2": subject(0.9)})))
    assert summary["mean"]["0"]["all"] == pytest.approx({"r": 0.6, "r2": -0.4, "nrmse": 1.2, "subjects": 2})
    assert summary["mean"]["30"]["walking"]["r"] == pytest.approx(0.6)
    own = summary["subjects"]["1"]["30"]["all"]
    assert own["mean"]["r"] == pytest.approx(0.3)
    assert own["muscles"]["muscle_1"] == {"r": 0.4, "r2": -0.6, "nrmse": 0.8, "samples": 100}


def test_muscle_r_is_the_mean_over_subjects_after_the_longest_calibration_of_each() -> None:
    before, after, other = (subject_scores(r)["0"] for r in (0.2, 0.4, 0.6))
    scores = {"1": {"0": before, "30": after}, "2": {"0": other}, "3": subject_scores(0.9, "sitting")}
    assert muscle_r(scores, "locomotion") == {"vastus": pytest.approx(0.5)}


@pytest.mark.filterwarnings("error")
def test_summarise_ignores_undefined_figures() -> None:
    unknown, known = Scores(np.nan, np.nan, np.nan, 5), Scores(0.5, 0.5, 0.5, 5)
    scores = {"1": {"0": {"all": {"a": unknown, "b": known}}}, "2": {"0": {"all": {"a": unknown, "b": unknown}}}}
    summary = summarise(scores)
    assert summary["mean"]["0"]["all"]["r"] == 0.5
    assert np.isnan(summary["subjects"]["2"]["0"]["all"]["mean"]["r"])
