"""Figures become what JSON can hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from imu_emg_estimator.utils.json_values import json_compatible, to_json


@dataclass(frozen=True)
class Pair:
    left: float
    right: tuple[int, ...] = ()


def test_json_compatible_converts_numpy_dataclasses_and_undefined_figures() -> None:
    content = {1: np.float32(0.5), "nan": float("nan"), "array": np.array([1, 2]), "pair": Pair(np.inf, (3,))}
    assert json_compatible(content) == {
        "1": 0.5,
        "nan": None,
        "array": [1, 2],
        "pair": {"left": None, "right": [3]},
    }
    assert to_json({"a": np.nan}, indent=None) == b'{"a": null}\n'
