"""Models of the benchmark: trained on subjects, they estimate others, adapt, survive the disk and are tuned fairly."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import RecordingFactory, refusal

from benchmarks.accuracy.adaptation_methods import MethodSettings
from benchmarks.accuracy.models import (
    ARCHITECTURES,
    GRID,
    MODELS,
    BenchmarkModel,
    Budget,
    Fitted,
    Settings,
    load,
    locomotion_r,
    save,
    tuning_scores,
)
from benchmarks.accuracy.simple_baselines import MeanProfile, Ridge, advanced, affine_fit, lagged
from imu_emg_estimator.calibration.adaptation import AdaptationSettings
from imu_emg_estimator.recording import FloatArray, Recording

pytestmark = pytest.mark.slow

LOOK_AHEAD = 2
TINY = Budget(
    steps=12, batch=2, sequence=48,
    shape={"width": 16, "layers": 1, "heads": 2, "band": 8, "dilation": 2, "kernel": 3, "feedforward": 16,
           "look_ahead": LOOK_AHEAD},
)  # fmt: skip
SCHEDULE = (("standing", 5.0), ("walking", 25.0), ("running", 10.0))
every_model = pytest.mark.parametrize("name", MODELS)


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording(SCHEDULE, subject=str(seed), seed=seed) for seed in (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def unseen(make_recording: RecordingFactory) -> Recording:
    return make_recording(SCHEDULE, subject="9", seed=9)


@pytest.fixture(scope="module")
def fitted(subjects: list[Recording]) -> dict[str, Fitted]:
    return {name: model.fit(subjects, TINY, 0) for name, model in MODELS.items()}


def test_model_table_is_complete() -> None:
    assert list(MODELS) == ["mean_profile", "ridge", *ARCHITECTURES]
    assert all(model.name == name and model.description for name, model in MODELS.items())


def test_networks_share_tuning_candidates() -> None:
    assert {name for name, model in MODELS.items() if model.grid == GRID} == set(ARCHITECTURES)


@every_model
def test_model_estimates_concatenated_envelopes(fitted: dict[str, Fitted], unseen: Recording, name: str) -> None:
    halves = [unseen.slice(0, 300), unseen.slice(300, len(unseen))]
    estimated = fitted[name].estimate(halves)
    assert estimated.shape == unseen.envelope.shape
    ends = np.flatnonzero(~np.isfinite(estimated).all(axis=1)).tolist()
    expected = [] if name == "mean_profile" else [298, 299, len(unseen) - 2, len(unseen) - 1]
    assert ends == expected  # the look-ahead that has not come yet
    assert np.nanmin(estimated) >= 0


@every_model
def test_model_respects_its_look_ahead(fitted: dict[str, Fitted], unseen: Recording, name: str) -> None:
    imu = unseen.imu.copy()
    imu[500:] += 3.0
    before, after = (fitted[name].estimate([replace(unseen, imu=values)]) for values in (unseen.imu, imu))
    np.testing.assert_allclose(after[: 500 - LOOK_AHEAD], before[: 500 - LOOK_AHEAD], rtol=1e-4, atol=1e-3)
    if name != "mean_profile":
        assert np.abs(after[500 - LOOK_AHEAD :] - before[500 - LOOK_AHEAD :])[:-LOOK_AHEAD].max() > 0.01


@every_model
def test_model_roundtrip_on_disk(fitted: dict[str, Fitted], unseen: Recording, name: str, tmp_path: Path) -> None:
    path = tmp_path / "fold" / f"{name}.safetensors"
    save(fitted[name], path)
    np.testing.assert_array_equal(load(path).estimate([unseen]), fitted[name].estimate([unseen]))


@every_model
def test_adapt_sets_amplitude_of_subject(
    fitted: dict[str, Fitted], make_recording: RecordingFactory, name: str
) -> None:
    strong = make_recording(SCHEDULE, subject="9", seed=9, amplitude=500.0)
    settings = AdaptationSettings(steps=10, batch=2, sequence=48)
    adapted = fitted[name].adapted([strong.slice(0, 1500)], settings)

    def error(model: Fitted) -> float:
        return float(np.nanmean((model.estimate([strong]) - strong.envelope) ** 2))

    before = error(fitted[name])
    assert error(adapted) < (0.95 if name in ARCHITECTURES else 0.7) * before  # networks of twelve steps know little
    assert error(fitted[name]) == before


@pytest.mark.parametrize("name", ["mean_profile", "ridge", "geglu_transformer"])
def test_method_none_changes_nothing(fitted: dict[str, Fitted], unseen: Recording, name: str) -> None:
    same = fitted[name].adapted([unseen], MethodSettings(method="none"))
    np.testing.assert_allclose(same.estimate([unseen]), fitted[name].estimate([unseen]))


@every_model
def test_model_needs_trusted_emg(subjects: list[Recording], name: str) -> None:
    untrusted = [replace(recording, muscle_weight=np.zeros(2)) for recording in subjects]
    with refusal("4 recordings", "EMG"):
        MODELS[name].fit(untrusted, TINY, 0)
    one_sided = [replace(recording, muscle_weight=np.array([1.0, 0.0])) for recording in subjects]
    with refusal("vastus_lateralis_left"):
        MODELS[name].fit(one_sided, TINY, 0)


@pytest.mark.parametrize("name", ["mean_profile", "ridge"])
def test_model_ignores_untrusted_emg(subjects: list[Recording], unseen: Recording, name: str) -> None:
    estimates = []
    for factor in (1.0, 100.0):
        doubted = replace(subjects[0], envelope=factor * subjects[0].envelope, muscle_weight=np.zeros(2))
        estimates.append(MODELS[name].fit([doubted, *subjects[1:]], TINY, 0).estimate([unseen]))
    np.testing.assert_array_equal(estimates[0], estimates[1])


# ridge


def test_ridge_estimates_unseen_subjects(fitted: dict[str, Fitted], unseen: Recording) -> None:
    assert locomotion_r(fitted["ridge"], [unseen]) > 0.9


@pytest.mark.parametrize("name", ["ridge", "mlp", "geglu_transformer"])
def test_model_without_gyroscopes_ignores_them(
    subjects: list[Recording], unseen: Recording, fitted: dict[str, Fitted], name: str
) -> None:
    budget = replace(TINY, gyroscopes=False)
    blind = MODELS[name].fit(budget.training_set(subjects), budget, 0)
    estimates = [model.estimate([given]) for model in (blind, fitted[name]) for given in (unseen, shaken(unseen))]
    np.testing.assert_array_equal(estimates[0], estimates[1])
    assert not np.allclose(estimates[2], estimates[3], equal_nan=True)


def shaken(recording: Recording) -> Recording:
    """The same with other angular rates."""
    imu = recording.imu.copy()
    imu[..., 3:] += 1.0
    return replace(recording, imu=imu)


def test_ridge_learns_from_mirror_image(subjects: list[Recording]) -> None:
    """Trusted EMG of one leg also trains the other: their coefficients are mirror images."""
    right_only = [replace(recording, muscle_weight=np.array([1.0, 0.0])) for recording in subjects[:3]]
    model = MODELS["ridge"].fit([*right_only, subjects[3]], TINY, 0)
    assert locomotion_r(model, [subjects[0]]) > 0.9


def test_lags_are_averages_of_the_past() -> None:
    values = np.arange(1.0, 101.0)[:, None]
    rows = lagged(values, 4)
    assert rows.shape == (100, 17)
    assert rows[99, 0] == pytest.approx(values[96:].mean())
    assert rows[99, 15] == pytest.approx(values[36:40].mean())
    assert rows[0, :-1].tolist() == [0.25] + [0.0] * 15
    assert (rows[:, -1] == 1.0).all()


def test_lagged_rows_are_aligned_to_their_instant() -> None:
    values = np.arange(5.0)[:, None]
    np.testing.assert_array_equal(advanced(values, 2).ravel(), [2, 3, 4, np.nan, np.nan])
    np.testing.assert_array_equal(advanced(values, 0), values)
    assert np.isnan(advanced(values, 9)).all()
    assert len(advanced(values, 9)) == 5


# mean profile


def test_mean_profile_uses_activity_labels(fitted: dict[str, Fitted], unseen: Recording) -> None:
    model = fitted["mean_profile"]
    assert isinstance(model, MeanProfile)
    assert model.conditions == ("running", "standing", "walking")
    estimated = model.estimate([unseen])
    for condition in model.conditions:
        here = unseen.condition == condition
        assert np.ptp(estimated[here], axis=0).tolist() == [0.0, 0.0]
    walking, standing = (estimated[unseen.condition == name][0] for name in ("walking", "standing"))
    assert (walking > 3 * standing).all()
    renamed = replace(unseen, condition=np.full(len(unseen), "dancing"))
    assert ((model.estimate([renamed]) > standing) & (model.estimate([renamed]) < walking)).all()


def test_affine_fit_finds_gain_and_offset_of_muscles() -> None:
    estimated = np.random.default_rng(0).uniform(0, 1, (50, 3))
    measured = estimated * [3.0, -2.0, 5.0] + [7.0, 4.0, 0.0]
    measured[:10, 0] = np.nan
    gain, offset = affine_fit(measured, estimated, [0, 1])
    assert (gain[0], offset[0]) == (pytest.approx(3.0), pytest.approx(7.0))
    assert gain[1] == 0.0  # never turned round
    assert offset[1] == pytest.approx(measured[:, 1].mean())
    assert (gain[2], offset[2]) == (1.0, 0.0)


def test_affine_fit_keeps_a_resting_level_above_zero() -> None:
    """Two levels estimated nearly alike and measured far apart."""
    estimated, measured = np.repeat([[1.0], [1.01]], 20, axis=0), np.repeat([[1.0], [5.0]], 20, axis=0)
    gain, offset = affine_fit(measured, estimated, [0])
    assert offset[0] == pytest.approx(0.0, abs=1e-9)
    assert gain[0] == pytest.approx(3.0, rel=0.02)


# keeping and tuning


def test_load_model_names_damaged_file(fitted: dict[str, Fitted], tmp_path: Path) -> None:
    path = tmp_path / "model.safetensors"
    with refusal(path):
        load(path)
    save(fitted["mlp"], path)
    path.write_bytes(path.read_bytes()[:-100])
    with refusal(path):
        load(path)


def test_save_refuses_other_models(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="cannot be saved"):
        save(Scaled(1.0), tmp_path / "model.safetensors")


@dataclass(frozen=True)
class Scaled:
    """Estimates the truth and so much noise."""

    noise: float

    def estimate(self, recordings: Sequence[Recording]) -> FloatArray:
        envelope = np.concatenate([recording.envelope for recording in recordings])
        noise = np.random.default_rng(0).standard_normal(envelope.shape)
        return np.asarray(envelope + self.noise * envelope.std() * noise)

    def adapted(self, calibration: Sequence[Recording], settings: AdaptationSettings) -> Fitted:
        return self


def test_tuning_takes_best_on_left_out_training_subjects(subjects: list[Recording]) -> None:
    seen: list[tuple[float, set[str]]] = []

    def fit(recordings: Sequence[Recording], budget: Budget, seed: int, settings: Settings | None = None) -> Fitted:
        assert settings is not None
        seen.append((settings["noise"], {recording.subject for recording in recordings}))
        return Scaled(settings["noise"])

    model = BenchmarkModel("noisy", "", fit, ({"noise": 2.0}, {"noise": 0.5}, {"noise": 1.0}))
    scores = tuning_scores(model, subjects, TINY, 2)
    assert model.grid[int(np.argmax(scores))] == {"noise": 0.5}
    assert seen == [(noise, kept) for noise in (2.0, 0.5, 1.0) for kept in ({"2", "4"}, {"1", "3"})]
    assert scores[1] > scores[2] > scores[0]


def test_tuning_skips_model_without_candidates() -> None:
    assert MODELS["ridge"].grid == ()


def test_settings_reach_the_network(subjects: list[Recording]) -> None:
    plain = MODELS["mlp"].fit(subjects, TINY, 0)
    for settings in ({"learning_rate": 1e-2}, {"dropout": 0.5}):
        other = MODELS["mlp"].fit(subjects, TINY, 0, settings)
        assert np.nanmax(np.abs(other.estimate(subjects) - plain.estimate(subjects))) > 1e-3


def test_r_of_subject_without_locomotion_is_undefined(fitted: dict[str, Fitted], unseen: Recording) -> None:
    still = replace(unseen, condition=np.full(len(unseen), "standing"))
    assert np.isnan(locomotion_r(fitted["ridge"], [still]))
    assert isinstance(fitted["ridge"], Ridge)
