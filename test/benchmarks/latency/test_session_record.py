"""Figures of a session, from what its processes would have written down."""

from typing import Any

import numpy as np
import pytest

from benchmarks.latency.random_bundles import at_rate
from benchmarks.latency.session_record import SessionRecord
from imu_emg_estimator.model.bundle import Bundle

RATE = 100.0
PERIOD = 10_000_000  # ns
START = 1_700_000_000_000_000_000
ROWS = 1000
AGE, LATE = 3_000_000, 1_000_000  # ns


@pytest.fixture
def table() -> dict[str, Any]:
    """What a listener receives of a node that misses nothing; each estimate arrives 3 ms after its newest timestamp."""
    rows = START + PERIOD * np.arange(ROWS, dtype=np.int64)
    return {
        "rows": rows,
        "arrivals": rows + AGE,
        "status": np.zeros(ROWS, np.uint8),
        "missing": np.zeros(ROWS, np.int64),
        "is_estimate": np.ones(ROWS, bool),
        "calibration": np.zeros(ROWS, np.int64),
    }


def session_record(bundle: Bundle, table: dict[str, Any], chosen: Any = slice(None), **node: Any) -> SessionRecord:
    """A session in which only the chosen estimates came; the load was 1 ms late."""
    bundle = at_rate(bundle, RATE)
    rows = table["rows"]
    delay = round(bundle.config.look_ahead * 1e9 / RATE)
    listener = {name: values[chosen] for name, values in table.items() if name != "rows"}
    listener["timestamps"] = rows[chosen] - delay
    load = {"timestamps": rows, "published": rows + LATE, "rate": np.array(RATE)}
    return SessionRecord(bundle, START - 2_000_000_000, load, listener, node)


END = START + ROWS * PERIOD


def test_age_and_latency_start_at_timestamp_and_publishing(bundle: Bundle, table: dict[str, Any]) -> None:
    figures = session_record(bundle, table).estimates(START, END)
    assert figures["age"]["p99"] == pytest.approx(0.003)
    assert figures["latency"]["p99"] == pytest.approx(0.002)
    assert figures["missed"] == 0
    assert figures["due"] == ROWS - 30  # those of the last 0.3 s may be on their way
    assert sum(figures["histogram"]) == figures["due"]


def test_age_tail_includes_late_estimates(bundle: Bundle, table: dict[str, Any]) -> None:
    table["arrivals"][100:120] += 50_000_000
    figures = session_record(bundle, table).estimates(START, END)
    assert figures["age"]["p50"] == pytest.approx(0.003)
    assert figures["age"]["p99"] == pytest.approx(0.053)


def test_missed_estimates_and_their_gap(bundle: Bundle, table: dict[str, Any]) -> None:
    chosen = np.ones(ROWS, bool)
    chosen[200:205] = False
    figures = session_record(bundle, table, chosen).estimates(START, END)
    assert figures["missed"] == 5
    assert figures["largest_gap"] == pytest.approx(0.06)


def test_stale_message_is_no_estimate(bundle: Bundle, table: dict[str, Any]) -> None:
    table["is_estimate"][300:310] = False
    table["missing"][300:310] = 6
    session = session_record(bundle, table)
    figures = session.estimates(START, END)
    assert figures["missed"] == 10
    assert figures["largest_gap"] == pytest.approx(0.11)
    assert session.masked(START, END) == 0


def test_record_counts_requested_time_only(bundle: Bundle, table: dict[str, Any]) -> None:
    table["arrivals"][:100] += 7_000_000
    table["missing"][:100] = 6
    table["missing"][150] = 2
    session = session_record(bundle, table)
    later = START + 100 * PERIOD
    assert session.estimates(later, END)["age"]["largest"] == pytest.approx(0.003)
    assert session.masked(later, END) == 2
    assert session.masked(START, END) == 602


def test_start_ends_at_first_finite_estimate(bundle: Bundle, table: dict[str, Any]) -> None:
    table["is_estimate"][:10] = False  # STALE: says only that the node is there
    table["status"][10:60] = 1
    starts = session_record(bundle, table).starts()
    assert starts["first_estimate"] == pytest.approx(2.0 + 0.1 + 0.003)
    assert starts["first_ok"] == pytest.approx(2.0 + 0.6 + 0.003)


def test_messages_lost_by_empty_node(bundle: Bundle, table: dict[str, Any]) -> None:
    came = {"sensor_0": table["rows"], "sensor_1": np.delete(table["rows"], [3, 4, 500])}
    assert session_record(bundle, table, **came).received(START, END) == {"due": 2 * (ROWS - 30), "lost": 3}


def test_first_estimate_of_a_new_calibration(bundle: Bundle, table: dict[str, Any]) -> None:
    assert session_record(bundle, table).first_of_new_calibration() is None
    table["calibration"][400:] = 1
    assert session_record(bundle, table).first_of_new_calibration() == table["arrivals"][400]


def test_record_notices_load_that_falls_behind(bundle: Bundle, table: dict[str, Any]) -> None:
    session = session_record(bundle, table)
    kept = session.load_kept(START, END)
    assert kept["kept"] == pytest.approx(kept["asked"])
    assert kept["late_p99"] == pytest.approx(0.001)
    slow = START + 2 * (session.load["timestamps"] - START)
    session = SessionRecord(session.bundle, session.launched, {**session.load, "published": slow}, session.listener, {})
    assert session.load_kept(START, END)["kept"] == pytest.approx(RATE / 2)


def test_gaps_over_time_are_located(bundle: Bundle, table: dict[str, Any]) -> None:
    table["arrivals"][500:] += 90_000_000
    drawn = session_record(bundle, table).gaps_over_time(START, END)
    longest = int(np.argmax(drawn["gap"]))
    assert drawn["gap"][longest] == pytest.approx(0.1)
    assert drawn["time"][longest] == pytest.approx(5.05, abs=0.06)
    assert np.median(drawn["gap"]) == pytest.approx(0.01)
    assert min(drawn["gap"]) > 0
