"""Bundle: everything that an estimate needs, in one file that is complete and safe to load (``bundle_file``)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle_file import (
    FORMAT_VERSION,
    Document,
    Tensors,
    content_hash,
    encode,
    read_bundle_file,
)
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.model.conformal_uncertainty import DeviationScale, Uncertainty
from imu_emg_estimator.model.motion_distribution import CENTRES, COVARIANCE, Distribution
from imu_emg_estimator.model.network_config import ModelConfig, weight_shapes
from imu_emg_estimator.model.sensor_subsets import SensorSubsets, SubsetFigures
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings
from imu_emg_estimator.signals.masked_imu_features import CHANNELS, PARTS, Normalisation, feature_count
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import from_decoded, json_compatible

MEAN, STD, RANGES = "normalisation.mean", "normalisation.std", "ranges"  # tensors of a file, beside the weights
# Fields that a file leaves out where they are empty: bundles of earlier releases keep their hash.
Part = TypeVar("Part", EnvelopeSettings, "Reference", Calibration)
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
class Bundle:
    """A trained network with all that surrounds it; see the module for its file.

    Attributes:
        weights: tensors by name, float32, exactly those of ``config``.
        training: data set, subjects and recipe, for model cards and for evaluation on unseen subjects.
        scores: figures on subjects that the recipe never saw.
        parent_id: identity of the bundle that this one was adapted from; empty = none.
        uncertainty: what makes the network's standard deviation hold on unseen subjects; None = taken as it is.
        distribution: what the training subjects' motion looked like; None = nothing is called unlike it.
        subset_figures: what is left of the accuracy where sensors are missing; None = not measured.
        ranges: [sensors, 2] highest absolute value of an axis of the accelerometer [m/s²] and of the gyroscope [rad/s]
            in training, NaN where there was none; None = not known.
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
    subset_figures: SubsetFigures | None = None
    ranges: NDArray[np.float64] | None = None

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
        """Scale of the standard deviation: a subject's own bundle has another than the one for everybody."""
        return self.uncertainty.scale(calibrated=bool(self.parent_id)) if self.uncertainty else None

    @property
    def subsets(self) -> SensorSubsets | None:
        """What is left without some sensors: a subject's own bundle has other figures than the one for everybody."""
        return self.subset_figures.subsets(calibrated=bool(self.parent_id)) if self.subset_figures else None

    @cached_property
    def content_hash(self) -> str:
        """SHA-256 of the content."""
        return content_hash(self._document(), self._tensors())

    @property
    def look_ahead_s(self) -> float:
        """The time by which an estimate lags its newest input [s]; negative = a forecast."""
        return self.config.look_ahead / self.rig.rate

    def describe(self) -> dict[str, Any]:
        """Return what is in it, in values for JSON."""
        return {
            "model_id": self.model_id,
            "parent_id": self.parent_id,
            "calibration": _without_empty(self.calibration, "calibration") if self.calibration else None,
            "rig": self.rig.name,
            "rate_hz": self.rig.rate,
            "sensors": list(self.rig.sensor_names),
            "muscles": list(self.rig.muscle_names),
            "look_ahead_s": self.look_ahead_s,
            "context_s": self.config.context / self.rig.rate,
            "weights": int(sum(value.size for value in self.weights.values())),
            "reference": _without_empty(self.reference, "reference"),
            "uncertainty": self.uncertainty.to_dict() if self.uncertainty else None,
            "distribution": self.distribution.to_dict() if self.distribution else None,
            "subsets": self.subset_figures.to_dict() if self.subset_figures else None,
            "ranges": json_compatible(self.ranges),
            "training": dict(self.training),
            "scores": dict(self.scores),
        }

    def save(self, path: Path) -> None:
        """Write atomically: a reader sees the old file or the whole new one."""
        write_atomically(Path(path), self.to_bytes())

    def to_bytes(self) -> bytes:
        """Return the content of its file."""
        return encode(self._document(), self._tensors())

    @classmethod
    def load(cls, path: Path) -> Bundle:
        """Read and check a bundle; raises InputError that names the file and the fault."""
        path = Path(path)
        document, tensors = read_bundle_file(path)
        try:
            bundle = _assemble(document, tensors)
        except InputError as error:
            raise InputError(f"bundle {path}: {error}") from None
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            raise InputError(
                f"bundle {path} has a missing or malformed part ({error}); train or fetch it again"
            ) from None
        if bundle.content_hash != document["content_hash"]:
            raise InputError(f"bundle {path} was changed after it was written (its hash does not fit); fetch it again")
        return bundle

    def _document(self) -> Document:
        parts = {
            "uncertainty": self.uncertainty,
            "distribution": self.distribution,
            "subsets": self.subset_figures,
        }
        optional = {name: part.to_dict() for name, part in parts.items() if part is not None}
        return {
            "format_version": FORMAT_VERSION,
            "name": self.name,
            "config": self.config.to_dict(),
            "rig": self.rig.to_dict(),
            "envelope": asdict(self.envelope),
            "reference": _without_empty(self.reference, "reference"),
            "training": dict(self.training),
            "scores": dict(self.scores),
            "parent_id": self.parent_id,
            "calibration": _without_empty(self.calibration, "calibration") if self.calibration else None,
            **optional,
        }

    def _tensors(self) -> Tensors:
        tensors: Tensors = {
            **self.weights,
            MEAN: np.asarray(self.normalisation.mean, np.float64),
            STD: np.asarray(self.normalisation.std, np.float64),
        }
        if self.distribution is not None:
            tensors |= {CENTRES: self.distribution.centres, COVARIANCE: self.distribution.covariance}
        if self.ranges is not None:
            tensors[RANGES] = self.ranges
        return {name: np.ascontiguousarray(value) for name, value in tensors.items()}


