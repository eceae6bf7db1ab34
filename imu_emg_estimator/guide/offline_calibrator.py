"""Calibration on this computer, where no node runs: the next start takes what is stored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from imu_emg_estimator.calibration.calibration_store import current_path, store_calibration, undo_choice
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.guide.calibration_outcome import Outcome
from imu_emg_estimator.guide.undo_hint import undo_command
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.progress import Progress


@dataclass(frozen=True)
class OfflineCalibrator:
    """Calibrates in this process.

    Attributes:
        base: bundle that is adapted.
        store: directory of the calibrations.
        request: how bags are read; bags, subject and bundle in use are added to it.
    """

    base: Bundle
    store: Path
    request: CalibrationRequest
    where: str = "on this computer; no node is running"

    def calibrate(self, bag: Path, subject: str, on_progress: Callable[[Progress], None]) -> Outcome:
        """Adapt, judge against what is in use, and store what is better."""
        from imu_emg_estimator.calibration.calibrate_bags import calibrate_bags

        running, _ = current_path(self.store, subject, self.base)
        request = replace(self.request, bags=(bag,), subject=subject, running=running)
        result = calibrate_bags(request, on_progress, base=self.base)
        if result.bundle:
            store_calibration(self.store, result.bundle)
        return Outcome.from_report(result.report)

    def undo(self, subject: str) -> str:
        """Go back to what was in use before; returns its id, empty = the base model."""
        before, _ = undo_choice(self.store, subject, self.base)
        return before.calibration_id if before else ""

    def undo_command(self, subject: str) -> str:
        """Return the command that does the same later."""
        return undo_command(subject, self.store, self.request.bundle)

    def after(self, subject: str) -> str:
        """Say when the result is used."""
        return f"It is used from the next start of the node on, with subject_id:={subject}."
