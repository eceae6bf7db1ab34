"""The verdicts of a calibration are counted: named faults of those made, and none where none was made."""

from typing import Any

import pytest
from fixtures.factories import RecordingFactory

from benchmarks.accuracy import accuracy_report as report
from benchmarks.accuracy import verdict_protocol as verdicts
from imu_emg_estimator.model.bundle import Bundle

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def found(trained_bundle: Bundle, make_recording: RecordingFactory) -> dict[str, Any]:
    recordings = [make_recording([("standing", 5.0), ("walking", 70.0)], seed=20)]
    patch = pytest.MonkeyPatch()
    patch.setattr(verdicts, "TURNS_DEG", (90.0,))
    patch.setattr(verdicts, "SLIPS_DEG", (45.0,))
    outcome = verdicts.verdicts_on(trained_bundle, recordings)
    patch.undo()
    return verdicts.summarise([{"subjects": {"9": outcome}}])


def test_verdicts_name_simulated_fault(found: dict[str, Any]) -> None:
    assert found["worn_wrongly"]["turned by 90°"] == [18, 18]
    assert found["worn_wrongly"]["left for right"] == [3, 3]
    assert found["worn_wrongly"]["exchanged with another"] == [12, 12]
    assert found["worn_wrongly"]["all left for all right"] == [1, 1]
    assert found["slipped"]["45"] == [6, 6]
    assert found["delays"]["0.1"]["corrected"] == 1
    assert found["delays"]["0.1"]["largest_error"] < 0.03


def test_verdicts_name_no_other_fault(found: dict[str, Any]) -> None:
    assert found["as_worn"]["walking"] == {"windows": 2, "with_left_out": 0, "left_out": {}}
    assert found["drift_alarms"] == {"9": 0}
    assert found["delays"]["0"]["corrected"] == 0


def test_verdict_tables(found: dict[str, Any]) -> None:
    figure = {"r_before": 0.5, "r": 0.04, "r2": 0.1, "least_r": -0.002, "made_worse": {}, "subjects": {"9": 0.04}}
    part = {"all": figure, "locomotion": figure}
    bag = {"subjects": 1, "changes": {"rest": part, "common": part}, "decisions": {"adapted": 2}, "seconds": 3.0}
    budget = {"batch": 24, "episodic": False, "steps": 600, "sequence": 256, "gyroscopes": False}
    setup = {"dataset": "hugadb", "folds": [["9"]], "seeds": [0], "budget": budget, "look_ahead_s": 0.05, "tuned": True}
    summary = {
        "protocol": "calibration", "setup": setup, "made": {"date": "2026-11-23"}, "missing_jobs": 0,
        "rows": {"geglu_transformer": {"walking, 30 s": bag}}, "verdicts": found,
    }  # fmt: skip
    text = "\n".join(report._calibrations("## Calibration", summary))
    assert "| walking, 30 s | 1 | 0.500 | +0.040 | +0.040 | +0.100 | +0.040 | -0.002 | none | 2 / 0 / 0 | 3.0 |" in text
    assert "| turned by 90° | 18 | 18 |" in text
    assert "drift alarm within the day: none, of 1" in text
