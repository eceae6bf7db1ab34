"""Figures and dataclasses as values that JSON can hold; ``typed_json`` reads them back."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

import numpy as np


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
