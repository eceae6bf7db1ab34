"""Tasks of the benchmark's jobs: functions of the recordings and the job that return JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from benchmarks.accuracy import ablations as ablation
from benchmarks.accuracy import adaptation_protocol as adaptation
from benchmarks.accuracy import calibration_protocol as calibration
from benchmarks.accuracy import gait_cycle_protocol as gait_cycle
from benchmarks.accuracy import streaming_protocol as streaming
from benchmarks.accuracy import uncertainty_protocol as uncertainty
from benchmarks.accuracy import verdict_protocol as verdicts
from benchmarks.accuracy import within_subject_reference as within_subject
from benchmarks.accuracy.adaptation_methods import adapt_estimator
from benchmarks.accuracy.ill_posedness import ill_posedness
from benchmarks.accuracy.job_runner import Task
from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.meta_stages import MetaStage, run_stage
from benchmarks.accuracy.models import (
    MODELS,
    Budget,
    Fitted,
    FittedNetwork,
    save,
    tuning_scores,
)
from benchmarks.accuracy.subject_prior import learn_prior
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.model.causal_network import Estimator
from imu_emg_estimator.model.subject_data import trusted_subjects
from imu_emg_estimator.recording import Recording


def tune(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Score one candidate of a model's grid on inner folds of the subjects that are not left out."""
    model = replace(MODELS[job.model], grid=(job.settings["candidate"],))
    kept = training_set(recordings, job)
    (r,) = tuning_scores(model, kept, job.settings["budget"], job.settings["inner_folds"], job.seed)
    return {"r": r}


def train(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Train a model on all subjects but those left out."""
    fit, settings = MODELS[job.model].fit, job.settings
    fitted = fit(training_set(recordings, job), settings["budget"], job.seed, settings["chosen"])
    return _kept(fitted, job, folder)


def learn_to_adapt(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Run the meta-learning stage on the training subjects of the source job's network."""
    fitted = _source_network(job, folder)
    kept = without(recordings, job.left_out)
    subjects = list(trusted_subjects(kept).values())
    stage: MetaStage = job.settings["meta"]
    learned = run_stage(stage.seeded(job.seed), fitted.estimator, subjects, kept[0].rig)
    return _kept(FittedNetwork(learned), job, folder)


def learn_subjects(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Learn the prior of the differences between the training subjects of the source job's network."""
    fitted = _source_network(job, folder)
    kept = without(recordings, job.left_out)
    subjects = list(trusted_subjects(kept).values())
    adaptation.save_prior(
        learn_prior(fitted.estimator, subjects, kept[0].rig, job.settings["film"]), folder.network(job)
    )
    return {}


def score_cycles(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Run the gait-cycle protocol, including the training."""
    return gait_cycle.run_fold(recordings, job.left_out, job.model, job.settings["settings"])


def score_uncertainty(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Measure coverage of the intervals and detections of the alarm; the inner folds are trained here."""
    settings = job.settings

    def train_inner(kept: Sequence[Recording]) -> Estimator:
        budget: Budget = settings["budget"]
        fitted = MODELS[job.model].fit(budget.training_set(kept), budget, job.seed, settings["chosen"])
        assert isinstance(fitted, FittedNetwork)
        return fitted.estimator

    def adapt(estimator: Estimator, calibration: Sequence[Recording]) -> Estimator:
        return adapt_estimator(estimator, calibration, settings["adaptation"])

    estimator = _source_network(job, folder).estimator
    return uncertainty.run_fold(
        recordings, job.left_out, estimator, train_inner, adapt, settings["calibration"], settings["inner_folds"]
    )


def compare_like_motion(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Estimate the share of the activation that motion does not determine, by condition."""
    return {"conditions": ill_posedness(recordings)}


def training_set(recordings: Sequence[Recording], job: Job) -> list[Recording]:
    """Return what a job's model may be trained on."""
    budget: Budget = job.settings["budget"]
    return budget.training_set(without(recordings, job.left_out))


def without(recordings: Sequence[Recording], left_out: Sequence[str]) -> list[Recording]:
    """Return the recordings of all other subjects."""
    return [recording for recording in recordings if recording.subject not in left_out]


def _source_network(job: Job, folder: RunFolder) -> FittedNetwork:
    assert job.source is not None
    fitted = streaming.trained(job.source, folder)
    assert isinstance(fitted, FittedNetwork)  # plans name only networks for this
    return fitted


def _kept(fitted: Fitted, job: Job, folder: RunFolder) -> dict[str, Any]:
    save(fitted, folder.network(job))
    if not isinstance(fitted, FittedNetwork):
        return {"weights": None}
    return {"weights": sum(parameter.numel() for parameter in fitted.estimator.network.parameters())}


TASKS: Mapping[str, Task] = {
    "tune": tune,
    "train": train,
    "meta": learn_to_adapt,
    "prior": learn_subjects,
    "streaming": streaming.run_fold,
    within_subject.WITHIN_SUBJECT: within_subject.run_fold,
    "gait-cycle": score_cycles,
    "adaptation": adaptation.run_fold,
    "ablation": ablation.run_fold,
    "uncertainty": score_uncertainty,
    "ill-posedness": compare_like_motion,
    "calibration": calibration.run_fold,
    "verdicts": verdicts.run_fold,
}
