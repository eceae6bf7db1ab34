"""Unexplained share of the variance: none where motion determines activation, all where it does not."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from benchmarks.accuracy.ill_posedness import draw_ill_posedness, ill_posedness


@pytest.mark.slow
def test_unexplained_share_of_synthetic_subjects(make_recording: RecordingFactory, tmp_path: Path) -> None:
    related = [make_recording([("walking", 120.0)], subject=str(seed), seed=seed) for seed in (1, 2, 3)]
    generator = np.random.default_rng(0)
    unrelated = [replace(r, envelope=40.0 * generator.random(r.envelope.shape)) for r in related]
    own_delay = [make_recording([("walking", 120.0)], subject=str(s), seed=s, emg_delay=0.25 * s) for s in (1, 2, 3)]
    shares = {
        name: ill_posedness(recordings)["walking"]
        for name, recordings in {"related": related, "unrelated": unrelated, "own": own_delay}.items()
    }
    assert shares["related"]["within"]["share"] < 0.15
    assert shares["related"]["across"]["share"] < 0.15
    assert 0.85 < shares["unrelated"]["within"]["share"] < 1.15
    # Every subject's muscles follow the motion, but each in another way.
    assert shares["own"]["within"]["share"] < 0.15
    assert shares["own"]["across"]["share"] > 0.5
    assert set(shares["own"]["within"]["channels"]) >= {"1 vastus_lateralis_right", "3 vastus_lateralis_left"}
    draw_ill_posedness({"walking": shares["own"]}, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000
