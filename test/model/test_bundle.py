"""A bundle comes back as it was written, or not at all: every fault is one sentence that names the file."""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.factories import BundleFactory, refusal
from numpy.typing import NDArray
from safetensors.numpy import load as load_tensors
from safetensors.numpy import save as save_tensors

from imu_emg_estimator import __version__
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model import bundle as bundle_module
from imu_emg_estimator.model.bundle import DOCUMENT_KEYS, MEAN, STD, Bundle, Calibration
from imu_emg_estimator.model.conformal_uncertainty import DeviationScale, Uncertainty
from imu_emg_estimator.model.motion_distribution import CENTRES, COVARIANCE, Distribution
from imu_emg_estimator.model.network_config import ModelConfig
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.utils.shipped_files import resource_file

Document = dict[str, Any]
Tensors = dict[str, NDArray[Any]]
CALIBRATION = Calibration("9-1", "9", "head", "walk.mcap", 42.5, "2025-01-31T12:00:00+00:00")
FULL_CALIBRATION = replace(
    CALIBRATION,
    bag_hash="0f" * 32,
    software="1.2.3",
    settings={"steps": 60, "method": "head"},
    figures={"judged_seconds": 9.5, "muscles": {"vastus": {"before": {"r": 0.5, "r2": None}, "after": {"r": 0.75}}}},
)
UNCERTAINTY = Uncertainty(
    definition="made up",
    levels=(0.5, 0.8, 0.95),
    uncalibrated=DeviationScale((1.5, 2.0), (1.0, 0.5), (0.0, 1.0), ((0.6, 0.7), (1.2, 1.3), (2.0, 2.5))),
    calibrated=DeviationScale((1.1, 1.2), (1.0, 1.0), (0.0, 0.0), ((0.6, 0.7), (1.2, 1.3), (2.0, 2.5))),
)
STATISTICS = 99  # of six sensors
DISTRIBUTION = Distribution(
    "made up",
    ("sitting", "walking"),
    1.5,
    np.random.default_rng(4).standard_normal((2, STATISTICS)),
    np.eye(STATISTICS),
)


def spoilt_scale(**change: object) -> Document:
    scale = {"factor": [1, 1], "deviation_power": [1, 1], "activation_power": [0, 0]}
    return {"calibrated": {**scale, "multiples": [[1, 1], [2, 2], [3, 3]], **change}}


@pytest.fixture
def path(bundle: Bundle, tmp_path: Path) -> Path:
    """A good bundle, to be spoilt."""
    bundle.save(tmp_path / "a.safetensors")
    return tmp_path / "a.safetensors"


def parts(path: Path) -> tuple[Document, Tensors]:
    payload = path.read_bytes()
    header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
    return json.loads(header["__metadata__"]["bundle"]), load_tensors(payload)


def rewrite(path: Path, change: Callable[[Document, Tensors], None], honest_hash: bool = True) -> None:
    """Change a bundle's parts and write it anew, with a hash that fits."""
    document, tensors = parts(path)
    change(document, tensors)
    if honest_hash:
        del document["content_hash"]
        document["content_hash"] = bundle_module._content_hash(document, tensors)
    path.write_bytes(save_tensors(tensors, metadata={"bundle": json.dumps(document)}))


