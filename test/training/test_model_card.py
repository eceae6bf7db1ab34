"""The model card lists training data, scores and limitations."""

from dataclasses import replace
from typing import Any

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.told_by_motion import MUSCLE_R
from imu_emg_estimator.training.model_card import model_card
from imu_emg_estimator.utils.shipped_files import resource_file, shipped_bundle


def test_model_card_holds_data_scores_and_limitations(bundle: Bundle, summary: dict[str, Any]) -> None:
    card = model_card(replace(bundle, training={"dataset": "d", "subjects": ["10", "9", "x"]}, scores=summary))
    assert "d, subjects 9, 10, x |" in card
    assert "| 30 | locomotion | 1 | 0.800 | 0.400 | 0.200 |" in card
    assert "## Limitations" in card
    assert "None were measured" in model_card(bundle)
    assert "tells little" not in card
    weak = model_card(replace(bundle, scores=summary | {MUSCLE_R: {"vastus": 0.3}}))
    assert "- Motion tells little of vastus: " in weak


def test_shipped_model_card_equals_generated_card() -> None:
    """``imu-emg inspect --card resource/hugadb.md`` writes it."""
    assert resource_file("hugadb.md").read_text(encoding="utf-8") == model_card(Bundle.load(shipped_bundle()))
