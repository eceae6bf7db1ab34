"""The model card lists training data, scores and limitations."""

from dataclasses import replace
from typing import Any

import pytest

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.told_by_motion import MUSCLE_R
from imu_emg_estimator.training.model_card import model_card
from imu_emg_estimator.utils.shipped_files import resource_file


def test_model_card_holds_data_scores_and_limitations(bundle: Bundle, summary: dict[str, Any]) -> None:
    card = model_card(replace(bundle, training={"dataset": "d", "subjects": ["10", "9", "x"]}, scores=summary))
    assert "d, subjects 9, 10, x |" in card
    assert "| 30 | locomotion | 1 | 0.800 | 0.400 | 0.200 |" in card
    assert "## Limitations" in card
    assert "None were measured" in model_card(bundle)
    assert "tells little" not in card
    weak = model_card(replace(bundle, scores=summary | {MUSCLE_R: {"vastus": 0.3}}))
    assert "- Motion tells little of vastus: " in weak


@pytest.mark.parametrize("name", ["hugadb", "hugadb_small", "hugadb_zero_delay"])
def test_shipped_model_card_equals_generated_card(name: str) -> None:
    """``imu-emg inspect resource/NAME.safetensors --card resource/NAME.md`` writes it."""
    card = model_card(Bundle.load(resource_file(f"{name}.safetensors")))
    assert resource_file(f"{name}.md").read_text(encoding="utf-8") == card
