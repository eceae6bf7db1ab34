"""Bad files of every form: empty, cut off, under another form's name, with absurd rates, or with lying sizes."""

import pickle
import struct
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from fixtures.factories import RecordingFactory, refusal
from fixtures.foreign_files import emgworks, semicolons
from imports.test_edf_channels import write as write_edf
from imports.test_guarded_reading import Attack
from imports.test_mat_channels import write_v5, write_v73
from imports.test_mutated_files import FORMS as BINARY_FORMS
from imports.test_mutated_files import MAT, refusal_of

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.imports.guarded_reading import read_guarded

FORMS: dict[str, Callable[[Path], Path]] = {**BINARY_FORMS, "emgworks": emgworks, "german": semicolons}
pytestmark = pytest.mark.hostile
SUFFIXES = ("csv", "txt", "mat", "xdf", "c3d", "edf", "bdf", "xlsx", "parquet", "mcap", "db3")
MAX_S = 20.0  # of a refusal, on any machine
GIB = 1 << 30


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_empty_file_is_refused_whatever_its_name(suffix: str, tmp_path: Path) -> None:
    (tmp_path / f"a.{suffix}").touch()
    with refusal(tmp_path / f"a.{suffix}", "is empty"):
        read_guarded(tmp_path / f"a.{suffix}")


@pytest.mark.parametrize("form", FORMS)
def test_file_under_the_name_of_another_form_is_read_as_what_it_is(form: str, tmp_path: Path) -> None:
    path = FORMS[form](tmp_path / f"a.{form}")
    other = tmp_path / ("a.mat" if "mat" not in form else "a.csv")
    path.rename(other)
    assert len(read_guarded(other).channels) > 1


@pytest.mark.parametrize("form", FORMS)
def test_first_half_of_a_file_is_read_as_far_as_it_goes_or_refused(form: str, tmp_path: Path) -> None:
    path = FORMS[form](tmp_path / f"a.{form}")
    whole = read_guarded(path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2 + 1])
    if sentence := refusal_of(path):
        assert str(path) in sentence
        return
    half = read_guarded(path)
    samples = [[len(channel.values) for channel in take.channels] for take in (half, whole)]
    assert max(samples[0]) <= 0.6 * max(samples[1])  # never made up
    assert form in ("discover", "myo", "emgworks", "german") or half.notes


@pytest.mark.parametrize("rate", [0.0, -100.0, 1e9, np.nan, np.inf])
@pytest.mark.parametrize("write", [write_v5, write_v73])
def test_absurd_rate_in_matlab_is_refused(
    write: Callable[[Path, dict[str, object]], Path], rate: float, tmp_path: Path
) -> None:
    path = write(tmp_path / "a.mat", MAT | {"fs": rate})
    with refusal(path, "rate"):
        read_guarded(path)


@pytest.mark.parametrize("duration", [b"0       ", b"1e-9    ", b"1e9     "])
def test_absurd_rate_in_edf_is_refused(duration: bytes, tmp_path: Path) -> None:
    path = write_edf(tmp_path / "a.edf", "EDF")
    content = bytearray(path.read_bytes())
    content[244:252] = duration
    path.write_bytes(content)
    with refusal(path):
        read_guarded(path)


@pytest.mark.parametrize(
    "content",
    [
        b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM" + struct.pack("<II", 14, GIB),
        b"\x89HDF\r\n\x1a\n" + b"\x00" * 8 + b"\xff" * 64,
        b"XDF:" + b"\x08" + struct.pack("<Q", GIB) + b"\x01\x00",
        b"PAR1" + b"\x00" * 64 + struct.pack("<I", GIB) + b"PAR1",
        b"\x02\x50" + b"\xff\x7f" * 255,
        b"0       ".ljust(184) + b"1073741824".ljust(8)[:8] + b" " * 44 + b"99999999" + b"1       " + b"9999",
        b"PK\x03\x04" + b"\xff" * 200,
        b"\x89MCAP0\r\n" + b"\x01" + struct.pack("<Q", GIB),
    ],
    ids=["mat", "mat73", "xdf", "parquet", "c3d", "edf", "xlsx", "mcap"],
)
def test_header_that_claims_a_gigabyte_is_refused_within_seconds_and_bounded_memory(
    content: bytes, tmp_path: Path
) -> None:
    path = tmp_path / "a.dat"
    with path.open("wb") as file:
        file.write(content)
        file.truncate(GIB)  # the rest is a hole
    begin = time.process_time()
    with refusal(path):
        read_guarded(path, max_memory=GIB // 2)
    assert time.process_time() - begin < MAX_S


def test_pickles_in_matlab_files_and_under_their_name_are_not_executed(tmp_path: Path) -> None:
    pickled = pickle.dumps(Attack(tmp_path / "executed"))
    write_v5(tmp_path / "a.mat", MAT | {"hidden": np.frombuffer(pickled, dtype=np.uint8)})
    write_v73(tmp_path / "b.mat", MAT | {"hidden": np.frombuffer(pickled, dtype=np.uint8)})
    for protocol in range(6):
        (tmp_path / f"{protocol}.mat").write_bytes(pickle.dumps(Attack(tmp_path / "executed"), protocol))
    for path in sorted(tmp_path.glob("*.mat")):
        assert refusal_of(path) == "" or str(path) in refusal_of(path)
    assert not (tmp_path / "executed").exists()


def test_bag_without_its_end_is_refused_or_told(make_recording: RecordingFactory, tmp_path: Path) -> None:
    write_bag(make_recording([("walking", 4.0)]), tmp_path / "bag")
    (file,) = (tmp_path / "bag").glob("*.mcap")
    file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
    sentence = refusal_of(tmp_path / "bag")
    assert "bag" in sentence if sentence else read_guarded(tmp_path / "bag").notes


def test_tables_that_expand_like_no_measurement_are_refused_unread(tmp_path: Path) -> None:
    rows = 5_000_000
    table = pa.table({"time": np.zeros(rows), "wrist_acc_x": np.zeros(rows)})
    pq.write_table(table, tmp_path / "a.parquet", compression="zstd")
    with zipfile.ZipFile(tmp_path / "a.xlsx", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", "")
        archive.writestr("xl/worksheets/sheet1.xml", b"<row><c><v>1</v></c></row>" * 3_000_000)
    for name in ("a.parquet", "a.xlsx"):
        assert "expands further than measured numbers do" in refusal_of(tmp_path / name)


def test_parquet_of_many_columns_and_of_a_damaged_end_is_refused_in_one_line(tmp_path: Path) -> None:
    pq.write_table(pa.table({f"c{index}": [1.0] for index in range(2001)}), tmp_path / "a.parquet")
    assert "2001 columns, more than 2000" in refusal_of(tmp_path / "a.parquet")
    (tmp_path / "b.parquet").write_bytes(b"PAR1" + b"\x15" * 2000 + struct.pack("<I", 1990) + b"PAR1")
    assert refusal_of(tmp_path / "b.parquet").count("\n") == 0
    assert refusal_of(tmp_path / "b.parquet")
