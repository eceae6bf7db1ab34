"""Clocks of sensors: what can be reconciled is aligned to a few milliseconds, and what cannot is named."""

import random
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from fixtures.simulated_arrivals import (
    START,
    Fault,
    SimulatedSensor,
    at_another_rate,
    constant,
    delayed,
    drifting,
    every_nth_ahead,
    every_nth_on_arrival,
    in_bursts,
    instants,
    kept,
    lost,
    ns,
    sensor,
    sharing_timestamps,
    shifted,
    whole_seconds,
)
from numpy.typing import NDArray

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sensor_clock import ClockPolicy, ClockReport, SensorClocks
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict

SETTLED_S = 1.0
WRAP_S = 2**32 / 1e6  # of a counter of microseconds in 32 bits


def group(
    *faults: Fault, faulty: Sequence[int] = (0,), rate: float = 100.0, seconds: float = 20.0
) -> list[SimulatedSensor]:
    """Four sensors, the faulty ones with these faults in turn."""
    sensors = [sensor(seed, rate, seconds) for seed in range(4)]
    for index in faulty:
        for fault in faults:
            sensors[index] = fault(sensors[index])
    return sensors


def states(clocks: SensorClocks, sensors: int) -> list[SensorState]:
    return [clocks.state(sensor) for sensor in range(sensors)]


def apart(sensors: Sequence[SimulatedSensor], errors: Sequence[NDArray[np.float64]], since: float = SETTLED_S) -> float:
    """Largest deviation [s] of any sample's instant from what most have, but for one in a hundred."""
    later = np.concatenate([error[s.true > since] for s, error in zip(sensors, errors, strict=True)])
    return float(np.nanpercentile(np.abs(later - np.nanmedian(later)), 99))


@pytest.mark.parametrize("rate", [25.0, 60.0, 100.0, 400.0])
@pytest.mark.parametrize(
    "fault", [lambda s: s, lost(0.5), in_bursts(3, stamped=False)], ids=["plain", "half lost", "bursts"]
)
def test_clocks_leave_good_timestamps_untouched(rate: float, fault: Fault) -> None:
    sensors = group(fault, faulty=range(4), rate=rate)
    clocks = SensorClocks(4)
    for arrival, index, k in sorted((s.arrivals[k], i, k) for i, s in enumerate(sensors) for k in range(len(s.true))):
        timestamp, number = int(sensors[index].timestamps[k]), int(sensors[index].sequence[k])
        assert clocks.instant(index, timestamp, int(ns(arrival)), number) == timestamp
    assert states(clocks, 4) == [GOOD] * 4


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize(
    "fault",
    [*(at_another_rate(rate, 5.05) for rate in (33.0, 50.0, 60.0, 85.0, 150.0, 200.0)), lost(0.1), lost(0.3)],
    ids=["33 Hz", "50 Hz", "60 Hz", "85 Hz", "150 Hz", "200 Hz", "1 in 10 lost", "3 in 10 lost"],
)
def test_clocks_keep_to_timestamps_when_the_rate_changes_or_samples_are_lost(fault: Fault, counted: bool) -> None:
    sensors = group(fault, faulty=range(4))
    errors, clocks = instants(sensors, counted=counted)
    assert states(clocks, 4) == [GOOD] * 4
    for error in errors:
        assert np.isnan(error).sum() <= 3
        assert np.nanmax(np.abs(error)) == 0.0


KINDS: dict[str, tuple[Fault, ...]] = {
    **{f"ahead {ahead}": (shifted(ahead),) for ahead in (0.1, 0.4, 0.9, 4294.9)},
    **{f"behind {behind}": (shifted(-behind),) for behind in (0.1, 0.2, 0.4, 0.9)},
    **{f"ahead {ahead} from 5 s": (shifted(ahead, 5.0),) for ahead in (0.05, 0.4, 5.0, -0.1, -0.4, -5.0)},
    "from boot": (shifted(767.0 - START / SECOND),),
    "wraps": (shifted(WRAP_S - START / SECOND - 5.0), shifted(-WRAP_S, 5.0)),
    "zero": (constant(0),),
    "zero from 5 s": (constant(0, 5.0),),
    "constant": (constant(767 * SECOND),),
    "whole seconds": (whole_seconds,),
    **{f"bursts of {n} stamped on arrival": (in_bursts(n, stamped=True),) for n in (2, 4, 8, 10)},
    "bursts of 8 from 5 s": (in_bursts(8, stamped=True, start=5.0),),
    "bursts of 8 from boot": (in_bursts(8, stamped=False), shifted(-1e6)),
    "bursts of 4, zero": (in_bursts(4, stamped=False), constant(0)),
    **{f"{n} share the first's": (sharing_timestamps(n, 0),) for n in (2, 4)},
    **{f"{n} share the last's": (sharing_timestamps(n, -1),) for n in (2, 4)},
    **{f"half lost, {name}": (lost(0.5), fault) for name, fault in (("ahead", shifted(0.4)), ("zero", constant(0)))},
}


