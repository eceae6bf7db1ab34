"""Adaptation teaches a bundle the subject's own muscles, from trusted EMG alone, and leaves the given bundle alone."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.factories import BundleFactory, RecordingFactory, refusal

from imu_emg_estimator.calibration.adaptation import (
    METHODS,
    AdaptationSettings,
    adapt,
    adapt_estimator,
    estimator_of,
    trust,
)
from imu_emg_estimator.model.adapters import SubjectPrior
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, Network
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.recording import UNLABELLED, Recording
from imu_emg_estimator.signals.accuracy_metrics import FIGURES
from imu_emg_estimator.training.evaluation import score_recordings

HEADS = {"head.weight", "head.bias", "deviation_head.weight", "deviation_head.bias"}
CLOSED_FORM = HEADS - {"deviation_head.weight"}
FILM = {f"{norm}.{part}" for norm in ("layers.0.attention_norm", "norm") for part in ("weight", "bias")}
WIDTH = 16  # of the tiny network
PRIOR = SubjectPrior(
    head_precision=np.eye(WIDTH + 1),
    film={name: np.random.default_rng(0).standard_normal((WIDTH, 3)) for name in sorted(FILM)},
)


def settings(**values: Any) -> AdaptationSettings:
    return AdaptationSettings(**({"steps": 40, "sequence": 64, "learning_rate": 5e-3} | values))


BRIEF = settings(steps=10, batch=2)


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


def with_envelope(recording: Recording, muscle: int, values: Any, weight: float = 1.0) -> Recording:
    envelope, weights = recording.envelope.copy(), np.ones(2)
    envelope[:, muscle], weights[muscle] = values, weight
    return replace(recording, envelope=envelope, muscle_weight=weights)


@pytest.mark.parametrize(
    "method", ["head", "lora", "all_weights", "ridge_zero", "ridge_head", "ridge_prior", "guarded"]
)
def test_the_subjects_own_muscles_are_learned(
    trained_bundle: Bundle, first: Recording, rest: Recording, method: str
) -> None:
    before = figures(trained_bundle, rest)
    after = figures(adapt(trained_bundle, [first], settings(method=method), prior=PRIOR), rest)
    assert before["r"] < 0.6
    assert after["r"] > 0.8
    assert after["r2"] > 0.6
    assert after["nrmse"] < before["nrmse"]


def test_recordings_in_pieces_teach_as_well(trained_bundle: Bundle, first: Recording, rest: Recording) -> None:
    pieces = [first.slice(start, start + 130) for start in range(0, len(first), 130)]
    assert figures(adapt(trained_bundle, pieces, settings()), rest)["r"] > 0.85


def test_a_subject_as_known_is_kept(trained_bundle: Bundle, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 40.0)], seed=21)
    adapted = adapt(trained_bundle, [recording.slice(0, 1300)], settings())
    rest = recording.slice(1360, len(recording))
    assert figures(adapted, rest)["r"] > figures(trained_bundle, rest)["r"] - 0.01


def test_given_bundle_is_unchanged(make_bundle: BundleFactory, first: Recording) -> None:
    given = replace(make_bundle(), scores={"mean": {}})
    adapted = adapt(given, [first], BRIEF)
    assert given.content_hash == replace(make_bundle(), scores={"mean": {}}).content_hash
    assert adapted.content_hash != given.content_hash
    assert adapted.parent_id == given.model_id
    assert adapted.scores == {}  # those were of another network
    assert (adapted.rig, adapted.config, adapted.training) == (given.rig, given.config, given.training)


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
def test_method_says_which_weights_move(trained_bundle: Bundle, first: Recording, method: str) -> None:
    adapted = adapt(trained_bundle, [first], settings(steps=10, method=method), prior=PRIOR)
    kept = {name for name, weight in trained_bundle.weights.items() if np.array_equal(weight, adapted.weights[name])}
    # A bias of the keys shifts all scores of a query alike: it has no gradient of its own, yet moves with the others.
    assert kept == kept_of(method, trained_bundle.weights)


def test_affine_scales_and_shifts_the_estimate_and_never_turns_it_over(
    trained_bundle: Bundle, first: Recording
) -> None:
    estimate = estimate_envelopes(trained_bundle, [first])
    told = replace(first, envelope=np.nan_to_num(3.0 * estimate + 5.0))
    affine = estimate_envelopes(adapt(trained_bundle, [told], settings(method="affine")), [first])
    np.testing.assert_allclose(np.nanmean(affine, axis=0), np.nanmean(told.envelope, axis=0), rtol=0.05)
    assert (
        score_recordings(adapt(trained_bundle, [told], settings(method="affine")), [told])["all"][
            "vastus_lateralis_right"
        ].r2
        > 0.95
    )
    opposite = replace(first, envelope=np.nan_to_num(100.0 - estimate))
    turned = estimate_envelopes(adapt(trained_bundle, [opposite], settings(method="affine")), [first])
    known = np.isfinite(estimate).all(axis=1)
    for muscle in range(2):
        assert np.corrcoef(turned[known, muscle], estimate[known, muscle])[0, 1] > 0.9


def test_what_subjects_differ_in_is_needed_where_a_method_rests_on_it(trained_bundle: Bundle, first: Recording) -> None:
    for method in ("film", "ridge_prior"):
        with refusal(f"'{method}'"):
            adapt(trained_bundle, [first], settings(method=method))


def test_networks_of_other_kinds_are_adapted(trained_bundle: Bundle, first: Recording) -> None:
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


def test_same_seed_same_bundle(trained_bundle: Bundle, first: Recording) -> None:
    one, same = (adapt(trained_bundle, [first], BRIEF) for _ in range(2))
    other = adapt(trained_bundle, [first], replace(BRIEF, seed=1))
    assert one.content_hash == same.content_hash != other.content_hash


def test_channel_that_is_not_trusted_teaches_nothing(trained_bundle: Bundle, first: Recording) -> None:
    bundles = [
        adapt(trained_bundle, [with_envelope(first, 1, values, weight=0.0)], BRIEF) for values in (0.0, 1e6, np.nan)
    ]
    assert len({bundle.content_hash for bundle in bundles}) == 1
    assert bundles[0].reference.amplitude[1] == trained_bundle.reference.amplitude[1]


def test_unknown_samples_teach_nothing(trained_bundle: Bundle, first: Recording) -> None:
    gap = np.arange(len(first)) < 400
    gappy = adapt(trained_bundle, [with_envelope(first, 0, np.where(gap, np.nan, first.envelope[:, 0]))], BRIEF)
    assert all(np.isfinite(weight).all() for weight in gappy.weights.values())
    whole = adapt(trained_bundle, [first], BRIEF)
    np.testing.assert_allclose(gappy.reference.amplitude, whole.reference.amplitude, rtol=0.1)


def test_reference_takes_over_the_subjects_scale_and_unit(
    trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    usual = make_recording([("walking", 20.0)], seed=21)
    loud = replace(usual, envelope=0.003 * usual.envelope, envelope_unit="mV")
    counts, millivolts = (adapt(trained_bundle, [recording], BRIEF).reference for recording in (usual, loud))
    assert (counts.unit, millivolts.unit) == ("count", "mV")
    np.testing.assert_allclose(millivolts.amplitude, 0.003 * np.array(counts.amplitude), rtol=1e-6)
    np.testing.assert_allclose(counts.amplitude, trained_bundle.reference.amplitude, rtol=0.1)


def test_muscle_without_emg_keeps_its_unit_with_its_amplitude(trained_bundle: Bundle, first: Recording) -> None:
    """40 counts must not become 40 mV because the other muscle was measured in mV."""
    millivolts = replace(with_envelope(first, 0, np.nan, weight=0.0), envelope_unit="mV")
    reference = adapt(trained_bundle, [millivolts], BRIEF).reference
    assert reference.amplitude[0] == trained_bundle.reference.amplitude[0]
    assert [reference.unit_of(muscle) for muscle in (0, 1)] == ["count", "mV"]
    both = adapt(trained_bundle, [replace(first, envelope_unit="mV")], BRIEF).reference
    assert [both.unit_of(muscle) for muscle in (0, 1)] == ["mV", "mV"]
    nothing = adapt(trained_bundle, [millivolts], settings(method="none")).reference
    assert nothing == trained_bundle.reference


def test_reference_does_not_depend_on_what_the_subject_did(
    trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    """Mostly standing, and nobody says so: a percentile would fall to nothing, the muscle's scale does not."""
    amplitudes = [
        adapt(
            trained_bundle, [replace(recording, condition=np.full(len(recording), UNLABELLED))], BRIEF
        ).reference.amplitude
        for recording in (
            make_recording([("walking", 20.0)], seed=21),
            make_recording([("standing", 40.0), ("walking", 5.0)], seed=21),
        )
    ]
    np.testing.assert_allclose(amplitudes[1], amplitudes[0], rtol=0.4)


