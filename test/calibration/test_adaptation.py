"""Adaptation teaches a bundle the subject's own muscles, from trusted EMG alone, and leaves the given bundle alone."""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from fixtures.factories import BundleFactory, RecordingFactory, refusal

from imu_emg_estimator.calibration.adaptation import (
    AdaptationSettings,
    adapt_bundle,
    adapt_estimator,
    adapted_reference,
    adapted_share,
    rescale_deviation,
)
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, Network
from imu_emg_estimator.model.offline_estimate import estimate_all, estimate_envelopes, estimator_of
from imu_emg_estimator.recording import UNLABELLED, Recording
from imu_emg_estimator.signals.accuracy_metrics import FIGURES, score
from imu_emg_estimator.training.evaluation import score_recordings


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


def test_adapt_learns_muscles_of_subject(trained_bundle: Bundle, first: Recording, rest: Recording) -> None:
    before = figures(trained_bundle, rest)
    after = figures(adapt_bundle(trained_bundle, [first], settings()), rest)
    assert before["r"] < 0.6
    assert after["r"] > 0.8
    assert after["r2"] > 0.6
    assert after["nrmse"] < before["nrmse"]


def test_adapt_learns_from_recordings_in_pieces(trained_bundle: Bundle, first: Recording, rest: Recording) -> None:
    pieces = [first.slice(start, start + 130) for start in range(0, len(first), 130)]
    assert figures(adapt_bundle(trained_bundle, pieces, settings()), rest)["r"] > 0.85


