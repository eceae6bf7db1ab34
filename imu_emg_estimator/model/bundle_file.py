"""The file of a bundle: a safetensors file with weights as tensors and all else as one JSON text in its metadata.

Nothing in it is executed or unpickled. What the tensors and the JSON document mean is in ``bundle``.
"""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model import safetensors_form
from imu_emg_estimator.model.int8_weights import packed, unpacked

Document = dict[str, Any]
Tensors = dict[str, NDArray[Any]]

FORMAT_VERSION = 3
MAX_FILE_BYTES = 256 * 1024 * 1024
DOCUMENT_TYPES: dict[str, type | tuple[type, ...]] = {
    "format_version": int,
    "content_hash": str,
    "name": str,
    "config": dict,
    "rig": dict,
    "envelope": dict,
    "reference": dict,
    "training": dict,
    "scores": dict,
    "parent_id": str,
    "calibration": (dict, type(None)),
}
# Absent in bundles that have none: their hash is as it always was.
OPTIONAL_KEYS = {"uncertainty", "distribution", "subsets"}


def content_hash(document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of a document, without its own hash, and of all tensors by name."""
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].tobytes())
    return digest.hexdigest()


def encode(document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the content of a file that holds a document and tensors, with the document's hash added."""
    hashed = {**document, "content_hash": content_hash(document, tensors)}
    return safetensors_form.save(packed(tensors), {"bundle": json.dumps(hashed)})


def read_bundle_file(path: Path) -> tuple[Document, Tensors]:
    """Read a file; raises InputError that names it unless document and tensors are whole and of this version."""
    document, tensors = _decode(path, _read(path))
    version = document.get("format_version")
    if version != FORMAT_VERSION:
        raise InputError(
            f"bundle {path} has format version {version}, this software reads version {FORMAT_VERSION}; "
            "use the matching release or train it again"
        )
    if set(document) - OPTIONAL_KEYS != set(DOCUMENT_TYPES):
        raise InputError(f"bundle {path} lacks or adds a part of its document; train or fetch it again")
    for key, kind in DOCUMENT_TYPES.items():
        if not isinstance(document[key], kind):
            raise InputError(f"bundle {path} has a {key} of the wrong type; train or fetch it again")
    return document, tensors


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise InputError(f"bundle {path} is not a file; give the path of a .safetensors bundle")
        if status.st_size > MAX_FILE_BYTES:
            raise InputError(f"bundle {path} is larger than {MAX_FILE_BYTES >> 20} MB; this is not a bundle")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"bundle {path} does not exist; give the path of a .safetensors bundle") from None
    except OSError as error:
        raise InputError(f"bundle {path} cannot be read ({error.strerror}); give the path of a bundle file") from None


def _decode(path: Path, payload: bytes) -> tuple[Document, Tensors]:
    try:
        tensors, metadata = safetensors_form.load(payload)
        tensors, document = unpacked(tensors), json.loads(metadata["bundle"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"bundle {path} is truncated or not a bundle; train or fetch it again") from None
    if not isinstance(document, dict):
        raise InputError(f"bundle {path} holds a document that is no JSON object; train or fetch it again")
    return document, tensors
