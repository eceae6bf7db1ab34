"""SampleChecks: what the stream of a sensor alone tells."""

from collections.abc import Iterable

import numpy as np
import pytest

from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sample_checks import Checked, SampleChecker, SampleChecks
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict

RATE = 60.0  # Hz
Array = np.ndarray
NAN = float("nan")


def movement(seconds: float, rate: float = RATE, seed: int = 0) -> Array:
    """Samples [samples, 6] of a shank that swings once a second: gravity, swing and noise."""
    time = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * time
    angle = 0.5 * np.sin(phase)
    acceleration = 9.81 * np.stack([np.cos(angle), 0.1 * np.sin(2 * phase), np.sin(angle)], axis=1)
    acceleration += 3.0 * np.stack([np.sin(2 * phase), 0.3 * np.cos(phase), np.cos(3 * phase)], axis=1)
    turning = np.stack([0.1 * np.sin(phase), 0.5 * 2 * np.pi * np.cos(phase), 0.1 * np.cos(phase)], axis=1)
    samples = np.concatenate([acceleration, turning], axis=1)
    return samples + 0.02 * np.random.default_rng(seed).standard_normal(samples.shape)


def run(
    checker: SampleChecker, samples: Array, rate: float = RATE, sequences: Iterable[int] | None = None
) -> list[Checked]:
    """Check samples [samples, 6] one after the other."""
    numbers = sequences or [None] * len(samples)
    return [
        checker.check(round(index * SECOND / rate), tuple(sample), number)
        for index, (sample, number) in enumerate(zip(samples.tolist(), numbers, strict=True))
    ]


def first_masked(checked: list[Checked], rate: float = RATE) -> float:
    """Instant [s] of the first sample whose state is masked; infinity = none."""
    return next((index / rate for index, one in enumerate(checked) if one.state.masked), float("inf"))


@pytest.mark.parametrize("rate", [50.0, 60.0, 100.0, 200.0])
def test_checker_accepts_movement_and_passes_it_on(rate: float) -> None:
    samples = movement(20.0, rate)
    checked = run(SampleChecker(rate), samples, rate)
    assert {one.state for one in checked} == {GOOD}
    np.testing.assert_array_equal([one.sample for one in checked], samples)


def two_units(samples: Array) -> None:
    samples[::2, :3] /= 9.80665


FAULTS = {
    "nothing finite": (lambda part: part.fill(NAN), Verdict.ABSENT, 0.1),
    "zeros": (lambda part: part.__setitem__(np.s_[:, :3], 0.0), Verdict.IMPLAUSIBLE, 0.02),
    "g": (lambda part: part.__setitem__(np.s_[:, :3], part[:, :3] / 9.80665), Verdict.OTHER_UNITS, 0.25),
    "mg": (lambda part: part.__setitem__(np.s_[:, :3], part[:, :3] * 101.97), Verdict.OTHER_UNITS, 0.25),
    "converted twice": (lambda part: part.__setitem__(np.s_[:, :3], part[:, :3] * 9.80665), Verdict.OTHER_UNITS, 0.25),
    "two units": (two_units, Verdict.OTHER_UNITS, 0.25),
    "no gravity": (lambda part: part.__isub__(part.mean(axis=0)), Verdict.IMPLAUSIBLE, 0.6),
    "negated": (lambda part: part.__imul__(-1.0), Verdict.IMPLAUSIBLE, 0.5),
    "degrees": (lambda part: part.__setitem__(np.s_[:, 3:], part[:, 3:] * 57.3), Verdict.OTHER_UNITS, 0.5),
}


@pytest.mark.parametrize("rate", [50.0, 60.0, 100.0, 200.0])
@pytest.mark.parametrize("name", FAULTS)
def test_checker_tells_fault_in_time_and_forgets_it_when_it_ends(name: str, rate: float) -> None:
    inject, verdict, seconds = FAULTS[name]
    samples = movement(10.0, rate)
    begin, end = round(3.2 * rate), round(6.0 * rate)
    inject(samples[begin:end])
    checked = run(SampleChecker(rate), samples, rate)
    assert 0.0 <= first_masked(checked, rate) - begin / rate <= seconds
    assert {one.state.masked for one in checked[begin + round(seconds * rate) + 1 : end]} == {True}
    assert checked[end - 1].state.verdict is verdict
    assert checked[end - 1].state.reason
    assert checked[end - 1].state.remedy
    assert {one.state for one in checked[end + round(1.0 * rate) :]} == {GOOD}


