"""Gait cycles: each leg's own, whole in and out, scored on cycles that nothing else uses. Subjects are simulated."""

import json
from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import refusal

from benchmarks.accuracy import gait_cycle_protocol as gait_cycle
from benchmarks.accuracy.cycle_models import MODEL_NAMES, CycleSettings, PhaseProfile, fit, training_subject
from benchmarks.accuracy.gait_cycle_protocol import (
    GUARD_CYCLES,
    WITH_AMPLITUDE,
    calibrated_scale,
    cycle_scores,
    run_fold,
    summarise,
    without_amplitude,
)
from benchmarks.accuracy.gait_cycles import (
    Cycles,
    Scale,
    cycles_of,
    legs,
    muscles_of,
    population_scale,
    scale_of,
    subject_cycles,
)
from imu_emg_estimator.datasets.movement_statistics import shipped_statistics
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Muscle, Sensor
from imu_emg_estimator.utils.json_values import json_compatible

TINY = CycleSettings(
    steps=3, batch=4, few_shot=(2, 4), tuning_steps=3,
    shape={"width": 16, "layers": 1, "heads": 2, "band": 15, "dilation": 7, "feedforward": 16, "look_ahead": 0},
)  # fmt: skip
PHASE = np.linspace(0.0, 1.0, 101)


@pytest.fixture(scope="module")
def subjects() -> list[Recording]:
    """Three times the mean subject: a single one may use its two legs differently."""
    shipped = shipped_statistics()
    statistics = replace(shipped, components=np.zeros_like(shipped.components))
    return [simulate(statistics, 30.0, seed, (("standing", 3.0), ("walking", 27.0))) for seed in (1, 2, 3)]


