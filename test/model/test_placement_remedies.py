"""Remedies say what is wrong in words a user can act on, and undo it."""

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from imu_emg_estimator.model.placement_remedies import Remedy, all_negated, inversions, remedies, right_angles, slips
from imu_emg_estimator.rig import Rig

PLACES = tuple(range(6))


def test_remedies_include_negated_sensors(rig: Rig) -> None:
    negated = [remedy for remedy in remedies(rig) if remedy.is_inversion]
    assert [remedy.sensors for remedy in negated] == [(0,), (1,), (2,), (3,), (4,), (5,), PLACES]


@pytest.mark.parametrize("rotation", [*right_angles(), *slips()])
def test_remedy_gives_quaternion_of_rotation(rotation: np.ndarray) -> None:
    expected = Rotation.from_matrix(rotation).as_quat(canonical=True)
    np.testing.assert_allclose(Remedy((1,), PLACES, rotation).quaternion(), expected, atol=1e-4)


def test_inversion_is_not_described_as_rotation(rig: Rig) -> None:
    whole, x, *_ = (Remedy((2,), PLACES, matrix) for matrix in inversions())
    assert whole.fault() == "sends all axes negated"
    assert x.fault() == "sends its x axis negated"
    assert all_negated(rig).fault() == "send all axes negated"
    assert "sign in its driver" in whole.advice()
    assert "turned" not in whole.describe()


def test_slip_is_described_by_its_angle() -> None:
    slip = next(Remedy((2,), PLACES, rotation) for rotation in slips() if abs(rotation[0, 0] - 1.0) < 1e-9)
    assert "slipped by about 45° about its x axis" in slip.fault() or "slipped by about -45°" in slip.fault()
    assert slip.is_slip
    assert not any(Remedy((2,), PLACES, rotation).is_slip for rotation in right_angles())


def test_inversion_undoes_itself(rig: Rig) -> None:
    imu = np.random.default_rng(0).standard_normal((5, 6, 6))
    negated = imu.copy()
    negated[:, 3] *= -1.0
    np.testing.assert_array_equal(Remedy((3,), PLACES, -np.eye(3)).apply(negated), imu)
    np.testing.assert_array_equal(all_negated(rig).apply(-imu), imu)