def test_checker_masks_accelerations_without_gravity_until_it_is_there_again() -> None:
    samples = movement(16.0)
    begin, end = round(3.2 * RATE), round(13.0 * RATE)
    samples[begin:end, :3] -= samples[:, :3].mean(axis=0)
    time = np.arange(end - begin) / RATE
    swings = (time % 2.5 > 1.0) & (time % 2.5 < 2.2)  # as long as gravity, and turning
    samples[begin:end, 0][swings] = 8.2 * np.cos(4 * np.pi * time[swings])
    samples[begin:end, 1][swings] = 8.2 * np.sin(4 * np.pi * time[swings])
    samples[begin:end, 2][swings] = 0.0
    masked = [one.state.masked for one in run(SampleChecker(RATE), samples)]
    assert all(masked[begin + round(0.8 * RATE) : end])
    assert not any(masked[end + round(1.0 * RATE) :])


def test_checker_does_not_take_impacts_for_two_units() -> None:
    samples = movement(5.0)
    for begin, end in ((120, 122), (124, 126), (128, 134)):
        samples[begin:end, :3] *= -0.1  # in the same direction they would be in g
    assert {one.state for one in run(SampleChecker(RATE), samples)} == {GOOD}


@pytest.mark.parametrize("seconds", [30.0, 70.0])
def test_checker_remembers_negated_axes_through_gaps_and_accepts_them_put_right(seconds: float) -> None:
    samples = movement(seconds + 10.0)
    begin, end = round(3.2 * RATE), round((3.2 + seconds) * RATE)
    samples[begin:end] *= -1.0
    checker, masked = SampleChecker(RATE), np.zeros(len(samples), dtype=bool)
    for index, sample in enumerate(samples.tolist()):
        if index % round(11 * RATE) >= 0.4 * RATE:  # a gap every 11 s
            masked[index] = checker.check(round(index * SECOND / RATE), tuple(sample)).state.masked
    told = [index for index in range(begin + round(0.8 * RATE), end) if index % round(11 * RATE) >= 0.4 * RATE]
    assert masked[[index for index in told if index < begin + 55 * RATE]].all()
    assert not masked[end + round(1.0 * RATE) :].any()


@pytest.mark.parametrize("value", [1e308, -1e308, 1e200, 1e30, 1e6, np.inf, -np.inf, NAN])
def test_checker_recovers_from_any_sample_within_a_second(value: float) -> None:
    samples = movement(6.0)
    samples[180, 0] = value
    checked = run(SampleChecker(RATE), samples)
    assert {one.state for one in checked[:180]} == {GOOD}
    assert {one.state for one in checked[240:]} == {GOOD}
    np.testing.assert_array_equal([one.sample for one in checked[240:]], samples[240:])


def test_checker_takes_acceleration_and_rate_in_turns() -> None:
    """REP 145 allows it: neither is absent."""
    samples = movement(5.0, 200.0)
    samples[::2, 3:] = NAN
    samples[1::2, :3] = NAN
    checked = run(SampleChecker(RATE), samples, 200.0)
    assert {one.state for one in checked} == {GOOD}
    np.testing.assert_array_equal([one.sample for one in checked], samples)


def test_checker_tells_wrong_gravity_at_rest_and_remembers_it_in_movement() -> None:
    rest = np.tile([0.0, 0.0, 13.0, 0.0, 0.0, 0.0], (180, 1))
    rest += 0.03 * np.random.default_rng(0).standard_normal(rest.shape)
    moving = movement(4.0) * np.array([1.325] * 3 + [1.0] * 3)
    checked = run(SampleChecker(RATE), np.concatenate([rest, moving]))
    assert checked[179].state.verdict is Verdict.IMPLAUSIBLE
    assert "a gravity of 13.0 instead of 9.81" in checked[179].state.reason
    assert checked[-1].state.masked