def test_comes_back_as_it_was_written(bundle: Bundle, tmp_path: Path) -> None:
    own = replace(
        bundle,
        training={"subjects": ["1", "2"], "settings": {"rate": 1e-3}},
        scores={"mean": {"0": {"all": {"r": 0.5, "r2": None}}}},
        parent_id="parent-123",
        calibration=CALIBRATION,
        uncertainty=UNCERTAINTY,
        distribution=DISTRIBUTION,
    )
    own.save(tmp_path / "new" / "folder" / "a.safetensors")
    loaded = Bundle.load(tmp_path / "new" / "folder" / "a.safetensors")
    assert (loaded.name, loaded.config, loaded.rig, loaded.envelope) == (own.name, own.config, own.rig, own.envelope)
    assert (loaded.reference, loaded.training, loaded.scores) == (own.reference, own.training, own.scores)
    assert (loaded.parent_id, loaded.calibration) == ("parent-123", CALIBRATION)
    assert loaded.uncertainty == UNCERTAINTY
    assert loaded.distribution is not None
    assert loaded.distribution.to_dict() == DISTRIBUTION.to_dict()
    np.testing.assert_array_equal(loaded.distribution.centres, DISTRIBUTION.centres)
    np.testing.assert_array_equal(loaded.distribution.covariance, DISTRIBUTION.covariance)
    np.testing.assert_array_equal(loaded.normalisation.mean, own.normalisation.mean)
    np.testing.assert_array_equal(loaded.normalisation.std, own.normalisation.std)
    for name, weight in own.weights.items():
        np.testing.assert_array_equal(loaded.weights[name], weight)
    assert loaded.content_hash == own.content_hash
    assert loaded.calibration_id == "9-1"
    assert json.loads(json.dumps(loaded.describe()))["model_id"] == own.model_id


def test_calibration_comes_back_with_how_it_came_about(bundle: Bundle, path: Path) -> None:
    replace(bundle, calibration=FULL_CALIBRATION).save(path)
    loaded = Bundle.load(path)
    assert loaded.calibration == FULL_CALIBRATION
    assert loaded.describe()["calibration"]["bag_hash"] == "0f" * 32
    assert loaded.calibration.mean("r", "before") == 0.5
    assert loaded.calibration.mean("r", "after") == 0.75
    assert np.isnan(loaded.calibration.mean("r2", "before"))
    assert np.isnan(loaded.calibration.mean("r2", "after"))


def test_units_of_single_muscles_come_back(bundle: Bundle, path: Path) -> None:
    replace(bundle, reference=replace(bundle.reference, units=("count", "mV"))).save(path)
    reference = Bundle.load(path).reference
    assert [reference.unit_of(muscle) for muscle in (0, 1)] == ["count", "mV"]
    assert [bundle.reference.unit_of(muscle) for muscle in (0, 1)] == ["count", "count"]


def test_calibration_of_an_earlier_release_is_read(bundle: Bundle, path: Path) -> None:
    """It has neither the bag's hash nor settings nor figures; its content and identity stay as they are."""
    replace(bundle, calibration=CALIBRATION).save(path)
    document, _ = parts(path)
    assert set(document["calibration"]) == {"id", "subject", "method", "bag", "seconds", "created"}
    assert set(document["reference"]) == {"amplitude", "unit", "definition"}
    loaded = Bundle.load(path)
    assert loaded.calibration == CALIBRATION
    assert loaded.model_id.endswith(document["content_hash"][:12])
    assert np.isnan(CALIBRATION.mean("r", "after"))


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("hugadb", "hugadb-53c6d29892f2"),
        ("hugadb_without_2_8_17", "hugadb_without_2_8_17-f9398f3fb79a"),
    ],
)
def test_shipped_bundles_keep_their_identity(name: str, model_id: str) -> None:
    """Calibrations name the model that they were made from."""
    assert Bundle.load(resource_file(f"{name}.safetensors")).model_id == model_id


def test_calibrations_made_at_once_are_told_apart() -> None:
    made = [Calibration.made_now("anna", "head", "walk", 30.0, figures={"r": np.float64(np.nan)}) for _ in range(2)]
    assert made[0].id != made[1].id
    assert made[0].software == __version__
    assert made[0].figures == {"r": None}


