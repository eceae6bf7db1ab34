"""Scores are of subjects and samples that nothing was learned from, and columns compare like with like."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory, refusal

from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.adapted_bundle import adapt_bundle
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.geglu_transformer import network_of
from imu_emg_estimator.model.offline_estimate import estimate_envelopes, estimate_recording
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.accuracy_metrics import Scores, score
from imu_emg_estimator.training.evaluation import (
    GUARD,
    SHORTEST_SCORED,
    bouts,
    check_unseen,
    evaluate_bundle,
    evaluate_folds,
    evaluate_subject,
    folds_of,
    score_recordings,
    split_for_calibration,
    summarise,
)
from imu_emg_estimator.training.pretraining import TrainingSettings

BRIEF = AdaptationSettings(steps=10, batch=2, sequence=64)
SETTINGS = AdaptationSettings(steps=40, sequence=64, learning_rate=5e-3)
DAY = (
    (("sitting", 5.0), ("walking", 8.0), ("standing", 3.0), ("walking", 1.0), ("standing", 2.0), ("running", 9.0)),
    (("stairs_up", 12.0), ("standing", 8.0)),
    (("walking", 20.0),),
)


@pytest.fixture(scope="module")
def day(make_recording: RecordingFactory) -> list[Recording]:
    """A subject's recordings in order of time; their first IMU channel counts the samples."""
    recordings, count = [], 0
    for index, schedule in enumerate(DAY):
        recording = make_recording(schedule, subject="4", seed=40 + index, emg_delay=0.1)
        imu = recording.imu.copy()
        imu[:, 0, 0] = np.arange(count, count + len(recording))
        recordings.append(replace(recording, name=f"day_{index}", start=1000.0 * index, imu=imu))
        count += len(recording)
    return recordings


def samples(recordings: list[Recording]) -> np.ndarray[Any, Any]:
    return np.concatenate([recording.imu[:, 0, 0] for recording in recordings] or [np.empty(0)]).astype(int)


# what is calibrated on, and what is scored


def test_bouts_are_the_runs_that_are_long_enough() -> None:
    chosen = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    assert bouts(chosen, 1) == [(0, 2), (3, 4), (6, 9)]
    assert bouts(chosen, 2) == [(0, 2), (6, 9)]
    assert bouts(np.zeros(4, bool), 1) == []
    assert bouts(np.ones(4, bool), 4) == [(0, 4)]


@pytest.mark.parametrize("seconds", [5.0, 10.0, 20.0, 30.0])
def test_calibration_is_the_first_locomotion_and_never_scored(day: list[Recording], seconds: float) -> None:
    split = split_for_calibration(day, seconds)
    assert split is not None
    rate = day[0].rig.rate
    used, scored = samples(split.calibration), samples(split.scored)
    assert len(used) == round(seconds * rate)
    assert all(recording.is_locomotion().all() for recording in split.calibration)
    # Of the day's locomotion in bouts of at least 2 s it is the first.
    long = np.concatenate(
        [samples([recording])[start:stop] for recording in day for start, stop in bouts(recording.is_locomotion(), 118)]
    )
    assert used.tolist() == long[: len(used)].tolist()
    # All that is scored comes later, by a guard within the same recording; and all that does is scored.
    same = next(recording for recording in day if used[-1] in samples([recording]))
    expected = np.arange(used[-1] + 1, samples(day)[-1] + 1)
    guarded = np.isin(expected, samples([same])) & (expected <= used[-1] + round(GUARD * rate))
    assert scored.tolist() == expected[~guarded].tolist()


def test_without_calibration_everything_is_scored(day: list[Recording]) -> None:
    split = split_for_calibration(day, 0.0)
    assert split is not None
    assert split.calibration == []
    assert samples(split.scored).tolist() == samples(day).tolist()


def test_too_little_locomotion_gives_no_split(day: list[Recording]) -> None:
    assert split_for_calibration(day, 1000.0) is None
    assert split_for_calibration([day[0].slice(0, 200)], 5.0) is None


# scores


def test_scores_are_the_metrics_of_every_condition(trained_bundle: Bundle, day: list[Recording]) -> None:
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


def test_envelopes_are_activation_times_reference(trained_bundle: Bundle, day: list[Recording]) -> None:
    model = network_of(trained_bundle)
    activation = [estimate_recording(model, trained_bundle.normalisation, recording.imu)[0] for recording in day]
    expected = np.concatenate(activation) * trained_bundle.reference.amplitude
    np.testing.assert_array_equal(estimate_envelopes(trained_bundle, day), expected)


def test_what_is_too_short_or_not_trusted_is_not_scored(trained_bundle: Bundle, day: list[Recording]) -> None:
    short = day[2].slice(0, round(SHORTEST_SCORED * day[2].rig.rate) - 1)
    assert score_recordings(trained_bundle, [short]) == {}
    doubted = replace(day[2], muscle_weight=np.array([0.0, 1.0]))
    assert list(score_recordings(trained_bundle, [doubted])["all"]) == ["vastus_lateralis_left"]
    untrusted = [replace(recording, muscle_weight=np.zeros(2)) for recording in day]
    assert score_recordings(trained_bundle, untrusted) == {}
    assert evaluate_subject(trained_bundle, untrusted, [0.0], BRIEF) == {}