def _assemble(document: Document, tensors: Tensors) -> Bundle:
    """Build a bundle from the parts of its file; takes the weights out of ``tensors``."""
    ranges = tensors.pop(RANGES, None)
    normalisation = Normalisation(tensors.pop(MEAN), tensors.pop(STD))
    distribution = calibration = uncertainty = subset_figures = None
    if "distribution" in document:
        arrays = tensors.pop(CENTRES), tensors.pop(COVARIANCE)
        distribution = Distribution.from_dict(document["distribution"], *arrays)
    if "uncertainty" in document:
        uncertainty = Uncertainty.from_dict(document["uncertainty"])
    if "subsets" in document:
        subset_figures = SubsetFigures.from_dict(document["subsets"])
    if document["calibration"] is not None:
        calibration = _read_part(Calibration, document, "calibration")
    return Bundle(
        name=document["name"],
        config=ModelConfig.from_dict(document["config"]),
        rig=Rig.from_dict(document["rig"]),
        envelope=_read_part(EnvelopeSettings, document, "envelope"),
        normalisation=normalisation,
        reference=_read_part(Reference, document, "reference"),
        weights=tensors,
        training=document["training"],
        scores=document["scores"],
        parent_id=document["parent_id"],
        calibration=calibration,
        uncertainty=uncertainty,
        distribution=distribution,
        subset_figures=subset_figures,
        ranges=ranges,
    )


def _read_part(kind: type[Part], document: Document, part: str) -> Part:
    return from_decoded(kind, document[part], part, OPTIONAL_FIELDS.get(part, ()))


def _without_empty(values: Reference | Calibration, part: str) -> dict[str, Any]:
    """Return the fields of a part of the document, optional ones only where they hold something."""
    return {name: value for name, value in asdict(values).items() if value or name not in OPTIONAL_FIELDS[part]}


def _check(bundle: Bundle) -> None:
    """Raise InputError unless all parts are finite and fit each other."""
    _check_weights(bundle)
    _check_normalisation(bundle)
    _check_reference(bundle)
    if bundle.calibration is not None:
        bundle.calibration.check()
    if bundle.uncertainty is not None:
        bundle.uncertainty.check(len(bundle.rig.muscles))
    if bundle.distribution is not None:
        bundle.distribution.check(len(bundle.rig.sensors))
    if bundle.subset_figures is not None:
        bundle.subset_figures.check(len(bundle.rig.sensors), len(bundle.rig.muscles))
    if bundle.ranges is not None:
        _check_ranges(bundle.ranges, len(bundle.rig.sensors))


def _check_weights(bundle: Bundle) -> None:
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


def _check_normalisation(bundle: Bundle) -> None:
    sensors = len(bundle.rig.sensors)
    for label, array in (("mean", bundle.normalisation.mean), ("std", bundle.normalisation.std)):
        if np.shape(array) != (sensors, CHANNELS) or np.isinf(array).any():
            raise InputError(f"normalisation {label} is not a finite array of shape {(sensors, CHANNELS)}")
    used = bundle.normalisation.used
    if not used.any() or not np.array_equal(used, np.isfinite(bundle.normalisation.std)):
        raise InputError("normalisation does not say of every channel, by mean and std alike, whether it is used")
    if (np.asarray(bundle.normalisation.std)[used] <= 0).any():
        raise InputError("normalisation std holds a value that is not positive")


def _check_ranges(ranges: NDArray[np.float64], sensors: int) -> None:
    if ranges.shape != (sensors, PARTS) or ranges.dtype != np.float64 or np.isinf(ranges).any() or (ranges <= 0).any():
        raise InputError(f"ranges are not an array of {sensors} x {PARTS} positive numbers")


def _check_reference(bundle: Bundle) -> None:
    muscles = len(bundle.rig.muscles)
    amplitude = bundle.reference.amplitude
    if len(amplitude) != muscles or not all(_is_positive(value) for value in amplitude):
        raise InputError(f"reference amplitude is not {muscles} positive numbers")
    units = bundle.reference.units
    if units and (len(units) != muscles or not all(isinstance(unit, str) for unit in units)):
        raise InputError(f"reference units are not {muscles} texts")


def _is_positive(value: object) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value) and value > 0
