"""Protocol `calibration`: improvement by `imu-emg calibrate` on subjects who were not trained on.

Bags of several lengths and activities are cut from a subject's recordings and calibrated on (verdicts, decisions
and all), and the result is scored on what was not in the bag.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.models import FittedNetwork
from benchmarks.accuracy.streaming_protocol import Figures, score_estimate, trained
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.calibration.calibrate_recordings import calibrate
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle, Reference
from imu_emg_estimator.model.causal_network import Estimator, weights_of
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings
from imu_emg_estimator.signals.masked_imu_features import Normalisation, fit_normalisation
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.data_splits import GUARD_S, MIN_BOUT_S
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution

WALKING, STAIRS, RUNNING = ("walking",), ("stairs_up", "stairs_down"), ("running",)
LEAD_S = 3.5  # before a bout: the networks' receptive field
TOLERATED_LOSS = 0.01  # of r
WITHOUT_EMG = "walking, 30 s, no EMG"  # in this row, only the input's scale is calibrated
SHOWN = ("all", "locomotion")


@dataclass(frozen=True)
class Bag:
    """Activities and duration of a calibration recording.

    Attributes:
        name: of the activities, for people.
        parts: groups of activities that share the time equally, as far as the subject has them.
        seconds: in all.
    """

    name: str
    parts: tuple[tuple[str, ...], ...]
    seconds: float

    def __str__(self) -> str:
        return f"{self.name}, {self.seconds:g} s"


MAIN = Bag("walking", (WALKING,), 30.0)  # the recommended calibration
BAGS = (
    MAIN,
    Bag("walking", (WALKING,), 60.0),
    Bag("running", (RUNNING,), 30.0),
    Bag("walking, stairs and running", (WALKING, STAIRS, RUNNING), 60.0),
)


@dataclass(frozen=True)
class Cut:
    """A bag cut from a subject's recordings.

    Attributes:
        recordings: of the bag.
        used: [samples] of every recording, those in the bag or too close to it to be scored.
    """

    recordings: list[Recording]
    used: list[NDArray[np.bool_]]


def run_fold(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Calibrate on every bag of every subject who was not trained on by the source job's network.

    Settings of the job: ``bags``, ``adaptation`` (AdaptationSettings).
    """
    base, left_out = base_and_left_out(recordings, job, folder)
    return {
        "subjects": {
            subject: score_bags(base, group, job.settings["bags"], job.settings["adaptation"])
            for subject, group in left_out.items()
        }
    }


def base_and_left_out(
    recordings: Sequence[Recording], job: Job, folder: RunFolder
) -> tuple[Bundle, dict[str, list[Recording]]]:
    """Return the source job's network as a bundle, and the recordings of each subject who was not trained on."""
    assert job.source is not None
    fitted = trained(job.source, folder)
    assert isinstance(fitted, FittedNetwork)
    known = [recording for recording in recordings if recording.subject not in job.left_out]
    base = bundle_of(fitted.estimator, known, fit_distribution(known))
    return base, by_subject([recording for recording in recordings if recording.subject in job.left_out])


def bundle_of(estimator: Estimator, known: Sequence[Recording], distribution: Distribution | None) -> Bundle:
    """Make a bundle of a trained network, as a release would."""
    return Bundle(
        name="left_out",
        config=estimator.network.config,
        rig=known[0].rig,
        envelope=EnvelopeSettings(),
        normalisation=estimator.normalisation,
        reference=Reference(tuple(map(float, estimator.amplitude)), known[0].envelope_unit, "of the training subjects"),
        weights=weights_of(estimator.network),
        training={"subjects": list(by_subject(known))},
        distribution=distribution,
    )


def score_bags(
    base: Bundle,
    recordings: Sequence[Recording],
    bags: Sequence[Bag],
    settings: AdaptationSettings = AdaptationSettings(),
) -> dict[str, Any]:
    """Calibrate on every bag that can be cut from one subject's recordings; empty without trusted EMG.

    Returns:
        By name of the bag: ``decisions``, ``left_out``, ``sentences``, ``message``, ``seconds`` of computing, and
        ``rest`` and ``common`` with figures before and after on what was not in this bag, and on what was in none.
    """
    if not (recordings[0].muscle_weight > 0).any():
        return {}
    cuts = {bag: cut for bag in bags if (cut := cut_bag(recordings, bag)) is not None}
    before = estimate_envelopes(base, recordings)
    common = [np.asarray(np.any(used, axis=0)) for used in zip(*(cut.used for cut in cuts.values()), strict=True)]
    result: dict[str, Any] = {}
    for bag, cut in cuts.items():
        verdict, after, start = {}, before, time.monotonic()
        try:
            outcome = calibrate(base, cut.recordings, recordings[0].subject, settings=settings)
        except InputError as error:
            verdict = {"message": str(error), "decisions": {}, "left_out": [], "sentences": []}
        else:
            verdict = {
                "message": outcome.report.message,
                "decisions": {name: muscle.decision for name, muscle in outcome.report.muscles.items()},
                "left_out": outcome.quality.left_out,
                "sentences": outcome.quality.sentences,
            }
            after = before if outcome.bundle is None else estimate_envelopes(outcome.bundle, recordings)
        result[str(bag)] = {"seconds": time.monotonic() - start, **verdict} | _compared(
            recordings, cut, common, before, after
        )
        if bag == MAIN:
            own = replace(base, normalisation=fit_normalisation([recording.imu for recording in cut.recordings]))
            own = replace(own, normalisation=_as_used(own, base))
            after = estimate_envelopes(own, recordings)
            result[WITHOUT_EMG] = _compared(recordings, cut, common, before, after)
    return result