def made_cycles(count: int = 12, level: float = 10.0) -> Cycles:
    """Right and left in turn; the envelope of a leg is a burst of ``level`` above 5, noise in the IMUs."""
    generator = np.random.default_rng(0)
    side = np.array(["right", "left"] * (count // 2))
    envelope = np.full((count, 101, 2), np.nan, np.float32)
    for index in range(count):
        envelope[index, :, index % 2] = 5.0 + level * (0.5 - 0.5 * np.cos(2 * np.pi * PHASE))
    imu = generator.standard_normal((count, 101, 6, 6)).astype(np.float32)
    return Cycles(imu, envelope, np.full(count, "walking"), side)


# cycles


def test_cycles_are_found_for_each_leg(subjects: list[Recording]) -> None:
    for side, muscle in (("right", 0), ("left", 1)):
        cycles = cycles_of(subjects[0], side)
        assert 20 <= len(cycles) <= 33
        assert cycles.imu.shape == (len(cycles), 101, 6, 6)
        assert set(cycles.condition) == {"walking"}
        assert cycles.known()[:, muscle].all()
        assert not cycles.known()[:, 1 - muscle].any()
    legs_of = ("right", 0), ("left", 1)
    profiles = [cycles_of(subjects[0], side).envelope[:, :, muscle].mean(axis=0) for side, muscle in legs_of]
    # The legs alternate, their cycles do not: the same muscle peaks at the same place of its own leg's cycle.
    apart = abs(int(profiles[0].argmax()) - int(profiles[1].argmax()))
    assert min(apart, 100 - apart) < 20


def test_cycles_are_contiguous_samples_of_recording(subjects: list[Recording]) -> None:
    cycles = cycles_of(subjects[0], "right")
    follows = np.abs(cycles.envelope[1:, 0, 0] - cycles.envelope[:-1, -1, 0]) < 1e-3
    assert follows.mean() > 0.8
    assert np.isin(np.round(cycles.envelope[:, 0, 0], 3), np.round(subjects[0].envelope[:, 0], 3)).all()


def test_cycle_stays_within_one_activity(subjects: list[Recording]) -> None:
    condition = subjects[0].condition.astype("<U16")
    condition[600:900], condition[900:] = "stairs_up", "standing"
    mixed, whole = cycles_of(replace(subjects[0], condition=condition), "right"), cycles_of(subjects[0], "right")
    assert set(mixed.condition) == {"walking", "stairs_up"}
    assert len(mixed) < len(whole) * 900 / len(subjects[0])


def test_cycles_have_no_untrusted_emg(subjects: list[Recording]) -> None:
    doubted = replace(subjects[0], muscle_weight=np.array([1.0, 0.0]))
    assert subject_cycles([doubted]).known().any(axis=0).tolist() == [True, False]


def test_muscles_without_side_use_cycles_of_first_leg(subjects: list[Recording]) -> None:
    rig = subjects[0].rig
    assert [muscles_of(rig, side) for side in legs(rig)] == [[0], [1]]
    right_only = replace(
        rig, sensors=tuple(s for s in rig.sensors if s.side == "right"), muscles=(*rig.muscles, Muscle("back", "back"))
    )
    assert legs(right_only) == ["right"]
    assert muscles_of(right_only, "right") == [0, 1, 2]
    with refusal("wrist", "shank"):
        legs(replace(rig, name="wrist", sensors=(Sensor("wrist", "wrist", "right"),)))


def test_scale_is_minimum_and_range_of_known_muscles() -> None:
    cycles = made_cycles()
    scale = scale_of(cycles)
    np.testing.assert_allclose(scale.low, 5.0, atol=0.1)
    np.testing.assert_allclose(scale.span, 10.0, atol=0.2)
    np.testing.assert_allclose(scale.envelope(scale.activation(cycles.envelope)), cycles.envelope, rtol=1e-5)
    assert np.isnan(scale_of(cycles.take(cycles.side == "right")).span).tolist() == [False, True]


def test_population_scale_lies_between_the_subjects() -> None:
    scales = [
        Scale(np.array([1.0, 2.0]), np.array([10.0, 20.0])),
        Scale(np.array([4.0, np.nan]), np.array([40, np.nan])),
    ]
    found = population_scale(scales)
    assert 10.0 < found.span[0] < 40.0
    assert found.low / found.span == pytest.approx([0.1, 0.1])
    assert found.span[1] == pytest.approx(20.0)


# scores


def test_cycle_scores_of_perfect_estimate() -> None:
    measured = np.abs(np.random.default_rng(0).standard_normal((8, 101)))
    figures = cycle_scores(measured, measured)
    assert figures == {"r": pytest.approx(1), "r2": 1, "nrmse": 0, "peak_timing": 0, "peak_amplitude": 0, "cycles": 8}


def test_peak_errors_are_cyclic_percent_and_relative() -> None:
    measured, estimated = np.zeros((2, 101)), np.zeros((2, 101))
    measured[:, [2]], estimated[0, 97], estimated[1, 12] = 4.0, 4.0, 2.0
    figures = cycle_scores(measured, estimated)
    assert figures["peak_timing"] == pytest.approx((5 + 10) / 2)
    assert figures["peak_amplitude"] == pytest.approx((0 + 2) / 2 / 4)


def test_amplitude_is_removed_per_cycle() -> None:
    shape = np.sin(np.pi * PHASE)
    cycles = np.array([1.0, 10.0, 0.0])[:, None] * shape + 3.0
    np.testing.assert_allclose(without_amplitude(cycles), [shape, shape, 0 * shape], atol=1e-9)


# models and folds


@pytest.mark.slow
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_fold_is_json_with_every_figure(subjects: list[Recording], name: str) -> None:
    left_out = [subjects[2].subject]
    outcome = run_fold(subjects, left_out, name, TINY)
    json.dumps(json_compatible(outcome), allow_nan=False)
    assert outcome["model"] == name
    assert outcome["left_out"] == left_out
    assert not outcome["not_scored"]
    rows = {(entry["calibration"], entry["method"]) for entry in outcome["figures"]}
    assert rows == {
        ("0", "none"),
        *((amount, method) for amount in ("0.5 %", "2", "4") for method in ("affine", "all")),
    }
    cycles = subject_cycles([subjects[2]])
    assert {entry["cycles"] for entry in outcome["figures"] if entry["muscle"].endswith("right")} == {
        int((cycles.side == "right").sum()) - 4 - GUARD_CYCLES
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", ["mean_profile", "ridge", "geglu_transformer"])
def test_fold_uses_scored_cycles_for_scoring_only(subjects: list[Recording], name: str) -> None:
    """Twice their envelope changes no r: neither scale nor weights saw it."""
    rig, cycles = subjects[0].rig, [subject_cycles([subject]) for subject in subjects]
    scales = [scale_of(own) for own in cycles[:2]]
    training = [training_subject(own, scale) for own, scale in zip(cycles, scales, strict=False)]
    model = fit(name, training, rig, TINY)
    louder = cycles[2].envelope.copy()
    louder[cycles[2].number() > 4] *= 2.0
    figures = [
        gait_cycle.subject_figures(model, population_scale(scales), own, rig, TINY)
        for own in (cycles[2], replace(cycles[2], envelope=louder))
    ]
    assert [entry["r"] for entry in figures[0]] == pytest.approx([entry["r"] for entry in figures[1]], abs=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("name", MODEL_NAMES)
def test_cycle_model_sees_whole_cycle(name: str) -> None:
    cycles = made_cycles()
    noise = np.random.default_rng(1).standard_normal(cycles.envelope.shape)
    cycles = replace(cycles, envelope=cycles.envelope + noise)
    rig = simulate(shipped_statistics(), 10.0, 0).rig
    model = fit(name, [training_subject(cycles, scale_of(cycles))], rig, replace(TINY, steps=1))
    changed = cycles.imu.copy()
    changed[:, 45:55] += 2.0
    difference = np.abs(model.activation(changed) - model.activation(cycles.imu)).max(axis=(0, 2))
    assert difference.shape == (101,)
    assert bool((difference > 1e-7).all()) == (name != "mean_profile")


def test_mean_profile_is_mean_activation_of_subjects() -> None:
    rig = simulate(shipped_statistics(), 10.0, 0).rig
    subjects = [training_subject(own, scale_of(own)) for own in (made_cycles(4, 10.0), made_cycles(40, 90.0))]
    model = fit("mean_profile", subjects, rig, TINY)
    assert isinstance(model, PhaseProfile)
    np.testing.assert_allclose(model.profile[:, 0], 0.5 - 0.5 * np.cos(2 * np.pi * PHASE), atol=0.02)


def test_calibration_sets_minimum_and_range() -> None:
    cycles = made_cycles(12, level=80.0)
    population = Scale(np.array([1.0, 1.0]), np.array([10.0, 10.0]))
    burst = np.repeat((0.5 - 0.5 * np.cos(2 * np.pi * PHASE))[:, None], 2, axis=1)
    right = cycles.take(cycles.side == "right")
    scale = calibrated_scale(PhaseProfile(burst), population, right)
    np.testing.assert_allclose((scale.low[0], scale.span[0]), (5.0, 80.0), rtol=1e-3)
    assert (scale.low[1], scale.span[1]) == (1.0, 10.0)  # nothing is known of the other leg


@pytest.mark.slow
def test_candidates_are_chosen_on_training_subjects(subjects: list[Recording]) -> None:
    useless = {"learning_rate": 1e-9, "dropout": 0.0}
    candidates = (useless, {"learning_rate": 1e-2, "dropout": 0.0})
    tuned = replace(TINY, steps=20, candidates=candidates)
    r = [
        run_fold(subjects, ["simulated-3"], "mlp", settings)["figures"]
        for settings in (tuned, replace(tuned, candidates=(useless,)))
    ]
    assert r[0][0]["nrmse"] < r[1][0]["nrmse"]


def test_fold_names_subject_with_too_few_cycles(subjects: list[Recording]) -> None:
    short = subjects[2].slice(0, 500)
    outcome = run_fold([*subjects[:2], short], [short.subject], "mean_profile", TINY)
    assert outcome["figures"] == []
    assert "too few" in outcome["not_scored"][short.subject]


def test_gait_cycle_protocol_refuses_bad_input(subjects: list[Recording]) -> None:
    with refusal("forest", "geglu_transformer"):
        run_fold(subjects, [], "forest", TINY)
    with refusal("no subject"):
        run_fold(subjects, [subject.subject for subject in subjects], "ridge", TINY)


def test_summary_averages_over_muscles_then_subjects() -> None:
    label = {"calibration": "0", "method": "none", "variant": WITH_AMPLITUDE, "condition": "walking"}
    values = [("a", 0.2), ("a", 0.4), ("b", 0.9)]
    figures = [{**label, "subject": subject, **dict.fromkeys(gait_cycle.FIGURES, r)} for subject, r in values]
    figures[0]["peak_amplitude"] = None
    (row,) = summarise([{"model": "ridge", "figures": figures}])
    assert row["subjects"] == 2
    assert row["r"] == pytest.approx(0.6)
    assert row["r_std"] == pytest.approx(np.std([0.3, 0.9], ddof=1))
    assert row["peak_amplitude"] == pytest.approx(0.9)
