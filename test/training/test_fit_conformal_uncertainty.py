"""Intervals hold on subjects that were not used to find them; made errors, of which the truth is known."""

from collections.abc import Sequence

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from benchmarks.accuracy import ood_alarm as alarm
from benchmarks.accuracy.uncertainty_protocol import covered, run_fold
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.causal_network import Estimator, network_of
from imu_emg_estimator.model.conformal_uncertainty import LEVELS
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.training.fit_conformal_uncertainty import (
    Errors,
    calibrated_errors,
    errors_of,
    fit_uncertainty,
)

FLOOR = 0.03

SAMPLES = 4000


def made_errors(seed: int, deviation_tells: bool = False, samples: int = SAMPLES) -> Errors:
    """Errors that grow with the activation, or with what the network says; the right muscle's are missing in some."""
    generator = np.random.default_rng(seed)
    activation = generator.uniform(0.0, 1.0, (samples, 2))
    deviation = np.exp(generator.normal(-2.0, 0.7, (samples, 2)))
    scale = 3.0 * deviation if deviation_tells else 0.4 * (activation + FLOOR)
    measured = activation + scale * generator.standard_t(4, (samples, 2))
    if seed % 3 == 0:
        measured[:, 0] = np.nan
    return Errors(measured, activation, deviation, np.full(samples, "walking"))


@pytest.mark.parametrize("deviation_tells", [False, True])
def test_conformal_intervals_have_stated_coverage(rig: Rig, deviation_tells: bool) -> None:
    known = [made_errors(seed, deviation_tells) for seed in range(8)]
    scale = fit_uncertainty(rig, known).uncalibrated
    assert scale.deviation_power[0] == pytest.approx(1.0 if deviation_tells else 0.0, abs=0.05)
    assert scale.activation_power[0] == pytest.approx(0.0 if deviation_tells else 1.0, abs=0.05)
    for seed in (20, 21):
        np.testing.assert_allclose(covered(scale, made_errors(seed, deviation_tells)), LEVELS, atol=0.03)
    published = scale.apply(known[1].activation, known[1].deviation)
    within = np.abs(known[1].measured - known[1].activation) <= published
    assert within.mean() == pytest.approx(0.683, abs=0.03)


def test_conformal_scale_weighs_subjects_equally(rig: Rig) -> None:
    """One who wore the sensors all day does not outvote the others."""
    others = [made_errors(seed, samples=500) for seed in (1, 2, 4, 5)]
    tame = made_errors(7, samples=100 * 500)
    tame = Errors(tame.activation + 1e-3, tame.activation, tame.deviation, tame.condition)
    scale = fit_uncertainty(rig, [*others, tame]).uncalibrated
    share = np.mean([covered(scale, errors)[1] for errors in [*others, tame]])
    assert share == pytest.approx(0.8, abs=0.03)


def test_conformal_scale_is_shared_by_twins_and_own_when_calibrated(rig: Rig) -> None:
    before = [made_errors(seed) for seed in range(6)]
    after = [Errors(e.activation + 0.5 * (e.measured - e.activation), *vars_of(e)) for e in before]
    uncertainty = fit_uncertainty(rig, before, after)
    uncertainty.check(2)
    assert uncertainty.levels == LEVELS
    assert uncertainty.calibrated is not None
    for scale in (uncertainty.uncalibrated, uncertainty.calibrated):
        assert scale.factor[0] == scale.factor[1]
    assert uncertainty.calibrated.factor[0] == pytest.approx(0.5 * uncertainty.uncalibrated.factor[0], rel=0.05)
    assert fit_uncertainty(rig, before, after[:2]).calibrated is None


def vars_of(errors: Errors) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return errors.activation, errors.deviation, errors.condition


def test_conformal_scale_of_perfect_estimates(rig: Rig) -> None:
    perfect = [Errors(e.activation, *vars_of(e)) for e in map(made_errors, range(4))]
    fit_uncertainty(rig, perfect).check(2)


def test_conformal_fit_refuses_too_few_subjects(rig: Rig) -> None:
    with refusal("2 subjects", "at least 3"):
        fit_uncertainty(rig, [made_errors(1), made_errors(2)])


@pytest.fixture(scope="module")
def estimator(trained_bundle: Bundle) -> Estimator:
    return Estimator(
        network_of(trained_bundle), trained_bundle.normalisation, np.array(trained_bundle.reference.amplitude)
    )


def test_errors_are_in_references_of_trusted_emg_only(estimator: Estimator, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 20.0)], seed=4)
    recording.muscle_weight[1] = 0.0
    errors = errors_of(estimator, [recording])
    assert len(errors.measured) == pytest.approx(200, rel=0.05)
    assert np.isnan(errors.measured[:, 1]).all()
    assert np.nanmax(errors.measured) == pytest.approx(recording.envelope[:, 0].max() / estimator.amplitude[0], rel=0.1)
    assert np.corrcoef(errors.measured[:, 0], errors.activation[:, 0])[0, 1] > 0.6


def test_errors_leave_out_calibration_samples(estimator: Estimator, make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 40.0)], seed=4)
    given: list[float] = []

    def adapt(base: Estimator, calibration: Sequence[Recording]) -> Estimator:
        given.append(sum(part.duration for part in calibration))
        return base

    errors = calibrated_errors(estimator, [recording], adapt, 30.0)
    assert errors is not None
    assert given == [pytest.approx(30.0, abs=0.1)]
    assert len(errors.measured) < 100
    assert calibrated_errors(estimator, [recording], adapt, 60.0) is None


@pytest.mark.slow
def test_run_fold_trains_inner_networks_without_judged_subjects(
    estimator: Estimator, make_recording: RecordingFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inner networks never see the subjects that they are judged on, nor those left out."""
    monkeypatch.setattr(alarm, "ANGLES_DEG", (90,))
    recordings = [make_recording([("standing", 5.0), ("walking", 40.0)], subject=str(s), seed=s) for s in range(1, 6)]
    seen: list[set[str]] = []

    def train(kept: Sequence[Recording]) -> Estimator:
        seen.append({recording.subject for recording in kept})
        return estimator

    outcome = run_fold(recordings, ["5"], estimator, train, lambda base, _: base, seconds=10.0, inner_folds=2)
    assert seen == [{"2", "4"}, {"1", "3"}]
    subject = outcome["intervals"]["subjects"]["5"]
    assert set(subject) == {"uncalibrated", "calibrated"}
    figures = subject["uncalibrated"]["walking"]
    assert set(figures) == {"published", "network", "constant"}
    assert np.abs(np.array(figures["published"]["coverage"]) - LEVELS).max() < 0.25
    assert figures["published"]["crps"] > 0
    assert set(outcome["alarm"]) == {"auroc", "raised", "threshold", "false_alarms"}