def test_progress_is_told_at_every_step(trained_bundle: Bundle, first: Recording) -> None:
    told: list[tuple[int, int]] = []
    adapt(trained_bundle, [first], BRIEF, lambda done, total, loss: told.append((done, total)))
    assert told == [(step, 10) for step in range(1, 11)]


# what cannot be adapted on


def test_another_rig_is_refused(trained_bundle: Bundle, first: Recording) -> None:
    other = replace(first, rig=replace(first.rig, name="other"))
    with refusal(first.name, "'other'", "'hugadb'"):
        adapt(trained_bundle, [other], BRIEF)


def test_too_little_emg_is_refused_with_what_there_was(trained_bundle: Bundle, first: Recording) -> None:
    with refusal("4.0 s", "5 s"):
        adapt(trained_bundle, [first.slice(0, round(4.0 * first.rig.rate))], BRIEF)
    mostly_unknown = with_envelope(first, 0, np.nan)
    mostly_unknown.envelope[200:, 1] = np.nan
    with refusal("3.4 s"):
        adapt(trained_bundle, [mostly_unknown], BRIEF)
    with refusal("0.0 s"):
        adapt(trained_bundle, [replace(first, muscle_weight=np.zeros(2))], BRIEF)


def test_five_seconds_are_enough(trained_bundle: Bundle, first: Recording) -> None:
    adapted = adapt(trained_bundle, [first.slice(0, round(5.0 * first.rig.rate))], settings(steps=10, sequence=512))
    assert all(np.isfinite(weight).all() for weight in adapted.weights.values())