def cut_bag(recordings: Sequence[Recording], bag: Bag, skip: float = 0.0) -> Cut | None:
    """Cut a subject's first seconds of the bag's activities; None with too few of them.

    The samples just before a bout are included without EMG, as input: a real bag is recorded in one piece.

    Args:
        skip: seconds of each activity to skip first.
    """
    rate = recordings[0].rig.rate
    parts = [part for part in bag.parts if _seconds(recordings, part) > skip]
    if not parts:
        return None
    used: list[NDArray[np.bool_]] = [np.zeros(len(recording), dtype=bool) for recording in recordings]
    chosen: list[tuple[int, int, int]] = []
    for part in parts:
        passed, missing = round(skip * rate), round(bag.seconds / len(parts) * rate)
        for index, recording in enumerate(recordings):
            for start, stop in true_runs(np.isin(recording.condition, part), round(MIN_BOUT_S * rate)):
                begin = min(stop, start + passed)
                passed -= begin - start
                end = min(stop, begin + missing)
                if end > begin:
                    chosen.append((index, begin, end))
                    missing -= end - begin
        if missing > 0:
            return None
    cut = []
    guard, lead = round(GUARD_S * rate), round(LEAD_S * rate)
    for index, begin, end in sorted(chosen):
        used[index][max(0, begin - guard) : end + guard] = True
        piece = recordings[index].slice(max(0, begin - lead), end)
        envelope = piece.envelope.copy()
        envelope[: begin - max(0, begin - lead)] = np.nan
        cut.append(replace(piece, envelope=envelope))
    return Cut(cut, used)


def _seconds(recordings: Sequence[Recording], activities: Sequence[str]) -> float:
    """Find the samples of these activities, in bouts of at least so many seconds."""
    rate = recordings[0].rig.rate
    found = (true_runs(np.isin(one.condition, activities), round(MIN_BOUT_S * rate)) for one in recordings)
    return sum(stop - start for parts in found for start, stop in parts) / rate


def _compared(
    recordings: Sequence[Recording],
    cut: Cut,
    common: Sequence[NDArray[np.bool_]],
    before: FloatArray,
    after: FloatArray,
) -> dict[str, Any]:
    return {
        "rest": _scores(recordings, cut.used, before, after),
        "common": _scores(recordings, common, before, after),
    }


def _scores(
    recordings: Sequence[Recording], used: Sequence[NDArray[np.bool_]], before: FloatArray, after: FloatArray
) -> dict[str, Figures]:
    """Score before and after on the samples outside the bag."""
    kept = [
        replace(recording, envelope=np.where(in_bag[:, None], np.nan, recording.envelope))
        for recording, in_bag in zip(recordings, used, strict=True)
    ]
    return {"before": score_estimate(kept, before), "after": score_estimate(kept, after)}


def _as_used(own: Bundle, base: Bundle) -> Normalisation:
    """Fit the subject's own normalisation if the base has one; channels that the base lacks stay masked."""
    used = base.normalisation.used & own.normalisation.used
    return Normalisation(np.where(used, own.normalisation.mean, np.nan), np.where(used, own.normalisation.std, np.nan))


# summary


def summarise(outcomes: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Summarise by bag: changes of r and R² over subjects, losses, decisions and times."""
    subjects = {name: bags for outcome in outcomes for name, bags in outcome["subjects"].items()}
    names = [*map(str, BAGS), WITHOUT_EMG]
    known = {name: {who: bags[name] for who, bags in subjects.items() if name in bags} for name in names}
    return {name: _summary(by_subject) for name, by_subject in known.items() if by_subject}


def _summary(by_subject: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    decided = Counter(what for bag in by_subject.values() for what in bag.get("decisions", {}).values())
    seconds = [bag["seconds"] for bag in by_subject.values() if "seconds" in bag]
    return {
        "subjects": len(by_subject),
        "changes": {
            part: {condition: _changed(by_subject, part, condition) for condition in SHOWN}
            for part in ("rest", "common")
        },
        "decisions": dict(decided),
        "seconds": float(np.median(seconds)) if seconds else None,
        "left_out": {who: bag["left_out"] for who, bag in by_subject.items() if bag.get("left_out")},
        "messages": {who: bag["message"] for who, bag in by_subject.items() if "message" in bag},
    }


def _changed(by_subject: Mapping[str, Mapping[str, Any]], part: str, condition: str) -> dict[str, Any]:
    r = {who: changes(bag[part], condition) for who, bag in by_subject.items()}
    r = {who: change for who, change in r.items() if np.isfinite(change)}
    r2 = [changes(bag[part], condition, "r2") for bag in by_subject.values()]
    before = [figure_of(bag[part]["before"], condition) for bag in by_subject.values()]
    return {
        "r_before": _mean(before),
        "r": _mean(list(r.values())),
        "r2": _mean(r2),
        "least_r": min(r.values(), default=float("nan")),
        "made_worse": {who: change for who, change in r.items() if change < -TOLERATED_LOSS},
        "subjects": r,
    }


def changes(scores: Mapping[str, Figures], condition: str, figure: str = "r") -> float:
    """Return the change of a figure in a condition, mean over muscles; NaN where unknown."""
    before, after = (figure_of(scores[when], condition, figure) for when in ("before", "after"))
    return after - before


def figure_of(figures: Figures, condition: str, figure: str = "r") -> float:
    """Return a figure in a condition, mean over muscles; NaN where unknown."""
    values = [muscle[figure] for muscle in figures.get(condition, {}).values()]
    return float(np.mean(values)) if values and None not in values else float("nan")


def _mean(values: Sequence[float]) -> float:
    known = [value for value in values if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")
