"""ONNX files: as much of the format as one graph of tensors needs.

An ONNX file is one message in the encoding of Protocol Buffers (protobuf.dev/programming-guides/encoding),
whose fields onnx.proto numbers. That is little enough to write here, and spares a robot the ``onnx``
package of 13 MB, whose import takes a tenth of a second.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

IR_VERSION = 9
OPSET = 20  # ONNX Runtime 1.19 and later
PRODUCER = "imu_emg_estimator"
ELEMENT = {"float32": 1, "int64": 7, "bool": 9, "float64": 11}  # TensorProto.DataType
VARINT, BYTES, FIXED32 = 0, 2, 5  # wire types


class OnnxGraph:
    """A graph in the making: nodes are added in the order in which they can run.

    Values are known by their names; methods return the names of what they add.
    """

    FLOAT32, FLOAT64, BOOL = (ELEMENT[kind] for kind in ("float32", "float64", "bool"))  # for Cast

    def __init__(self) -> None:
        self._nodes: list[bytes] = []
        self._constants: list[bytes] = []
        self._inputs: list[bytes] = []
        self._outputs: list[bytes] = []

    def input(self, name: str, kind: str, shape: Sequence[int]) -> str:
        """Declare an input of an element kind, such as ``float32``."""
        self._inputs.append(_value_info(name, kind, shape))
        return name

    def output(self, name: str, kind: str, shape: Sequence[int]) -> None:
        """Declare the value of this name an output."""
        self._outputs.append(_value_info(name, kind, shape))

    def constant(self, values: NDArray[Any]) -> str:
        name = f"constant.{len(self._constants)}"
        kind = ELEMENT[values.dtype.name]
        fields = [(1, size) for size in values.shape]
        self._constants.append(_message(*fields, (2, kind), (8, name), (9, np.ascontiguousarray(values).tobytes())))
        return name

    def add(self, operator: str, *inputs: str, name: str = "", **attributes: Any) -> str:
        """Add a node of one output, which gets this name."""
        return self.split(operator, *inputs, names=[name or f"value.{len(self._nodes)}"], **attributes)[0]

    def split(self, operator: str, *inputs: str, names: Sequence[str], **attributes: Any) -> Sequence[str]:
        """Add a node of several outputs, which get these names."""
        ends = [(1, name) for name in inputs] + [(2, name) for name in names]
        given = [(5, _attribute(name, value)) for name, value in attributes.items()]
        self._nodes.append(_message(*ends, (4, operator), *given))
        return names

    def model(self, name: str, metadata: Mapping[str, str] | None = None) -> bytes:
        """Return the content of a file."""
        graph = _message(
            *((1, node) for node in self._nodes),
            (2, name),
            *((5, constant) for constant in self._constants),
            *((11, value) for value in self._inputs),
            *((12, value) for value in self._outputs),
        )
        properties = [(14, _message((1, key), (2, value))) for key, value in (metadata or {}).items()]
        operators = _message((1, ""), (2, OPSET))
        return _message((1, IR_VERSION), (2, PRODUCER), (7, graph), (8, operators), *properties)


def _value_info(name: str, kind: str, shape: Sequence[int]) -> bytes:
    dimensions = [(1, _message((1, size))) for size in shape]
    tensor = _message((1, ELEMENT[kind]), (2, _message(*dimensions)))
    return _message((1, name), (2, _message((1, tensor))))


def _attribute(name: str, value: float | int | str | Sequence[int]) -> bytes:
    """An AttributeProto: a field for the value by its kind, and the number of that kind."""
    if isinstance(value, float):
        return _message((1, name), (2, value), (20, 1))
    if isinstance(value, int):
        return _message((1, name), (3, value), (20, 2))
    if isinstance(value, str):
        return _message((1, name), (4, value), (20, 3))
    return _message((1, name), *((8, each) for each in value), (20, 7))


def _message(*fields: tuple[int, int | float | str | bytes]) -> bytes:
    """Fields by their numbers, each in the encoding of its Python type."""
    return b"".join(_field(number, value) for number, value in fields)


def _field(number: int, value: int | float | str | bytes) -> bytes:
    if isinstance(value, int):
        return _varint(number << 3 | VARINT) + _varint(value)
    if isinstance(value, float):
        return _varint(number << 3 | FIXED32) + struct.pack("<f", value)
    payload = value.encode() if isinstance(value, str) else value
    return _varint(number << 3 | BYTES) + _varint(len(payload)) + payload


def _varint(value: int) -> bytes:
    """Seven bits a byte, the lowest first; negative numbers as 64 bits of two's complement."""
    value &= (1 << 64) - 1
    result = bytearray()
    while value > 0x7F:
        result.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*result, value])
