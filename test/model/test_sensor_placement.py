"""Sensors that are worn wrongly are named, with what undoes it; sensors that are worn rightly are left alone."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.placement_remedies import Remedy, remedies
from imu_emg_estimator.model.sensor_placement import Mounting, mounting_of
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation, fit_normalisation
from imu_emg_estimator.signals.mounting_rotation import mount_rotations, turn_mounts
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution

Array = NDArray[np.floating]
SCHEDULE = (("standing", 5.0), ("walking", 40.0), ("running", 15.0))


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording(SCHEDULE, subject=str(seed), seed=seed) for seed in range(1, 6)]


@pytest.fixture(scope="module")
def distribution(subjects: list[Recording]) -> Distribution:
    return fit_distribution(subjects)


@pytest.fixture(scope="module")
def normalisation(subjects: list[Recording]) -> Normalisation:
    return fit_normalisation([subject.imu[subject.is_movement()] for subject in subjects])


@pytest.fixture(scope="module")
def imu(make_recording: RecordingFactory) -> Array:
    return make_recording([("standing", 5.0), ("walking", 25.0)], seed=9).imu


@pytest.fixture
def judged(rig: Rig, distribution: Distribution, normalisation: Normalisation):  # type: ignore[no-untyped-def]
    """Function that says how the sensors of samples are worn."""

    def judge(imu: Array) -> Mounting:
        mounting = mounting_of(imu, rig, distribution, normalisation)
        assert mounting is not None
        return mounting

    return judge


def turned(imu: Array, sensor: int, axis: str, degrees: float) -> Array:
    rotations = np.tile(np.eye(3), (6, 1, 1))
    rotations[sensor] = Rotation.from_euler(axis, degrees, degrees=True).as_matrix()
    return turn_mounts(imu, rotations)


def exchanged(imu: Array, a: int, b: int) -> Array:
    result = imu.copy()
    result[:, [a, b]] = imu[:, [b, a]]
    return result


def test_placement_accepts_correct_sensors(judged, imu: Array) -> None:  # type: ignore[no-untyped-def]
    mounting = judged(imu)
    assert mounting.found == ()
    assert mounting.strange == mounting.unusual == ()
    assert 0.5 < mounting.score == mounting.mended < 1.5


@pytest.mark.parametrize(
    ("sensor", "axis", "degrees"),
    [(0, "x", 90), (4, "x", 180), (4, "y", -90), (0, "y", 180), (0, "z", 90), (4, "z", 180)],
)
def test_placement_names_and_corrects_turned_sensor(  # type: ignore[no-untyped-def]
    judged, imu: Array, sensor: int, axis: str, degrees: float
) -> None:
    mounting = judged(turned(imu, sensor, axis, degrees))
    (found,) = mounting.found
    assert found.remedy.sensors == (sensor,)
    assert f"{abs(degrees)}° about its {axis} axis" in found.remedy.describe()
    np.testing.assert_allclose(found.remedy.apply(turned(imu, sensor, axis, degrees)), imu, atol=1e-9)
    quaternions = [0.0, 0.0, 0.0, 1.0] * 6  # as the parameter sensor_rotations takes them
    quaternions[4 * sensor : 4 * sensor + 4] = found.remedy.quaternion()
    mended = turn_mounts(turned(imu, sensor, axis, degrees), mount_rotations(quaternions, 6))
    np.testing.assert_allclose(mended, imu, atol=1e-2)


@pytest.mark.parametrize(("a", "b"), [(0, 3), (1, 4), (0, 1), (2, 4)])
def test_placement_names_exchanged_sensors(judged, imu: Array, a: int, b: int) -> None:  # type: ignore[no-untyped-def]
    (found,) = judged(exchanged(imu, a, b)).found
    assert found.remedy.sensors == (a, b)
    assert "exchanged" in found.remedy.describe()
    np.testing.assert_array_equal(found.remedy.apply(exchanged(imu, a, b)), imu)


def test_placement_names_two_faults(judged, imu: Array) -> None:  # type: ignore[no-untyped-def]
    found = judged(turned(exchanged(imu, 0, 3), 5, "y", 180)).found
    assert {one.remedy.sensors for one in found} == {(0, 3), (5,)}


def test_placement_ignores_missing_sensor_but_finds_fault(judged, imu: Array) -> None:  # type: ignore[no-untyped-def]
    imu = imu.copy()
    imu[:, 2] = np.nan
    mounting = judged(imu)
    assert mounting.found == ()
    assert np.isnan(mounting.strangeness[2])
    assert judged(exchanged(imu, 0, 3)).found[0].remedy.sensors == (0, 3)


def test_placement_marks_damaged_sensor_as_strange(judged, imu: Array) -> None:  # type: ignore[no-untyped-def]
    damaged = imu.copy()
    damaged[:, 1, :3] = 8.0 * np.random.default_rng(0).standard_normal(damaged[:, 1, :3].shape)
    assert judged(damaged).strange == (1,)


def test_placement_needs_movement(
    make_recording: RecordingFactory, rig: Rig, distribution: Distribution, normalisation: Normalisation
) -> None:
    still = make_recording([("standing", 30.0)], seed=9).imu
    assert mounting_of(still, rig, distribution, normalisation) is None
    assert mounting_of(still[:20], rig, distribution, normalisation) is None
    assert mounting_of(np.full_like(still, np.nan), rig, distribution, normalisation) is None


def test_remedies_of_one_sided_rig_exchange_no_sides(rig: Rig) -> None:
    whole = [len(remedy.sensors) for remedy in remedies(rig)]
    assert (whole.count(1), whole.count(2), whole.count(6)) == (6 * 24, 15, 2)
    leg = replace(rig, sensors=rig.sensors[:3], muscles=rig.muscles[:1])
    parts = [remedy.sensors for remedy in remedies(leg) if remedy.rotation is None]
    assert max(map(len, parts)) == 2


def test_remedy_description(rig: Rig) -> None:
    upside_down = Remedy((1,), tuple(range(6)), Rotation.from_euler("y", 180, degrees=True).as_matrix())
    assert "180° about its y axis" in upside_down.describe()
    assert "0 1 0 0" in upside_down.describe()
    sides = next(remedy for remedy in remedies(rig) if len(remedy.sensors) == 6)
    assert "sides" in sides.describe()


@pytest.mark.parametrize(
    ("axis", "angle", "words"),
    [
        ("x", 90, "-90° about its x axis"),
        ("x", -90, "turned by 90° about its x axis"),
        ("z", -90, "turned by 90° about its z axis"),
        ("z", 180, "turned by 180° about its z axis"),
    ],
)
def test_remedy_describes_rotation_it_undoes(axis: str, angle: float, words: str) -> None:
    remedy = Remedy((1,), tuple(range(6)), Rotation.from_euler(axis, angle, degrees=True).as_matrix())
    assert words in remedy.describe()


def test_remedy_of_two_sensors_describes_exchange() -> None:
    assert Remedy((0, 1), (1, 0, 2, 3, 4, 5)).describe().startswith("look exchanged")


def test_remedy_rounds_its_quaternion() -> None:
    turn = Rotation.from_quat([0.123456, 0.2, 0.3, 0.9])
    quaternion = Remedy((0,), tuple(range(6)), turn.as_matrix()).quaternion()
    assert quaternion == tuple(np.round(turn.as_quat(canonical=True), 4))
