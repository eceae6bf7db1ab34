"""The plain form of safetensors, read and written with NumPy alone, so that a robot need not have the library.

A file is the length of its header (8 bytes, little-endian), the header as JSON (name of a tensor: its type, shape and
place; and ``__metadata__``: texts by name), then the tensors' bytes without a gap or an overlap. Types that NumPy
lacks, such as bfloat16, are refused. What is written here equals what the library writes, byte for byte.

Source: github.com/huggingface/safetensors, "Format".
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

METADATA = "__metadata__"
DTYPES = {  # in the order in which the library writes them, from last to first
    "BOOL": np.dtype("?"),
    "U8": np.dtype("u1"),
    "I8": np.dtype("i1"),
    "I16": np.dtype("<i2"),
    "U16": np.dtype("<u2"),
    "F16": np.dtype("<f2"),
    "I32": np.dtype("<i4"),
    "U32": np.dtype("<u4"),
    "F32": np.dtype("<f4"),
    "F64": np.dtype("<f8"),
    "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"),
}
KINDS = list(DTYPES)
LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000  # the library's limit
MAX_DIMENSIONS = 32  # NumPy's, before its release 2


def load(payload: bytes) -> tuple[dict[str, NDArray[Any]], dict[str, str]]:
    """Return the tensors, each a copy that may be written to, and the metadata.

    Raises:
        ValueError, RecursionError: the bytes break a rule of the form, or their JSON is too deep.
    """
    size = int.from_bytes(payload[:LENGTH_BYTES], "little")
    end = LENGTH_BYTES + size
    if not 2 <= size <= MAX_HEADER_BYTES or end > len(payload) or payload[LENGTH_BYTES : LENGTH_BYTES + 1] != b"{":
        raise ValueError("the header is missing or cut short")
    header = json.loads(payload[LENGTH_BYTES:end].decode(), object_pairs_hook=_unique)
    metadata = header.pop(METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("the metadata are not texts by name")
    return _tensors(header, memoryview(payload)[end:]), metadata


def save(tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> bytes:
    """Return the content of a file; ValueError where a tensor is of a type that the form lacks."""
    header: dict[str, Any] = {METADATA: dict(metadata)}
    kinds = {name: _kind(tensor.dtype) for name, tensor in tensors.items()}
    pieces, begin = [], 0
    for name in sorted(tensors, key=lambda name: (-KINDS.index(kinds[name]), name)):
        piece = tensors[name].astype(DTYPES[kinds[name]], copy=False).tobytes()
        places = [begin, begin + len(piece)]
        header[name] = {"dtype": kinds[name], "shape": list(tensors[name].shape), "data_offsets": places}
        pieces.append(piece)
        begin += len(piece)
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)
    return b"".join([len(text).to_bytes(LENGTH_BYTES, "little"), text, *pieces])


def _kind(dtype: np.dtype[Any]) -> str:
    for kind, known in DTYPES.items():
        if known == dtype.newbyteorder("<"):
            return kind
    raise ValueError(f"safetensors has no type {dtype}")


def _tensors(header: Mapping[str, Any], content: memoryview) -> dict[str, NDArray[Any]]:
    places = {name: _place(entry) for name, entry in header.items()}
    begin = 0
    for start, stop in sorted(places.values()):
        if start != begin:
            raise ValueError("the tensors leave a gap or overlap")
        begin = stop
    if begin != len(content):
        raise ValueError("the tensors are cut short, or bytes follow them")
    return {name: _tensor(header[name], content[slice(*place)]) for name, place in places.items()}


def _place(entry: Any) -> tuple[int, int]:
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError("a tensor's entry lacks or adds a part")
    if entry["dtype"] not in KINDS:
        raise ValueError("a tensor is of a type that is not known")
    start, stop = _whole_numbers(entry["data_offsets"])
    size = math.prod(_whole_numbers(entry["shape"])) * DTYPES[entry["dtype"]].itemsize
    if stop - start != size:
        raise ValueError("a tensor's size does not fit its shape")
    return start, stop


def _tensor(entry: Mapping[str, Any], content: memoryview) -> NDArray[Any]:
    dtype = DTYPES[entry["dtype"]]
    return np.frombuffer(content, dtype).reshape(entry["shape"]).astype(dtype.newbyteorder("="))


def _whole_numbers(values: Any) -> Sequence[int]:
    """Check a list of sizes or places; Python's own whole numbers do not overflow, but NumPy's do."""
    if not isinstance(values, list) or len(values) > MAX_DIMENSIONS:
        raise ValueError("a shape or a place is no list of numbers")
    if not all(type(value) is int and 0 <= value < 1 << 48 for value in values):
        raise ValueError("a shape or a place holds what is no size")
    return values


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        raise ValueError("a name occurs twice")
    return content
