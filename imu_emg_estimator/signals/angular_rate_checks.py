"""Angular rates in degrees a second, or in two units in turns: told by sums over windows."""

from __future__ import annotations

from imu_emg_estimator.signals.sample_windows import SampleWindows, Vector
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

SHORT = 4  # blocks: 0.2 s
MAX_MEAN_RADPS = 25.0  # over 0.2 s; HuGaDB: 21.7 in 0.1 % (some of its gyroscopes are corrupted); wrists: 7
MIN_JUMPS, MIN_JUMPING_RADPS = 8, 1.0  # of the size in 0.2 s; at rest, noise alone changes it so


class AngularRateChecks:
    """Follows the angular rate of one sensor, block by block."""

    def __init__(self) -> None:
        self._windows = SampleWindows()
        self.reset()

    def reset(self) -> None:
        """Forget all samples."""
        self._windows.reset()
        self._found: SensorState | None = None

    def take(self, instant: int, sample: Vector) -> SensorState | None:
        """Take the finite values [rad/s] of an instant [ns]; return what is wrong, None = nothing."""
        if self._windows.take(instant, sample):
            self._found = self._judge()
        return self._found

    def _judge(self) -> SensorState | None:
        window = self._windows.window(SHORT)
        if window is None:
            return None
        if window.mean_length > MAX_MEAN_RADPS:
            reason = f"turns at {window.mean_length:.0f} rad/s, more than a limb can, as if in degrees a second"
            return SensorState(Verdict.OTHER_UNITS, reason, "have its driver send rad/s (REP 103)", True)
        if window.jumps >= MIN_JUMPS and window.mean_length > MIN_JUMPING_RADPS:
            reason = f"changes its turning from message to message, {window.jumps} times in 0.2 s, as if in two units"
            return SensorState(Verdict.OTHER_UNITS, reason, "let one driver alone send on its topic", True)
        return None
