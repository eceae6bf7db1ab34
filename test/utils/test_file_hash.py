"""The hash of a file or a folder is that of coreutils, found in bounded memory."""

import os
import subprocess
import threading
import tracemalloc
from pathlib import Path

from fixtures.factories import refusal

from imu_emg_estimator.utils.file_hash import CHUNK_BYTES, hash_of


def test_hash_of_file_equals_coreutils(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(os.urandom(CHUNK_BYTES * 2 + 5))
    assert hash_of(path) == coreutils(f"sha256sum {path}")


def test_hash_of_folder_equals_coreutils_and_changes_with_names(tmp_path: Path) -> None:
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


def test_hash_of_reports_progress_in_bounded_memory(tmp_path: Path) -> None:
    path, reported = tmp_path / "a", []
    with path.open("wb") as file:
        file.truncate(32 << 20)
    tracemalloc.start()
    hash_of(path, lambda done, total: reported.append((done, total)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert (reported[0], reported[-1]) == ((1, 32), (32, 32))


def test_hash_of_names_missing_file(tmp_path: Path) -> None:
    with refusal(tmp_path / "none"):
        hash_of(tmp_path / "none")


def test_hash_of_ignores_pipes_in_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    found = hash_of(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=hash_of, args=(tmp_path,), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert hash_of(tmp_path) == found
