"""Gaps of one sensor in the rows of the grid: when it is back after one, and when they follow each other."""

from __future__ import annotations

from imu_emg_estimator.signals.grid_alignment import NEVER, SECOND

RETURN_HOLD_NS = SECOND // 5  # a sensor that was away is left out until it has been back for so long
MIN_OUTAGE_NS = SECOND // 10  # of a sensor that was away; shorter gaps end with the next sample
RECURRING_NS = SECOND // 2  # from one gap to the next; some in a row are no accident
MIN_GAPS = 4
FELT_NS = SECOND // 10  # in which estimates still lack what a gap took away


class RowGaps:
    """Follows the gaps of one sensor.

    Attributes:
        is_open: the latest row lacks the sensor.
        is_held: the sensor is left out, in a gap or after one.
        is_felt: estimates still lack what the last gap took away, though the sensor is back.
    """

    __slots__ = (
        "_began", "_count", "_ended", "_held_until", "_is_judged", "_latest", "is_felt", "is_held", "is_open",
    )  # fmt: skip

    def __init__(self) -> None:
        self._began = self._ended = self._latest = self._held_until = NEVER
        self._count = 0  # of those that follow each other
        self._is_judged = False  # the verdict on its samples makes the gap, and has a hold of its own
        self.is_felt = self.is_open = self.is_held = False

    @property
    def recur(self) -> bool:
        """Whether the latest gaps followed each other too often to be accidents."""
        return self._count >= MIN_GAPS

    def note(self, instant: int, is_present: bool, is_masked: bool) -> bool:
        """Take a row that has the sensor or lacks it; return whether that has changed, or the sensor is let in again.

        Args:
            instant: of the row [ns].
            is_masked: its samples are masked for what they are.
        """
        changes = is_present == self.is_open
        if is_present:
            self.is_felt = not self._is_judged and instant - self._ended < FELT_NS
            self.is_open = False
            ends = self.is_held and instant >= self._held_until
            self.is_held = self.is_held and not ends
            self._count *= not (ends and self.recur)
            return changes or ends
        if changes:
            self._begin(instant, is_masked)
        self._is_judged = self._is_judged or is_masked
        self._ended = instant
        if instant - self._began >= MIN_OUTAGE_NS and not self._is_judged:
            self._hold(instant + RETURN_HOLD_NS)
        if self.recur:
            self._hold(instant + RECURRING_NS)
        return changes

    def _begin(self, instant: int, is_masked: bool) -> None:
        self.is_open, self._began, self._is_judged = True, instant, False
        if not is_masked:
            self._count = self._count + 1 if instant - self._latest < RECURRING_NS else 1
            self._latest = instant

    def _hold(self, until: int) -> None:
        self.is_held, self._held_until = True, until
