"""Figures as JSON can hold them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

import numpy as np


def plain(content: Any) -> Any:
    """NumPy values become Python's, dataclasses objects, tuples lists, keys strings; undefined figures null."""
    if is_dataclass(content) and not isinstance(content, type):
        return plain(asdict(content))
    if isinstance(content, Mapping):
        return {str(key): plain(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [plain(value) for value in content]
    if isinstance(content, (np.ndarray, np.generic)):
        return plain(content.tolist())
    return None if isinstance(content, float) and not math.isfinite(content) else content


def rounded(content: Any, digits: int = 7) -> Any:
    """Nested figures with so many significant digits: no score says more, and a file of thousands gets smaller."""
    if isinstance(content, Mapping):
        return {key: rounded(value, digits) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [rounded(value, digits) for value in content]
    return float(f"{content:.{digits}g}") if isinstance(content, float) else content


def to_json(content: Any, indent: int | None = 2) -> bytes:
    """JSON text for a file."""
    return (json.dumps(plain(content), indent=indent, allow_nan=False) + "\n").encode()
