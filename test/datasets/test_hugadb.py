"""HuGaDB: counts become SI units, what is broken is masked, and bad folders are answered by one sentence."""

import gzip
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.datasets import hugadb
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope

WALKING, STAIRS_UP, STANDING = 1, 3, 8
RIGHT_SHANK, LEFT_FOOT = 1, 3
Counts = NDArray[np.int64]
Writer = Callable[..., Path]


def counts(seconds: float = 10.0, activity: int = WALKING, seed: int = 0) -> Counts:
    """Rows [samples, 39] of a recording without fault."""
    rng = np.random.default_rng(seed)
    rows = rng.integers(-9000, 9000, (round(seconds * hugadb.RATE), 39))
    rows[:, 36:38] = rng.integers(100, 156, (len(rows), 2))
    rows[:, 38] = activity
    return rows


def with_clipping(rows: Counts, sensor: int) -> Counts:
    """The rows with a gyroscope that is scaled by ten and clips."""
    rows = rows.copy()
    part = slice(sensor * 6 + 3, sensor * 6 + 6)
    rows[:, part] = np.clip(10 * rows[:, part], -32768, 32767)
    return rows


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    """Function that writes a recording's text file and returns its path."""

    def write_file(
        name: str, rows: Counts, date: str = "08-18-11-48", compress: bool = False, header: str | None = None
    ) -> Path:
        if header is None:
            header = f"#Activity\tsome \n#ActivityID\t1 \n#Date {date}\nacc_rf_x\tand so on\n"
        text = header + "\n".join("\t".join(str(value) for value in row) for row in rows) + "\n"
        path = tmp_path / (f"{name}.txt.gz" if compress else f"{name}.txt")
        path.write_bytes(gzip.compress(text.encode()) if compress else text.encode())
        return path

    return write_file


def names(recordings: list[Recording]) -> list[str]:
    return [recording.name for recording in recordings]


@pytest.mark.parametrize("compress", [False, True])
def test_load_converts_counts_to_si_units(write: Writer, tmp_path: Path, compress: bool) -> None:
    rows = counts()
    write("HuGaDB_v1_walking_02_00", rows, compress=compress)
    (recording,) = hugadb.load(tmp_path)
    assert (recording.name, recording.subject) == ("HuGaDB_v1_walking_02_00", "2")
    assert recording.rig == hugadb.RIG
    parts = rows[:, :36].reshape(-1, 6, 2, 3)
    np.testing.assert_allclose(recording.imu[..., :3], parts[:, :, 0] / 16384 * 9.80665, rtol=1e-6)
    np.testing.assert_allclose(recording.imu[..., 3:], np.radians(parts[:, :, 1] / 16.4), rtol=1e-6)
    assert recording.emg is not None
    np.testing.assert_array_equal(recording.emg.data, rows[:, 36:38])
    expected = emg_envelope(rows[:, 36:38].astype(float), hugadb.RATE, EnvelopeSettings())
    np.testing.assert_allclose(recording.envelope, expected, rtol=1e-5)
    assert recording.envelope_unit == recording.emg.unit == "count"
    assert set(recording.condition) == {"walking"}


