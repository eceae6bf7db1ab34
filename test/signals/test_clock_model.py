"""ClockModel: what becomes of a sensor's samples, told from sample to sample at and beside every limit."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import pytest
from fixtures.clock_faults import (
    MS,
    START,
    Fault,
    Sample,
    ahead,
    backwards,
    burst,
    drifting,
    late,
    leaping,
    lost,
    on_arrival,
    pausing,
    restarted,
    right,
    samples,
    saying,
    shaken,
    shared,
    then,
    uncounted,
)

from imu_emg_estimator.signals.clock_model import ClockModel
from imu_emg_estimator.signals.delay_tracker import CommonDelay


def story(
    found: Iterable[Sample],
    tolerance: float = 5.0,
    usual: float = 3.0,
    scatter: float = 1.0,
    arrivals_only: bool = False,
) -> str:
    """Return what becomes of samples: since when [ms] instants come from where, and by how much they are off.

    Left out are those without an instant; how many is told at the end. Errors are the least and the largest [ms].
    After five changes the story is cut short.
    """
    model = ClockModel(CommonDelay(round(usual * MS), round(scatter * MS)), round(tolerance * MS), arrivals_only)
    told = []
    for true, timestamp, arrival, number in found:
        instant = model.instant(START + round(timestamp * MS), START + round(arrival * MS), number)
        error = None if instant is None else (instant - START) / MS - true
        told.append((true, "left out" if error is None else model.source.name.lower(), error))
    phases = []
    for _, group in groupby(told, key=lambda one: one[1]):
        times, sources, errors = zip(*group, strict=True)
        bounds = "" if errors[0] is None else f" {round(min(errors), 2) + 0.0:g} {round(max(errors), 2) + 0.0:g}"
        phases.append(f"{round(times[0], 1):g} {sources[0]}{bounds}")
    left_out = sum(error is None for _, _, error in told)
    return "; ".join([*phases[:6], *([f"{left_out} left out"] if left_out else [])])


USUAL = "100 timestamps 0 0"
STORIES: list[tuple[Fault, dict[str, Any], str]] = [
    (right, {}, ""),
    (right, {"delays": [248.0], "until": 1500.0}, "350 reconciled 245 245"),
    (right, {"delays": [251.0], "until": 1500.0}, "0 left out; 100 reconciled 248 248; 10 left out"),
    (right, {"delays": [-4.9], "until": 1500.0}, "110 timestamps 0 0"),
    (right, {"delays": [-5.1], "until": 1500.0}, "10 left out; 110 reconciled -8.1 -8.1; 10 left out"),
    (right, {"delays": [57.9], "until": 1500.0}, ""),
    (right, {"delays": [58.1], "until": 1500.0}, "350 reconciled 55.1 55.1"),
    (right, {"delays": [119.0], "until": 1500.0, "usual": 99.0}, ""),
    (right, {"delays": [121.0], "until": 1500.0, "usual": 101.0}, "350 reconciled 20 20"),
    (right, {"delays": [100.0, 109.8], "until": 1500.0}, "350 reconciled 97 97"),
    (right, {"delays": [100.0, 110.2], "until": 1500.0}, "90 timestamps 0 0; 510 left out; 99 left out"),
    (
        right,
        {"delays": [100.0, 113.9], "until": 1500.0, "scatter": 3.5},
        "90 timestamps 0 0; 510 left out; 99 left out",
    ),
    (
        right,
        {"delays": [100.0, 114.1], "until": 1500.0, "scatter": 3.5},
        "90 timestamps 0 0; 510 left out; 99 left out",
    ),
    (ahead(7.9), {}, "100 timestamps 0 7.9"),
    (
        ahead(9.0),
        {"delays": [3.0, 5.0, 4.0, 3.5]},
        "100 timestamps 0 9; 3030 left out; 3050 timestamps 9 9; 3070 reconciled 0 0.5; 2 left out",
    ),
    (
        drifting(0.1),
        {"until": 90000.0, "delays": [3.0, 5.0, 4.0, 3.5]},
        "100 timestamps 0 8; 83040 left out; 83050 timestamps 8.01 8.01; "
        "83080 left out; 83090 timestamps 8.01 8.01; 2 left out",
    ),
    (ahead(14.0), {}, "3020 reconciled 0 0"),
    (ahead(-4.0), {}, "3000 left out; 3020 timestamps -4 -4; 2 left out"),
    (ahead(-7.9), {}, "3000 left out; 3010 timestamps -7.9 -7.9; 1 left out"),
    (ahead(-8.1), {}, "3000 left out; 3010 timestamps -8.1 -8.1; 1 left out"),
    (ahead(-14.0), {}, "3000 left out; 3020 reconciled 0 0; 2 left out"),
    (ahead(-50.0), {}, "100 timestamps -50 0; 3050 reconciled 0 0"),
    (ahead(-56.0), {}, "3000 left out; 3020 reconciled 0 0; 2 left out"),
    (ahead(-1100.0), {}, "3020 reconciled 0 0"),
    (ahead(14.0), {"tolerance": 15.0}, "3000 left out; 3020 reconciled 0 0; 2 left out"),
    (ahead(30.0, 4000.0), {"until": 8000.0}, "3020 reconciled -30 0"),
    (
        ahead(500.0, 4000.0),
        {"until": 8000.0},
        "3020 reconciled 0 0; 4000 left out; 4020 reconciled 0 0; 5850 timestamps 0 0; 2 left out",
    ),
    (ahead(40.0, every=2), {}, "3040 reconciled -40 0"),
    (ahead(40.0, every=3), {}, ""),
    (ahead(-40.0, every=3), {}, "100 timestamps -40 0"),
    (then(late(20.0, every=3), on_arrival), {}, "3000 left out; 3030 arrivals 0 0.68; 3 left out"),
    (then(late(20.0, every=5), on_arrival), {}, "3000 left out; 3030 arrivals 0 0.26; 3 left out"),
    (late(54.0), {}, ""),
    (late(57.0), {}, "3090 left out; 291 left out"),
    (late(100.0), {}, "3060 left out; 294 left out"),
    (late(100.0, 4000.0), {}, "3060 left out; 4040 timestamps 0 0; 98 left out"),
    (late(300.0, 4000.0), {}, "3060 left out; 4240 timestamps 0 0; 118 left out"),
    (late(100.0, every=4), {}, "3080 left out; 292 left out"),
    (drifting(0.3), {"until": 20000.0}, "100 timestamps 0 5.1"),
    (
        drifting(1.0),
        {"until": 20000.0},
        "100 timestamps 0 8.04; 11050 left out; 11060 timestamps 8.06 8.09; "
        "11100 left out; 11110 timestamps 8.11 8.14; 4 left out",
    ),
    (drifting(-0.3), {"until": 20000.0}, "100 timestamps -5.1 0"),
    (drifting(-1.0), {"until": 20000.0}, "100 timestamps -9.34 0; 12350 reconciled 0 0"),
    (
        drifting(5.0),
        {"until": 9000.0},
        "100 timestamps 0 8.2; 4650 left out; 4660 timestamps 8.3 8.4; "
        "4690 left out; 4700 reconciled -0.01 1.2; 2 left out",
    ),
    (drifting(-5.0), {"until": 9000.0}, "100 timestamps -15.45 0; 6100 reconciled 0 0.01"),
    (
        drifting(11.0),
        {"until": 9000.0},
        "100 timestamps 0 8.14; 3750 left out; 3760 timestamps 8.36 8.58; "
        "3790 left out; 3800 reconciled -0.02 2.64; 2 left out",
    ),
    (
        drifting(13.0),
        {"until": 9000.0},
        "100 timestamps 0 8.19; 3640 left out; 3660 timestamps 8.58 8.58; 3670 reconciled 0.01 3.62; 2 left out",
    ),
    (
        drifting(1.0, 0.0),
        {"since": 0.0, "until": 20000.0},
        "0 starting 0 0.09; 100 timestamps 0.1 8.04; 8050 left out; "
        "8060 timestamps 8.06 8.09; 8100 left out; 8110 timestamps 8.11 8.14; 4 left out",
    ),
    (
        drifting(-1.0, 0.0),
        {"since": 0.0, "until": 20000.0},
        "0 starting -0.09 0; 100 timestamps -9.34 -0.1; 9350 reconciled 0 0",
    ),
    (saying(0.0), {}, "3030 arrivals 0 0"),
    (saying(0.0, 4000.0), {"until": 9000.0}, "3030 arrivals 0 0; 7010 starting 0 0; 7120 timestamps 0 0"),
    (saying(0.0, 3020.0), {}, ""),
    (saying(0.0), {"since": 0.0, "until": 2000.0}, "0 left out; 330 arrivals -3.98 0.45; 33 left out"),
    (saying(767.0), {}, "3030 arrivals 0 0"),
    (then(saying(0.0), late(8.0)), {}, "3000 left out; 3010 timestamps 0 0; 3030 arrivals 0 10; 1 left out"),
    (shared(2, 0), {}, "100 timestamps -10 0; 3070 arrivals 0 0"),
    (shared(2, 1), {}, "100 timestamps 0 10; 3070 arrivals 0 1.25"),
    (
        pausing(3040.0, lambda s: s._replace(number=(s.number or 0) - 4)),
        {},
        "3040 left out; 3050 timestamps 0 0; 1 left out",
    ),
    (shared(4, 0), {}, "100 timestamps -30 0; 3050 arrivals 0 0"),
    (shared(4, 3), {}, "3000 left out; 3010 arrivals 0 0; 1 left out"),
    (burst(2, stamped=True), {}, "3000 left out; 3030 arrivals 0 0.13; 3 left out"),
    (burst(4, stamped=True), {}, "3000 left out; 3010 arrivals 0 0.4; 1 left out"),
    (then(burst(8, stamped=True), ahead(-3.0)), {}, "3000 left out; 3010 arrivals 0 0.93; 1 left out"),
    (burst(8, stamped=True), {}, "3000 left out; 3010 arrivals 0 0.93; 1 left out"),
    (uncounted(burst(4, stamped=True)), {}, "3000 left out; 3030 arrivals 0 30; 3 left out"),
    (
        burst(4, stamped=True),
        {"since": 0.0},
        "0 starting 3.3 33; 120 timestamps 33 33; 130 left out; "
        "160 timestamps 33 33; 170 left out; 480 arrivals 0.3 0.3; 34 left out",
    ),
    (burst(8, stamped=False), {"since": 0.0, "until": 2000.0}, "160 timestamps 0 0"),
    (uncounted(lost(2, 1)), {}, ""),
    (uncounted(lost(10, 9)), {}, ""),
    (restarted(3500.0, -1e6), {}, "3500 left out; 3520 reconciled 0 0; 2 left out"),
    (restarted(4000.0, 0.0), {}, ""),
    (restarted(12900.0, 30.0), {"until": 14000.0}, "12900 left out; 12920 reconciled 0 0; 2 left out"),
    (restarted(13100.0, 30.0), {"until": 14000.0}, "13100 left out; 13200 reconciled 0 0; 10 left out"),
    (shaken(2.4, 0.0), {}, "100 timestamps 0 2.4"),
    (shaken(2.6, 0.0), {}, "3000 left out; 3010 timestamps 0 0; 3020 left out; 3030 timestamps 0 0; 3 left out"),
    (shaken(7.4, 0.0), {}, "3000 left out; 3010 timestamps 0 0; 3020 left out; 3030 timestamps 0 0; 3 left out"),
    (
        shaken(7.6, 0.0),
        {},
        "100 timestamps 0 7.6; 3010 left out; 3020 timestamps 7.6 7.6; "
        "3030 left out; 3040 timestamps 7.6 7.6; 3 left out",
    ),
    (
        shaken(0.0, 4.0, -4.0, 2.0),
        {"since": 0.0},
        "0 starting -4 4; 100 timestamps -4 4; 140 left out; "
        "150 timestamps 0 4; 180 left out; 190 timestamps 0 4; 147 left out",
    ),
    (shaken(0.0, 25.0, 5.0), {}, "3020 left out; 3030 timestamps 0 0; 3050 arrivals 0 0; 1 left out"),
    (
        shaken(0.0, 0.0, 0.0, 0.0, -25.0),
        {},
        "3040 left out; 3050 timestamps 0 0; 3090 left out; 3100 timestamps 0 0; 60 left out",
    ),
    (shaken(0.0, 300.0), {}, "3050 reconciled 0 0; 3060 left out; 3070 reconciled 0 0; 3080 left out; 147 left out"),
    (then(lost(10, 5), ahead(100.0)), {}, "3020 reconciled 0 0"),
    (shaken(0.0, -30.0), {}, "100 timestamps -30 0"),
    (right, {"arrivals_only": True}, "0 left out; 300 arrivals 0 0.03; 30 left out"),
    (right, {"period": 17.0}, "102 timestamps 0 0"),
    (ahead(20.0), {"period": 17.0}, "102 timestamps 0 0; 3043 reconciled -0.2 0.2"),
    (right, {"period": 1.0, "until": 1000.0}, "98 timestamps 0 0"),
    (uncounted(lost(2, 1)), {"period": 5.0}, ""),
    (then(late(300.0, 3600.0), ahead(-300.0)), {}, "3000 left out; 3020 reconciled 0 300; 2 left out"),
    (
        pausing(4000.0, ahead(-200.0)),
        {"until": 7000.0},
        "100 timestamps -200 0; 4060 left out; 5010 reconciled 0 0; 95 left out",
    ),
    (pausing(4000.0, late(600.0)), {"until": 7000.0}, "4060 left out; 5010 reconciled 600 600; 95 left out"),
    (pausing(4000.0, late(400.0)), {"until": 7000.0}, "4060 left out; 5010 reconciled 400 400; 95 left out"),
    (
        leaping(200.0, 400.0),
        {"until": 9000.0},
        "3020 reconciled 0 0; 3200 left out; 3220 reconciled 0 0; 4000 left out; 4 left out",
    ),
    (
        leaping(-1200.0, 900.0),
        {"until": 12000.0},
        "3020 reconciled 0 0; 6320 arrivals 0 0; 9330 starting 0 0; 9440 timestamps 0 0",
    ),
    (
        then(ahead(500.0, 4000.0), ahead(2.8, since=4000.0)),
        {"until": 12000.0},
        "3020 reconciled 0 0; 4000 left out; 4020 reconciled 0 0; 5850 timestamps 2.8 2.8; 2 left out",
    ),
    (
        then(ahead(500.0, 4000.0), ahead(3.2, since=4000.0)),
        {"until": 12000.0},
        "3020 reconciled 0 0; 4000 left out; 4020 reconciled 0 0; 2 left out",
    ),
    (
        then(ahead(500.0, 4000.0), ahead(-2.8, since=4000.0)),
        {"until": 12000.0},
        "3020 reconciled 0 0; 4000 left out; 4020 reconciled 0 0; 5850 timestamps -2.8 -2.8; 2 left out",
    ),
    (
        then(ahead(500.0, 4000.0), ahead(-3.2, since=4000.0)),
        {"until": 12000.0},
        "3020 reconciled 0 0; 4000 left out; 4020 reconciled 0 0; 2 left out",
    ),
    (
        then(ahead(500.0, 4000.0), drifting(0.28, 4000.0)),
        {"until": 12000.0},
        "3020 reconciled 0 0.06; 4000 left out; 4020 reconciled 0 0.05; 5850 timestamps 0.52 2.24; 2 left out",
    ),
    (
        then(ahead(500.0, 4000.0), drifting(0.32, 4000.0)),
        {"until": 12000.0},
        "3020 reconciled 0 0.07; 4000 left out; 4020 reconciled 0 0.06; 5850 timestamps 0.59 2.56; 2 left out",
    ),
    (saying(0.0), {"since": 1050.0, "until": 2000.0, "delays": [13.0]}, "1080 arrivals 0 10"),
    (saying(0.0), {"since": 1150.0, "until": 2000.0, "delays": [13.0]}, "1180 arrivals 0 0"),
    (saying(0.0), {"delays": [0.9]}, "3030 arrivals -2.1 -2.1"),
    (saying(0.0), {"delays": [1.1]}, "3030 arrivals 0 0"),
    (
        then(ahead(500.0), ahead(-14.0, since=4500.0)),
        {},
        "3020 reconciled 0 0; 4500 left out; 4520 reconciled 0 0; 2 left out",
    ),
    (
        then(ahead(500.0), ahead(-16.0, since=4500.0)),
        {},
        "3020 reconciled 0 0; 4500 left out; 4520 reconciled 0 0; 2 left out",
    ),
    (
        then(ahead(500.0), ahead(14.0, since=4500.0)),
        {},
        "3020 reconciled 0 0; 4500 left out; 4520 reconciled 0 0; 2 left out",
    ),
    (then(ahead(500.0), ahead(16.0, since=4500.0)), {}, "3020 reconciled 0 0"),
    (
        ahead(500.0, 4000.0),
        {"until": 8000.0, "delays": [-4.0]},
        "110 timestamps 0 0; 3000 left out; 3020 reconciled 0 0; 4000 left out; 4020 reconciled 0 0; 4 left out",
    ),
    (drifting(-1.0), {"until": 20000.0, "delays": [3.0, 15.0]}, "90 timestamps -16.99 0"),
    (pausing(3400.0, ahead(-40.0)), {"until": 5000.0}, "100 timestamps -40 0"),
    (pausing(3900.0, ahead(-40.0)), {"until": 5000.0}, "100 timestamps -40 0"),
    (then(ahead(500.0), late(40.0, since=4000.0)), {}, "3020 reconciled 0 0"),
    (then(ahead(500.0), late(60.0, since=4000.0)), {}, "3020 reconciled 0 0; 4080 left out; 192 left out"),
    (then(ahead(500.0), lost(40, 20)), {}, "3220 reconciled 0 0"),
    (then(ahead(500.0), uncounted(lost(40, 20))), {}, "3200 left out; 3220 reconciled 0 0; 2 left out"),
    (then(ahead(500.0), late(30.0, since=4000.0, every=4)), {}, "3020 reconciled 0 0"),
    (then(ahead(-500.0), late(-2.0, since=4000.0)), {}, "3020 reconciled -3.9 0"),
    (
        then(ahead(500.0), ahead(12.0, since=4000.0, every=5)),
        {},
        "3020 reconciled 0 3; 4050 left out; 4060 reconciled -12.19 -12.19; 4100 left out; 39 left out",
    ),
    (
        ahead(9.0),
        {"period": 3.0},
        "99 timestamps 0 9; 3006 left out; 3009 timestamps 9 9; 3012 left out; 3015 reconciled 0 0; 2 left out",
    ),
    (shaken(0.0, 0.0, 12.0), {}, ""),
    (
        shaken(0.0, -12.0, 0.0, 0.0, 0.0),
        {},
        "3010 left out; 3020 timestamps 0 0; 3060 left out; 3070 timestamps 0 0; 60 left out",
    ),
    (then(lost(20, 10), ahead(-20.0, since=4000.0)), {}, "100 timestamps -20 0"),
    (uncounted(then(lost(20, 10), ahead(-20.0, since=4000.0))), {}, "100 timestamps -20 0; 4050 reconciled 0 0"),
    (
        backwards(3),
        {},
        "100 timestamps -10 10; 3200 left out; 3210 timestamps -10 0; "
        "3480 left out; 3490 timestamps -10 -10; 50 left out",
    ),
    (
        uncounted(backwards(4)),
        {},
        "100 timestamps -10 0; 3130 left out; 3140 timestamps -0.1 0; "
        "3210 left out; 3220 timestamps -10 10; 12 left out",
    ),
]


@pytest.mark.parametrize(("fault", "options", "told"), STORIES)
def test_clock_takes_timestamps_where_it_can_and_reconciles_or_replaces_the_others(
    fault: Fault, options: dict[str, Any], told: str
) -> None:
    """What is told follows 100 ms in which nothing is known, and timestamps as they are from then on."""
    known = {name: options[name] for name in options.keys() & {"tolerance", "usual", "scatter", "arrivals_only"}}
    sent = {name: value for name, value in options.items() if name not in known}
    found = story(samples(fault, **sent), **known).removeprefix("0 starting 0 0; ")
    assert found.removeprefix(USUAL).removeprefix("; ") == told
