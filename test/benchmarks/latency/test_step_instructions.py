"""Instructions of an estimate leave out what starting costs."""

from pathlib import Path

import pytest

from benchmarks.latency import step_instructions
from imu_emg_estimator.model.bundle import Bundle


def test_instructions_leave_starting_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step_instructions, "_collected", lambda bundle, estimates: 10**9 + 400 * estimates)
    assert step_instructions.instructions_of(Path("a.safetensors")) == 400


def test_counted_process_estimates_as_often_as_asked(bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    steps = []
    monkeypatch.setattr(step_instructions.StreamingEstimator, "step", lambda self, row: steps.append(row))
    step_instructions.estimate(bundle, 5)
    assert len(steps) == step_instructions.WARM_UP + 5
