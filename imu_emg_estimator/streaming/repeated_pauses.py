"""Pauses of the input: a single one is over with the next sample, those that follow each other are one condition."""

from __future__ import annotations

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND

FOLLOWING_NS = 2 * SECOND  # from one pause to another that is no accident
CALM_NS = SECOND  # without a pause, after which they are over


class RepeatedPauses:
    """Follows pauses that are too long for the estimates to be fresh, as between long bursts.

    Attributes:
        longest: of those that follow each other [s].
    """

    def __init__(self) -> None:
        self._latest = NEVER
        self._pauses = self._repeat = False
        self.longest = 0.0

    def note(self, now: int, pause: float) -> None:
        """Note that by now [ns] there has been no fresh input for so many s."""
        if not self._pauses:
            follows = 0 <= now - self._latest < FOLLOWING_NS
            if not (self._repeat and follows):  # the first may be the end of a long silence
                self.longest = 0.0
            self._pauses, self._repeat = True, follows
        self._latest, self.longest = now, max(self.longest, pause)

    def end(self) -> None:
        """Note that there is fresh input."""
        self._pauses = False

    def go_on(self, now: int) -> bool:
        """Whether another pause is to be expected."""
        return self._repeat and 0 <= now - self._latest < CALM_NS
