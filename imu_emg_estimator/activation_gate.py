"""How far a controller may trust muscle activation: fades, limits, and refuses what must not move a person.

The C++ twin is include/imu_emg_estimator/activation_gate.hpp; test/vectors/activation_gate.json holds both to one
behaviour. Needs neither ROS nor NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from numbers import Integral, Real
from typing import Any

from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, WARMING_UP

HIGHEST = {  # of the numbers in GateSettings; a controller with higher ones would act on what nobody vouches for
    "share_ok": 1.0,
    "share_warming_up": 1.0,
    "share_degraded": 1.0,
    "recovery": 60.0,
    "fade_in": 60.0,
    "fade_out": 10.0,
    "slew": 1000.0,
    "max_assistance": 100.0,
    "max_activation": 100.0,
    "max_age": 1.0,
    "max_ahead": 1.0,
    "max_missing": 100,
}
ABOVE_ZERO = ("fade_in", "fade_out", "slew", "max_assistance", "max_activation", "max_age")
MAX_PERIOD_S = 0.05  # a longer control step lets assistance and trust grow by no more than this
NONSENSE_PERIOD_S = 0.001  # how long a control step counts that claims to take no time, a negative time, or NaN

NO_MESSAGE = "no message yet"
STATUS = "status"
MUSCLES = "not the muscles expected"
IMPLAUSIBLE = "activation not finite or implausible"
TOO_FEW_SENSORS = "too few sensors"
TOO_OLD = "too old"
IN_THE_FUTURE = "in the future"
OUT_OF_ORDER = "timestamp repeated or out of order"
UNSTEADY = "not yet steady"


@dataclass(frozen=True)
class GateSettings:
    """What a controller accepts, and how fast its assistance may change.

    Attributes:
        share_ok: share of the activation that becomes assistance while the status is OK, 0 to 1.
        share_warming_up: the same for WARMING_UP.
        share_degraded: the same for DEGRADED. STALE, OUT_OF_DISTRIBUTION and unknown statuses: always none.
        recovery: s for which every message must have deserved a larger share before it is granted.
        fade_in: s from no trust to full trust.
        fade_out: s from full trust to none.
        slew: largest change of the assistance in a second while a message is trusted. The estimates of three subjects
            on whom the model was not trained change faster in less than 0.1 % of the time.
        max_assistance: upper bound of the assistance.
        max_activation: a message with a larger activation is not trusted.
        max_age: s; neither the instant, nor the field `age`, nor a silence may be older.
        max_ahead: s that an instant may be in the future, since clocks never agree entirely.
        max_missing: how many sensors may be missing.
        required_sensors: sensors that must not be missing.

    Raises:
        ValueError: a value is not a number or outside 0 to ``HIGHEST``, or the sensors are not a list of names.
    """

    share_ok: float = 1.0
    share_warming_up: float = 0.0
    share_degraded: float = 0.5
    recovery: float = 1.0
    fade_in: float = 0.2
    fade_out: float = 0.2
    slew: float = 15.0
    max_assistance: float = 1.0
    max_activation: float = 5.0
    max_age: float = 0.15
    max_ahead: float = 0.02
    max_missing: int = 2
    required_sensors: Collection[str] = ()

    def __post_init__(self) -> None:
        for name, highest in HIGHEST.items():
            _check_number(name, getattr(self, name), highest)
        if isinstance(self.required_sensors, str):  # each letter would be a sensor that no message ever lacks
            raise ValueError(f"GateSettings: required_sensors is the text '{self.required_sensors}'; list them")
        _check_names(self.required_sensors, "GateSettings: required_sensors")


def _check_number(name: str, value: Any, highest: float) -> None:
    kind, what = (Integral, "a whole number") if isinstance(highest, int) else (Real, "a number")
    allowed = f"more than 0, at most {highest:g}" if name in ABOVE_ZERO else f"0 to {highest:g}"
    if not isinstance(value, kind) or isinstance(value, bool):
        raise ValueError(f"GateSettings: {name} is {value!r}, not {what}; choose {allowed}")
    try:
        number = float(value)
    except OverflowError:  # a whole number of hundreds of digits
        number = math.inf
    if not 0 <= number <= highest or (number == 0 and name in ABOVE_ZERO):
        raise ValueError(f"GateSettings: {name} is {number:g}; choose {allowed}")


def _check_names(names: Any, what: str) -> list[str]:
    """Return the names in a list; raises ValueError unless each is a text, not empty, and there once."""
    listed = list(names) if isinstance(names, Iterable) else [names]
    for at, name in enumerate(listed):
        if not isinstance(name, str):
            raise ValueError(f"{what} holds {name!r}, which is not a text; give names")
        if not name:
            raise ValueError(f"{what} holds an empty name; give names as in the messages")
        if name in listed[:at]:
            raise ValueError(f"{what} holds '{name}' twice; name each once")
    return listed


def counted_period(period: float) -> tuple[float, float]:
    """Return how long a control step counts in falling and in growing [s]; one that is nonsense lets nothing grow."""
    return (period, min(period, MAX_PERIOD_S)) if period > 0.0 else (NONSENSE_PERIOD_S, 0.0)


class ActivationGate:
    """Turns MuscleActivation messages into assistance, 0 to `max_assistance` for every muscle.

    Trust is lost with the first message that deserves less, and regained once all messages have deserved more for
    `recovery` s. Without trust the assistance only falls, from its last value to zero within `fade_out`. Not
    thread-safe: call both methods from one thread, or hold a lock.

    Attributes:
        share: share of the activation that is granted, 0 to 1.
        gain: the share as it fades, 0 to 1.
    """

    def __init__(self, muscles: Sequence[str], settings: GateSettings | None = None) -> None:
        """Expect messages with exactly these muscles, in this order.

        Raises:
            ValueError: no muscles, or they are not a list of names, each once.
        """
        listed = [] if isinstance(muscles, str) else _check_names(muscles, "ActivationGate: the list of muscles")
        if not listed:
            raise ValueError("ActivationGate: name the muscles in a list, in the order of the messages")
        self.settings = settings or GateSettings()
        self.share = 0.0
        self.gain = 0.0
        self._muscles = listed
        self._activation = [0.0] * len(listed)  # the last that was trusted
        self._assistance = [0.0] * len(listed)
        self._timestamp = -math.inf  # of the last message that was trusted
        self._silence = 0.0  # s since then
        self._fault = NO_MESSAGE  # of the newest message; while there is one, share and offer are zero
        self._offer = 0.0  # the smallest share that messages of late have deserved; granted once it is steady
        self._steady = 0.0  # s for which it is offered

    @property
    def reason(self) -> str:
        """Say why the newest message is not trusted as far as it could be; empty if it is."""
        return self._fault or (UNSTEADY if self._offer > self.share else "")

    def receive(self, message: Any, now: float) -> None:
        """Judge a MuscleActivation, or whatever has its fields.

        Args:
            now: the time on the clock that stamps the messages [s].
        """
        timestamp = message.header.stamp.sec + message.header.stamp.nanosec * 1e-9
        if now < self._timestamp - self.settings.max_ahead:  # the clock was set back, as by a bag that loops
            self._timestamp = -math.inf
        share = self._share(message)
        self._fault = STATUS if share <= 0.0 else self._find_fault(message, timestamp, now)
        self._deserve(0.0 if self._fault else share)
        if not self._fault:
            self._timestamp, self._silence = timestamp, 0.0
            self._activation = [min(float(value), self.settings.max_assistance) for value in message.activation]

    def update(self, now: float, period: float) -> list[float]:
        """Make one control step.

        Args:
            now: the time on the clock that stamps the messages [s].
            period: since the last step [s], on a clock that neither stops nor jumps.

        Returns:
            Assistance for every muscle.
        """
        elapsed, growth = counted_period(period)
        self._watch(now, elapsed)
        self._recover(growth)
        if self.gain < self.share:
            self.gain = min(self.gain + growth / self.settings.fade_in, self.share)
        else:
            self.gain = max(self.gain - elapsed / self.settings.fade_out, self.share)
        rise = self.settings.slew * growth if self.share > 0.0 else 0.0
        fall = self.settings.slew * elapsed
        for muscle, activation in enumerate(self._activation):
            last = self._assistance[muscle]
            limited = min(max(self.gain * activation, last - fall), last + rise)
            self._assistance[muscle] = min(limited, self.gain * self.settings.max_assistance)
        return list(self._assistance)

    def _share(self, message: Any) -> float:
        """Return the share that the status deserves if nothing else is wrong."""
        settings = self.settings
        if message.status == OK:
            contradicts_itself = len(message.missing_sensors) > 0
            return min(settings.share_ok, settings.share_degraded) if contradicts_itself else settings.share_ok
        return {WARMING_UP: settings.share_warming_up, DEGRADED: settings.share_degraded}.get(message.status, 0.0)

    def _find_fault(self, message: Any, timestamp: float, now: float) -> str:
        """Say why a message is not trusted at all; empty if it is."""
        if list(message.muscle_names) != self._muscles or len(message.activation) != len(self._muscles):
            return MUSCLES
        if not all(0.0 <= value <= self.settings.max_activation for value in message.activation):
            return IMPLAUSIBLE
        if not self._has_enough_sensors(message):
            return TOO_FEW_SENSORS
        fault = self._find_fault_in_age(now - timestamp) or self._find_fault_in_age(message.age)
        return fault or (OUT_OF_ORDER if timestamp <= self._timestamp else "")

    def _has_enough_sensors(self, message: Any) -> bool:
        """Return whether those missing may be; a DEGRADED message that names none could miss any."""
        missing = message.missing_sensors
        if len(missing) > self.settings.max_missing or (message.status == DEGRADED and len(missing) == 0):
            return False
        return not any(sensor in missing for sensor in self.settings.required_sensors)

    def _find_fault_in_age(self, age: float) -> str:
        if age < -self.settings.max_ahead:
            return IN_THE_FUTURE
        return "" if age <= self.settings.max_age else TOO_OLD  # so is NaN

    def _deserve(self, share: float) -> None:
        """Take a share away at once; keep a larger one as an offer."""
        if share <= self.share:
            self.share = self._offer = share
            self._steady = 0.0
        else:
            self._offer = min(self._offer, share) if self._offer > self.share else share

    def _watch(self, now: float, elapsed: float) -> None:
        """Lose trust as the newest message ages, even while the clock of the messages stands still."""
        self._silence += elapsed
        if not self._fault:
            self._fault = self._find_fault_in_age(now - self._timestamp) or self._find_fault_in_age(self._silence)
            if self._fault:
                self._deserve(0.0)

    def _recover(self, growth: float) -> None:
        """Grant an offer that has been steady for long enough."""
        if self._offer > self.share:
            self._steady += growth
            if self._steady >= self.settings.recovery:
                self.share, self._steady = self._offer, 0.0
