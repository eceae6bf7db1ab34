"""Protocol `adaptation`: what each way to adapt makes of how many seconds of calibration."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from imu_emg_estimator.benchmark.jobs import Job, RunFolder
from imu_emg_estimator.benchmark.models import load
from imu_emg_estimator.benchmark.streaming import score_wearer
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.pretrain import by_subject

SECONDS = (0.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0)


def run_fold(recordings: Sequence[Recording], job: Job, folder: RunFolder) -> dict[str, Any]:
    """Adapt the source job's network to each left-out wearer by one method, on each amount of calibration.

    Settings of the job: ``seconds``, ``adaptation`` (AdaptationSettings with the method).
    """
    assert job.source is not None
    fitted = load(folder.network(job.source))
    left_out = by_subject([recording for recording in recordings if recording.subject in job.left_out])
    scored = {
        subject: score_wearer(fitted, group, job.settings["seconds"], job.settings["adaptation"], shown=False)
        for subject, group in left_out.items()
    }
    return {"wearers": {subject: outcome for subject, outcome in scored.items() if outcome}}