def test_checks_tell_sensor_that_only_noise_keeps_alive() -> None:
    """Three sensors: a frozen one with noise stands still while the others move; a resting rig is accepted."""
    sensors = np.stack([movement(8.0, seed=seed) for seed in range(3)], axis=1)
    noise = 0.01 * np.random.default_rng(5).standard_normal((180, 6))
    sensors[180:360, 1] = 1.4 * sensors[179, 1] + noise
    checks, states = SampleChecks(RATE, np.ones((3, 6), dtype=bool)), []
    for index, row in enumerate(sensors.tolist()):
        states.append([checks.check(s, round(index * SECOND / RATE), tuple(row[s])).state for s in range(3)])
    assert {state for row in states[:180] for state in row} == {GOOD}
    assert {row[0] for row in states} | {row[2] for row in states} == {GOOD}
    assert all(row[1].verdict is Verdict.FROZEN for row in states[196:360])
    assert {row[1] for row in states[420:]} == {GOOD}
    resting = SampleChecks(RATE, np.ones((3, 6), dtype=bool))
    at_rest = [0.0, 0.0, 9.81, 0.0, 0.0, 0.0] + 0.01 * np.random.default_rng(6).standard_normal((180, 6))
    for index, sample in enumerate(at_rest.tolist()):
        for sensor in range(3):
            assert resting.check(sensor, round(index * SECOND / RATE), tuple(sample)).state is GOOD


@pytest.mark.parametrize(("is_frozen", "noise_mps2"), [(True, 0.01), (True, 0.05), (False, 0.01)])
def test_checks_tell_sensors_that_freeze_all_at_once_from_a_person_who_stops(
    is_frozen: bool, noise_mps2: float
) -> None:
    sensors = np.stack([movement(12.0, seed=seed) for seed in range(3)], axis=1)
    rest, stop, go = [14.0 if is_frozen else 9.81, 0.0, 0.0, 0.0, 0.0, 0.0], 180, 480
    share = np.clip((np.arange(len(sensors)) - stop) / (1.0 if is_frozen else RATE), 0.0, 1.0)[:, None, None]
    noise = noise_mps2 * np.random.default_rng(5).standard_normal(sensors.shape)
    sensors[stop:go] = ((1.0 - share) * sensors + share * rest + noise)[stop:go]
    sensors[go : go + 6] = rest + 0.1 / noise_mps2 * noise[go : go + 6]  # moves a little first
    checks, states = SampleChecks(RATE, np.ones((3, 6), dtype=bool)), []
    for index, row in enumerate(sensors.tolist()):
        states.append([checks.check(s, round(index * SECOND / RATE), tuple(row[s])).state for s in range(3)])
    settled = round(0.4 * RATE)
    assert {state for row in states[:stop] + states[go + settled :] for state in row} == {GOOD}
    verdicts = {state.verdict for row in states[stop + settled : go] for state in row}
    assert verdicts == {Verdict.FROZEN if is_frozen else Verdict.OK}


@pytest.mark.parametrize("noise", [0.0001, 0.001])
def test_checks_forget_where_a_sensor_was_frozen_under_tiny_noise(noise: float) -> None:
    sensors, begin, end = strides(16.0), 300, 780
    frozen = sensors[begin, :, :3] * [-1.0, 1.0, 1.0]  # at an instant when gravity is hidden by movement
    sensors[begin:end, :, :3] = frozen + noise * np.random.default_rng(3).standard_normal((end - begin, 6, 3))
    states = states_of(sensors)
    assert {state.verdict for row in states[begin + 20 : end] for state in row} == {Verdict.FROZEN}
    assert {state for row in states[end + round(0.5 * RATE) :] for state in row} == {GOOD}


def strides(seconds: float, sensors: int = 6) -> Array:
    """Samples [samples, sensors, 6] of a walk, each sensor at another moment of the stride."""
    walk = movement(seconds + 1.0)
    samples = np.stack([walk[5 * shift : 5 * shift + round(seconds * RATE)] for shift in range(sensors)], axis=1)
    samples[..., :3] += 1.0 * np.random.default_rng(2).standard_normal(samples[..., :3].shape)
    return samples


def states_of(sensors: Array) -> list[list[SensorState]]:
    """Return the states of all sensors after each row of samples [samples, sensors, 6]."""
    checks, states = SampleChecks(RATE, np.ones((sensors.shape[1], 6), dtype=bool)), []
    for index, row in enumerate(sensors.tolist()):
        instant = round(index * SECOND / RATE)
        states.append([checks.check(sensor, instant, tuple(one)).state for sensor, one in enumerate(row)])
    return states