def test_unknown_method_is_named_with_the_known_ones() -> None:
    with refusal("'magic'", *METHODS):
        AdaptationSettings(method="magic")


def test_too_few_steps_for_a_schedule_are_refused() -> None:
    with refusal("5 steps", "10"):
        AdaptationSettings(steps=5)


# electrodes that are not where they should be


def right_only(recording: Recording, envelope: Any) -> Recording:
    """The right muscle's channel as measured, the left one's as given."""
    return replace(recording, envelope=np.stack([recording.envelope[:, 0], envelope], axis=1))


@pytest.fixture(scope="module")
def usual(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 60.0)], seed=21)


SCREENED = settings(method="ridge_head", screening=True)


def test_exchanged_electrodes_are_adapted_to(trained_bundle: Bundle, usual: Recording) -> None:
    exchanged = replace(usual, envelope=usual.envelope[:, ::-1])
    adapted = adapt(trained_bundle, [exchanged.slice(0, 1764)], SCREENED)
    assert figures(trained_bundle, exchanged)["r"] < 0.3
    assert figures(adapted, exchanged.slice(1800, len(usual)))["r"] > 0.95


@pytest.mark.parametrize("method", ["ridge_head", "all_weights", "guarded"])
def test_electrode_that_fell_off_changes_nothing_for_its_muscle(
    trained_bundle: Bundle, usual: Recording, method: str
) -> None:
    noise = np.random.default_rng(0).uniform(0.0, 0.8, len(usual))
    fell_off = right_only(usual, noise).slice(0, 1764)
    adapted = adapt(trained_bundle, [fell_off], replace(SCREENED, method=method))
    assert adapted.reference.amplitude[1] == trained_bundle.reference.amplitude[1]
    after = score_recordings(adapted, [usual.slice(1800, len(usual))])["all"]["vastus_lateralis_left"]
    before = score_recordings(trained_bundle, [usual.slice(1800, len(usual))])["all"]["vastus_lateralis_left"]
    assert after.r > before.r - 0.02
    assert after.r2 > before.r2 - 0.05


