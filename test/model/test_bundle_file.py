"""Files that are no bundle are refused with one sentence that names the file."""

import contextlib
import os
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import refusal
from safetensors.numpy import save as save_tensors

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle


def test_load_names_missing_file_or_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path, tmp_path / "none" / "a.safetensors"):
        with refusal(path):
            Bundle.load(path)


def test_load_refuses_pipe_without_waiting(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.safetensors")
    with refusal(tmp_path / "a.safetensors", "not a file"):
        Bundle.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99, 1.0])
def test_load_names_truncated_file(bundle_file: Path, share: float) -> None:
    payload = bundle_file.read_bytes()
    bundle_file.write_bytes(payload[: min(int(share * len(payload)), len(payload) - 1)])
    with refusal(bundle_file, "truncated"):
        Bundle.load(bundle_file)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 1000])
def test_load_refuses_random_bytes(tmp_path: Path, length: int) -> None:
    path = tmp_path / "random.safetensors"
    for seed in range(20):
        path.write_bytes(np.random.default_rng(seed).bytes(length))
        with refusal(path):
            Bundle.load(path)


def test_load_refuses_other_file_types(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    half = {"a": np.zeros(3, np.float16)}
    for payload in (
        b"PK\x03\x04 a pickle in a zip",
        (2**63).to_bytes(8, "little") + b"{}",
        (10**5).to_bytes(8, "little") + b"[" * 10**5,
        save_tensors(half),
        save_tensors(half, metadata={"bundle": "not JSON"}),
        save_tensors(half, metadata={"bundle": "[1, 2]"}),
        save_tensors(half, metadata={"bundle": "[" * 10**5}),
        save_tensors(half, metadata={"bundle": '{"format_version": 3}'}),
        _one_tensor(b'"BF16"'),
        _one_tensor(b'"F8_E4M3"'),
    ):
        path.write_bytes(payload)
        with refusal(path):
            Bundle.load(path)


def _one_tensor(kind: bytes) -> bytes:
    header = b'{"a":{"dtype":%s,"shape":[8],"data_offsets":[0,%d]}}' % (kind, 16 if b"16" in kind else 8)
    return len(header).to_bytes(8, "little") + header + bytes(16 if b"16" in kind else 8)


def test_load_refuses_huge_file_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with refusal(path, "larger"):
        Bundle.load(path)


def test_load_notices_any_changed_byte(bundle: Bundle, bundle_file: Path) -> None:
    payload = bundle_file.read_bytes()
    generator = np.random.default_rng(0)
    for position in [*range(0, 600, 7), *generator.integers(len(payload), size=200)]:
        spoilt = bytearray(payload)
        spoilt[position] ^= 1 << int(generator.integers(8))
        bundle_file.write_bytes(spoilt)
        with contextlib.suppress(InputError):  # a space that became another white space is no change of content
            assert Bundle.load(bundle_file).content_hash == bundle.content_hash