def test_adapt_keeps_accuracy_on_training_like_subject(
    trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    recording = make_recording([("walking", 40.0)], seed=21)
    adapted = adapt_bundle(trained_bundle, [recording.slice(0, 1300)], settings())
    rest = recording.slice(1360, len(recording))
    assert figures(adapted, rest)["r"] > figures(trained_bundle, rest)["r"] - 0.01


def test_adapt_leaves_given_bundle_unchanged(make_bundle: BundleFactory, first: Recording) -> None:
    given = replace(make_bundle(), scores={"mean": {}})
    adapted = adapt_bundle(given, [first], BRIEF)
    assert given.content_hash == replace(make_bundle(), scores={"mean": {}}).content_hash
    assert adapted.content_hash != given.content_hash
    assert adapted.parent_id == given.model_id
    assert adapted.scores == {}  # those were of another network
    assert (adapted.rig, adapted.config, adapted.training) == (given.rig, given.config, given.training)


def test_adapt_moves_all_weights(trained_bundle: Bundle, first: Recording) -> None:
    adapted = adapt_bundle(trained_bundle, [first], settings(steps=10))
    for name, weight in trained_bundle.weights.items():
        assert not np.array_equal(weight, adapted.weights[name]), name


def test_adapt_works_on_any_network(trained_bundle: Bundle, first: Recording) -> None:
    """Any network whose tokens and heads are those of ``Network``."""

    class Shallow(Network):
        def body(self, x: torch.Tensor) -> torch.Tensor:
            return x

    torch.manual_seed(0)
    given = Estimator(Shallow(trained_bundle.config).eval(), trained_bundle.normalisation, np.array([40.0, 40.0]))
    before = {name: value.clone() for name, value in given.network.state_dict().items()}
    adapted = adapt_estimator(given, [first], settings(steps=10))
    assert isinstance(adapted.network, Shallow)
    assert set(adapted.network.state_dict()) == set(before)
    assert all(torch.isfinite(value).all() for value in adapted.network.state_dict().values())
    assert all(torch.equal(value, before[name]) for name, value in given.network.state_dict().items())


def test_adapt_depends_on_seed_alone(trained_bundle: Bundle, first: Recording) -> None:
    one, same = (adapt_bundle(trained_bundle, [first], BRIEF) for _ in range(2))
    other = adapt_bundle(trained_bundle, [first], replace(BRIEF, seed=1))
    assert one.content_hash == same.content_hash != other.content_hash


def test_adapt_ignores_untrusted_channels(trained_bundle: Bundle, first: Recording) -> None:
    bundles = [
        adapt_bundle(trained_bundle, [with_envelope(first, 1, values, weight=0.0)], BRIEF)
        for values in (0.0, 1e6, np.nan)
    ]
    assert len({bundle.content_hash for bundle in bundles}) == 1
    assert bundles[0].reference.amplitude[1] == trained_bundle.reference.amplitude[1]


def test_adapt_ignores_unknown_samples(trained_bundle: Bundle, first: Recording) -> None:
    gap = np.arange(len(first)) < 400
    gappy = adapt_bundle(trained_bundle, [with_envelope(first, 0, np.where(gap, np.nan, first.envelope[:, 0]))], BRIEF)
    assert all(np.isfinite(weight).all() for weight in gappy.weights.values())
    whole = adapt_bundle(trained_bundle, [first], BRIEF)
    np.testing.assert_allclose(gappy.reference.amplitude, whole.reference.amplitude, rtol=0.1)


def test_adapted_reference_has_scale_and_unit_of_subject(
    trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    usual = make_recording([("walking", 20.0)], seed=21)
    loud = replace(usual, envelope=0.003 * usual.envelope, envelope_unit="mV")
    counts, millivolts = (adapt_bundle(trained_bundle, [recording], BRIEF).reference for recording in (usual, loud))
    assert (counts.unit, millivolts.unit) == ("count", "mV")
    np.testing.assert_allclose(millivolts.amplitude, 0.003 * np.array(counts.amplitude), rtol=1e-6)
    np.testing.assert_allclose(counts.amplitude, trained_bundle.reference.amplitude, rtol=0.1)


def test_adapted_reference_keeps_unit_and_amplitude_of_muscle_without_emg(
    trained_bundle: Bundle, first: Recording
) -> None:
    """40 counts must not become 40 mV because the other muscle was measured in mV."""
    millivolts = replace(with_envelope(first, 0, np.nan, weight=0.0), envelope_unit="mV")
    reference = adapt_bundle(trained_bundle, [millivolts], BRIEF).reference
    assert reference.amplitude[0] == trained_bundle.reference.amplitude[0]
    assert [reference.unit_of(muscle) for muscle in (0, 1)] == ["count", "mV"]
    both = adapt_bundle(trained_bundle, [replace(first, envelope_unit="mV")], BRIEF).reference
    assert [both.unit_of(muscle) for muscle in (0, 1)] == ["mV", "mV"]
    amplitude = np.array(trained_bundle.reference.amplitude)
    assert adapted_reference(trained_bundle.reference, amplitude, "mV") == trained_bundle.reference


def test_adapted_reference_does_not_depend_on_activities(
    trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    """Mostly unlabelled standing: a percentile would fall to nothing, the fitted scale does not."""
    amplitudes = [
        adapt_bundle(
            trained_bundle, [replace(recording, condition=np.full(len(recording), UNLABELLED))], BRIEF
        ).reference.amplitude
        for recording in (
            make_recording([("walking", 20.0)], seed=21),
            make_recording([("standing", 40.0), ("walking", 5.0)], seed=21),
        )
    ]
    np.testing.assert_allclose(amplitudes[1], amplitudes[0], rtol=0.4)


def test_adapt_reports_progress_at_every_step(trained_bundle: Bundle, first: Recording) -> None:
    reported: list[tuple[int, int]] = []
    adapt_bundle(trained_bundle, [first], BRIEF, lambda done, total, loss: reported.append((done, total)))
    assert reported == [(step, 10) for step in range(1, 11)]


# what cannot be adapted on


def test_adapt_refuses_another_rig(trained_bundle: Bundle, first: Recording) -> None:
    other = replace(first, rig=replace(first.rig, name="other"))
    with refusal(first.name, "'other'", "'hugadb'"):
        adapt_bundle(trained_bundle, [other], BRIEF)


def test_adapt_refuses_too_little_emg(trained_bundle: Bundle, first: Recording) -> None:
    with refusal("4.9 s", "5 s"):
        adapt_bundle(trained_bundle, [first.slice(0, round(4.9 * first.rig.rate))], BRIEF)
    mostly_unknown = with_envelope(first, 0, np.nan)
    mostly_unknown.envelope[200:, 1] = np.nan
    with refusal("3.4 s"):
        adapt_bundle(trained_bundle, [mostly_unknown], BRIEF)
    with refusal("0.0 s"):
        adapt_bundle(trained_bundle, [replace(first, muscle_weight=np.zeros(2))], BRIEF)


def test_adapt_needs_five_seconds(trained_bundle: Bundle, first: Recording) -> None:
    adapted = adapt_bundle(
        trained_bundle, [first.slice(0, round(5.0 * first.rig.rate))], settings(steps=10, sequence=512)
    )
    assert all(np.isfinite(weight).all() for weight in adapted.weights.values())


def test_settings_refuse_too_few_steps() -> None:
    with refusal("5 steps", "10"):
        AdaptationSettings(steps=5)


# electrodes that are not where they should be


def right_only(recording: Recording, envelope: Any) -> Recording:
    """The right muscle's channel as measured, the left one's as given."""
    return replace(recording, envelope=np.stack([recording.envelope[:, 0], envelope], axis=1))


@pytest.fixture(scope="module")
def usual(make_recording: RecordingFactory) -> Recording:
    return make_recording([("walking", 60.0)], seed=21)


def test_adapt_follows_exchanged_electrodes(trained_bundle: Bundle, usual: Recording) -> None:
    exchanged = replace(usual, envelope=usual.envelope[:, ::-1])
    assert figures(trained_bundle, exchanged)["r"] < 0.3
    given = estimator_of(trained_bundle)
    adapted = adapt_estimator(given, [exchanged.slice(0, 1764)], settings(), share=1.0, heads_only=True)
    later = exchanged.slice(1800, len(usual))
    estimated = estimate_all(adapted, [later])
    for muscle in range(2):
        assert score(later.envelope[:, muscle], estimated[:, muscle]).r > 0.95


@pytest.mark.parametrize("heads_only", [True, False])
def test_adapt_keeps_muscle_whose_electrode_fell_off(
    trained_bundle: Bundle, usual: Recording, heads_only: bool
) -> None:
    noise = np.random.default_rng(0).uniform(0.0, 0.8, len(usual))
    fell_off = right_only(usual, noise).slice(0, 1764)
    given = estimator_of(trained_bundle)
    adapted = adapt_estimator(given, [fell_off], settings(), heads_only=heads_only)
    assert adapted.amplitude[1] == given.amplitude[1]
    later = usual.slice(1800, len(usual))
    before, after = (score(later.envelope[:, 1], estimate_all(one, [later])[:, 1]) for one in (given, adapted))
    assert after.r > before.r - 0.02
    assert after.r2 > before.r2 - 0.05


def test_adapt_keeps_other_muscle_when_electrode_failed(trained_bundle: Bundle, usual: Recording) -> None:
    noise = np.random.default_rng(0).uniform(0.0, 0.8, len(usual))
    adapted = adapt_bundle(trained_bundle, [right_only(usual, noise).slice(0, 1764)], settings())
    before, after = (estimate_envelopes(bundle, [usual]) for bundle in (trained_bundle, adapted))
    np.testing.assert_array_equal(after[:, 1], before[:, 1])
    assert not np.array_equal(after[:, 0], before[:, 0])


def test_adapt_fits_amplitude_alone_when_network_fits_already(trained_bundle: Bundle, usual: Recording) -> None:
    """What is left is chance; learning it would cost the subject what the network knew."""

    def changed_by(envelope: Any) -> set[str]:
        adapted = adapt_bundle(trained_bundle, [replace(usual, envelope=envelope).slice(0, 1764)], settings())
        expected = 1.7 * np.array(trained_bundle.reference.amplitude)
        np.testing.assert_allclose(adapted.reference.amplitude, expected, rtol=0.1)
        before = trained_bundle.weights
        return {name for name, value in adapted.weights.items() if not np.array_equal(value, before[name])}

    estimate = 1.7 * np.nan_to_num(estimate_envelopes(trained_bundle, [usual]))
    noise = 0.2 * estimate.max() * np.random.default_rng(0).standard_normal((len(usual), 2))
    assert changed_by(estimate + noise) == {"deviation_head.bias"}
    assert "head.weight" in changed_by(usual.envelope / usual.envelope.std(axis=0) * estimate.std(axis=0))


def test_adapt_averages_with_given_weights_by_seconds_of_data(trained_bundle: Bundle, usual: Recording) -> None:
    given = estimator_of(trained_bundle)
    half_a_minute = [usual.slice(0, 1764)]
    whole, own = (
        adapt_estimator(given, half_a_minute, settings(steps=10), share=share).network.state_dict()
        for share in (1.0, None)
    )
    assert adapted_share(30.0) == pytest.approx(0.75)
    base = given.network.state_dict()
    for name in ("head.weight", "front_end.convolution.weight"):
        torch.testing.assert_close(own[name], torch.lerp(base[name], whole[name], adapted_share(1764 / usual.rig.rate)))
        assert not torch.equal(whole[name], base[name])


def test_rescaled_deviation_agrees_with_the_error() -> None:
    """A stated deviation of a half becomes one where the mean squared error is one; of trusted samples alone."""
    head = torch.nn.Linear(1, 2)
    head.weight.data[:] = 0.0
    head.bias.data[:] = float(np.log(0.5))
    tokens, weight = np.array([[0.3, 1.0], [0.3, 1.0], [9.0, 99.0]]), np.array([[1.0, 1.0], [1.0, 1.0], [0.0, 0.0]])
    network, data = SimpleNamespace(deviation_head=head), SimpleNamespace(tokens=tokens, weight=weight)
    rescale_deviation(network, data, 0, 1.0)  # type: ignore[arg-type]
    assert head.bias.tolist() == pytest.approx([0.0, np.log(0.5)], abs=1e-6)


def test_adaptation_has_these_settings_unless_others_are_given() -> None:
    """Those that the figures of the documentation were measured with."""
    assert AdaptationSettings() == AdaptationSettings(60, 5, 256, 1.5e-3, 0.03, 0.5, 50.0, 0)
