"""Files appear whole and in order or not at all, and a hash is what coreutils say."""

import os
import subprocess
import threading
import tracemalloc
from pathlib import Path

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.utils import atomic_files as files
from imu_emg_estimator.utils.atomic_files import TEMPORARY, hash_of, write_atomically, write_together


def test_file_is_written_with_its_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_files_appear_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All are on the disk before the first appears; an interruption leaves the first ones, never others."""
    first, second = tmp_path / "first", tmp_path / "second"
    rename = os.replace

    def interrupted(source: Path, target: Path) -> None:
        assert sorted(path.read_bytes() for path in tmp_path.iterdir()) == [b"1", b"2"]
        if target == second:
            raise KeyboardInterrupt
        rename(source, target)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt):
        write_together([(first, b"1"), (second, b"2")])
    assert list(tmp_path.iterdir()) == [first]


def test_failure_of_one_leaves_all_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refusal(tmp_path / "file" / "b", "cannot be written"):
        write_together([(tmp_path / "a", b"1"), (tmp_path / "file" / "b", b"2")])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_files_and_names_are_flushed_to_the_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The content before it has its name, the name after, and the names of new folders."""
    flushed = []
    flush = os.fsync

    def record(handle: int) -> None:
        flushed.append(os.readlink(f"/proc/self/fd/{handle}"))
        flush(handle)

    monkeypatch.setattr(os, "fsync", record)
    write_atomically(tmp_path / "new" / "a", b"1")
    assert flushed[0] == str(tmp_path)
    assert TEMPORARY.fullmatch(Path(flushed[1]).name)["target"] == "a"  # type: ignore[index]
    assert flushed[2:] == [str(tmp_path / "new")]


def test_hash_of_a_file_is_that_of_coreutils(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(os.urandom(files.CHUNK * 2 + 5))
    assert hash_of(path) == coreutils(f"sha256sum {path}")


def test_hash_of_a_folder_is_that_of_its_list(tmp_path: Path) -> None:
    for name, content in (("b.mcap", b"2"), ("a.mcap", b"1"), ("B", b"3"), (".hidden", b"4")):
        (tmp_path / name).write_bytes(content)
    found = hash_of(tmp_path)
    assert found == coreutils(f"cd {tmp_path}; LC_ALL=C; sha256sum * | sha256sum")
    (tmp_path / "a.mcap").rename(tmp_path / "c.mcap")
    assert hash_of(tmp_path) != found
    (tmp_path / "c.mcap").rename(tmp_path / "a.mcap")
    assert hash_of(tmp_path) == found
    (tmp_path / "a.mcap").write_bytes(b"5")
    assert hash_of(tmp_path) != found


def coreutils(command: str) -> str:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.split()[0]


def test_hash_takes_little_memory_and_tells_how_far_it_is(tmp_path: Path) -> None:
    path, told = tmp_path / "a", []
    with path.open("wb") as file:
        file.truncate(32 << 20)
    tracemalloc.start()
    hash_of(path, lambda done, total: told.append((done, total)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert (told[0], told[-1]) == ((1, 32), (32, 32))


def test_what_cannot_be_hashed_is_named(tmp_path: Path) -> None:
    with refusal(tmp_path / "none"):
        hash_of(tmp_path / "none")


def test_pipe_in_a_folder_is_not_waited_for(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    found = hash_of(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=hash_of, args=(tmp_path,), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert hash_of(tmp_path) == found
