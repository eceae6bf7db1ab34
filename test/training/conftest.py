"""A numbered day of one subject, and a summary of made-up scores."""

from typing import Any

import pytest
from fixtures.factories import subject_scores
from fixtures.numbered_day import numbered_day

from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.evaluation import summarise


@pytest.fixture
def summary() -> dict[str, Any]:
    scores = {"1": subject_scores(0.4) | {"30": subject_scores(0.8)["0"]}, "2": subject_scores(0.6)}
    return {"protocol": "made up", "look_ahead_s": 0.051, **summarise(scores)}


@pytest.fixture(scope="session")
def day() -> list[Recording]:
    return numbered_day()