def test_load_keeps_activity_names(write: Writer, tmp_path: Path) -> None:
    rows = counts()
    rows[:, 38] = np.repeat([1, 2, 3, 4, 8, 99], len(rows) // 6)[: len(rows)]
    write("HuGaDB_v1_various_02_00", rows)
    (recording,) = hugadb.load(tmp_path)
    found = list(dict.fromkeys(recording.condition.tolist()))
    assert found == ["walking", "running", "stairs_up", "stairs_down", "standing", "unlabelled"]


def test_load_uses_envelope_settings(write: Writer, tmp_path: Path) -> None:
    write("HuGaDB_v1_walking_02_00", counts())
    (usual,) = hugadb.load(tmp_path)
    (smooth,) = hugadb.load(tmp_path, settings=EnvelopeSettings(low_pass=1.0))
    assert smooth.envelope.std() < 0.8 * usual.envelope.std()


def test_load_orders_recordings_by_subject_and_time(write: Writer, tmp_path: Path) -> None:
    write("HuGaDB_v1_walking_11_00", counts(seed=1), date="08-18-10-00")
    write("HuGaDB_v1_walking_02_01", counts(seed=2), date="08-19-09-00")
    write("HuGaDB_v1_walking_02_00", counts(seed=3), date="08-19-10-00")
    recordings = hugadb.load(tmp_path)
    assert names(recordings) == ["HuGaDB_v1_walking_02_01", "HuGaDB_v1_walking_02_00", "HuGaDB_v1_walking_11_00"]
    assert recordings[1].start - recordings[0].start == 3600.0
    assert hugadb.subjects(tmp_path) == ["2", "11"]
    assert {recording.subject for recording in hugadb.load(tmp_path, ["11"])} == {"11"}
    in_parallel = hugadb.load(tmp_path, workers=2)
    assert names(in_parallel) == names(recordings)


def test_load_prefers_text_to_gzip_and_drops_duplicates(write: Writer, tmp_path: Path) -> None:
    write("HuGaDB_v1_walking_02_00", counts(seed=1))
    write("HuGaDB_v1_walking_02_00", counts(seed=2), compress=True)
    write("HuGaDB_v1_walking_02_01", counts(seed=1), date="08-18-12-00")
    write("HuGaDB_v1_walking_02_02", counts(seconds=1.5, seed=4))
    (recording,) = hugadb.load(tmp_path)  # the last one is too short for an envelope
    assert recording.name == "HuGaDB_v1_walking_02_00"
    assert recording.emg is not None
    np.testing.assert_array_equal(recording.emg.data, counts(seed=1)[:, 36:38])


# what is broken


def masked(recording: Recording) -> list[int]:
    """Sensors whose gyroscope is masked throughout; none may be so in part."""
    missing = np.isnan(recording.imu[..., 3:])
    assert (missing.all(axis=(0, 2)) == missing.any(axis=(0, 2))).all()
    assert np.isfinite(recording.imu[..., :3]).all()
    return np.flatnonzero(missing.all(axis=(0, 2))).tolist()


def test_load_masks_listed_gyroscopes(write: Writer, tmp_path: Path) -> None:
    write("HuGaDB_v1_various_02_00", with_clipping(counts(seed=1), LEFT_FOOT))
    write("HuGaDB_v1_various_02_01", counts(seed=2))
    (tmp_path / "corrupted_gyro.csv").write_text(
        "file,RF,LF,RS,LS,RT,LT\nHuGaDB_v1_various_02_00.txt,0,0,1,0,0,0\nHuGaDB_v1_various_02_01.txt,0,0,0,0,0,0\n"
    )
    assert [masked(recording) for recording in hugadb.load(tmp_path)] == [[RIGHT_SHANK], []]


def test_load_masks_clipping_gyroscopes_without_list(write: Writer, tmp_path: Path) -> None:
    write("HuGaDB_v1_walking_02_00", with_clipping(counts(seed=1), LEFT_FOOT))
    write("HuGaDB_v1_walking_03_00", counts(seed=2))
    assert [masked(recording) for recording in hugadb.load(tmp_path)] == [[LEFT_FOOT], []]


def test_load_still_recording_inherits_mask_of_nearest_recording(write: Writer, tmp_path: Path) -> None:
    """Standing does not clip, whether the gyroscope is corrupted or not."""
    write("HuGaDB_v1_walking_02_00", with_clipping(counts(seed=1), LEFT_FOOT), date="08-18-10-00")
    write("HuGaDB_v1_standing_02_00", counts(activity=STANDING, seed=2), date="08-18-10-20")
    write("HuGaDB_v1_walking_02_01", counts(seed=3), date="08-18-11-00")
    write("HuGaDB_v1_standing_02_01", counts(activity=STANDING, seed=4), date="08-18-11-10")
    write("HuGaDB_v1_standing_03_00", counts(activity=STANDING, seed=5), date="08-18-10-10")
    found = {recording.name[10:]: masked(recording) for recording in hugadb.load(tmp_path)}
    assert found == {
        "walking_02_00": [LEFT_FOOT],
        "standing_02_00": [LEFT_FOOT],
        "walking_02_01": [],
        "standing_02_01": [],
        "standing_03_00": [],
    }


def test_load_masks_impossible_counts(write: Writer, tmp_path: Path) -> None:
    rows = counts()
    rows[5, 0] = 40000
    rows[7, 36] = 256
    rows[8, 37] = -1
    write("HuGaDB_v1_walking_02_00", rows)
    (recording,) = hugadb.load(tmp_path)
    assert np.argwhere(np.isnan(recording.imu)).tolist() == [[5, 0, 0]]
    assert np.argwhere(np.isnan(recording.envelope)).tolist() == [[7, 0], [8, 1]]


def test_load_gives_weak_emg_channels_no_weight(write: Writer, tmp_path: Path) -> None:
    for seed, subject in enumerate(("01", "03", "06", "07", "08")):
        write(f"HuGaDB_v1_walking_{subject}_00", counts(seed=seed))
    weights = {recording.subject: recording.muscle_weight.tolist() for recording in hugadb.load(tmp_path)}
    assert weights == {"1": [1, 1], "3": [1, 0], "6": [1, 0], "7": [0, 1], "8": [0, 0]}


def test_load_corrects_exchanged_emg_columns(write: Writer, tmp_path: Path) -> None:
    rows = counts()
    write("HuGaDB_v1_walking_05_00", rows)
    write("HuGaDB_v1_walking_06_00", np.roll(rows, 1, axis=0))
    as_recorded, put_right = hugadb.load(tmp_path)
    np.testing.assert_array_equal(as_recorded.emg.data, rows[:, 36:38])
    np.testing.assert_array_equal(put_right.emg.data, np.roll(rows, 1, axis=0)[:, [37, 36]])
    published = hugadb.load(tmp_path, as_published=True)[1]
    np.testing.assert_array_equal(published.envelope, put_right.envelope[:, ::-1])
    assert published.muscle_weight.tolist() == [0, 1]


# bad input


def test_load_refuses_bad_folders(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"nowhere does not exist; give the folder that holds HuGaDB_v1_\*\.txt"):
        hugadb.load(tmp_path / "nowhere")
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"holds no HuGaDB_v1_\*\.txt or \.txt\.gz file"):
        hugadb.load(tmp_path)
    with pytest.raises(InputError, match=r"does not exist"):
        hugadb.subjects(tmp_path / "notes.txt")