def test_identity_follows_the_content(bundle: Bundle, make_bundle: BundleFactory) -> None:
    assert bundle.model_id == make_bundle().model_id
    others = [
        make_bundle(seed=1),
        replace(bundle, rig=replace(bundle.rig, rate=60.0)),
        replace(bundle, normalisation=replace(bundle.normalisation, std=2 * bundle.normalisation.std)),
        replace(bundle, reference=replace(bundle.reference, unit="mV")),
        replace(bundle, calibration=CALIBRATION),
        replace(bundle, calibration=FULL_CALIBRATION),
        replace(bundle, reference=replace(bundle.reference, units=("count", "mV"))),
        replace(bundle, uncertainty=UNCERTAINTY),
        replace(bundle, uncertainty=replace(UNCERTAINTY, calibrated=None)),
        replace(bundle, distribution=DISTRIBUTION),
        replace(bundle, distribution=replace(DISTRIBUTION, threshold=2.0)),
        replace(bundle, distribution=replace(DISTRIBUTION, centres=2 * DISTRIBUTION.centres)),
    ]
    assert len({bundle.content_hash, *(other.content_hash for other in others)}) == 13


def test_deviation_is_scaled_as_the_bundle_says(bundle: Bundle) -> None:
    assert bundle.deviation_scale is None
    scaled = replace(bundle, uncertainty=UNCERTAINTY)
    assert scaled.deviation_scale == UNCERTAINTY.uncalibrated
    published = UNCERTAINTY.uncalibrated.apply(
        np.array([[0.5, 0.97], [0.0, 0.0]]), np.array([[0.2, 0.25], [0.1, 0.04]])
    )
    np.testing.assert_allclose(published, [[0.3, 1.0], [0.15, 0.012]])
    own = replace(scaled, parent_id=scaled.model_id, calibration=CALIBRATION)
    assert own.deviation_scale == UNCERTAINTY.calibrated
    never_found = replace(UNCERTAINTY, calibrated=None)
    assert replace(own, uncertainty=never_found).deviation_scale == UNCERTAINTY.uncalibrated


def test_saving_twice_gives_the_same_file(bundle: Bundle, path: Path, tmp_path: Path) -> None:
    Bundle.load(path).save(tmp_path / "b.safetensors")
    assert (tmp_path / "b.safetensors").read_bytes() == path.read_bytes()


# files that are not bundles


def test_missing_file_or_folder_is_named(tmp_path: Path) -> None:
    for path in (tmp_path / "none.safetensors", tmp_path, tmp_path / "none" / "a.safetensors"):
        with refusal(path):
            Bundle.load(path)


def test_pipe_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "a.safetensors")
    with refusal(tmp_path / "a.safetensors", "not a file"):
        Bundle.load(tmp_path / "a.safetensors")


@pytest.mark.parametrize("share", [0.0, 0.0001, 0.001, 0.01, 0.1, 0.3, 0.5, 0.9, 0.99, 1.0])
def test_truncated_file_is_named(path: Path, share: float) -> None:
    payload = path.read_bytes()
    path.write_bytes(payload[: min(int(share * len(payload)), len(payload) - 1)])
    with refusal(path, "truncated"):
        Bundle.load(path)


@pytest.mark.parametrize("length", [1, 7, 8, 9, 1000])
def test_random_bytes_are_refused(tmp_path: Path, length: int) -> None:
    path = tmp_path / "random.safetensors"
    for seed in range(20):
        path.write_bytes(np.random.default_rng(seed).bytes(length))
        with refusal(path):
            Bundle.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
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


def test_huge_file_is_refused_unread(tmp_path: Path) -> None:
    path = tmp_path / "huge.safetensors"
    with path.open("wb") as file:
        file.truncate(1 << 40)
    with refusal(path, "larger"):
        Bundle.load(path)


def test_any_changed_byte_is_noticed(bundle: Bundle, path: Path) -> None:
    payload = path.read_bytes()
    generator = np.random.default_rng(0)
    for position in [*range(0, 600, 7), *generator.integers(len(payload), size=200)]:
        spoilt = bytearray(payload)
        spoilt[position] ^= 1 << int(generator.integers(8))
        path.write_bytes(spoilt)
        with contextlib.suppress(InputError):  # a space that became another white space is no change of content
            assert Bundle.load(path).content_hash == bundle.content_hash


# bundles that are wrong inside


