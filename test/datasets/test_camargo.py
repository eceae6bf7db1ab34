"""Camargo 2021: exported tables become SI units on one grid, and a wrong export is answered by what is wrong where."""

import logging
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import refusal
from numpy.typing import NDArray

from imu_emg_estimator.datasets import camargo
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope

SECONDS = 6.0
START = 14.42  # s; tables do not begin at 0
TRIAL = "AB06/10_09_18/levelground/{}/levelground_ccw_fast_01_01"
Columns = Mapping[str, Sequence[object] | NDArray[np.generic]]
Writer = Callable[..., Path]


def instants(rate: float, seconds: float = SECONDS) -> NDArray[np.float64]:
    return START + np.arange(round(seconds * rate)) / rate


def imu(seed: int = 0, gravity: float = 1.0, swing: float = 5.0) -> dict[str, NDArray[np.float64]]:
    """Table of a subject whose shank swings by so much angular rate, by default in g and rad/s."""
    rng = np.random.default_rng(seed)
    times = instants(camargo.RATE_HZ)
    table = {"Header": times}
    for name in camargo.IMU_COLUMNS:
        table[name] = 0.05 * gravity * rng.standard_normal(len(times))
    for segment in camargo.SENSORS:
        table[f"{segment}_Accel_X"] = table[f"{segment}_Accel_X"] + gravity
    table["shank_Gyro_Z"] = swing * np.sin(2 * np.pi * times)
    return table


