"""Calibration on this computer, where no node runs: the next start takes what is stored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from imu_emg_estimator.calibration.calibration_store import current_calibration, store_calibration, undo_choice
from imu_emg_estimator.guide.calibration_outcome import Outcome
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.progress import Progress

if TYPE_CHECKING:
    from collections.abc import Callable

    from imu_emg_estimator.calibration.calibration_bags import BagReading


@dataclass(frozen=True)
class OfflineCalibrator:
    """Calibrates in this process.

    Attributes:
        base: bundle that is adapted.
        store: directory of the calibrations.
        reading: gives how bags are read; called when torch is there.
        method: of the adaptation; empty = the package's.
        threads: of the training.
    """

    base: Bundle
    store: Path
    reading: Callable[[], BagReading]
    method: str = ""
    threads: int = 1
    where: str = "on this computer; no node is running"

    def calibrate(self, bag: Path, subject: str, tell: Callable[[Progress], None]) -> Outcome:
        """Adapt, judge against what is in use, and store what is better."""
        import torch

        from imu_emg_estimator.calibration.adaptation import check_method
        from imu_emg_estimator.calibration.calibration_bags import calibrate_on_bags

        torch.set_num_threads(self.threads)
        running, _ = current_calibration(self.store, subject, self.base)
        check_method(self.method)
        result, _ = calibrate_on_bags(self.base, [bag], subject, running, progress=tell, reading=self.reading())
        if result.bundle:
            store_calibration(self.store, result.bundle)
        return Outcome.from_report(result.to_dict())

    def undo(self, subject: str) -> str:
        """Go back to what was in use before; says what that is."""
        before, _ = undo_choice(self.store, subject, self.base)
        return before.calibration_id if before else ""

    def after(self, subject: str) -> str:
        """When the result is used."""
        return f"It is used from the next start of the node on, with subject_id:={subject}."
