"""JSON: figures and dataclasses into values that JSON can hold, and strictly back."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from dataclasses import asdict, fields, is_dataclass
from pathlib import Path
from reprlib import repr as short_repr
from typing import Any

import numpy as np

from imu_emg_estimator.errors import InputError

# Types of fields that can be read, as annotated, and the Python types that JSON decodes to.
_JSON_TYPES: dict[str, type | tuple[type, ...]] = {
    "str": str,
    "int": int,
    "float": (int, float),
    "Mapping[str, Any]": dict,
    "object": object,
}
_NOUNS = {"str": "text", "int": "whole number", "float": "number", "Mapping[str, Any]": "object", "object": "value"}
_TUPLE_START, _TUPLE_END = "tuple[", ", ...]"


def json_compatible(content: Any) -> Any:
    """Convert to what JSON holds: NumPy values, dataclasses, tuples, paths; NaN and infinity become null."""
    if is_dataclass(content) and not isinstance(content, type):
        return json_compatible(asdict(content))
    if isinstance(content, Mapping):
        return {str(key): json_compatible(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [json_compatible(value) for value in content]
    if isinstance(content, (np.ndarray, np.generic)):
        return json_compatible(content.tolist())
    if isinstance(content, Path):
        return str(content)
    return None if isinstance(content, float) and not math.isfinite(content) else content


def to_json(content: Any, indent: int | None = 2) -> bytes:
    """Encode as the text of a JSON file, see ``json_compatible``."""
    return (json.dumps(json_compatible(content), indent=indent, allow_nan=False) + "\n").encode()


def annotated_types(dataclass: type) -> dict[str, str]:
    """Return the annotations of a dataclass's fields by name, for ``checked_fields``."""
    return {field.name: str(field.type) for field in fields(dataclass)}


def checked_fields(
    values: object, types: Mapping[str, str], part: str, optional: Collection[str] = ()
) -> dict[str, Any]:
    """Check a JSON object field by field and return its fields, lists as tuples.

    Args:
        values: decoded JSON.
        types: annotation of every field: ``str``, ``int``, ``float``, ``Mapping[str, Any]``, a tuple of those of any
            length such as ``tuple[float, ...]``, or ``object`` for one that the caller checks.
        part: what the object describes, for messages.
        optional: fields that may be missing.

    Raises:
        InputError: it is no object, a field is missing or unknown, or has another type; names the field.
    """
    if not isinstance(values, Mapping):
        raise InputError(f"{part} is {short_repr(values)}, not a JSON object; train or fetch it again")
    needed = set(types) - set(optional)
    if differing := sorted((needed - set(values)) | (set(values) - set(types))):
        raise InputError(f"{part}: fields are missing or unknown: {', '.join(differing)}; train or fetch it again")
    for name, value in values.items():
        if not _has_type(value, types[name]):
            raise InputError(
                f"{part}: {name} is {short_repr(value)}, not a {_noun(types[name])}; train or fetch it again"
            )
    return {name: _as_tuple(value) for name, value in values.items()}


def _has_type(value: object, annotation: str) -> bool:
    if inner := _element(annotation):
        return isinstance(value, list) and all(_has_type(element, inner) for element in value)
    return isinstance(value, _JSON_TYPES[annotation]) and not isinstance(value, bool)


def _element(annotation: str) -> str:
    """Return the annotation of a tuple's elements; empty for other types."""
    is_tuple = annotation.startswith(_TUPLE_START)
    return annotation.removeprefix(_TUPLE_START).removesuffix(_TUPLE_END) if is_tuple else ""


def _noun(annotation: str) -> str:
    inner = _element(annotation)
    if not inner:
        return _NOUNS[annotation]
    return f"list of {_NOUNS[inner]}s" if inner in _NOUNS else f"list of {_noun(inner).replace('list', 'lists', 1)}"


def _as_tuple(value: Any) -> Any:
    return tuple(map(_as_tuple, value)) if isinstance(value, list) else value
