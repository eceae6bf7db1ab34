"""A folder of exported files as a data set."""

from pathlib import Path

import numpy as np
import pytest

from imu_emg_estimator.imports import file_folders
from imu_emg_estimator.rig import Muscle, Rig, Sensor

RIG = Rig("leg", 50.0, (Sensor("shank", "shank"),), (Muscle("calf", "calf"),), gyroscopes=False)


def write_file(folder: Path, gravity: float = 1.0) -> None:
    rng = np.random.default_rng(0)
    rows = [f"{10 * row},0,0,{gravity + 0.01 * rng.random():.4f},{rng.random():.4f}" for row in range(1000)]
    header = "time,shank acc x [g],shank acc y [g],shank acc z [g],emg_calf [mV]"
    folder.mkdir()
    (folder / "walking.csv").write_text("\n".join([header, *rows]) + "\n")


def test_what_was_found_of_a_file_is_told_where_it_is_read_directly(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write_file(tmp_path / "anna")
    (recording,) = file_folders.load(tmp_path, RIG)
    assert recording.time[-1] - recording.time[0] == pytest.approx(9.98)
    assert "'time' states no unit; rows 10 apart are taken to be in ms" in caplog.text


def test_subject_who_wore_a_sensor_the_other_way_round_is_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for subject in ("anna", "ben", "carl", "dora"):
        write_file(tmp_path / subject, -1.0 if subject == "dora" else 1.0)
    file_folders.load(tmp_path, RIG)
    assert "subject dora: gravity on 'shank' is 180° off the others' (z reversed)" in caplog.text
