"""Bundles that are wrong inside are refused with one sentence that names the file and the fault.

Whoever made the file may have given it a hash that fits.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.bundle_files import CALIBRATION, DISTRIBUTION, STATISTICS, SUBSET_FIGURES, UNCERTAINTY, rewrite_bundle
from fixtures.factories import refusal
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import MEAN, RANGES, STD, Bundle
from imu_emg_estimator.model.bundle_file import DOCUMENT_TYPES, Document, Tensors
from imu_emg_estimator.model.motion_distribution import CENTRES, COVARIANCE
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.signals.masked_imu_features import Normalisation


def spoilt_scale(**change: object) -> Document:
    scale = {"factor": [1, 1], "deviation_power": [1, 1], "activation_power": [0, 0]}
    return {"calibrated": {**scale, "multiples": [[1, 1], [2, 2], [3, 3]], **change}}


@pytest.mark.parametrize("version", [0, 1, 2, 4, "3", None])
def test_load_names_unknown_version_and_known_one(bundle_file: Path, version: object) -> None:
    rewrite_bundle(bundle_file, lambda document, _: document.update(format_version=version))
    with refusal(bundle_file, f"version {version}", "version 3"):
        Bundle.load(bundle_file)


@pytest.mark.parametrize("key", sorted(DOCUMENT_TYPES))
def test_load_refuses_missing_part_of_document(bundle_file: Path, key: str) -> None:
    rewrite_bundle(bundle_file, lambda document, _: document.pop(key), honest_hash=False)
    with refusal(bundle_file):
        Bundle.load(bundle_file)


def test_load_refuses_unknown_part_of_document(bundle_file: Path) -> None:
    rewrite_bundle(bundle_file, lambda document, _: document.update(code="import os"))
    with refusal(bundle_file, "document"):
        Bundle.load(bundle_file)


@pytest.mark.parametrize("value", [5, [1, 2], [[1, 2]], True, False, [], 1e400])
@pytest.mark.parametrize("key", sorted(set(DOCUMENT_TYPES) - {"format_version", "content_hash"}))
def test_load_refuses_part_of_wrong_type(bundle_file: Path, key: str, value: object) -> None:
    """Whoever made the file may have given it a hash that fits."""
    rewrite_bundle(bundle_file, lambda document, _: document.update({key: value}))
    with refusal(bundle_file):
        Bundle.load(bundle_file)


@pytest.mark.parametrize(
    ("key", "change", "part"),
    [
        ("rig", {"rate": "fast"}, "rate"),
        ("rig", {"sensors": []}, "sensor"),
        ("config", {"width": 10**6}, "width"),
        ("config", {"muscles": 3}, "head.weight"),
        ("config", {"layers": 3}, "layers.2"),
        ("config", {"layers": 1}, "layers.1"),
        ("envelope", {"high_pass": "8"}, "envelope"),
        ("envelope", {"low_pass": -4.0}, "envelope"),
        ("envelope", {"order": 0}, "envelope"),
        ("envelope", {"colour": 1}, "colour"),
        ("reference", {"amplitude": [40.0]}, "2 positive numbers"),
        ("reference", {"amplitude": [40.0, -1.0]}, "2 positive numbers"),
        ("reference", {"amplitude": [40.0, None]}, "amplitude"),
        ("reference", {"amplitude": [40.0, 10**400]}, ""),
        ("reference", {"amplitude": 40.0}, ""),
        ("reference", {"unit": 3}, "unit"),
        ("reference", {"units": ["mV"]}, "units"),
        ("reference", {"units": ["mV", 3]}, "units"),
    ],
)
def test_load_names_bad_value(bundle_file: Path, key: str, change: Document, part: str) -> None:
    rewrite_bundle(bundle_file, lambda document, _: document[key].update(change))
    with refusal(bundle_file, part):
        Bundle.load(bundle_file)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"seconds": "long"}, "seconds"),
        ({"created": None}, "created"),
        ({"colour": "red"}, "colour"),
        ({"bag_hash": 5}, "bag_hash"),
        ({"settings": []}, "settings"),
        ({"figures": {"muscles": []}}, "figures"),
        ({"figures": {"muscles": {"vastus": 1}}}, "figures"),
        ({"figures": {"muscles": {"vastus": {"after": None}}}}, "figures"),
        ({"figures": {"muscles": {"vastus": {"after": {"r": "good"}}}}}, "figures"),
    ],
)
def test_load_names_bad_calibration_field(bundle: Bundle, bundle_file: Path, change: Document, part: str) -> None:
    replace(bundle, calibration=CALIBRATION).save(bundle_file)
    rewrite_bundle(bundle_file, lambda document, _: document["calibration"].update(change))
    with refusal(bundle_file, part):
        Bundle.load(bundle_file)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"levels": [0.8, 0.5, 0.95]}, "levels"),
        ({"levels": [0.5, 0.8, 1.0]}, "levels"),
        ({"levels": [0.5, 0.8, float("nan")]}, "levels"),
        ({"levels": []}, "levels"),
        ({"levels": [0.5, 0.8]}, "2 levels"),
        ({"levels": 0.5}, "levels"),
        ({"definition": None}, "definition"),
        ({"colour": 1}, "uncertainty"),
        ({"uncalibrated": None}, "uncertainty.uncalibrated is 'None', not an object"),
        ({"calibrated": 5}, "uncertainty.calibrated is '5', not an object"),
        ({"calibrated": {"factor": [1, 1]}}, "uncertainty.calibrated lacks a field: activation_power"),
        (spoilt_scale(multiples=[1, 2, 3]), "multiples[0] is '1', not a list"),
        (spoilt_scale(factor=[1, True]), "factor[1] is 'True', not a number"),
        (spoilt_scale(factor=[1]), "2 muscles"),
        (spoilt_scale(multiples=[[1, 1], [2, 2]]), "3 levels"),
        (spoilt_scale(factor=[1, 0.0]), "positive"),
        (spoilt_scale(factor=[1, 1e400]), "positive"),
        (spoilt_scale(deviation_power=[1, -1]), "power"),
        (spoilt_scale(activation_power=[1, float("nan")]), "power"),
        (spoilt_scale(multiples=[[1, 3], [2, 2], [3, 3]]), "widen"),
    ],
)
def test_load_names_bad_uncertainty_field(bundle: Bundle, bundle_file: Path, change: Document, part: str) -> None:
    replace(bundle, uncertainty=UNCERTAINTY).save(bundle_file)
    rewrite_bundle(bundle_file, lambda document, _: document["uncertainty"].update(change))
    with refusal(bundle_file, part):
        Bundle.load(bundle_file)


@pytest.mark.parametrize("value", [None, 5, [], "yes", {}])
def test_load_refuses_uncertainty_of_wrong_type(bundle_file: Path, value: object) -> None:
    rewrite_bundle(bundle_file, lambda document, _: document.update(uncertainty=value))
    with refusal(bundle_file, "uncertainty"):
        Bundle.load(bundle_file)


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"threshold": "high"}, "threshold"),
        ({"threshold": -1.0}, "threshold"),
        ({"threshold": float("nan")}, "threshold"),
        ({"conditions": ["walking"]}, "centres"),
        ({"conditions": "walking"}, "conditions"),
        ({"definition": 5}, "definition"),
        ({"colour": 1}, "distribution"),
    ],
)
def test_load_names_bad_distribution_field(bundle: Bundle, bundle_file: Path, change: Document, part: str) -> None:
    replace(bundle, distribution=DISTRIBUTION).save(bundle_file)
    rewrite_bundle(bundle_file, lambda document, _: document["distribution"].update(change))
    with refusal(bundle_file, part):
        Bundle.load(bundle_file)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (CENTRES, np.zeros((2, STATISTICS - 1))),
        (CENTRES, np.full((2, STATISTICS), np.nan)),
        (COVARIANCE, np.zeros((STATISTICS, STATISTICS))),
        (COVARIANCE, np.eye(STATISTICS, dtype=np.float32)),
        (COVARIANCE, np.eye(STATISTICS) + np.eye(STATISTICS, k=1)),
    ],
    ids=["short", "NaN", "singular", "another kind", "not symmetric"],
)
def test_load_names_bad_distribution_tensor(bundle: Bundle, bundle_file: Path, name: str, value: NDArray[Any]) -> None:
    replace(bundle, distribution=DISTRIBUTION).save(bundle_file)
    rewrite_bundle(bundle_file, lambda _, tensors: tensors.update({name: value}))
    with refusal(bundle_file, "distribution"):
        Bundle.load(bundle_file)


@pytest.mark.parametrize("name", [CENTRES, COVARIANCE])
def test_load_refuses_distribution_without_tensor(bundle: Bundle, bundle_file: Path, name: str) -> None:
    replace(bundle, distribution=DISTRIBUTION).save(bundle_file)
    rewrite_bundle(bundle_file, lambda _, tensors: tensors.pop(name))
    with refusal(bundle_file, name):
        Bundle.load(bundle_file)


def test_load_refuses_rig_of_other_size(bundle_file: Path) -> None:
    rewrite_bundle(bundle_file, lambda document, _: document["rig"]["sensors"].pop())
    with refusal(bundle_file, "does not fit its rig"):
        Bundle.load(bundle_file)


WEIGHT = "layers.1.attention.output.weight"


@pytest.mark.parametrize("name", [WEIGHT, "norm.bias", "front_end.convolution.weight", "deviation_head.bias"])
def test_load_names_missing_weight(bundle_file: Path, name: str) -> None:
    rewrite_bundle(bundle_file, lambda _, tensors: tensors.pop(name))
    with refusal(bundle_file, name, "missing"):
        Bundle.load(bundle_file)


@pytest.mark.parametrize("name", [MEAN, STD])
def test_load_refuses_missing_normalisation(bundle_file: Path, name: str) -> None:
    rewrite_bundle(bundle_file, lambda _, tensors: tensors.pop(name))
    with refusal(bundle_file):
        Bundle.load(bundle_file)


def test_normalisation_keeps_unused_channels(bundle: Bundle, tmp_path: Path) -> None:
    mean, std = bundle.normalisation.mean.copy(), bundle.normalisation.std.copy()
    mean[:, 3:] = std[:, 3:] = np.nan
    replace(bundle, normalisation=Normalisation(mean, std)).save(tmp_path / "blind.safetensors")
    used = Bundle.load(tmp_path / "blind.safetensors").normalisation.used
    assert used[:, :3].all()
    assert not used[:, 3:].any()
    with refusal("normalisation"):
        replace(bundle, normalisation=Normalisation(np.full_like(mean, np.nan), np.full_like(std, np.nan)))


def test_load_names_extra_weight(bundle_file: Path) -> None:
    rewrite_bundle(bundle_file, lambda _, tensors: tensors.update(extra=np.zeros(3, np.float32)))
    with refusal(bundle_file, "'extra'"):
        Bundle.load(bundle_file)


@pytest.mark.parametrize("name", [WEIGHT, MEAN, STD])
@pytest.mark.parametrize(
    "spoil",
    [
        lambda value: value[:-1],
        lambda value: value.T.copy()[:, :1],
        lambda value: np.where(np.arange(value.size).reshape(value.shape) == 3, np.nan, value).astype(value.dtype),
        lambda value: np.full_like(value, np.inf),
        lambda value: value.astype(np.float16) if value.dtype == np.float32 else value[0],
    ],
    ids=["short", "narrow", "one NaN", "infinite", "another kind"],
)
def test_load_names_bad_tensor(
    bundle: Bundle, bundle_file: Path, name: str, spoil: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    rewrite_bundle(bundle_file, lambda _, tensors: tensors.update({name: np.ascontiguousarray(spoil(tensors[name]))}))
    with refusal(bundle_file, name.removeprefix("normalisation.")):
        Bundle.load(bundle_file)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_load_refuses_std_that_is_not_positive(bundle_file: Path, value: float) -> None:
    def spoil(_: Document, tensors: Tensors) -> None:
        tensors[STD][2, 3] = value

    rewrite_bundle(bundle_file, spoil)
    with refusal(bundle_file, "std", "positive"):
        Bundle.load(bundle_file)


def test_load_notices_change_without_new_hash(bundle_file: Path) -> None:
    rewrite_bundle(bundle_file, lambda document, _: document["training"].update(subjects=[]), honest_hash=False)
    with refusal(bundle_file, "hash"):
        Bundle.load(bundle_file)


def test_bundle_checks_weights_when_built(bundle: Bundle) -> None:
    config = ModelConfig.from_dict(bundle.config.to_dict() | {"band": 20})
    assert replace(bundle, config=config).config.band == 20  # no weight depends on it
    with refusal("norm.weight", "missing"):
        replace(bundle, weights={name: value for name, value in bundle.weights.items() if name != "norm.weight"})


def test_bundle_refuses_normalisation_that_disagrees_on_use(bundle: Bundle) -> None:
    std = bundle.normalisation.std.copy()
    std[0, 3:] = np.nan
    with refusal("normalisation", "whether it is used"):
        replace(bundle, normalisation=Normalisation(bundle.normalisation.mean, std))


def test_bundle_refuses_normalisation_of_another_rig_or_without_end(bundle: Bundle) -> None:
    mean, std = bundle.normalisation.mean, bundle.normalisation.std
    for other in (Normalisation(mean[:-1], std[:-1]), Normalisation(mean[:, :3], std[:, :3])):
        with refusal("normalisation mean is not a finite array of shape (6, 6)"):
            replace(bundle, normalisation=other)
    endless = np.where(np.arange(mean.size).reshape(mean.shape) == 3, np.inf, mean)
    for name, other in (("mean", Normalisation(endless, std)), ("std", Normalisation(mean, endless))):
        with refusal(f"normalisation {name} is not a finite array of shape (6, 6)"):
            replace(bundle, normalisation=other)


@pytest.mark.parametrize("amplitude", [0.0, -1.0, np.inf, np.nan, "40"])
def test_bundle_refuses_reference_that_is_not_positive(bundle: Bundle, amplitude: object) -> None:
    amplitudes = (amplitude, *bundle.reference.amplitude[1:])
    with refusal("reference"):
        replace(bundle, reference=replace(bundle.reference, amplitude=amplitudes))  # type: ignore[arg-type]


def spoilt_row(**change: object) -> Document:
    row = {"missing": [0], "r": 0.7, "spread": 0.1, "coverage": [0.8, 0.8], "factor": [1, 1]}
    return {"uncalibrated": {"sensors": 6, "rows": [{**row, "missing": []}, {**row, **change}]}}


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"calibrated": 5}, "sensor subsets.calibrated is '5', not an object"),
        ({"colour": 1}, "colour"),
        ({"uncalibrated": {"sensors": 6, "rows": []}}, "6 sensors"),
        (spoilt_row(missing=[]), "each combination once"),
        (spoilt_row(missing=[6]), "0 to 5"),
        (spoilt_row(missing=[1, 0]), "0 to 5"),
        (spoilt_row(missing=["left_foot"]), "missing"),
        (spoilt_row(factor=[1]), "2 numbers"),
        (spoilt_row(factor=[1, 0.9]), "at least 1"),
        (spoilt_row(factor=[1, float("inf")]), "at least 1"),
        (spoilt_row(r=None), "finite"),
        (spoilt_row(coverage=[0.8]), "figure"),
        (spoilt_row(coverage=[0.8, "high"]), "coverage"),
    ],
)
def test_load_names_bad_sensor_subsets(bundle: Bundle, bundle_file: Path, change: Document, part: str) -> None:
    replace(bundle, subset_figures=SUBSET_FIGURES).save(bundle_file)
    rewrite_bundle(bundle_file, lambda document, _: document["subsets"].update(change))
    with refusal(bundle_file, part):
        Bundle.load(bundle_file)


@pytest.mark.parametrize(
    "ranges", [np.ones((5, 2)), np.ones((6, 2), np.float32), np.zeros((6, 2)), np.full((6, 2), np.inf)], ids=str
)
def test_load_refuses_ranges_of_another_rig(bundle_file: Path, ranges: NDArray[Any]) -> None:
    rewrite_bundle(bundle_file, lambda _, tensors: tensors.update({RANGES: ranges}))
    with refusal(bundle_file, "ranges"):
        Bundle.load(bundle_file)