def test_guarded_leaves_the_other_muscle_exactly_alone_where_an_electrode_failed(
    trained_bundle: Bundle, usual: Recording
) -> None:
    noise = np.random.default_rng(0).uniform(0.0, 0.8, len(usual))
    adapted = adapt(trained_bundle, [right_only(usual, noise).slice(0, 1764)], settings(method="guarded"))
    before, after = (estimate_envelopes(bundle, [usual]) for bundle in (trained_bundle, adapted))
    np.testing.assert_array_equal(after[:, 1], before[:, 1])
    assert not np.array_equal(after[:, 0], before[:, 0])


def test_guarded_takes_the_amplitude_alone_where_the_network_fits_already(
    trained_bundle: Bundle, usual: Recording
) -> None:
    """What is left is chance; learning it would cost the subject what the network knew."""

    def changed_by(envelope: Any) -> set[str]:
        adapted = adapt(trained_bundle, [replace(usual, envelope=envelope).slice(0, 1764)], settings(method="guarded"))
        expected = 1.7 * np.array(trained_bundle.reference.amplitude)
        np.testing.assert_allclose(adapted.reference.amplitude, expected, rtol=0.1)
        before = trained_bundle.weights
        return {name for name, value in adapted.weights.items() if not np.array_equal(value, before[name])}

    estimate = 1.7 * np.nan_to_num(estimate_envelopes(trained_bundle, [usual]))
    noise = 0.2 * estimate.max() * np.random.default_rng(0).standard_normal((len(usual), 2))
    assert changed_by(estimate + noise) == {"deviation_head.bias"}
    assert "head.weight" in changed_by(usual.envelope / usual.envelope.std(axis=0) * estimate.std(axis=0))


def test_guarded_goes_as_far_as_there_is_data_to_trust(trained_bundle: Bundle, usual: Recording) -> None:
    given = estimator_of(trained_bundle)
    half_a_minute = [usual.slice(0, 1764)]
    whole, own = (
        adapt_estimator(given, half_a_minute, settings(method="guarded", steps=10), share=share).network.state_dict()
        for share in (1.0, None)
    )
    assert trust(30.0) == pytest.approx(0.75)
    base = given.network.state_dict()
    for name in ("head.weight", "front_end.convolution.weight"):
        torch.testing.assert_close(own[name], torch.lerp(base[name], whole[name], trust(1764 / usual.rig.rate)))
        assert not torch.equal(whole[name], base[name])


def test_bundles_own_prior_is_used(trained_bundle: Bundle, first: Recording) -> None:
    by_bundle = adapt(replace(trained_bundle, head_prior=np.eye(WIDTH + 1)), [first], settings(method="ridge_prior"))
    by_argument = adapt(trained_bundle, [first], settings(method="ridge_prior"), prior=PRIOR)
    np.testing.assert_array_equal(by_bundle.weights["head.weight"], by_argument.weights["head.weight"])