def test_load_names_unknown_subject(write: Writer, tmp_path: Path) -> None:
    write("HuGaDB_v1_walking_11_00", counts())
    write("HuGaDB_v1_walking_02_00", counts())
    with pytest.raises(InputError, match=r"has no subject 4; it has 2, 11"):
        hugadb.load(tmp_path, ["4"])


HEADER = "#Activity\n#ActivityID\n#Date 08-18-11-48\ncolumns\n"


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "is not a readable HuGaDB v1 text file"),
        (b"\x00\xff\x80" * 100, "is not a readable HuGaDB v1 text file"),
        (f"{HEADER}1\t2\tthree\n".encode(), "is not a readable HuGaDB v1 text file"),
        ((HEADER + "\t".join(["nan"] * 39) + "\n").encode(), "is not a readable HuGaDB v1 text file"),
        (f"{HEADER}1\t2\t3\n".encode(), "has 3 columns, HuGaDB v1 has 39"),
        (
            HEADER.replace("#Date 08-18-11-48", "#Date unknown").encode() + b"\t".join([b"1"] * 39),
            "line 3 is not '#Date",
        ),
    ],
)
@pytest.mark.parametrize("compress", [False, True])
def test_load_names_bad_files(tmp_path: Path, content: bytes, fault: str, compress: bool) -> None:
    path = tmp_path / f"HuGaDB_v1_walking_02_00.txt{'.gz' if compress else ''}"
    path.write_bytes(gzip.compress(content) if compress else content)
    with pytest.raises(InputError) as caught:
        hugadb.load(tmp_path)
    assert str(path) in str(caught.value)
    assert fault in str(caught.value)


def test_load_names_truncated_file(write: Writer, tmp_path: Path) -> None:
    path = write("HuGaDB_v1_walking_02_00", counts(), compress=True)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(
        InputError, match=r"02_00\.txt\.gz is not a readable HuGaDB v1 text file; unpack or fetch it again"
    ):
        hugadb.load(tmp_path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [(b"file,RF,LF\nHuGaDB_v1_walking_02_00.txt,1,0\n", "has no column 'RS'"), (b"\xff\xfe", "is not a readable CSV")],
)
def test_load_names_bad_gyroscope_list(write: Writer, tmp_path: Path, content: bytes, fault: str) -> None:
    write("HuGaDB_v1_walking_02_00", counts())
    (tmp_path / "corrupted_gyro.csv").write_bytes(content)
    with pytest.raises(InputError, match=fault):
        hugadb.load(tmp_path)


# the real data


@pytest.mark.slow
def test_load_real_subjects(hugadb_folder: Path) -> None:
    assert hugadb.subjects(hugadb_folder) == ["1", "2", "3", "5", "6", "7", "8", "11", "13", "14", "15", "17", "18"]
    recordings = hugadb.load(hugadb_folder, ["2", "15"])
    good = [recording for recording in recordings if recording.subject == "2"]
    corrupted = [recording for recording in recordings if recording.subject == "15"]
    assert sum(recording.duration for recording in good) == pytest.approx(6.6 * 60, rel=0.05)
    assert sum(recording.duration for recording in corrupted) == pytest.approx(20.8 * 60, rel=0.05)
    assert all(masked(recording) == [] for recording in good)
    assert np.mean([len(masked(recording)) for recording in corrupted]) > 5.5


def test_load_real_subject_stands_upright(hugadb_folder: Path) -> None:
    """Units: gravity when standing, a swinging shank when walking, an EMG of some counts."""
    recordings = hugadb.load(hugadb_folder, ["2"])
    imu = np.concatenate([recording.imu for recording in recordings])
    condition = np.concatenate([recording.condition for recording in recordings])
    standing, walking = imu[condition == "standing"], imu[condition == "walking"]
    gravity = np.linalg.norm(standing[..., :3].mean(axis=0), axis=1)
    np.testing.assert_allclose(gravity, 9.81, rtol=0.1)
    assert np.abs(standing[..., 3:]).mean() < 0.1  # rad/s
    assert 3.0 < np.percentile(np.abs(walking[:, RIGHT_SHANK, 4]), 99) < 10.0  # rad/s
    envelope = np.concatenate([recording.envelope for recording in recordings])
    assert 1.0 < envelope[condition == "walking"].mean() < 60.0
