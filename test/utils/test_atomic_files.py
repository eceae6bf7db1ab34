"""Files appear whole and in order or not at all."""

import os
from pathlib import Path

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.utils.atomic_files import TEMPORARY, write_atomically, write_together


def test_write_atomically_makes_folders(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a"
    write_atomically(path, b"old")
    write_atomically(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o644
    assert list(path.parent.iterdir()) == [path]


def test_write_together_replaces_in_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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


def test_write_together_keeps_all_on_failure(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with refusal(tmp_path / "file" / "b", "cannot be written"):
        write_together([(tmp_path / "a", b"1"), (tmp_path / "file" / "b", b"2")])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_write_together_flushes_files_and_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
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