def test_checks_tell_gravity_that_vanishes_from_all_sensors_at_once_until_it_is_there_again() -> None:
    sensors, begin, end = strides(16.0), 300, 780
    sensors[begin:end, :, :3] -= sensors[:, :, :3].mean(axis=0)
    states = states_of(sensors)
    assert {state for row in states[:begin] + states[end + 72 :] for state in row} == {GOOD}
    during = [state for row in states[begin + 15 : end] for state in row]
    assert {state.verdict for state in during} == {Verdict.IMPLAUSIBLE}
    assert all("as if its driver removed it" in state.reason for state in during)


def test_checks_accept_gravity_that_seems_to_vanish_from_one_leg() -> None:
    sensors = strides(8.0)
    sensors[300:310, :3, :3] -= sensors[:, :3, :3].mean(axis=0)
    assert {state for row in states_of(sensors) for state in row} == {GOOD}


def test_checks_tell_units_in_g_on_all_sensors_from_gravity_removed() -> None:
    sensors = strides(8.0)
    sensors[300:, :, :3] /= 9.80665
    assert {state.verdict for row in states_of(sensors)[320:] for state in row} == {Verdict.OTHER_UNITS}


def test_checker_masks_samples_of_two_publishers() -> None:
    samples = movement(2.0, 120.0)
    numbers = [value for count in range(120) for value in (count, count + 700)]
    checked = run(SampleChecker(RATE), samples, 120.0, numbers)
    assert checked[-1].state.verdict is Verdict.TWO_PUBLISHERS
    assert np.isnan(checked[-1].sample).all()


def test_checker_passes_slow_sensor_on_and_masks_a_very_slow_one() -> None:
    assert run(SampleChecker(RATE), movement(4.0, 40.0), 40.0)[-1].state.verdict is Verdict.SLOW
    assert np.isfinite(run(SampleChecker(RATE), movement(4.0, 40.0), 40.0)[-1].sample).all()
    assert np.isnan(run(SampleChecker(RATE), movement(4.0, 20.0), 20.0)[-1].sample).all()


def test_checker_begins_anew_when_time_jumps_back() -> None:
    checker = SampleChecker(RATE)
    for index in range(60):
        checker.check(round((100 + index / RATE) * SECOND), (1.0,) * 6)
    assert checker.state.masked
    assert checker.check(0, (0.1, 0.2, 9.81, 0.0, 0.1, 0.0)).state is GOOD


@pytest.mark.parametrize("seed", range(20))
def test_checker_survives_any_stream_and_recovers(seed: int) -> None:
    """Whatever comes: no error, only the sample or NaN comes out, and clean input is clean again within 3 s."""
    generator = np.random.default_rng(seed)
    absurd = generator.standard_normal((400, 6)) * 10.0 ** generator.integers(-3, 308, (400, 1))
    absurd[generator.random((400, 6)) < 0.1] = NAN
    absurd[generator.random(400) < 0.3] = absurd[0]
    checker, instant = SampleChecker(RATE), 0
    for sample in absurd.tolist():
        instant += int(generator.choice([-(10**10), -1, 0, 1, 10**6, 16_666_667, 10**9, 10**15]))
        number = int(generator.integers(0, 1000)) if generator.random() < 0.5 else None
        checked = checker.check(instant, tuple(sample), number)
        assert all(a == b or a != a for a, b in zip(checked.sample, sample, strict=True))
        assert checked.state.verdict is Verdict.OK or checked.state.reason
    clean = movement(6.0)
    states = [
        checker.check(instant + round((1 + i / RATE) * SECOND), tuple(s)).state for i, s in enumerate(clean.tolist())
    ]
    assert set(states[180:]) == {GOOD}


@pytest.mark.parametrize("rate", [50.0, 60.0, 100.0, 200.0])
def test_checker_masks_frozen_sensor_within_100_ms(rate: float) -> None:
    samples = movement(6.0, rate)
    begin = round(3.0 * rate)
    samples[begin : begin + round(rate)] = samples[begin - 1]
    checked = run(SampleChecker(rate), samples, rate)
    assert 0.0 < first_masked(checked, rate) - begin / rate <= 0.1
    assert checked[begin + round(0.5 * rate)].state.verdict is Verdict.FROZEN
    assert np.isnan(checked[begin + round(0.5 * rate)].sample).all()
    assert checked[begin + round(1.5 * rate)].state is GOOD