@pytest.mark.parametrize("version", [0, 1, 2, 4, "3", None])
def test_another_version_is_told_with_ours(path: Path, version: object) -> None:
    rewrite(path, lambda document, _: document.update(format_version=version))
    with refusal(path, f"version {version}", "version 3"):
        Bundle.load(path)


@pytest.mark.parametrize("key", sorted(DOCUMENT_KEYS))
def test_missing_part_of_the_document_is_refused(path: Path, key: str) -> None:
    rewrite(path, lambda document, _: document.pop(key), honest_hash=False)
    with refusal(path):
        Bundle.load(path)


def test_unknown_part_of_the_document_is_refused(path: Path) -> None:
    rewrite(path, lambda document, _: document.update(code="import os"))
    with refusal(path, "document"):
        Bundle.load(path)


@pytest.mark.parametrize("value", [5, [1, 2], [[1, 2]], True, False, [], 1e400])
@pytest.mark.parametrize("key", sorted(DOCUMENT_KEYS - {"format_version", "content_hash"}))
def test_part_of_another_kind_is_refused(path: Path, key: str, value: object) -> None:
    """Whoever made the file may have given it a hash that fits."""
    rewrite(path, lambda document, _: document.update({key: value}))
    with refusal(path):
        Bundle.load(path)


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
def test_bad_value_is_named(path: Path, key: str, change: Document, part: str) -> None:
    rewrite(path, lambda document, _: document[key].update(change))
    with refusal(path, part):
        Bundle.load(path)


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
def test_bad_calibration_is_named(bundle: Bundle, path: Path, change: Document, part: str) -> None:
    replace(bundle, calibration=CALIBRATION).save(path)
    rewrite(path, lambda document, _: document["calibration"].update(change))
    with refusal(path, part):
        Bundle.load(path)


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
        ({"uncalibrated": None}, "scale"),
        ({"calibrated": 5}, "scale"),
        ({"calibrated": {"factor": [1, 1]}}, "scale"),
        (spoilt_scale(multiples=[1, 2, 3]), "lists of numbers"),
        (spoilt_scale(factor=[1, True]), "lists of numbers"),
        (spoilt_scale(factor=[1]), "2 muscles"),
        (spoilt_scale(multiples=[[1, 1], [2, 2]]), "3 levels"),
        (spoilt_scale(factor=[1, 0.0]), "positive"),
        (spoilt_scale(factor=[1, 1e400]), "positive"),
        (spoilt_scale(deviation_power=[1, -1]), "power"),
        (spoilt_scale(activation_power=[1, float("nan")]), "power"),
        (spoilt_scale(multiples=[[1, 3], [2, 2], [3, 3]]), "widen"),
    ],
)
def test_bad_uncertainty_is_named(bundle: Bundle, path: Path, change: Document, part: str) -> None:
    replace(bundle, uncertainty=UNCERTAINTY).save(path)
    rewrite(path, lambda document, _: document["uncertainty"].update(change))
    with refusal(path, part):
        Bundle.load(path)


@pytest.mark.parametrize("value", [None, 5, [], "yes", {}])
def test_uncertainty_of_another_kind_is_refused(path: Path, value: object) -> None:
    rewrite(path, lambda document, _: document.update(uncertainty=value))
    with refusal(path, "uncertainty"):
        Bundle.load(path)


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
def test_bad_distribution_is_named(bundle: Bundle, path: Path, change: Document, part: str) -> None:
    replace(bundle, distribution=DISTRIBUTION).save(path)
    rewrite(path, lambda document, _: document["distribution"].update(change))
    with refusal(path, part):
        Bundle.load(path)


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
def test_spoilt_distribution_is_named(bundle: Bundle, path: Path, name: str, value: NDArray[Any]) -> None:
    replace(bundle, distribution=DISTRIBUTION).save(path)
    rewrite(path, lambda _, tensors: tensors.update({name: value}))
    with refusal(path, "distribution"):
        Bundle.load(path)


