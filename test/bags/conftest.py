"""Recordings and bags that several modules read."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.composed_bags import made_up_recording
from fixtures.walk_bags import load_walk
from numpy.typing import NDArray

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.recording import Recording


@pytest.fixture(scope="session")
def recording() -> Recording:
    """A made-up subject with a lively IMU and EMG, one gyroscope masked and one accelerometer for a while."""
    return made_up_recording()


@pytest.fixture(scope="session")
def whole_bag(recording: Recording, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The recording as a bag."""
    path = tmp_path_factory.mktemp("bags") / "whole"
    write_bag(recording, path)
    return path


@pytest.fixture(scope="session")
def walk(request: pytest.FixtureRequest) -> Recording:
    """Some seconds of walking, real or else SIMULATED."""
    return load_walk(request)


@pytest.fixture(scope="session")
def walk_envelope(walk: Recording) -> NDArray[np.float64]:
    """Without gaps, so that it can modulate."""
    return np.nan_to_num(walk.envelope.astype(np.float64), nan=1.0)
