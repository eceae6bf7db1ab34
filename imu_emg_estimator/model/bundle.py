"""Bundle: everything that an estimate needs, in one file that is complete and safe to load.

The file is a safetensors file: weights and normalisation as tensors, the rest
as one JSON text in its metadata. Nothing in it is executed or unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import stat
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from imu_emg_estimator import __version__
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.conformal_uncertainty import DeviationScale, Uncertainty
from imu_emg_estimator.model.motion_distribution import CENTRES, COVARIANCE, Distribution
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings
from imu_emg_estimator.signals.masked_imu_features import CHANNELS, Normalisation, feature_count
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import plain

FORMAT_VERSION = 3
LARGEST_FILE = 256 * 1024 * 1024  # bytes
MEAN, STD = "normalisation.mean", "normalisation.std"
JSON_KINDS: dict[str, type | tuple[type, ...]] = {  # by the annotation of a dataclass's field
    "str": str,
    "int": int,
    "float": (int, float),
    "tuple[float, ...]": list,
    "tuple[str, ...]": list,
    "Mapping[str, Any]": dict,
}
Plain = TypeVar("Plain", EnvelopeSettings, "Reference", "Calibration")
DOCUMENT_KEYS = {
    "format_version",
    "content_hash",
    "name",
    "config",
    "rig",
    "envelope",
    "reference",
    "training",
    "scores",
    "parent_id",
    "calibration",
}
# Written where there is one: a bundle without it is as it always was.
OPTIONAL_KEYS = {"uncertainty", "distribution"}
OPTIONAL_FIELDS = {"reference": {"units"}, "calibration": {"bag_hash", "software", "settings", "figures"}}


@dataclass(frozen=True)
class Reference:
    """What an activation of 1 stands for.

    Attributes:
        amplitude: [muscles] EMG envelope in the muscle's unit.
        unit: unit of the envelope, e.g. ``count`` or ``mV``.
        definition: how the amplitude was found, in words.
        units: [muscles] unit of each muscle; empty = ``unit`` for all. They differ where a subject's bag had no EMG of
            a muscle: it keeps the amplitude that it had, and that amplitude's unit.
    """

    amplitude: tuple[float, ...]
    unit: str
    definition: str
    units: tuple[str, ...] = ()

    def unit_of(self, muscle: int) -> str:
        """Unit of the amplitude of the muscle with this index."""
        return self.units[muscle] if self.units else self.unit


@dataclass(frozen=True)
class Calibration:
    """Where a subject's own bundle comes from; what it was adapted from is the bundle's ``parent_id``.

    Attributes:
        id: identity of the calibration.
        subject: the subject.
        method: adaptation method.
        bag: name of the bag it was made from; of several, with a comma between.
        seconds: data that the weights were adapted on [s].
        created: date and time (ISO 8601).
        bag_hash: SHA-256 of the bag, as ``files.hash_of`` finds it, of several in that order; empty = not known.
        software: version of this package that made it; empty = not known.
        settings: of the adaptation, by name.
        figures: what it was judged by. ``muscles`` holds for every judged muscle ``before`` and ``after``, each
            a mapping with ``r``, ``r2`` and ``nrmse`` (None = cannot be compared); other keys are free.
    """

    id: str
    subject: str
    method: str
    bag: str
    seconds: float
    created: str
    bag_hash: str = ""
    software: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)
    figures: Mapping[str, Any] = field(default_factory=dict)

    @classmethod
    def made_now(
        cls,
        subject: str,
        method: str,
        bag: str,
        seconds: float,
        settings: Mapping[str, Any] | None = None,
        figures: Mapping[str, Any] | None = None,
    ) -> Calibration:
        """A calibration with an id of its own, made at this moment by this software."""
        now = datetime.now(timezone.utc)
        return cls(
            id=f"{subject}-{now:%Y%m%dT%H%M%S}-{os.urandom(3).hex()}",
            subject=subject,
            method=method,
            bag=bag,
            seconds=seconds,
            created=now.isoformat(timespec="seconds"),
            software=__version__,
            settings=plain(settings or {}),
            figures=plain(figures or {}),
        )

    def mean(self, figure: str, when: str) -> float:
        """Mean of r, r2 or nrmse over muscles, ``before`` or ``after``; NaN where no muscle has it."""
        values = [muscle.get(when, {}).get(figure) for muscle in self.figures.get("muscles", {}).values()]
        known = [value for value in values if value is not None]
        return sum(known) / len(known) if known else math.nan


@dataclass(frozen=True)
class Bundle:
    """A trained network with all that surrounds it; see the module for its file.

    Attributes:
        weights: tensors by name, float32, exactly those of ``config``.
        training: data set, subjects and recipe, for people and for honest evaluation.
        scores: figures on subjects that the recipe never saw.
        parent_id: identity of the bundle that this one was adapted from; empty = none.
        uncertainty: what makes the network's standard deviation hold on unseen subjects; None = taken as it is.
        distribution: what the training subjects' motion looked like; None = nothing is called unlike it.
    """

    name: str
    config: ModelConfig
    rig: Rig
    envelope: EnvelopeSettings
    normalisation: Normalisation
    reference: Reference
    weights: Mapping[str, NDArray[np.float32]]
    training: Mapping[str, Any] = field(default_factory=dict)
    scores: Mapping[str, Any] = field(default_factory=dict)
    parent_id: str = ""
    calibration: Calibration | None = None
    uncertainty: Uncertainty | None = None
    distribution: Distribution | None = None

    def __post_init__(self) -> None:
        _check(self)

    @property
    def model_id(self) -> str:
        """Identity of the content: name and the start of its hash."""
        return f"{self.name}-{self.content_hash[:12]}"

    @property
    def calibration_id(self) -> str:
        """Identity of the subject's calibration; empty = uncalibrated."""
        return self.calibration.id if self.calibration else ""

    @property
    def deviation_scale(self) -> DeviationScale | None:
        """What makes the network's deviation hold on unseen subjects; a subject's own bundle has its own scale."""
        return self.uncertainty.scale(calibrated=bool(self.parent_id)) if self.uncertainty else None

    @property
    def content_hash(self) -> str:
        return _content_hash(self._document(), self._tensors())

    def describe(self) -> dict[str, Any]:
        """What is in it, in plain values for people and programs."""
        return {
            "model_id": self.model_id,
            "parent_id": self.parent_id,
            "calibration": _written(self.calibration, "calibration") if self.calibration else None,
            "rig": self.rig.name,
            "rate_hz": self.rig.rate,
            "sensors": list(self.rig.sensor_names),
            "muscles": list(self.rig.muscle_names),
            "look_ahead_s": self.config.look_ahead / self.rig.rate,
            "context_s": self.config.context / self.rig.rate,
            "weights": int(sum(value.size for value in self.weights.values())),
            "reference": _written(self.reference, "reference"),
            "uncertainty": self.uncertainty.to_dict() if self.uncertainty else None,
            "distribution": self.distribution.to_dict() if self.distribution else None,
            "training": dict(self.training),
            "scores": dict(self.scores),
        }

    def save(self, path: Path) -> None:
        """Write atomically: a reader sees the old file or the whole new one."""
        write_atomically(Path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """Content of its file."""
        document = self._document() | {"content_hash": self.content_hash}
        payload: bytes = save_tensors(self._tensors(), metadata={"bundle": json.dumps(document)})
        return payload

    @classmethod
    def load(cls, path: Path) -> Bundle:
        """Read and check a bundle; raises InputError that names the file and the fault."""
        path = Path(path)
        payload = _read(path)
        document, tensors = _decode(path, payload)
        try:
            normalisation = Normalisation(tensors.pop(MEAN), tensors.pop(STD))
            distribution = None
            if "distribution" in document:
                distribution = Distribution.from_dict(
                    document["distribution"], tensors.pop(CENTRES), tensors.pop(COVARIANCE)
                )
            bundle = cls(
                name=document["name"],
                config=ModelConfig.from_dict(document["config"]),
                rig=Rig.from_dict(document["rig"]),
                envelope=_plain(EnvelopeSettings, document, "envelope"),
                normalisation=normalisation,
                reference=_plain(Reference, document, "reference"),
                weights=tensors,
                training=document["training"],
                scores=document["scores"],
                parent_id=document["parent_id"],
                calibration=None if document["calibration"] is None else _plain(Calibration, document, "calibration"),
                uncertainty=Uncertainty.from_dict(document["uncertainty"]) if "uncertainty" in document else None,
                distribution=distribution,
            )
        except InputError as error:
            raise InputError(f"bundle {path}: {error}") from None
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(f"bundle {path} has a malformed document ({error}); train or fetch it again") from None
        if bundle.content_hash != document["content_hash"]:
            raise InputError(f"bundle {path} was changed after it was written (its hash does not fit); fetch it again")
        return bundle

    def _document(self) -> dict[str, Any]:
        parts = {"uncertainty": self.uncertainty, "distribution": self.distribution}
        optional = {name: part.to_dict() for name, part in parts.items() if part is not None}
        return {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "config": self.config.to_dict(),
            "rig": self.rig.to_dict(),
            "envelope": asdict(self.envelope),
            "reference": _written(self.reference, "reference"),
            "training": dict(self.training),
            "scores": dict(self.scores),
            "parent_id": self.parent_id,
            "calibration": _written(self.calibration, "calibration") if self.calibration else None,
            **optional,
        }

    def _tensors(self) -> dict[str, NDArray[Any]]:
        tensors: dict[str, NDArray[Any]] = {
            **self.weights,
            MEAN: np.asarray(self.normalisation.mean, np.float64),
            STD: np.asarray(self.normalisation.std, np.float64),
        }
        if self.distribution is not None:
            tensors |= {CENTRES: self.distribution.centres, COVARIANCE: self.distribution.covariance}
        return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def weight_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Names and shapes of all weights of a network of this configuration."""
    width, muscles = config.width, config.muscles
    shapes: dict[str, tuple[int, ...]] = {
        "front_end.convolution.weight": (width, config.inputs, config.kernel),
        "front_end.convolution.bias": (width,),
    }
    for layer in range(config.layers):
        prefix = f"layers.{layer}."
        for norm in ("attention_norm", "feedforward_norm"):
            shapes[f"{prefix}{norm}.weight"] = shapes[f"{prefix}{norm}.bias"] = (width,)
        linear = {
            "attention.query_key_value": (3 * width, width),
            "attention.output": (width, width),
            "feedforward.gate_and_value": (2 * config.feedforward, width),
            "feedforward.output": (width, config.feedforward),
        }
        for name, shape in linear.items():
            shapes[f"{prefix}{name}.weight"], shapes[f"{prefix}{name}.bias"] = shape, shape[:1]
    shapes["norm.weight"] = shapes["norm.bias"] = (width,)
    for head in ("head", "deviation_head"):
        shapes[f"{head}.weight"], shapes[f"{head}.bias"] = (muscles, width), (muscles,)
    return shapes


def _check(bundle: Bundle) -> None:
    expected = weight_shapes(bundle.config)
    if missing := sorted(set(expected) - set(bundle.weights)):
        raise InputError(f"weight '{missing[0]}' is missing; train or fetch the bundle again")
    if extra := sorted(set(bundle.weights) - set(expected)):
        raise InputError(f"weight '{extra[0]}' does not belong to this network; train or fetch the bundle again")
    for name, shape in expected.items():
        value = bundle.weights[name]
        if value.shape != shape or value.dtype != np.float32 or not np.isfinite(value).all():
            raise InputError(f"weight '{name}' is not a finite float32 array of shape {shape}")
    sensors, muscles = len(bundle.rig.sensors), len(bundle.rig.muscles)
    if bundle.config.inputs != feature_count(sensors) or bundle.config.muscles != muscles:
        raise InputError(
            f"network of {bundle.config.inputs} inputs and {bundle.config.muscles} muscles does not fit its rig"
        )
    for label, array in (("mean", bundle.normalisation.mean), ("std", bundle.normalisation.std)):
        if np.shape(array) != (sensors, CHANNELS) or np.isinf(array).any():
            raise InputError(f"normalisation {label} is not a finite array of shape {(sensors, CHANNELS)}")
    used = bundle.normalisation.used
    if not used.any() or not np.array_equal(used, np.isfinite(bundle.normalisation.std)):
        raise InputError("normalisation does not say of every channel, by mean and std alike, whether it is used")
    if (np.asarray(bundle.normalisation.std)[used] <= 0).any():
        raise InputError("normalisation std holds a value that is not positive")
    amplitude = bundle.reference.amplitude
    if len(amplitude) != muscles or not all(_is_positive(value) for value in amplitude):
        raise InputError(f"reference amplitude is not {muscles} positive numbers")
    units = bundle.reference.units
    if units and (len(units) != muscles or not all(isinstance(unit, str) for unit in units)):
        raise InputError(f"reference units are not {muscles} texts")
    if bundle.calibration is not None and not _are_figures(bundle.calibration.figures):
        raise InputError("figures of its calibration are not what a calibration is judged by; calibrate again")
    if bundle.uncertainty is not None:
        bundle.uncertainty.check(muscles)
    if bundle.distribution is not None:
        bundle.distribution.check(sensors)


def _are_figures(figures: Mapping[str, Any]) -> bool:
    """Whether every muscle has numbers, or None, by name, before and after."""
    muscles = figures.get("muscles", {})
    entries = muscles.values() if isinstance(muscles, Mapping) else [None]
    return all(
        isinstance(entry, Mapping) and all(_are_numbers_by_name(entry.get(when, {})) for when in ("before", "after"))
        for entry in entries
    )


def _are_numbers_by_name(values: object) -> bool:
    return isinstance(values, Mapping) and all(
        value is None or (isinstance(value, (int, float)) and not isinstance(value, bool)) for value in values.values()
    )


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0


def _read(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # reading a pipe would wait for ever
            raise InputError(f"bundle {path} is not a file; give the path of a .safetensors bundle")
        if status.st_size > LARGEST_FILE:
            raise InputError(f"bundle {path} is larger than {LARGEST_FILE >> 20} MB; this is not a bundle")
        return path.read_bytes()
    except FileNotFoundError:
        raise InputError(f"bundle {path} does not exist; give the path of a .safetensors bundle") from None
    except OSError as error:
        raise InputError(f"bundle {path} cannot be read ({error.strerror}); give the path of a bundle file") from None


def _decode(path: Path, payload: bytes) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        tensors = load_tensors(payload)
        length = int.from_bytes(payload[:8], "little")
        document = json.loads(json.loads(payload[8 : 8 + length])["__metadata__"]["bundle"])
    except (SafetensorError, ValueError, KeyError, TypeError, RecursionError):
        raise InputError(f"bundle {path} is truncated or not a bundle; train or fetch it again") from None
    version = document.get("format_version") if isinstance(document, dict) else None
    if version != FORMAT_VERSION:
        raise InputError(
            f"bundle {path} has format version {version}, this software reads version {FORMAT_VERSION}; "
            "use the matching release or train it again"
        )
    if set(document) - OPTIONAL_KEYS != DOCUMENT_KEYS or not {MEAN, STD} <= set(tensors):
        raise InputError(f"bundle {path} lacks or adds a part of its document; train or fetch it again")
    for kind, keys in ((str, ("name", "parent_id")), (dict, ("config", "rig", "training", "scores"))):
        for key in keys:
            if not isinstance(document[key], kind):
                raise InputError(f"bundle {path} has a {key} of the wrong kind; train or fetch it again")
    return document, tensors


def _plain(kind: type[Plain], document: Mapping[str, Any], part: str) -> Plain:
    """A dataclass of plain values from a part of the document: every field that must be there, each of its kind."""
    values = document[part]
    known = {field.name: str(field.type) for field in fields(kind)}
    needed = set(known) - OPTIONAL_FIELDS.get(part, set())
    if not isinstance(values, dict) or not needed <= set(values) <= set(known):
        differing = sorted((needed - set(values)) | (set(values) - set(known))) if isinstance(values, dict) else values
        raise InputError(f"{part} does not hold the fields that it should ({differing!r}); train or fetch it again")
    for name, value in values.items():
        if not isinstance(value, JSON_KINDS[known[name]]) or isinstance(value, bool):
            raise InputError(f"{name} of its {part} is {value!r}, not a {known[name]}; train or fetch it again")
    arguments: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in values.items()
    }
    return kind(**arguments)


def _written(values: Reference | Calibration, part: str) -> dict[str, Any]:
    """A dataclass of plain values as a part of the document; ``_plain`` reads it."""
    optional = OPTIONAL_FIELDS[part]
    return {
        name: list(value) if isinstance(value, tuple) else value
        for name, value in asdict(values).items()
        if value or name not in optional
    }


def _content_hash(document: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]) -> str:
    digest = hashlib.sha256(json.dumps(document, sort_keys=True).encode())
    for name in sorted(tensors):
        digest.update(name.encode() + tensors[name].tobytes())
    return digest.hexdigest()
