"""Figures become what JSON can hold, and dataclasses are read back from it with every field checked."""

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.factories import refusal

from imu_emg_estimator.utils.json_values import from_json, json_compatible, to_json


@dataclass(frozen=True)
class Pair:
    left: float
    right: tuple[int, ...] = ()


@dataclass(frozen=True)
class Inner:
    count: int
    ratio: float = 0.0


@dataclass(frozen=True)
class Outer:
    name: str
    path: Path
    inner: Inner
    good: bool = True
    numbers: tuple[float, ...] = ()
    parts: Mapping[str, Inner] = field(default_factory=dict)
    limit: float | None = None
    anything: Any = None


FULL = Outer(
    "a", Path("/x"), Inner(3, 0.5), False, (1.0, 2.0), {"one": Inner(1)}, 2.5, {"free": [1, None, {"deep": "x"}]}
)


def test_json_compatible_converts_numpy_dataclasses_and_undefined_figures() -> None:
    content = {1: np.float32(0.5), "nan": float("nan"), "array": np.array([1, 2]), "pair": Pair(np.inf, (3,))}
    assert json_compatible(content) == {
        "1": 0.5,
        "nan": None,
        "array": [1, 2],
        "pair": {"left": None, "right": [3]},
    }
    assert to_json({"a": np.nan}, indent=None) == b'{"a": null}\n'


def test_from_json_returns_what_was_written() -> None:
    assert from_json(Outer, to_json(FULL), "content") == FULL
    least = Outer("a", Path("x"), Inner(0))
    assert from_json(Outer, to_json(least), "content") == least


def test_from_json_reads_null_as_nan_unless_none_is_allowed() -> None:
    read = from_json(
        Outer, '{"name": "a", "path": "x", "inner": {"count": 1, "ratio": null}, "limit": null}', "content"
    )
    assert math.isnan(read.inner.ratio)
    assert read.limit is None


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"name": 3}, "content.name"),
        ({"path": None}, "content.path"),
        ({"good": 1}, "content.good"),
        ({"inner": {"count": True}}, "content.inner.count"),
        ({"inner": {"count": 1.5}}, "content.inner.count"),
        ({"inner": [1]}, "content.inner"),
        ({"inner": {}}, "content.inner lacks a field"),
        ({"inner": {"count": 1, "size": 2}}, "content.inner has an unknown field 'size'"),
        ({"numbers": [1, "2"]}, "content.numbers[1]"),
        ({"numbers": {}}, "content.numbers"),
        ({"parts": {"one": 1}}, "content.parts.one"),
        ({"limit": "high"}, "content.limit"),
    ],
    ids=str,
)
def test_from_json_names_what_does_not_belong(changes: dict[str, Any], place: str) -> None:
    with refusal(place):
        from_json(Outer, json.dumps(json.loads(to_json(FULL)) | changes), "content")


@pytest.mark.parametrize("text", ["", "{", b"\xff", "[" * 100_000])
def test_from_json_refuses_text_that_is_no_json(text: str | bytes) -> None:
    with refusal("content"):
        from_json(Outer, text, "content")
