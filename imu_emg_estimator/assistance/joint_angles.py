"""The newest angles of those joints whose moment arms depend on them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

BEYOND_TABLE_RAD = 0.2  # an angle that is farther beyond the tables is in other units, or of another joint


class JointAngles:
    """Keeps an angle for every joint, and knows when one is missing.

    An angle counts for ``timeout`` s. One that is not finite, far beyond the table, old or from the future is passed
    over, so that it is missing when none better follows.
    """

    def __init__(self, ranges: Mapping[str, tuple[float, float]], timeout: float, max_ahead: float) -> None:
        """Expect angles of these joints.

        Args:
            ranges: lowest and highest angle of the tables [rad], by joint.
            timeout: s.
            max_ahead: s that a timestamp may be in the future.
        """
        self._ranges = dict(ranges)
        self._timeout, self._max_ahead = timeout, max_ahead
        self._angles = {joint: lowest for joint, (lowest, _) in ranges.items()}  # until one comes
        self._silence = dict.fromkeys(ranges, math.inf)

    def receive(self, names: Sequence[str], positions: Sequence[float], timestamp: float, now: float) -> None:
        """Take what is usable of a JointState.

        Args:
            timestamp: on the clock of ``now`` [s]; 0 = it has none.
            now: [s].
        """
        if timestamp and not -self._max_ahead <= now - timestamp <= self._timeout:
            return
        for name, position in zip(names, positions, strict=False):
            if name in self._ranges and self._is_plausible(name, position):
                self._angles[name], self._silence[name] = float(position), 0.0

    def advance(self, elapsed: float) -> str:
        """Let s pass; return the name of a joint whose angle is missing, empty = none is."""
        missing = ""
        for name in self._silence:
            self._silence[name] += elapsed
            if not self._silence[name] <= self._timeout:
                missing = name
        return missing

    def angle(self, joint: str) -> float:
        """Return the newest angle of a joint [rad]; one that means nothing if it has no table, or none has come yet."""
        return self._angles.get(joint, 0.0)

    def _is_plausible(self, name: str, position: float) -> bool:
        lowest, highest = self._ranges[name]
        return lowest - BEYOND_TABLE_RAD <= position <= highest + BEYOND_TABLE_RAD