def test_checker_accepts_samples_that_a_driver_sends_four_times() -> None:
    held = np.repeat(movement(10.0, 50.0), 4, axis=0)
    assert {one.state for one in run(SampleChecker(RATE), held, 200.0)} == {GOOD}


@pytest.mark.parametrize("is_held", [True, False])
def test_checker_calls_a_sensor_slow_whose_messages_bring_nothing_new(is_held: bool) -> None:
    """At 100 Hz, one message of five has another acceleration than the one before, or has any."""
    samples = np.repeat(movement(3.0, 20.0), 5, axis=0)
    if not is_held:
        samples[np.arange(len(samples)) % 5 > 0, :3] = NAN
    state = run(SampleChecker(RATE, rate_used=False), samples, 100.0)[-1].state
    assert (state.verdict, state.reason) == (Verdict.SLOW, "sends at 20 Hz instead of 60 Hz")


def test_checker_leaves_out_one_sample_far_beyond_the_training_alone() -> None:
    samples = movement(4.0)
    samples[100::7, 1] = 8.1 * 20.0
    checked = run(SampleChecker(RATE, highest_acceleration=20.0), samples)
    assert {one.state for one in checked} == {GOOD}
    left_out = np.isnan([one.sample[:3] for one in checked])
    np.testing.assert_array_equal(left_out, np.repeat(samples[:, 1:2] > 100.0, 3, axis=1))


def test_checker_judges_used_parts_alone() -> None:
    samples = movement(3.0)
    samples[:, 3:] = 1.0
    samples[100:, 3:] = NAN
    assert {one.state for one in run(SampleChecker(RATE, rate_used=False), samples)} == {GOOD}
    assert run(SampleChecker(RATE), samples)[-1].state.verdict is Verdict.ABSENT


def test_checks_tell_sensors_apart_and_forget_all_samples() -> None:
    checks = SampleChecks(RATE, np.ones((2, 6), dtype=bool))
    for index, sample in enumerate(movement(1.0).tolist()):
        instant = round(index * SECOND / RATE)
        states = [checks.check(0, instant, tuple(sample)).state, checks.check(1, instant, (1.0,) * 6).state]
    assert [state.verdict for state in states] == [Verdict.OK, Verdict.FROZEN]
    checks.reset()
    assert checks.check(1, SECOND, (1.0,) * 6).state == GOOD


def without_rate(missing: int, period_ms: float, rate: float, value: float = NAN) -> list[Checked]:
    """Check a second of movement, samples whose angular rates are this, and a second of movement again."""
    samples = movement(3.0, 1000.0 / period_ms)
    begin = round(1000.0 / period_ms)
    samples[begin : begin + missing, 3:] = value
    return run(SampleChecker(rate), samples[: 2 * begin + missing], 1000.0 / period_ms)[begin:]


@pytest.mark.parametrize(("period_ms", "rate", "messages"), [(10.0, 60.0, 6), (11.0, 60.0, 6), (33.0, 30.0, 3)])
def test_checker_takes_a_part_for_absent_after_three_messages_and_60_ms(
    period_ms: float, rate: float, messages: int
) -> None:
    verdicts = [one.state.verdict is Verdict.ABSENT for one in without_rate(12, period_ms, rate)[:12]]
    assert verdicts == [False] * (messages - 1) + [True] * (13 - messages)


@pytest.mark.parametrize(("value", "is_absent"), [(9900.0, False), (10100.0, True)])
def test_checker_takes_values_beyond_ten_thousand_for_absent(value: float, is_absent: bool) -> None:
    assert (without_rate(40, 10.0, 60.0, value)[39].state.verdict is Verdict.ABSENT) == is_absent


def test_checker_holds_a_verdict_for_300_ms() -> None:
    masked = [one.state.masked for one in without_rate(20, 10.0, 60.0)]
    assert masked[5:] == [True] * (20 - 5 + 29) + [False] * (len(masked) - 20 - 29)


def test_checker_that_has_never_seen_a_part_waits_for_60_ms_too() -> None:
    samples = movement(1.0, 100.0)
    samples[:, 3:] = NAN
    checker = SampleChecker(60.0)
    states = [
        checker.check(SECOND + index * SECOND // 100, tuple(one)).state for index, one in enumerate(samples.tolist())
    ]
    assert [state.masked for state in states[:8]] == [False] * 6 + [True] * 2