@pytest.mark.parametrize("faulty", [(0,), range(4)], ids=["one", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_clocks_reconcile_to_milliseconds_and_say_so(kind: str, faulty: Sequence[int]) -> None:
    sensors = group(*KINDS[kind], faulty=faulty)
    errors, clocks = instants(sensors)
    assert apart(sensors, errors) < 0.005
    for index, error in enumerate(errors):
        assert np.isfinite(error[sensors[index].true > SETTLED_S]).mean() > 0.995
        assert (clocks.state(index).verdict is Verdict.CLOCK_OFF) == (index in faulty)
        assert not clocks.state(index).masked


@pytest.mark.parametrize("rate", [60.0, 200.0])
@pytest.mark.parametrize("drift", [0.01, 0.0015, -0.0015, -0.01])
def test_clocks_follow_drift(drift: float, rate: float) -> None:
    sensors = group(drifting(drift), rate=rate, seconds=40.0)
    errors, clocks = instants(sensors)
    assert apart(sensors, errors, since=0.0) < 0.011
    assert apart(sensors, errors, since=10.0) < 0.004
    assert clocks.report(0).drift == pytest.approx(-drift, abs=2e-4)
    assert clocks.state(0).reason == f"its clock drifts by {-drift * 1e3:+.1f} ms/s: reconciled by arrival"


@pytest.mark.parametrize("n", [5, 7, 10])
@pytest.mark.parametrize("late", [0.02, 0.04])
def test_clocks_leave_out_single_samples_stamped_late(n: int, late: float) -> None:
    sensors = group(every_nth_on_arrival(n, late))
    errors, _ = instants(sensors)
    used = np.isfinite(errors[0]) & (sensors[0].true > SETTLED_S)
    assert used.sum() > (1 - 1.1 / n) * (sensors[0].true > SETTLED_S).sum()
    assert (np.abs(errors[0][used]) < 0.004).mean() > 0.99


@pytest.mark.parametrize("rate", [60.0, 100.0])
@pytest.mark.parametrize("n", [5, 7, 20])
def test_clocks_repair_every_nth_timestamp_that_is_ahead(n: int, rate: float) -> None:
    sensors = group(every_nth_ahead(n, 0.04), rate=rate)
    errors, clocks = instants(sensors)
    assert apart(sensors, errors) < 0.004
    assert np.isfinite(errors[0]).mean() > 0.95
    assert "ahead" not in clocks.state(0).reason


def test_clocks_repair_single_impossible_timestamps() -> None:
    samples = sensor(0)
    timestamps = samples.timestamps.copy()
    timestamps[[500, 700, 900, 1100]] += np.array([3, -900, 0, 1]) * SECOND
    timestamps[900] = 0
    errors, clocks = instants([SimulatedSensor(samples.true, timestamps, samples.arrivals, samples.sequence)])
    assert np.nanmax(np.abs(errors[0])) < 1e-3
    assert np.isfinite(errors[0]).sum() >= len(timestamps) - 1
    assert clocks.state(0) == GOOD
    assert clocks.jumps == 0


@pytest.mark.parametrize("delay", [0.1, 0.3, 0.8])
def test_clocks_tell_delay_from_another_clock(delay: float) -> None:
    sensors = group(delayed(delay, 5.0))
    errors, clocks = instants(sensors)
    late = sensors[0].arrivals > 5.0 + delay + 0.2
    assert np.isnan(errors[0][late]).all()
    state = clocks.state(0)
    assert (state.verdict, state.masked) == (Verdict.LATE, True)
    assert state.reason == f"its samples come {delay:.2f} s late"


def test_clocks_take_a_sensor_back_when_its_delay_ends() -> None:
    sensors = group(delayed(0.3, 5.0, 7.0))
    errors, clocks = instants(sensors)
    assert clocks.state(0) == GOOD
    assert np.abs(errors[0][sensors[0].true > 7.5]).max() < 1e-6


@pytest.mark.parametrize("counted", [True, False])
@pytest.mark.parametrize("delay", [0.3, 1.0])
def test_clocks_take_a_sensor_back_while_the_last_late_samples_still_come(delay: float, counted: bool) -> None:
    sensors = group(delayed(delay, 5.0, 7.0))
    on_time = sensors[0].true > 7.0
    late = replace(sensors[0], arrivals=sensors[0].true + np.where((sensors[0].true > 5.0) & ~on_time, delay, 0.002))
    errors, clocks = instants([late, *sensors[1:]], counted=counted)
    assert clocks.state(0) == GOOD
    assert (errors[0][on_time] == 0.0).all()
    stragglers = ~on_time & (late.arrivals > 7.0)
    assert np.isnan(errors[0][stragglers]).all()
    _, clocks = instants([kept(s, s.arrivals < 7.4) for s in (late, *sensors[1:])], counted=counted)
    assert clocks.state(0) == GOOD


def test_clocks_call_no_sensor_late_that_sends_in_long_bursts() -> None:
    sensors = group(in_bursts(20, stamped=False, start=5.0))
    clocks = SensorClocks(4)
    for arrival, index, k in sorted((s.arrivals[k], i, k) for i, s in enumerate(sensors) for k in range(len(s.true))):
        clocks.instant(index, int(sensors[index].timestamps[k]), int(ns(arrival)), int(sensors[index].sequence[k]))
        assert clocks.state(index) == GOOD


def test_clocks_mask_delay_that_scatters_beyond_the_others() -> None:
    """A hundred milliseconds that scatter are a slow transport: the sensor is late, its clock is right."""
    slow = sensor(7, delay=0.1, jitter=0.03)
    errors, clocks = instants([slow, *(sensor(seed) for seed in range(5))])
    assert clocks.state(0).verdict is Verdict.LATE
    assert np.isnan(errors[0][slow.true > 2.0]).mean() > 0.95


def test_clocks_follow_a_looped_bag_by_jumping_together() -> None:
    once = [sensor(seed, seconds=10.0) for seed in range(6)]
    again = [
        SimulatedSensor(
            np.concatenate([s.true, s.true + 10.0]),
            np.concatenate([s.timestamps, s.timestamps]),
            np.concatenate([s.arrivals, s.arrivals + 10.0]),
            np.arange(2 * len(s.true)),
        )
        for s in once
    ]
    errors, clocks = instants(again)
    assert clocks.jumps == 1
    assert apart(again, errors) < 0.004


def test_clocks_begin_anew_when_the_nodes_clock_steps_back() -> None:
    """A bag played in a loop with /clock: timestamps and arrivals jump back, and the timestamps stay as they are."""
    samples, clocks = sensor(0), SensorClocks(1)
    for _ in range(2):
        for timestamp, arrival in zip(samples.timestamps.tolist(), ns(samples.arrivals).tolist(), strict=True):
            assert clocks.instant(0, timestamp, arrival) == timestamp
    assert clocks.jumps == 1


@pytest.mark.parametrize("tick", [0.01, 0.1])
def test_clocks_bear_a_coarse_clock(tick: float) -> None:
    """With use_sim_time arrivals are those of the last /clock: timestamps seem to be ahead by up to its period."""
    sensors = []
    for seed in range(6):
        samples = sensor(seed)
        coarse = np.floor(samples.arrivals / tick) * tick
        sensors.append(SimulatedSensor(samples.true, samples.timestamps, coarse, samples.sequence))
    errors, clocks = instants(sensors, SensorClocks(6, tolerance=0.005 + tick))
    assert all(np.abs(error).max() < 1e-6 for error in errors)
    assert states(clocks, 6) == [GOOD] * 6


def test_clocks_wait_for_the_nodes_clock() -> None:
    clocks = SensorClocks(1)
    assert [clocks.instant(0, int(ns(k / 100)), 0) for k in range(10)] == [int(ns(k / 100)) for k in range(10)]
    assert [clocks.instant(0, int(ns(k / 100)), int(ns(k / 100 + 0.003))) for k in range(10, 99)]
    assert clocks.state(0) == GOOD


def test_clocks_survive_the_restart_of_a_driver() -> None:
    samples = sensor(0)
    alive = (samples.true < 8.0) | (samples.true > 10.0)
    boot = np.where(samples.true > 9.0, samples.timestamps - START, samples.timestamps)
    restarted = SimulatedSensor(
        samples.true[alive],
        boot[alive],
        samples.arrivals[alive],
        np.where(samples.true > 9.0, np.arange(len(boot)) - 1000, np.arange(len(boot)))[alive],
    )
    errors, _ = instants([restarted, *(sensor(seed) for seed in range(1, 6))])
    assert np.isfinite(errors[0]).mean() > 0.995
    assert np.nanmax(np.abs(errors[0])) < 0.004


def test_policy_arrival_never_uses_timestamps() -> None:
    samples = sensor(0)
    errors, clocks = instants([samples], policies=[ClockPolicy.ARRIVAL])
    later = errors[0][samples.true > SETTLED_S]
    assert np.ptp(later) < 0.006
    assert clocks.state(0).reason == "its timestamps are not used: replaced by arrival"
    assert clocks.report(0).policy is ClockPolicy.ARRIVAL


@pytest.mark.parametrize(("ahead_s", "ahead"), [(0.02, "20 ms"), (0.4, "0.40 s")])
def test_policy_timestamp_names_clocks_ahead_and_reconciles_nothing(ahead_s: float, ahead: str) -> None:
    sensors = [shifted(ahead_s)(sensor(0)), sensor(1)]
    errors, clocks = instants(sensors, policies=[ClockPolicy.TIMESTAMP, ClockPolicy.AUTO])
    np.testing.assert_allclose(errors[0], ahead_s, atol=1e-6)
    assert (clocks.is_ahead(0), clocks.is_ahead(1)) == (True, False)
    assert clocks.state(0).masked
    assert clocks.state(0).reason == f"its clock is {ahead} ahead"
    assert "auto" in clocks.state(0).remedy


def test_policy_timestamp_uses_timestamps_that_are_behind() -> None:
    errors, clocks = instants([shifted(-0.1)(sensor(0)), sensor(1)], policies=[ClockPolicy.TIMESTAMP, ClockPolicy.AUTO])
    np.testing.assert_allclose(errors[0], -0.1, atol=1e-6)
    assert not clocks.is_ahead(0)


@pytest.mark.parametrize("seed", range(20))
def test_clocks_survive_absurd_input(seed: int) -> None:
    rng = random.Random(seed)
    clocks, arrival = SensorClocks(3), START
    steps = [0, 10_000_000, 1_000_000, 10 * SECOND, -SECOND, 400_000_000]
    for step in rng.choices(steps, weights=[0.2, 0.6, 0.17, 0.01, 0.01, 0.01], k=2000):
        arrival += step
        timestamp = rng.choice([arrival, 0, -5, arrival - 10**12, arrival + SECOND, 1 << 62, rng.randrange(1 << 60)])
        number = None if rng.random() < 0.3 else rng.randrange(1 << 40)
        instant = clocks.instant(rng.randrange(3), timestamp, arrival, number)
        assert instant is None or isinstance(instant, int)
    assert len(states(clocks, 3)) == 3


@pytest.mark.parametrize("seed", range(5))
def test_clocks_recover_from_absurd_input(seed: int) -> None:
    rng = np.random.default_rng(seed)
    samples = sensor(seed, seconds=30.0)
    wild = samples.timestamps + np.where(
        (samples.true > 5.0) & (samples.true < 10.0), rng.integers(-(10**12), 10**12, len(samples.true)), 0
    )
    errors, clocks = instants(
        [SimulatedSensor(samples.true, wild, samples.arrivals, samples.sequence), *(sensor(k) for k in range(10, 13))]
    )
    assert np.nanmax(np.abs(errors[0])) < 0.02
    assert np.isfinite(errors[0]).mean() > 0.98
    assert clocks.state(0) == GOOD


@pytest.mark.parametrize("is_told", [True, False])
def test_clock_of_the_node_that_is_set_forward_makes_no_sensor_late(is_told: bool) -> None:
    """Sensors on the right time for a node that learns it after ten seconds; untold, a delay looks the same."""
    clocks = SensorClocks(4)
    for row in range(2000):
        now = START + row * SECOND // 100
        if row == 1000 and is_told:
            clocks.begin_anew()
        for index in range(4):
            clocks.instant(index, now, now + 2_000_000 - (SECOND if row < 1000 else 0), row)
    assert [state is GOOD for state in states(clocks, 4)] == [is_told] * 4


@pytest.mark.parametrize(
    ("offset", "drift", "says"),
    [
        (0.0, 2.1e-4, "drifts by +0.2 ms/s"),
        (0.0, 1.9e-4, "leapt"),
        (0.0029, 0.0, "leapt"),
        (0.0031, 0.0, "is 3 ms behind"),
        (-0.95e6, 0.0, "ahead"),
        (1.05e6, 0.0, "does not tell the time of day"),
    ],
)
def test_clocks_say_what_is_wrong_by_offset_and_drift(
    offset: float, drift: float, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    clocks = SensorClocks(1)
    monkeypatch.setattr(clocks, "report", lambda sensor: ClockReport(offset, drift, ClockPolicy.TIMESTAMP))
    assert says in clocks._offence(0)


@pytest.mark.parametrize(("back_ms", "jumps"), [(99, 0), (101, 1)])
def test_clocks_begin_anew_when_the_nodes_clock_steps_back_by_100_ms(back_ms: int, jumps: int) -> None:
    clocks = SensorClocks(1)
    for arrival in (START, START - back_ms * SECOND // 1000):
        clocks.instant(0, arrival, arrival, None)
    assert clocks.jumps == jumps
