"""Figures and dataclasses as JSON, and dataclasses read back from it with every field checked."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Collection, Mapping
from dataclasses import MISSING, asdict, fields, is_dataclass
from functools import cache
from pathlib import Path
from types import UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

import numpy as np

from imu_emg_estimator.errors import InputError

Content = TypeVar("Content")

_NOUNS = {
    str: "a text",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Path: "a path",
    tuple: "a list",
}


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


def from_json(kind: type[Content], text: str | bytes, what: str) -> Content:
    """Read a dataclass from the JSON object that ``to_json`` wrote of it.

    Fields may be texts, numbers, truth values, paths, tuples, mappings from texts, dataclasses, or any JSON value
    (``Any``); a number that is null is NaN, unless the field may be None.

    Args:
        kind: the dataclass.
        what: names the JSON in errors.

    Raises:
        InputError: it is not JSON, lacks a field, or has one that does not belong there; the sentence names it.
    """
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        raise InputError(f"{what} is not JSON; write it again") from None
    return from_decoded(kind, content, what)


def from_decoded(kind: type[Content], content: object, what: str, optional: Collection[str] | None = None) -> Content:
    """Build a dataclass from decoded JSON, see ``from_json``; whole numbers stay so where a float is expected.

    Args:
        optional: fields that may be missing; None = those with a default.
    """
    if optional is not None and isinstance(content, dict):
        _check_complete(what, content, {field.name for field in fields(kind)}, optional)  # type: ignore[arg-type]
    result: Content = _convert(kind, content, what)
    return result


def _convert(kind: Any, value: Any, name: str) -> Any:
    origin, arguments = get_origin(kind), get_args(kind)
    if kind is Any or (isinstance(kind, type) and is_dataclass(kind) and isinstance(value, kind)):
        return value
    if origin in (Union, UnionType):
        (inner,) = (argument for argument in arguments if argument is not type(None))
        return None if value is None else _convert(inner, value, name)
    if origin is tuple and isinstance(value, list):
        return tuple(_convert(arguments[0], item, f"{name}[{index}]") for index, item in enumerate(value))
    if isinstance(value, dict):
        if is_dataclass(kind):
            return _dataclass(kind, value, name)
        if origin is not None and issubclass(origin, Mapping):
            return {key: _convert(arguments[1], item, f"{name}.{key}") for key, item in value.items()}
    return _single(kind, value, name)


def _dataclass(kind: Any, value: Mapping[str, Any], name: str) -> Any:
    hints = _types_of(kind)
    known = {field.name for field in fields(kind) if field.init}
    if unknown := sorted(str(key) for key in value.keys() - known):
        raise InputError(f"{name} has an unknown field '{unknown[0]}'; its fields are {', '.join(sorted(known))}")
    values = {key: _convert(hints[key], item, f"{name}.{key}") for key, item in value.items()}
    defaults = {
        field.name for field in fields(kind) if field.default is not MISSING or field.default_factory is not MISSING
    }
    _check_complete(name, value, known, defaults)
    return kind(**values)


@cache
def _types_of(kind: Any) -> dict[str, Any]:
    """Return the types of a dataclass's fields, which take a bundle's hundred of them 20 ms to look up anew."""
    return get_type_hints(kind)


def _check_complete(name: str, value: Mapping[str, Any], known: Collection[str], optional: Collection[str]) -> None:
    if missing := sorted(set(known) - set(value) - set(optional)):
        raise InputError(f"{name} lacks a field: {', '.join(missing)}; its fields are {', '.join(sorted(known))}")


def _fits_float(value: int) -> bool:
    return abs(value) <= sys.float_info.max


def _single(kind: Any, value: Any, name: str) -> Any:
    if kind is float and (value is None or isinstance(value, float) or (type(value) is int and _fits_float(value))):
        return math.nan if value is None else value
    if kind is Path and isinstance(value, str):
        return Path(value)
    if kind in (str, bool, int) and type(value) is kind:
        return value
    raise InputError(
        f"{name} is {str(value)[:80]!r}, not {_NOUNS.get(get_origin(kind) or kind, 'an object')}; correct it"
    )
