"""AngularRateChecks: degrees a second and two units in turns are told, fast legs and noise are not."""

import math

import pytest

from imu_emg_estimator.signals.angular_rate_checks import AngularRateChecks
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.sensor_verdict import SensorState, Verdict

RATE = 100.0  # Hz


def take(lengths: list[float]) -> list[SensorState | None]:
    """Judge turning at these rates [rad/s], about one oblique axis."""
    checks, third = AngularRateChecks(), 1.0 / math.sqrt(3.0)
    return [
        checks.take(round(index * SECOND / RATE), (x * third, x * third, x * third)) for index, x in enumerate(lengths)
    ]


@pytest.mark.parametrize(("turning", "told"), [(24.9, False), (25.1, True)])
def test_checks_tell_degrees_by_25_rad_per_s_on_average_over_0_2_s(turning: float, told: bool) -> None:
    found = take([turning] * 100)
    state = found[-1]
    assert (state is not None) is told
    if state:
        assert (state.verdict, state.masked) == (Verdict.OTHER_UNITS, True)
        assert "turns at 25 rad/s" in state.reason
        assert "degrees a second" in state.reason
        first = next(index for index, state in enumerate(found) if state)
        assert 0.15 <= first / RATE <= 0.25


def test_checks_accept_short_fast_turns() -> None:
    assert set(take(([30.0] * 8 + [5.0] * 12) * 10)) == {None}


@pytest.mark.parametrize(("larger", "told"), [(3.6, True), (3.4, False)])
def test_checks_tell_two_units_in_turns(larger: float, told: bool) -> None:
    state = take([2.0, 2.0 * larger] * 50)[-1]
    assert (state is not None) is told
    if state:
        assert (state.verdict, state.masked) == (Verdict.OTHER_UNITS, True)
        assert "times in 0.2 s, as if in two units" in state.reason


@pytest.mark.parametrize(("scale", "told"), [(0.98, False), (1.02, True)])
def test_checks_take_noise_at_rest_for_no_change_of_units(scale: float, told: bool) -> None:
    assert (take([0.2 * scale, 1.8 * scale] * 50)[-1] is not None) is told


@pytest.mark.parametrize(("quiet", "told"), [(1, True), (4, False)])
def test_checks_tell_two_units_from_eight_changes_in_0_2_s(quiet: int, told: bool) -> None:
    """A message in other units between others makes two changes: 10 and 4 of them in 0.2 s."""
    found = take(([2.0] * quiet + [8.0] + [2.0] * quiet) * 30)
    assert any(found) is told


def test_checks_forget_when_reset() -> None:
    checks = AngularRateChecks()
    for index in range(60):
        checks.take(index * SECOND // 100, (30.0, 0.0, 0.0))
    checks.reset()
    assert checks.take(61 * SECOND // 100, (30.0, 0.0, 0.0)) is None


@pytest.mark.parametrize(("burst", "told"), [([8.0, 2.0] * 3 + [8.0], True), ([8.0, 2.0] * 3, False)])
def test_checks_tell_two_units_from_eight_changes_on_and_not_from_seven(burst: list[float], told: bool) -> None:
    after = [2.0] * 50 if told else [8.0] * 50
    assert any(take([2.0] * 51 + burst + after)) is told


@pytest.mark.parametrize(("turning", "samples", "told"), [(30.0, 15, False), (27.0, 20, True)])
def test_checks_average_over_four_blocks_of_50_ms(turning: float, samples: int, told: bool) -> None:
    assert any(take([5.0] * 51 + [turning] * samples + [5.0] * 30)) is told
