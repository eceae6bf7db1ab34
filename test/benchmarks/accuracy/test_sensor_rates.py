"""``python -m benchmarks rates``: sensors that are slower than the grid."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.command_line import strict_json, write_hugadb
from fixtures.factories import RecordingFactory

from benchmarks.__main__ import main
from benchmarks.accuracy.sensor_rates import RATES_HZ, slowed
from imu_emg_estimator.model.bundle import Bundle


def test_slowed_recording_keeps_slow_movement_and_loses_fast(make_recording: RecordingFactory) -> None:
    recording = make_recording([("walking", 10.0)])
    inner = slice(20, -20)
    slow, fast = (np.sin(2 * np.pi * hertz * recording.time) for hertz in (1.0, 12.0))
    recording.imu[..., 0], recording.imu[..., 1] = slow[:, None], fast[:, None]
    recording.imu[:, 3, 2] = np.nan
    result = slowed(recording, 20.0, np.random.default_rng(0)).imu[inner]
    np.testing.assert_allclose(result[..., 0], recording.imu[inner][..., 0], atol=0.02)
    assert (result[..., 1].std(axis=0) < 0.8 * fast.std()).all()
    assert np.isnan(result[:, 3, 2]).all()
    assert np.ptp(result[50, :, 1]) > 0.1, "all sensors have one phase"


@pytest.mark.slow
def test_rates_prints_and_writes_a_row_per_rate(
    trained_bundle: Bundle, make_recording: RecordingFactory, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    trained_bundle.save(tmp_path / "a.safetensors")
    data = tmp_path / "data"
    data.mkdir()
    write_hugadb(make_recording([("walking", 21.0)]), data / "HuGaDB_v1_various_01_00.txt")
    files = ["--bundle", str(tmp_path / "a.safetensors"), "--json", str(tmp_path / "a.json")]
    assert main(["rates", "--data", str(data), *files]) == 0
    rates = strict_json(tmp_path / "a.json")["rates"]
    assert list(rates) == [f"{rate:g}" for rate in RATES_HZ]
    assert rates["100"]["r"] > 0.99
    assert rates["15"]["r"] < rates["60"]["r"]
    assert f"| 15 Hz | {rates['15']['r']:.3f} (" in capsys.readouterr().out
