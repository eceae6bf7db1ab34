"""The model card tells what a bundle was trained on, its scores and its limitations."""

from dataclasses import replace
from typing import Any

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.training.model_card import model_card


def test_model_card_holds_data_scores_and_limitations(bundle: Bundle, summary: dict[str, Any]) -> None:
    card = model_card(replace(bundle, training={"dataset": "d", "subjects": ["10", "9", "x"]}, scores=summary))
    assert "d, subjects 9, 10, x |" in card
    assert "| 30 | locomotion | 1 | 0.800 | 0.400 | 0.200 |" in card
    assert "## Limits" in card
    assert "None were made" in model_card(bundle)