@pytest.mark.parametrize("name", [CENTRES, COVARIANCE])
def test_half_a_distribution_is_refused(bundle: Bundle, path: Path, name: str) -> None:
    replace(bundle, distribution=DISTRIBUTION).save(path)
    rewrite(path, lambda _, tensors: tensors.pop(name))
    with refusal(path, name):
        Bundle.load(path)


def test_rig_of_another_size_does_not_fit(path: Path) -> None:
    rewrite(path, lambda document, _: document["rig"]["sensors"].pop())
    with refusal(path, "does not fit its rig"):
        Bundle.load(path)


WEIGHT = "layers.1.attention.output.weight"


@pytest.mark.parametrize("name", [WEIGHT, "norm.bias", "front_end.convolution.weight", "deviation_head.bias"])
def test_missing_weight_is_named(path: Path, name: str) -> None:
    rewrite(path, lambda _, tensors: tensors.pop(name))
    with refusal(path, name, "missing"):
        Bundle.load(path)


@pytest.mark.parametrize("name", [MEAN, STD])
def test_missing_normalisation_is_refused(path: Path, name: str) -> None:
    rewrite(path, lambda _, tensors: tensors.pop(name))
    with refusal(path):
        Bundle.load(path)


def test_channels_that_are_not_used_stay_so(bundle: Bundle, tmp_path: Path) -> None:
    mean, std = bundle.normalisation.mean.copy(), bundle.normalisation.std.copy()
    mean[:, 3:] = std[:, 3:] = np.nan
    replace(bundle, normalisation=Normalisation(mean, std)).save(tmp_path / "blind.safetensors")
    used = Bundle.load(tmp_path / "blind.safetensors").normalisation.used
    assert used[:, :3].all()
    assert not used[:, 3:].any()
    with refusal("normalisation"):
        replace(bundle, normalisation=Normalisation(np.full_like(mean, np.nan), np.full_like(std, np.nan)))


def test_extra_weight_is_named(path: Path) -> None:
    rewrite(path, lambda _, tensors: tensors.update(extra=np.zeros(3, np.float32)))
    with refusal(path, "'extra'"):
        Bundle.load(path)


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
def test_spoilt_tensor_is_named(
    bundle: Bundle, path: Path, name: str, spoil: Callable[[NDArray[Any]], NDArray[Any]]
) -> None:
    bundle.save(path)
    rewrite(path, lambda _, tensors: tensors.update({name: np.ascontiguousarray(spoil(tensors[name]))}))
    with refusal(path, name.removeprefix("normalisation.")):
        Bundle.load(path)


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_deviation_that_is_not_positive_is_refused(path: Path, value: float) -> None:
    def spoil(_: Document, tensors: Tensors) -> None:
        tensors[STD][2, 3] = value

    rewrite(path, spoil)
    with refusal(path, "std", "positive"):
        Bundle.load(path)


def test_change_without_a_new_hash_is_noticed(path: Path) -> None:
    rewrite(path, lambda document, _: document["training"].update(subjects=[]), honest_hash=False)
    with refusal(path, "hash"):
        Bundle.load(path)


def test_bundle_cannot_be_built_wrong(bundle: Bundle) -> None:
    config = ModelConfig.from_dict(bundle.config.to_dict() | {"band": 20})
    assert replace(bundle, config=config).config.band == 20  # no weight depends on it
    with refusal("norm.weight", "missing"):
        replace(bundle, weights={name: value for name, value in bundle.weights.items() if name != "norm.weight"})


# writing


def test_failed_write_leaves_the_old_file(
    bundle: Bundle, make_bundle: BundleFactory, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with refusal(path, "No space left on device"):
        make_bundle(seed=1).save(path)
    assert list(path.parent.iterdir()) == [path]
    assert Bundle.load(path).model_id == bundle.model_id


def test_place_that_cannot_be_written_is_named(bundle: Bundle, path: Path) -> None:
    for place in (path / "b.safetensors", path.parent):
        with refusal(place):
            bundle.save(place)
    assert [file.name for file in path.parent.iterdir()] == [path.name]
