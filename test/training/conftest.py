"""A summary of made-up scores."""

from typing import Any

import pytest
from fixtures.factories import subject_scores

from imu_emg_estimator.training.evaluation import summarise


@pytest.fixture
def summary() -> dict[str, Any]:
    scores = {"1": subject_scores(0.4) | {"30": subject_scores(0.8)["0"]}, "2": subject_scores(0.6)}
    return {"protocol": "made up", "look_ahead_s": 0.051, **summarise(scores)}
