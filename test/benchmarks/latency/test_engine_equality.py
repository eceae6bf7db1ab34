"""``python -m benchmarks engines`` compares every installed engine with the network itself."""

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.__main__ import main
from benchmarks.latency import engine_equality
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.engine import available_engines


@pytest.fixture
def options(bundle: Bundle, tmp_path: Path) -> list[str]:
    """Options of a run of some seconds of data with the tiny bundle."""
    bundle.save(tmp_path / "tiny.safetensors")
    files = ["--bundle", str(tmp_path / "tiny.safetensors"), "--json", str(tmp_path / "figures.json")]
    return ["engines", "--hours", "0.002", *files]


@pytest.mark.slow
def test_engines_agree_with_forward_pass(options: list[str], tmp_path: Path) -> None:
    assert main(options) == 0
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert set(figures["largest_difference"]) == set(available_engines())
    assert 0 < max(figures["largest_difference"].values()) <= figures["bound"]


def test_different_engine_fails_run(options: list[str], bundle: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    muscles = bundle.config.muscles
    wrong = SimpleNamespace(step=lambda row: (np.full(muscles, 9.0), np.zeros(muscles)))
    monkeypatch.setattr(engine_equality, "make_engine", lambda *_: wrong)
    assert main(options) == 1
