"""Files that nobody vouches for: one sentence, within seconds, in bounded memory."""

import gzip
import os
import pickle
import time
from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import by_name, discover, emg_mv

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports import guarded_reading
from imu_emg_estimator.imports.channels import Take
from imu_emg_estimator.imports.guarded_reading import read_guarded

MIB = 1 << 20


class Attack:
    """Writes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, ...]:
        return Path.touch, (self.path,)


def test_read_guarded_gives_what_the_file_holds(tmp_path: Path) -> None:
    path = discover(tmp_path / "a.csv")
    (tmp_path / "a.csv.gz").write_bytes(gzip.compress(path.read_bytes()))
    for file in (path, tmp_path / "a.csv.gz"):
        take = read_guarded(file)
        assert take.source == file
        assert np.allclose(by_name(take)["calf: EMG 1"], emg_mv(), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "content", "fault"),
    [
        ("a.csv", b"", "is empty"),
        ("a.csv", b"\n\n  \n", "is empty"),
        ("a.csv", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9, "neither text nor a known form"),
        ("a.csv", b"%PDF-1.7 1,2,3\n", "is a PDF"),
        ("a.csv", b"MATLAB 5.0 MAT-file" + b"\xff" * 500, "not a readable MATLAB file"),
        ("a.mat", b"\x89HDF\r\n\x1a\n" + b"\x00" * 500, "not a readable MATLAB file"),
        ("a.csv", b"PAR1" + b"\x00" * 500, "damaged or of another kind"),
        ("a.csv.gz", gzip.compress(b"t,a\n" * 9000, mtime=0)[:40], "cut off or damaged"),
        ("a.xls", b"\xd0\xcf\x11\xe0" + bytes(500), "old Excel file; save it as .xlsx"),
    ],
)
def test_files_of_another_kind_are_refused_by_their_content(
    tmp_path: Path, name: str, content: bytes, fault: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(InputError, match=fault) as refusal:
        read_guarded(path)
    assert str(path) in str(refusal.value)
    assert "\n" not in str(refusal.value)


def test_pickles_are_not_executed(tmp_path: Path) -> None:
    attack = Attack(tmp_path / "executed")
    (tmp_path / "a.npy").write_bytes(b"")
    np.save(tmp_path / "a.npy", np.array([attack], dtype=object), allow_pickle=True)
    (tmp_path / "a.csv").write_bytes(pickle.dumps(attack))
    for name in ("a.npy", "a.csv"):
        with pytest.raises(InputError, match=r"NumPy array|Python pickle"):
            read_guarded(tmp_path / name)
    assert not (tmp_path / "executed").exists()


def test_gigabyte_of_header_is_refused_within_seconds(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        for _ in range(64):
            file.write(b"# a line of comment\n" * (MIB // 20))
        file.truncate(1 << 30)  # the rest is a hole
    begin = time.monotonic()
    with pytest.raises(InputError, match="no table of numbers in its first 400 lines"):
        read_guarded(path, max_memory=32 * MIB)
    assert time.monotonic() - begin < 30


@pytest.mark.slow
def test_gzip_bomb_is_refused_before_it_fills_the_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.csv.gz"
    with gzip.open(path, "wb", compresslevel=9) as file:
        for _ in range(200):
            file.write(bytes(MIB))
    with pytest.raises(InputError, match="expands further than measured numbers do"):
        read_guarded(path)


@pytest.mark.slow
def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"  # larger than what a long test process may have freed, and its fork could use again
    path.write_text("time [s]," + ",".join("abcdefgh") + "\n" + "0.001,1,2,3,4,5,6,7,8\n" * 4_000_000)
    with pytest.raises(InputError, match=r"needs more than 0.0156 GiB of memory"):
        read_guarded(path, max_memory=16 * MIB)


def test_reader_that_hangs_or_crashes_ends_in_a_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = discover(tmp_path / "a.csv")
    monkeypatch.setattr(guarded_reading, "read_take", _hang)
    with pytest.raises(InputError, match=r"takes longer than 0.5 s"):
        read_guarded(path, max_s=0.5)
    monkeypatch.setattr(guarded_reading, "read_take", _crash)
    with pytest.raises(InputError, match="its reader crashed"):
        read_guarded(path)


def _hang(path: Path) -> Take:
    time.sleep(600)
    raise AssertionError


def _crash(path: Path) -> Take:
    os._exit(-11)  # as a library that runs into a segmentation fault
