"""Meter: a bag may expand by so much and take so long, and is refused with one sentence beyond."""

import math
from pathlib import Path

from fixtures.factories import refusal

from imu_emg_estimator.bags.read_limits import BagLimits, Meter

GIB = 1 << 30
MIB = 1 << 20


def meter(**limits: float) -> Meter:
    return Meter(Path("bag"), BagLimits(**limits), 1000)  # type: ignore[arg-type]


def test_bag_may_expand_by_a_factor_beyond_what_is_free() -> None:
    counting = meter(free_expansion=5000, expansion=3.0)
    for _ in range(8):
        counting.expand(1000)
    with refusal("bag bag expands to more than 0 MiB"):
        counting.expand(1)
    counting.rewind()
    counting.expand(8000)


def test_bag_may_take_so_many_seconds_to_read() -> None:
    meter(seconds=math.inf).tick()
    assert not meter(seconds=60.0).out_of_time()
    late = meter(seconds=-1.0)
    with refusal("bag bag takes longer than -1 s to read"):
        late.expand(0)


def test_limits_leave_room_for_every_honest_bag() -> None:
    """Six IMUs at 400 Hz and 16 channels of EMG at 2 kHz fill less than 64 GiB in 16 hours."""
    limits = BagLimits()
    assert limits.size > 16 * 3600 * (6 * 400 * 350 + 16 * 2000 * 8)
    assert (limits.size, limits.free_expansion, limits.message, limits.chunk) == (
        64 * GIB,
        64 * MIB,
        8 * MIB,
        128 * MIB,
    )
    assert (limits.topics, limits.files, limits.name) == (10_000, 10_000, 4096)
    assert (limits.expansion, limits.samples) == (50.0, GIB)
    assert limits.duration == 4 * 3600.0
    assert limits.seconds == 15 * 60.0
