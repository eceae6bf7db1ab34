"""Within-subject reference: the accuracy of such a model with the subject's own other recordings in training.

No calibration can be expected to exceed it on this EMG, so scores are also given as shares of it.
The network of the subject's fold, trained on all other subjects, is adapted to half of the subject's data, and scored
on the other half; then vice versa. The halves are alternate recordings of each activity; of an activity with one
recording only, that one is cut in the middle.

It is adapted by whichever does better between halves of the half that it may see: long training of all weights, or
the few-shot adaptation. Where motion tells little, the former learns what does not recur, and would lie below few-shot.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.accuracy.adaptation_methods import MethodSettings
from benchmarks.accuracy.jobs import Job
from benchmarks.accuracy.models import Fitted, locomotion_r
from benchmarks.accuracy.streaming_protocol import comparable_split, score_estimate, trained
from benchmarks.run_folder import RunFolder
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.subject_data import by_subject
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.data_splits import GUARD_S

WITHIN_SUBJECT, WITHIN_SUBJECT_NAME = "within_subject", "within-subject reference"
LONG = MethodSettings(method="all_weights", steps=600, batch=16, anchor=0.003)


def run_fold(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Score the within-subject reference of the subjects who were not trained on by the source job's network.

    Settings of the job: ``seconds`` as in the streaming protocol, whose samples are scored; ``ways`` to adapt, of which
    one is chosen.
    """
    assert job.source is not None
    fitted = trained(job.source, folder)
    left_out = by_subject([recording for recording in recordings if recording.subject in job.left_out])
    scored = {
        subject: score_subject(fitted, group, job.settings["seconds"], job.settings["ways"])
        for subject, group in left_out.items()
    }
    return {"subjects": {subject: outcome for subject, outcome in scored.items() if outcome}}


def score_subject(
    fitted: Fitted, recordings: Sequence[Recording], seconds: Collection[float], ways: Sequence[AdaptationSettings]
) -> dict[str, Any] | None:
    """Score one subject, both halves pooled, on the samples of the streaming protocol.

    That protocol's calibration is in the training data of either half: it is never scored.

    Returns:
        ``scores``, and ``ways``: the index of the way that each half chose.
    """
    split = comparable_split(recordings, seconds)
    if split is None:
        return None
    half = halves(split.scored)
    estimated = np.full((len(half), len(recordings[0].rig.muscles)), np.nan)
    taken = []
    for scored_half in (0, 1):
        own = [*split.calibration, *_pieces(split.scored, half == 1 - scored_half)]
        taken.append(_better_way(fitted, own, ways))
        chosen = half == scored_half
        estimated[chosen] = fitted.adapted(own, ways[taken[-1]]).estimate(split.scored)[chosen]
    return {"scores": {WITHIN_SUBJECT: score_estimate(split.scored, estimated)}, "ways": taken}


def _better_way(fitted: Fitted, own: Sequence[Recording], ways: Sequence[AdaptationSettings]) -> int:
    """Return the index of the way that, adapted to one half of these recordings, has the higher r on the other.

    The first one where a half is too short to adapt to.
    """
    half = halves(own)
    first, second = (_pieces(own, half == number) for number in (0, 1))
    try:
        r = [locomotion_r(fitted.adapted(first, way), second) for way in ways]
    except InputError:
        return 0
    return int(np.argmax(np.nan_to_num(r, nan=-1.0)))


def halves(recordings: Sequence[Recording]) -> NDArray[np.int_]:
    """Assign every sample [samples] of one subject's concatenated recordings to half 0 or 1."""
    by_activity: dict[str, list[int]] = defaultdict(list)
    for index, recording in enumerate(recordings):
        names, counts = np.unique(recording.condition, return_counts=True)
        by_activity[str(names[np.argmax(counts)])].append(index)
    parts = [np.zeros(len(recording), int) for recording in recordings]
    for indices in by_activity.values():
        for place, index in enumerate(indices):
            parts[index][:] = place % 2
        if len(indices) == 1:
            parts[indices[0]][len(parts[indices[0]]) // 2 :] = 1
    return np.concatenate(parts)


def _pieces(recordings: Sequence[Recording], chosen: NDArray[np.bool_]) -> list[Recording]:
    """Select samples as recordings, without those that the envelope's filter shares with the other half."""
    pieces = []
    first = 0
    for recording in recordings:
        own = chosen[first : first + len(recording)]
        first += len(recording)
        edges = np.flatnonzero(np.diff(np.concatenate([[0], own.astype(np.int8), [0]])))
        guard = round(GUARD_S * recording.rig.rate)
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            start, stop = start + guard * (start > 0), stop - guard * (stop < len(recording))
            if stop > start:
                pieces.append(recording.slice(int(start), int(stop)))
    return pieces
