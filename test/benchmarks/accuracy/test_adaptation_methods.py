"""Every method of adaptation learns a subject's muscles its own way, and changes the weights that it names."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.factories import RecordingFactory, refusal

from benchmarks.accuracy.adaptation_methods import METHODS, MethodSettings, adapt_estimator
from benchmarks.accuracy.subject_prior import SubjectPrior
from imu_emg_estimator.calibration.adaptation import adapted_reference
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, Network, weights_of
from imu_emg_estimator.model.offline_estimate import estimate_envelopes, estimator_of
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.accuracy_metrics import FIGURES
from imu_emg_estimator.training.evaluation import score_recordings

pytestmark = pytest.mark.slow

HEADS = {"head.weight", "head.bias", "deviation_head.weight", "deviation_head.bias"}
CLOSED_FORM = HEADS - {"deviation_head.weight"}
FILM = {f"{norm}.{part}" for norm in ("layers.0.attention_norm", "norm") for part in ("weight", "bias")}
WIDTH = 16  # of the tiny network
PRIOR = SubjectPrior(
    head_precision=np.eye(WIDTH + 1),
    film={name: np.random.default_rng(0).standard_normal((WIDTH, 3)) for name in sorted(FILM)},
)


def settings(**values: Any) -> MethodSettings:
    return MethodSettings(**({"steps": 40, "sequence": 64, "learning_rate": 5e-3} | values))


CHECKED = settings(method="ridge_head", electrode_check=True)


def adapt(
    bundle: Bundle, recordings: Sequence[Recording], settings: MethodSettings, prior: SubjectPrior | None = None
) -> Bundle:
    """The bundle of the adapted network."""
    adapted = adapt_estimator(estimator_of(bundle), recordings, settings, prior=prior)
    reference = adapted_reference(bundle.reference, adapted.amplitude, recordings[0].envelope_unit)
    return replace(bundle, weights=weights_of(adapted.network), reference=reference)


@pytest.fixture(scope="module")
def subject(make_recording: RecordingFactory) -> Recording:
    """Muscles that fire later than those of the subjects that the bundle knows, and twice as strong."""
    return make_recording([("walking", 40.0)], seed=20, emg_delay=0.15, amplitude=100.0)


@pytest.fixture(scope="module")
def first(subject: Recording) -> Recording:
    return subject.slice(0, 1300)


@pytest.fixture(scope="module")
def rest(subject: Recording) -> Recording:
    return subject.slice(1360, len(subject))


def figures(bundle: Bundle, recording: Recording) -> dict[str, float]:
    by_muscle = score_recordings(bundle, [recording])["all"]
    return {name: float(np.mean([getattr(entry, name) for entry in by_muscle.values()])) for name in FIGURES}


def right_only(recording: Recording, envelope: Any) -> Recording:
    """The right muscle's channel as measured, the left one's as given."""
    return replace(recording, envelope=np.stack([recording.envelope[:, 0], envelope], axis=1))


@pytest.fixture(scope="module")
def usual(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 60.0)], seed=21)


@pytest.mark.parametrize(
    "method", ["head", "lora", "all_weights", "ridge_zero", "ridge_head", "ridge_prior", "guarded"]
)
def test_method_learns_muscles_of_subject(
    trained_bundle: Bundle, first: Recording, rest: Recording, method: str
) -> None:
    before = figures(trained_bundle, rest)
    after = figures(adapt(trained_bundle, [first], settings(method=method), prior=PRIOR), rest)
    assert before["r"] < 0.6
    assert after["r"] > 0.8
    assert after["r2"] > 0.6
    assert after["nrmse"] < before["nrmse"]


def kept_of(method: str, names: Iterable[str]) -> set[str]:
    """Weights that a method must leave alone."""
    own: dict[str, Callable[[str], bool]] = {
        "none": lambda name: False,
        "affine": lambda name: name in CLOSED_FORM,
        "head": lambda name: name in HEADS,
        "norms_and_biases": lambda name: "norm." in name or name.endswith("bias"),
        "film": lambda name: name in FILM,
        "lora": lambda name: name in HEADS or (name.endswith("weight") and "norm" not in name),
        "all_weights": lambda name: True,
        "scratch": lambda name: True,
        "guarded": lambda name: True,
    }
    return {name for name in names if not own.get(method, lambda name: name in CLOSED_FORM)(name)}


@pytest.mark.parametrize("method", METHODS)
def test_method_changes_named_weights_only(trained_bundle: Bundle, first: Recording, method: str) -> None:
    adapted = adapt(trained_bundle, [first], settings(steps=10, method=method), prior=PRIOR)
    kept = {name for name, weight in trained_bundle.weights.items() if np.array_equal(weight, adapted.weights[name])}
    # A bias of the keys shifts all scores of a query alike: it has no gradient of its own, yet moves with the others.
    assert kept == kept_of(method, trained_bundle.weights)


def test_affine_scales_and_shifts_and_never_inverts(trained_bundle: Bundle, first: Recording) -> None:
    estimate = estimate_envelopes(trained_bundle, [first])
    scaled = replace(first, envelope=np.nan_to_num(3.0 * estimate + 5.0))
    affine = estimate_envelopes(adapt(trained_bundle, [scaled], settings(method="affine")), [first])
    np.testing.assert_allclose(np.nanmean(affine, axis=0), np.nanmean(scaled.envelope, axis=0), rtol=0.05)
    assert (
        score_recordings(adapt(trained_bundle, [scaled], settings(method="affine")), [scaled])["all"][
            "vastus_lateralis_right"
        ].r2
        > 0.95
    )
    opposite = replace(first, envelope=np.nan_to_num(100.0 - estimate))
    turned = estimate_envelopes(adapt(trained_bundle, [opposite], settings(method="affine")), [first])
    known = np.isfinite(estimate).all(axis=1)
    for muscle in range(2):
        assert np.corrcoef(turned[known, muscle], estimate[known, muscle])[0, 1] > 0.9


def test_methods_with_prior_need_it(trained_bundle: Bundle, first: Recording) -> None:
    for method in ("film", "ridge_prior"):
        with refusal(f"'{method}'"):
            adapt(trained_bundle, [first], settings(method=method))


def test_methods_work_on_any_network(trained_bundle: Bundle, first: Recording) -> None:
    """Any network whose tokens and heads are those of ``Network``."""

    class Shallow(Network):
        def body(self, x: torch.Tensor) -> torch.Tensor:
            return x

    torch.manual_seed(0)
    given = Estimator(Shallow(trained_bundle.config).eval(), trained_bundle.normalisation, np.array([40.0, 40.0]))
    before = {name: value.clone() for name, value in given.network.state_dict().items()}
    for method in METHODS:
        film = {name: direction for name, direction in PRIOR.film.items() if name.startswith("norm.")}
        adapted = adapt_estimator(given, [first], settings(steps=10, method=method), prior=replace(PRIOR, film=film))
        assert isinstance(adapted.network, Shallow)
        assert set(adapted.network.state_dict()) == set(before)
        assert all(torch.isfinite(value).all() for value in adapted.network.state_dict().values())
        assert all(torch.equal(value, before[name]) for name, value in given.network.state_dict().items())


def test_settings_refuse_unknown_method() -> None:
    with refusal("'magic'", *METHODS):
        MethodSettings(method="magic")


def test_electrode_check_follows_exchanged_electrodes(trained_bundle: Bundle, usual: Recording) -> None:
    exchanged = replace(usual, envelope=usual.envelope[:, ::-1])
    adapted = adapt(trained_bundle, [exchanged.slice(0, 1764)], CHECKED)
    assert figures(trained_bundle, exchanged)["r"] < 0.3
    assert figures(adapted, exchanged.slice(1800, len(usual)))["r"] > 0.95


@pytest.mark.parametrize("method", ["ridge_head", "all_weights", "guarded"])
def test_electrode_check_keeps_muscle_whose_electrode_fell_off(
    trained_bundle: Bundle, usual: Recording, method: str
) -> None:
    noise = np.random.default_rng(0).uniform(0.0, 0.8, len(usual))
    fell_off = right_only(usual, noise).slice(0, 1764)
    adapted = adapt(trained_bundle, [fell_off], replace(CHECKED, method=method))
    assert adapted.reference.amplitude[1] == trained_bundle.reference.amplitude[1]
    after = score_recordings(adapted, [usual.slice(1800, len(usual))])["all"]["vastus_lateralis_left"]
    before = score_recordings(trained_bundle, [usual.slice(1800, len(usual))])["all"]["vastus_lateralis_left"]
    assert after.r > before.r - 0.02
    assert after.r2 > before.r2 - 0.05


def test_method_none_keeps_reference(trained_bundle: Bundle, first: Recording) -> None:
    millivolts = replace(first, envelope_unit="mV")
    assert adapt(trained_bundle, [millivolts], settings(method="none")).reference == trained_bundle.reference