def emg(seed: int = 0) -> dict[str, NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    times = instants(camargo.EMG_RATE_HZ)
    burst = np.sin(2 * np.pi * times) ** 2
    return {"Header": times} | {name: 0.02 * burst * rng.standard_normal(len(times)) for name in camargo.MUSCLES}


def write_table(folder: Path, sensor: str, columns: Columns, trial: str = TRIAL) -> Path:
    path = folder / f"{trial.format(sensor)}.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [",".join(str(value) for value in row) for row in zip(*columns.values(), strict=True)]
    path.write_text("\n".join([",".join(columns), *rows]) + "\n")
    return path


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Function that writes a table of a trial as CSV and returns its path."""
    return partial(write_table, tmp_path)


@pytest.fixture(scope="module")
def written_trial(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one whole trial on level ground, not to be changed."""
    folder = tmp_path_factory.mktemp("trial")
    write_table(folder, "imu", imu())
    write_table(folder, "emg", emg())
    return folder


@pytest.fixture
def trial(written_trial: Path, tmp_path: Path) -> Path:
    """A folder with one whole trial on level ground."""
    return shutil.copytree(written_trial, tmp_path, dirs_exist_ok=True)


def load_one(folder: Path) -> Recording:
    (recording,) = camargo.load(folder)
    return recording


# what is read


def test_rig_file_equals_camargo_rig() -> None:
    path = Path(__file__).parents[2] / "config" / "rigs" / "camargo.yaml"
    assert Rig.from_yaml(path) == camargo.RIG
    assert not camargo.RIG.is_mirrorable
    assert (len(camargo.RIG.sensors), len(camargo.RIG.muscles)) == (4, 11)


@pytest.mark.parametrize(
    ("gravity", "swing", "acceleration", "rate"),
    [(1.0, 5.0, "g", "rad/s"), (9.81, 5.0, "m/s²", "rad/s"), (1.0, 290.0, "g", "deg/s")],
)
def test_load_detects_converts_and_logs_units(
    write: Writer, tmp_path: Path, caplog: pytest.LogCaptureFixture, gravity: float, swing: float, acceleration: str,
    rate: str,
) -> None:  # fmt: skip
    table = imu(gravity=gravity, swing=swing)
    write("imu", table)
    write("emg", emg())
    with caplog.at_level(logging.WARNING):
        recording = load_one(tmp_path)
    assert f"AB06: acceleration is in {acceleration}, angular rate in {rate}" in caplog.text
    shank = recording.imu[:, camargo.RIG.sensor_names.index("right_shank")]
    assert np.median(shank[:, 0]) == pytest.approx(9.81, rel=0.02)
    swing_in_si = np.radians(swing) if rate == "deg/s" else swing
    np.testing.assert_allclose(shank[:, 5], swing_in_si * np.sin(2 * np.pi * table["Header"]), atol=1e-4)


def test_load_puts_trial_on_grid_of_imus(trial: Path) -> None:
    recording = load_one(trial)
    assert recording.name == "AB06/10_09_18/levelground/levelground_ccw_fast_01_01"
    assert recording.subject == "AB06"
    assert recording.rig == camargo.RIG
    assert len(recording) == SECONDS * camargo.RATE_HZ
    table = imu()
    expected = np.stack([table[name] for name in camargo.IMU_COLUMNS], axis=1).reshape(-1, 4, 6)
    np.testing.assert_allclose(recording.imu[..., :3], 9.80665 * expected[..., :3], atol=1e-5)
    np.testing.assert_allclose(recording.imu[..., 3:], expected[..., 3:], atol=1e-6)
    raw = np.stack([emg()[name] for name in camargo.MUSCLES], axis=1)
    envelope = emg_envelope(raw, camargo.EMG_RATE_HZ, EnvelopeSettings())[::5]
    inner = slice(200, -200)  # the trial's last 4 ms are EMG only, which moves the filter's edge
    np.testing.assert_allclose(recording.envelope[inner], envelope[inner], rtol=1e-3)
    assert set(recording.condition) == {"walking"}
    assert recording.muscle_weight.all()
    assert recording.emg is None


def test_load_uses_envelope_settings(trial: Path) -> None:
    (smooth,) = camargo.load(trial, settings=EnvelopeSettings(high_pass=20.0, low_pass=1.0))
    assert smooth.envelope.std() < 0.8 * load_one(trial).envelope.std()


def test_load_maps_labels_to_conditions(write: Writer, tmp_path: Path) -> None:
    trial = "AB06/10_09_18/ramp/{}/ramp_1_l_01_01"
    write("imu", imu(), trial)
    write("emg", emg(), trial)
    labels = ["idle", "walk", "walk-rampascent", "rampascent", "rampascent-walk", "rampdescent"]
    times = instants(camargo.EMG_RATE_HZ)
    write("conditions", {"Header": times, "Label": np.repeat(labels, len(times) // len(labels))}, trial)
    recording = load_one(tmp_path)
    second = round(camargo.RATE_HZ)
    found = [set(recording.condition[index * second : (index + 1) * second]) for index in range(6)]
    assert found == [{"unlabelled"}, {"walking"}, {"ramp_up"}, {"ramp_up"}, {"ramp_up"}, {"ramp_down"}]
    assert recording.is_movement().mean() == pytest.approx(5 / 6)


def test_load_maps_stairs_and_warns_of_unknown_label(
    write: Writer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    trial = "AB06/10_09_18/stair/{}/stair_1_r_01_01"
    write("imu", imu(), trial)
    write("emg", emg(), trial)
    times = instants(camargo.EMG_RATE_HZ)
    labels = np.repeat(["stairascent", "StairDescent-walk", "hop"], len(times) // 3)
    write("conditions", {"Header": times, "Label": labels}, trial)
    recording = load_one(tmp_path)
    assert list(dict.fromkeys(recording.condition.tolist())) == ["stairs_up", "stairs_down", "unlabelled"]
    assert "unlabelled: hop" in caplog.text


@pytest.mark.parametrize(
    ("mode", "condition"),
    [("treadmill", "walking"), ("levelground", "walking"), ("ramp", "ramp"), ("stair", "stairs")],
)
def test_load_without_labels_uses_mode_as_condition(write: Writer, tmp_path: Path, mode: str, condition: str) -> None:
    for sensor, table in (("imu", imu()), ("emg", emg())):
        write(sensor, table, f"AB06/10_09_18/{mode}/{{}}/{mode}_01_01")
    recording = load_one(tmp_path)
    assert set(recording.condition) == {condition}
    assert recording.is_movement().all()


def test_load_treadmill_stands_until_belt_moves(write: Writer, tmp_path: Path) -> None:
    trial = "AB06/10_09_18/treadmill/{}/treadmill_01_01"
    write("imu", imu(), trial)
    write("emg", emg(), trial)
    times = instants(camargo.EMG_RATE_HZ)
    write("conditions", {"Header": times, "Speed": np.where(times < START + 2.0, 0.0, 1.2)}, trial)
    condition = load_one(tmp_path).condition
    assert set(condition[:400]) == {"standing"}
    assert set(condition[400:]) == {"walking"}


def test_load_orders_trials_by_subject_and_date(write: Writer, tmp_path: Path) -> None:
    for trial in ("AB07/01_05_2019/ramp", "AB06/01_05_2019/treadmill", "AB06/10_09_18/treadmill", "AB06/10_09_18/ramp"):
        write("imu", imu(), f"{trial}/{{}}/a")
        write("emg", emg(), f"{trial}/{{}}/a")
    assert camargo.subjects(tmp_path) == ["AB06", "AB07"]
    names = [recording.name for recording in camargo.load(tmp_path, workers=2)]
    assert names == ["AB06/10_09_18/ramp/a", "AB06/10_09_18/treadmill/a", "AB06/01_05_2019/treadmill/a",
                     "AB07/01_05_2019/ramp/a"]  # fmt: skip
    assert [recording.subject for recording in camargo.load(tmp_path, ["AB07"])] == ["AB07"]


def test_load_does_not_trust_dead_electrode(write: Writer, tmp_path: Path) -> None:
    table = emg()
    table["soleus"] = np.full_like(table["soleus"], 0.3)
    table["gracilis"] = np.full_like(table["gracilis"], np.nan)
    for number in (1, 2):
        trial = f"AB06/10_09_18/levelground/{{}}/trial_{number}"
        write("imu", imu(), trial)
        write("emg", table if number == 1 else table | {"soleus": emg()["soleus"]}, trial)
    first, second = camargo.load(tmp_path)
    soleus, gracilis = 2, 8
    for recording in (first, second):  # the subject's: the soleus is known from the other trial
        assert np.flatnonzero(recording.muscle_weight == 0).tolist() == [gracilis]
    assert np.isnan(first.envelope[:, soleus]).all()
    assert np.isfinite(second.envelope[:, soleus]).all()


def test_load_keeps_gaps(write: Writer, tmp_path: Path) -> None:
    table = {name: values.copy() for name, values in imu().items()}
    table["foot_Gyro_Y"][100:110] = np.nan  # 50 ms: bridged
    table["foot_Gyro_Z"][100:300] = np.nan  # 1 s: not
    write("imu", table)
    write("emg", emg())
    missing = np.isnan(load_one(tmp_path).imu[:, 0])
    assert not missing[:, 4].any()
    assert np.flatnonzero(missing[:, 5]).tolist() == list(range(100, 300))
    assert missing[:, [0, 1, 2, 3]].sum() == 0


def test_load_parquet_equals_csv(trial: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow; pip install pyarrow")
    from pyarrow import csv

    expected = load_one(trial)
    for path in list(trial.rglob("*.csv")):
        parquet.write_table(csv.read_csv(path), path.with_suffix(".parquet"))
        path.unlink()
    recording = load_one(trial)
    assert recording.name == expected.name
    np.testing.assert_array_equal(recording.imu, expected.imu)
    np.testing.assert_array_equal(recording.envelope, expected.envelope)


# bad input


def test_load_refuses_bad_folders(tmp_path: Path) -> None:
    with refusal(tmp_path / "none", "does not exist", "AB06"):
        camargo.load(tmp_path / "none")
    with refusal(tmp_path, "SUBJECT/DATE/MODE/imu/TRIAL.csv", "treadmill, levelground, ramp, stair"):
        camargo.subjects(tmp_path)
    matlab = tmp_path / f"{TRIAL.format('imu')}.mat"
    matlab.parent.mkdir(parents=True)
    matlab.touch()
    with refusal(tmp_path, "MATLAB", "docs/datasets.md"):
        camargo.load(tmp_path)


def test_load_names_unknown_subject(trial: Path) -> None:
    with refusal("no subject AB99; it has AB06"):
        camargo.load(trial, ["AB06", "AB99"])


@pytest.mark.parametrize("sensor", ["imu", "emg"])
def test_load_names_missing_table(trial: Path, sensor: str) -> None:
    (trial / f"{TRIAL.format(sensor)}.csv").unlink()
    with refusal(trial / f"{TRIAL.format(sensor)}.csv", "is missing"):
        camargo.load(trial)


@pytest.mark.parametrize(
    ("sensor", "column"), [("imu", "Header"), ("imu", "trunk_Gyro_Z"), ("emg", "gracilis"), ("conditions", "Label")]
)
def test_load_names_missing_column(write: Writer, trial: Path, sensor: str, column: str) -> None:
    times = instants(camargo.EMG_RATE_HZ)
    table = {"imu": imu(), "emg": emg(), "conditions": {"Header": times, "Label": times}}[sensor]
    path = write(sensor, {name: values for name, values in table.items() if name != column})
    with refusal(path, f"no column '{column}'", "its columns are"):
        camargo.load(trial)


def test_load_refuses_treadmill_without_speed(write: Writer, tmp_path: Path) -> None:
    trial = "AB06/10_09_18/treadmill/{}/treadmill_01_01"
    write("imu", imu(), trial)
    write("emg", emg(), trial)
    path = write("conditions", {"Header": instants(200.0), "Label": instants(200.0)}, trial)
    with refusal(path, "no column 'Speed'"):
        camargo.load(tmp_path)


@pytest.mark.parametrize(("sensor", "found", "expected"), [("imu", "100", "200"), ("emg", "500", "1000")])
def test_load_names_wrong_rate(write: Writer, trial: Path, sensor: str, found: str, expected: str) -> None:
    table = {"imu": imu(), "emg": emg()}[sensor]
    path = write(sensor, {name: values[::2] for name, values in table.items()})
    with refusal(path, f"{found} rows a second", f"has {expected}"):
        camargo.load(trial)


def test_load_refuses_clock_that_goes_back(write: Writer, trial: Path) -> None:
    table = imu()
    path = write("imu", table | {"Header": np.concatenate([table["Header"][:700], table["Header"][:500]])})
    with refusal(path, "'Header' does not increase", "row 701"):
        camargo.load(trial)


def test_load_refuses_emg_of_another_time(write: Writer, trial: Path) -> None:
    path = write("emg", emg() | {"Header": instants(camargo.EMG_RATE_HZ) + 100.0})
    with refusal(path, "0.0 s in which IMU and EMG data overlap"):
        camargo.load(trial)


def test_load_refuses_accelerations_without_gravity(write: Writer, trial: Path) -> None:
    write("imu", imu(gravity=1000.0))
    with refusal("AB06", "magnitude of 1e+03", "neither in g nor in m/s²"):
        camargo.load(trial)


def test_load_refuses_too_short_trial(write: Writer, trial: Path) -> None:
    path = write("imu", {name: values[:200] for name, values in imu().items()})
    with refusal(path, "covers 0.995 s", "2 s"):
        camargo.load(trial)


def test_load_parquet_without_pyarrow_names_package(trial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (trial / f"{TRIAL.format('imu')}.csv").rename(trial / f"{TRIAL.format('imu')}.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with refusal(".parquet", "pip install pyarrow"):
        camargo.load(trial)


def test_load_names_broken_parquet_file(trial: Path) -> None:
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow; pip install pyarrow")
    path = trial / f"{TRIAL.format('imu')}.parquet"
    (trial / f"{TRIAL.format('imu')}.csv").unlink()
    path.write_bytes(b"no parquet")
    with refusal(path, "not a readable Parquet file"):
        camargo.load(trial)


def test_load_names_damaged_parquet_file(trial: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow; pip install pyarrow")
    from pyarrow import csv

    source = trial / f"{TRIAL.format('imu')}.csv"
    path = source.with_suffix(".parquet")
    parquet.write_table(csv.read_csv(source), path)
    source.unlink()
    content = path.read_bytes()
    path.write_bytes(b"PAR1" + b"\xff" * 60_000 + content[60_004:])  # pages lost, the table of contents whole
    with refusal(path, "not a readable Parquet file"):
        camargo.load(trial)
