"""What the sensors have in common: the delay from timestamp to arrival that is usual among them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class CommonDelay:
    """What the sensors have in common, in ns.

    Attributes:
        usual: smallest delay of a sensor whose timestamps are used as they are.
        scatter: typical delay beyond it.
    """

    usual: int = 0
    scatter: int = 0
