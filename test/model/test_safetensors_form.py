"""The plain form of safetensors: equal to the library's, and nothing malformed taken."""

import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from imu_emg_estimator.model import safetensors_form
from imu_emg_estimator.utils.shipped_files import shipped_bundles

TENSORS = {
    "b": np.arange(6, dtype=np.float32).reshape(2, 3),
    "a": np.array([1.5, np.nan, -np.inf]),
    "ü": np.zeros((2, 0, 4), np.float32),
    "scalar": np.array(3.0),
    **{kind: np.array([0, 1, 2]).astype(dtype) for kind, dtype in safetensors_form.DTYPES.items()},
}
METADATA = {"bundle": '{"name": "ü \\" \\u0000"}'}
REFUSED = (ValueError, RecursionError)
Header = dict[str, Any]


def assert_same(one: dict[str, NDArray[Any]], other: dict[str, NDArray[Any]]) -> None:
    assert one.keys() == other.keys()
    for name, tensor in one.items():
        assert tensor.dtype == other[name].dtype
        np.testing.assert_array_equal(tensor, other[name])


def file_of(header: Header | bytes, content: bytes = b"") -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content


def entry(dtype: Any = "F32", shape: Any = (2,), places: Any = (0, 8)) -> Header:
    return {"dtype": dtype, "shape": shape, "data_offsets": places}


def test_save_equals_library_byte_for_byte() -> None:
    assert safetensors_form.save(TENSORS, METADATA) == safetensors.numpy.save(TENSORS, METADATA)


def test_load_returns_what_was_saved_in_arrays_of_its_own() -> None:
    tensors, metadata = safetensors_form.load(safetensors_form.save(TENSORS, METADATA))
    assert_same(tensors, TENSORS)
    assert metadata == METADATA
    tensors["b"][0, 0] = 7.0


def test_save_turns_foreign_byte_order_and_refuses_foreign_types() -> None:
    foreign = {"a": np.arange(3, dtype=">f4")}
    assert_same(safetensors_form.load(safetensors_form.save(foreign, {}))[0], {"a": np.arange(3, dtype=np.float32)})
    with pytest.raises(ValueError, match="complex128"):
        safetensors_form.save({"a": np.zeros(1, complex)}, {})


@pytest.mark.parametrize("path", shipped_bundles(), ids=lambda path: path.stem)
def test_shipped_bundles_equal_library(path: Any) -> None:
    payload = path.read_bytes()
    tensors, metadata = safetensors_form.load(payload)
    assert_same(tensors, safetensors.numpy.load(payload))
    assert safetensors_form.save(tensors, metadata) == payload


HEADERS: dict[str, Callable[[], bytes]] = {
    "empty file": lambda: b"",
    "seven bytes": lambda: b"\x02\0\0\0\0\0\0",
    "header longer than the file": lambda: file_of({})[:-1],
    "header of 2^63 bytes": lambda: (2**63).to_bytes(8, "little") + b"{}",
    "empty header": lambda: file_of(b""),
    "list": lambda: file_of(b"[]"),
    "space first": lambda: file_of(b" {}"),
    "no JSON": lambda: file_of(b"{'a': 1}"),
    "deeply nested": lambda: file_of(b'{"a":' * 10**5),
    "UTF-16": lambda: file_of("{}".encode("utf-16-le")),
    "no text of UTF-8": lambda: file_of(b'{"\xff": 1}'),
    "name twice": lambda: file_of(b'{"__metadata__":{"a":"1","a":"2"}}'),
    "metadata no object": lambda: file_of({"__metadata__": []}),
    "metadata no texts": lambda: file_of({"__metadata__": {"a": 1}}),
    "bytes that follow": lambda: file_of({}, b"\0"),
    "entry no object": lambda: file_of({"a": []}),
    "entry without shape": lambda: file_of({"a": {"dtype": "F32", "data_offsets": [0, 8]}}, bytes(8)),
    "unknown type": lambda: file_of({"a": entry("F8_E4M3")}, bytes(8)),
    "type no text": lambda: file_of({"a": entry(["F32"])}, bytes(8)),
    "content cut short": lambda: file_of({"a": entry()}, bytes(7)),
    "content too long": lambda: file_of({"a": entry()}, bytes(9)),
    "size of another shape": lambda: file_of({"a": entry(shape=(3,))}, bytes(8)),
    "negative sizes": lambda: file_of({"a": entry(shape=(-1, -2))}, bytes(8)),
    "sizes that overflow 64 bits": lambda: file_of({"a": entry(shape=(2**33, 2**33, 2**34, 2))}, bytes(8)),
    "huge size beside zero": lambda: file_of({"a": entry(shape=(0, 2**70), places=(0, 0))}),
    "size that is true": lambda: file_of({"a": entry(shape=(2, True))}, bytes(8)),
    "fractional size": lambda: file_of({"a": entry(shape=(2.0,))}, bytes(8)),
    "shape no list": lambda: file_of({"a": entry(shape={"2": 1})}, bytes(8)),
    "33 dimensions": lambda: file_of({"a": entry(shape=[1] * 32 + [2])}, bytes(8)),
    "one place": lambda: file_of({"a": entry(places=(8,))}, bytes(8)),
    "places backwards": lambda: file_of({"a": entry(places=(8, 0))}, bytes(8)),
    "gap": lambda: file_of({"a": entry(places=(1, 9))}, bytes(9)),
    "overlap": lambda: file_of({"a": entry(), "b": entry()}, bytes(8)),
    "hole between": lambda: file_of({"a": entry(), "b": entry(places=(9, 17))}, bytes(17)),
}


@pytest.mark.parametrize("make", HEADERS.values(), ids=HEADERS)
def test_load_refuses(make: Callable[[], bytes]) -> None:
    with pytest.raises(REFUSED):
        safetensors_form.load(make())


def test_load_takes_nothing_that_the_library_refuses() -> None:
    """One byte of a good file changed: whatever is still taken, the library takes, and reads the same."""
    payload = safetensors_form.save(TENSORS, METADATA)
    header_end = 8 + int.from_bytes(payload[:8], "little")
    generator, taken = np.random.default_rng(0), 0
    for _ in range(5000):
        spoilt = bytearray(payload)
        spoilt[generator.integers(header_end)] = generator.integers(256)
        try:
            tensors, _ = safetensors_form.load(bytes(spoilt))
        except REFUSED:
            continue
        taken += 1
        try:
            assert_same(tensors, safetensors.numpy.load(bytes(spoilt)))
        except SafetensorError as error:
            pytest.fail(f"taken, but refused by the library ({error}): {bytes(spoilt)!r}")
    assert taken > 100
