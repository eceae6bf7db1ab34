"""Figures become what JSON can hold, and JSON objects are read strictly."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from fixtures.factories import refusal

from imu_emg_estimator.utils.json_values import annotated_types, checked_fields, json_compatible, to_json

TYPES = {"name": "str", "count": "int", "share": "float", "rows": "tuple[tuple[float, ...], ...]"}
VALUES: dict[str, Any] = {"name": "a", "count": 2, "share": 1, "rows": [[1, 2.5], []]}


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


def test_checked_fields_returns_lists_as_tuples() -> None:
    assert checked_fields(VALUES, TYPES, "part") == VALUES | {"rows": ((1, 2.5), ())}


def test_checked_fields_takes_annotations_of_a_dataclass() -> None:
    assert Pair(**checked_fields({"left": 1.5}, annotated_types(Pair), "pair", {"right"})) == Pair(1.5)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 3}, "part: name is 3, not a text"),
        ({"count": True}, "part: count is True, not a whole number"),
        ({"share": None}, "part: share is None, not a number"),
        ({"rows": [1]}, "part: rows is [1], not a list of lists of numbers"),
        ({"colour": 1}, "part: fields are missing or unknown: colour"),
    ],
)
def test_checked_fields_names_the_bad_field(change: dict[str, Any], words: str) -> None:
    with refusal(words):
        checked_fields(VALUES | change, TYPES, "part")


def test_checked_fields_names_missing_field_and_non_objects() -> None:
    with refusal("count"):
        checked_fields({name: value for name, value in VALUES.items() if name != "count"}, TYPES, "part")
    with refusal("part is [1], not a JSON object"):
        checked_fields([1], TYPES, "part")
