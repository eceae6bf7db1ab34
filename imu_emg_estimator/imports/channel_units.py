"""Units as files write them, and their size in m/s², rad/s and s."""

from __future__ import annotations

import re
from dataclasses import dataclass
from math import pi

from imu_emg_estimator.signals.imu_units import GRAVITY_MPS2

ACCELERATION, RATE, EMG, TIME = "acceleration", "angular rate", "EMG", "time"


@dataclass(frozen=True)
class Unit:
    """A unit: its usual name, what it measures, and its size in m/s², rad/s or s (1 for EMG, which is kept)."""

    name: str
    quantity: str
    size: float = 1.0


UNITS = (
    (Unit("g", ACCELERATION, GRAVITY_MPS2), "g gs gravity gravities standardgravity"),
    (Unit("mg", ACCELERATION, GRAVITY_MPS2 / 1000), "mg millig"),
    (Unit("m/s²", ACCELERATION), "m/s2 m/s/s m/sec2 mps2 ms-2 m.s-2 m*s-2 m/s**2 meterspersecondsquared"),
    (Unit("mm/s²", ACCELERATION, 1e-3), "mm/s2 mm/s/s mm/sec2"),
    (Unit("deg/s", RATE, pi / 180), "deg/s deg/sec dps degs/s degree/s degrees/s degrees/sec deg.s-1 deg*s-1 degs-1"),
    (Unit("mdeg/s", RATE, pi / 180e3), "mdeg/s mdps"),
    (Unit("rad/s", RATE), "rad/s rad/sec radps rads rads-1 rad.s-1 rad*s-1 radian/s radians/s radianspersecond"),
    (Unit("V", EMG), "v volt volts"),
    (Unit("mV", EMG), "mv millivolt millivolts"),
    (Unit("µV", EMG), "uv microvolt microvolts"),
    (Unit("nV", EMG), "nv nanovolt nanovolts"),
    (Unit("count", EMG), "count counts raw adc lsb"),
    (Unit("% MVC", EMG), "%mvc mvc"),
    (Unit("a.u.", EMG), "a.u. au arbitrary"),
    (Unit("s", TIME), "s sec secs second seconds"),
    (Unit("ms", TIME, 1e-3), "ms msec millisecond milliseconds"),
    (Unit("µs", TIME, 1e-6), "us usec microsecond microseconds"),
    (Unit("ns", TIME, 1e-9), "ns nsec nanosecond nanoseconds"),
    (Unit("min", TIME, 60.0), "min minute minutes"),
)
BY_SPELLING = {spelling: unit for unit, spellings in UNITS for spelling in spellings.split()}
# Spellings that a column's name may end in without brackets, as in ``acc_x_g``; "s", "v" or "raw" are other words, too.
ENDINGS = {"g", "mps2", "dps", "radps", "mv", "uv", "ms", "us", "ns", "sec"}
PLAIN_SIGNS = str.maketrans(
    {"µ": "u", "μ": "u", "¹": "1", "²": "2", "⁻": "-", "^": None, " ": None, "°": "deg", "·": "."}
)
SI_UNITS = {ACCELERATION: "m/s²", RATE: "rad/s"}
INSTEAD = "instead of"  # in a mapping: the right unit, instead of the one that files state
BRACKETED = re.compile(r"(?P<name>.*?)\s*[\[(](?P<unit>[^\[\]()]*)[\])]\s*$")
AFTER_COMMA = re.compile(r"(?P<name>.*),(?P<unit>[^,]+)$")


def unit_of(text: str) -> Unit | None:
    """Return the unit that a text stands for, in any usual spelling; None = none that is known."""
    return BY_SPELLING.get(text.strip().strip("[]()").lower().translate(PLAIN_SIGNS))


def usual_name(text: str) -> str:
    """Return the usual spelling of a unit, and a text that is none as it is."""
    unit = unit_of(text)
    return unit.name if unit else text


def split_unit(name: str) -> tuple[str, str]:
    """Split a column's name into name and unit: ``acc_x [g]``, ``VL,uV``, ``time_ms``; '' = no unit stated."""
    for pattern in (BRACKETED, AFTER_COMMA):
        if (found := pattern.match(name)) and found["name"] and unit_of(found["unit"]):
            return found["name"].strip(), found["unit"].strip()
    first, _, last = name.rpartition("_")
    if first and last.lower() in ENDINGS:
        return first, last
    return name.strip(), ""


def known_units(quantity: str) -> str:
    """List the units of a quantity, for messages."""
    return ", ".join(unit.name for unit, _ in UNITS if unit.quantity == quantity)
