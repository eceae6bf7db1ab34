"""Oracle: it knows what was done to the input, and believes nothing that the outputs say of it."""

import numpy as np
import pytest

from benchmarks.reliability.fault_cases import Case, Expected, Who
from benchmarks.reliability.fault_oracle import Truth, judge
from benchmarks.reliability.live_runs import Entry, LiveRun
from imu_emg_estimator.signals.sensor_verdict import Verdict
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, STALE

TRUTH = Truth(sensors=(1,), start=10.0, end=20.0)
FROZEN = Case("frozen", "frozen", Who.ONE, Expected.NAMED)
OFFSET = Case("clocks", "clock_offset", Who.ONE, Expected.RECONCILED, 0.4)
DELAY_S = 0.055  # of an output, after the instant that it is for


def run(status: int = OK, missing: int = 0, begin: float = 10.05, end: float = 20.2, shift: float = 0.0) -> LiveRun:
    """Thirty seconds at 50 Hz; a status and named sensors from one instant to another, instants shifted then."""
    made = LiveRun()
    for at in np.arange(0.0, 30.0, 0.02):
        inside = begin <= at < end
        made.at.append(float(at))
        made.instant.append(float(at) - DELAY_S + (shift if inside else 0.0))
        made.status.append(status if inside else OK)
        made.missing.append(missing if inside else 0)
        value = np.nan if inside and status == STALE else np.sin(3 * (at - DELAY_S))
        made.activation.append(np.array([value, 2 * value]))
        made.age.append(0.0)
        made.cause.append("")
    return made


def test_ok_from_wrong_input_is_unsaid() -> None:
    figures = judge(FROZEN, TRUTH, run(), run())
    assert figures["unsaid"] == figures["messages"] == pytest.approx(495, abs=2)
    assert figures["said_first"] is None
    assert figures["last_unsaid"] == pytest.approx(10.0, abs=0.03)


@pytest.mark.parametrize(("status", "missing", "unsaid"), [(STALE, 0, 0), (DEGRADED, 0b10, 0), (DEGRADED, 0b100, 495)])
def test_degraded_must_name_the_struck_sensor(status: int, missing: int, unsaid: int) -> None:
    figures = judge(FROZEN, TRUTH, run(status, missing), run())
    assert figures["unsaid"] == pytest.approx(unsaid, abs=2)
    assert (figures["blames_others"] != 0) == (missing == 0b100)


def test_said_within_the_grace_is_in_time_and_later_is_not() -> None:
    assert judge(FROZEN, TRUTH, run(STALE, begin=10.09), run())["unsaid"] == 0
    late = judge(FROZEN, TRUTH, run(STALE, begin=11.0), run())
    assert late["unsaid"] == pytest.approx(45, abs=2)
    assert late["said_first"] == pytest.approx(1.0, abs=0.03)


def test_recovery_is_measured_and_never_is_not_a_number() -> None:
    assert judge(FROZEN, TRUTH, run(STALE, end=20.7), run())["recovery"] == pytest.approx(0.7, abs=0.03)
    assert np.isnan(judge(FROZEN, TRUTH, run(STALE, end=99.0), run())["recovery"] or 0.0)


def test_alarm_that_clean_input_raises_too_does_not_delay_recovery() -> None:
    both = run(STALE, end=25.0)
    assert judge(FROZEN, TRUTH, both, both)["recovery"] == pytest.approx(0.0, abs=0.03)


def test_reconciled_clock_agrees_with_clean_input() -> None:
    figures = judge(OFFSET, TRUTH, run(), run())
    assert figures["unsaid"] == 0
    assert figures["r"] == pytest.approx(1.0)
    assert figures["amplitude"] == pytest.approx(1.0)


@pytest.mark.parametrize("shift", [0.1, -0.3])
def test_ok_for_an_instant_that_cannot_be_is_unsaid(shift: float) -> None:
    assert judge(OFFSET, TRUTH, run(shift=shift), run())["unsaid"] == pytest.approx(500, abs=10)


def test_verdict_during_the_fault_counts_as_told() -> None:
    told = run()
    told.entries = [Entry(9.0, 1, Verdict.SLOW, ""), Entry(12.0, 0, Verdict.SLOW, ""), Entry(13.0, 1, Verdict.SLOW, "")]
    assert judge(FROZEN, TRUTH, told, run())["told_first"] == pytest.approx(3.0)


def test_only_outputs_after_a_changed_sample_are_wrong() -> None:
    truth = Truth((1,), 10.0, 20.0, struck=np.array([12.0]))
    assert judge(FROZEN, truth, run(), run())["messages"] == pytest.approx(25, abs=1)


def test_fault_is_named_from_when_it_stays_so() -> None:
    flickers, settles = run(STALE, begin=11.0, end=12.0), run(STALE, begin=13.0)
    assert judge(FROZEN, TRUTH, flickers, run())["named_from"] is None
    assert judge(FROZEN, TRUTH, settles, run())["named_from"] == pytest.approx(3.0, abs=0.03)