def test_all_amounts_of_calibration_are_scored_on_the_same_samples(
    trained_bundle: Bundle, day: list[Recording]
) -> None:
    result = evaluate_subject(trained_bundle, day, [20.0, 0.0, 5.0], BRIEF)
    assert list(result) == ["0", "5", "20"]
    counts = [{c: {m: s.samples for m, s in by.items()} for c, by in result[key].items()} for key in result]
    assert counts[0] == counts[1] == counts[2]
    split = split_for_calibration(day, 20.0)
    assert split is not None
    assert result["0"] == score_recordings(trained_bundle, split.scored)
    assert result["20"] == score_recordings(adapt_bundle(trained_bundle, split.calibration, BRIEF), split.scored)


def test_scored_emg_does_not_touch_the_calibration(trained_bundle: Bundle, day: list[Recording]) -> None:
    """Poison what is scored: with r that ignores scale, a network that never saw it scores the same."""
    split = split_for_calibration(day, 10.0)
    assert split is not None
    later = set(samples(split.scored).tolist())
    poisoned = [
        replace(each, envelope=np.where(np.isin(samples([each]), list(later))[:, None], 2.0, 1.0) * each.envelope)
        for each in day
    ]
    honest, other = (evaluate_subject(trained_bundle, each, [10.0], BRIEF)["10"]["all"] for each in (day, poisoned))
    for muscle in honest:
        assert other[muscle].r == pytest.approx(honest[muscle].r, abs=1e-9)
        assert other[muscle].r2 != honest[muscle].r2


def test_calibration_helps_a_subject_of_another_kind(trained_bundle: Bundle, make_recording: RecordingFactory) -> None:
    subject = make_recording([("walking", 60.0)], seed=20, emg_delay=0.15)
    result = evaluate_subject(trained_bundle, [subject], [0.0, 30.0], SETTINGS)
    for muscle, after in result["30"]["walking"].items():
        assert after.r > 0.85 > 0.6 > result["0"]["walking"][muscle].r


def test_subjects_are_scored_each_alone_by_any_number_of_workers(
    make_bundle: BundleFactory, day: list[Recording], make_recording: RecordingFactory
) -> None:
    bundle = make_bundle()
    other = make_recording([("walking", 20.0)], subject="5", seed=50)
    lying = make_recording([("lying", 20.0)], subject="6", seed=60)
    told: list[tuple[int, int]] = []

    def progress(done: int, total: int) -> None:
        told.append((done, total))

    alone = evaluate_bundle(bundle, [*day, other, lying], [5.0], BRIEF, progress=progress)
    assert list(alone) == ["4", "5"]
    assert alone["4"] == evaluate_subject(bundle, day, [5.0], BRIEF)
    assert told[-1] == (3, 3)
    assert evaluate_bundle(bundle, [*day, other, lying], [5.0], BRIEF, workers=2) == alone


# unseen subjects


def test_subject_that_was_trained_on_is_refused(trained_bundle: Bundle) -> None:
    with refusal(trained_bundle.model_id, "synthetic subject 2"):
        check_unseen(trained_bundle, "synthetic", ["7", "2", "8"])
    check_unseen(trained_bundle, "synthetic", ["7", "8"])
    check_unseen(trained_bundle, "another data set", ["2"])


@pytest.mark.parametrize("folds", [2, 3, 7])
def test_folds_hold_every_subject_once(folds: int) -> None:
    subjects = [str(number) for number in range(7)]
    parts = folds_of(subjects, folds)
    assert len(parts) == folds
    assert sorted(name for part in parts for name in part) == subjects
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("folds", [0, 1, 8, -1])
def test_impossible_folds_are_refused(folds: int) -> None:
    with refusal(str(folds), "7"):
        folds_of([str(number) for number in range(7)], folds)


def test_every_fold_scores_subjects_that_it_did_not_train_on(make_recording: RecordingFactory) -> None:
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


# the report


def test_summary_is_the_mean_over_muscles_and_then_over_subjects() -> None:
    def subject(*r: float) -> dict[str, Any]:
        muscles = {f"muscle_{index}": Scores(value, value - 1, 2 * value, 100) for index, value in enumerate(r)}
        return {"0": {"all": muscles}, "30": {"all": muscles, "walking": muscles}}

    summary = json.loads(json.dumps(summarise({"1": subject(0.2, 0.4), "2": subject(0.9)})))
    assert summary["mean"]["0"]["all"] == pytest.approx({"r": 0.6, "r2": -0.4, "nrmse": 1.2, "subjects": 2})
    assert summary["mean"]["30"]["walking"]["r"] == pytest.approx(0.6)
    own = summary["subjects"]["1"]["30"]["all"]
    assert own["mean"]["r"] == pytest.approx(0.3)
    assert own["muscles"]["muscle_1"] == {"r": 0.4, "r2": -0.6, "nrmse": 0.8, "samples": 100}


@pytest.mark.filterwarnings("error")
def test_figures_that_are_not_defined_are_left_out_of_the_mean() -> None:
    unknown, known = Scores(np.nan, np.nan, np.nan, 5), Scores(0.5, 0.5, 0.5, 5)
    scores = {"1": {"0": {"all": {"a": unknown, "b": known}}}, "2": {"0": {"all": {"a": unknown, "b": unknown}}}}
    summary = summarise(scores)
    assert summary["mean"]["0"]["all"]["r"] == 0.5
    assert np.isnan(summary["subjects"]["2"]["0"]["all"]["mean"]["r"])
