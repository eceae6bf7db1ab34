"""Dataclasses are read from JSON with every field checked and named in errors."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.utils.json_values import to_json
from imu_emg_estimator.utils.typed_json import from_decoded, from_json


@dataclass(frozen=True)
class Part:
    share: float
    rows: tuple[tuple[float, ...], ...] = ()


@dataclass(frozen=True)
class Whole:
    name: str
    count: int
    path: Path
    part: Part
    other: Part | None = None


WHOLE = Whole("a", 2, Path("/b"), Part(1, ((1, 2.5), ())))
DECODED: dict[str, Any] = {"name": "a", "count": 2, "path": "/b", "part": {"share": 1, "rows": [[1, 2.5], []]}}


def test_from_json_reads_what_to_json_wrote() -> None:
    content = {"share": math.nan, "rows": [[1.5]]}
    read = from_json(Part, to_json(content), "part")
    assert math.isnan(read.share)
    assert read.rows == ((1.5,),)


def test_from_decoded_keeps_whole_numbers_and_makes_tuples() -> None:
    read = from_decoded(Whole, DECODED, "whole")
    assert read == WHOLE
    assert isinstance(read.part.share, int)  # a bundle's hash depends on it


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"name": 3}, "whole.name is '3', not a text"),
        ({"count": True}, "whole.count is 'True', not a whole number"),
        ({"part": {"share": "x"}}, "whole.part.share is 'x', not a number"),
        ({"part": {"share": 1, "rows": [1]}}, "whole.part.rows[0] is '1', not a list"),
        ({"part": [1]}, "whole.part is '[1]', not an object"),
        ({"part": {}}, "whole.part lacks a field: share"),
        ({"colour": 1}, "whole has an unknown field 'colour'"),
    ],
)
def test_from_decoded_names_the_bad_field(change: dict[str, Any], words: str) -> None:
    with refusal(words):
        from_decoded(Whole, DECODED | change, "whole")


def test_from_decoded_requires_fields_with_defaults_unless_optional() -> None:
    assert from_decoded(Part, {"share": 1.0}, "part", optional={"rows"}) == Part(1.0)
    with refusal("part lacks a field: rows"):
        from_decoded(Part, {"share": 1.0}, "part", optional=())


def test_from_json_refuses_other_text_and_values() -> None:
    with refusal("part is not JSON"):
        from_json(Part, "{", "part")
    with refusal("part is '[1]', not an object"):
        from_json(Part, "[1]", "part")
