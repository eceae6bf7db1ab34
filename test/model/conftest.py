"""Fixtures for tests of bundles."""

from pathlib import Path

import pytest

from imu_emg_estimator.model.bundle import Bundle


@pytest.fixture
def bundle_file(bundle: Bundle, tmp_path: Path) -> Path:
    """Path of a valid bundle, for a test to damage."""
    bundle.save(tmp_path / "a.safetensors")
    return tmp_path / "a.safetensors"
