"""StatusLog: says once, in the node's log, that a status or a sensor's verdict is entered and left, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict
from imu_emg_estimator.streaming.activation_status import NAMES, OK, WARMING_UP

QUIET_S = 5.0  # between two entries of one kind, should it come and go
MIN_VERDICT_S = 0.1  # for which a verdict must stand to be said
WITHOUT_WARNING = (OK, WARMING_UP)

Say = Callable[[str, bool], None]


class StatusLog:
    """Follows the status and the verdicts; what flickers is said once in ``QUIET_S``.

    Args:
        say: takes a text, and whether it is a warning.
        sensors: names, with their topics, in the order of the rig.
    """

    def __init__(self, say: Say, sensors: Sequence[str]) -> None:
        self._say, self._sensors = say, sensors
        self._status: int | None = None  # that was last said, and since when
        self._status_since = 0.0
        self._said: dict[object, float] = {}  # when an entry of a kind was last made [s]
        self._verdicts = [Verdict.OK] * len(sensors)  # that were last said, and since when
        self._verdicts_since = [0.0] * len(sensors)
        self._states: tuple[SensorState, ...] = (GOOD,) * len(sensors)
        self._changed = [0.0] * len(sensors)  # when a sensor's verdict last changed [s]
        self._pending = False

    def note(self, status: int, cause: str, states: tuple[SensorState, ...], now: float) -> None:
        """Say what has changed.

        Args:
            cause: why the status is what it is.
            states: of the sensors, in order.
            now: s of a clock that does not jump.
        """
        if status != self._status and self._may_say(status, now):
            self._say_status(status, cause, now)
        if states is not self._states or self._pending:
            self._note_sensors(states, now)

    def _say_status(self, status: int, cause: str, now: float) -> None:
        text = NAMES[status]
        if status == OK:
            cause = "every sensor contributes"
        if cause:
            text += f": {cause}"
        if self._status is not None:
            text += f" (after {now - self._status_since:.1f} s of {NAMES[self._status]})"
        self._status, self._status_since = status, now
        self._say(text, status not in WITHOUT_WARNING)

    def _note_sensors(self, states: tuple[SensorState, ...], now: float) -> None:
        for sensor, (before, state) in enumerate(zip(self._states, states, strict=True)):
            if state.verdict is not before.verdict:
                self._changed[sensor] = now
            is_noted = state.verdict is Verdict.OK and state.reason and state is not before
            if is_noted and self._may_say((sensor, state.reason), now):
                self._say(f"{self._sensors[sensor]} {state.reason}", False)
        self._states = states
        new = [s for s, state in enumerate(states) if state.verdict is not self._verdicts[s]]
        self._pending = bool(new)
        entered: dict[tuple[SensorState, str], list[str]] = {}
        for sensor in new:
            state = states[sensor]
            if now - self._changed[sensor] < MIN_VERDICT_S or not self._may_say((sensor, state.verdict), now):
                continue
            ended = ""
            if self._verdicts[sensor] is not Verdict.OK:
                ended = (
                    f"{self._changed[sensor] - self._verdicts_since[sensor]:.1f} s of '{self._verdicts[sensor].value}'"
                )
            self._verdicts[sensor], self._verdicts_since[sensor] = state.verdict, self._changed[sensor]
            entered.setdefault((state, ended), []).append(self._sensors[sensor])
        for (state, ended), names in entered.items():
            self._say(_sentence(state, ended, ", ".join(names)), state.verdict is not Verdict.OK)

    def _may_say(self, kind: object, now: float) -> bool:
        if now - self._said.get(kind, -QUIET_S) < QUIET_S:
            return False
        self._said[kind] = now
        return True


def _sentence(state: SensorState, ended: str, names: str) -> str:
    if state.verdict is Verdict.OK:
        return f"{names}: ok again, after {ended}"
    masked = "masked" if state.masked else "used"
    remedy = f"; {state.remedy}" if state.remedy else ""
    return f"{names}: {state.verdict.value}, {masked}: {state.reason}{remedy}"
