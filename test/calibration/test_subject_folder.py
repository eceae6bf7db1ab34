"""A subject's folder: damage is passed over with a remark, and one process at a time writes."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.factories import refusal
from fixtures.timed_calibrations import FIRST, THIRD, calibrated, current

from imu_emg_estimator.calibration.calibration_store import (
    current_calibration,
    list_calibrations,
    store_calibration,
    use_calibration,
)
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils import atomic_files as files
from imu_emg_estimator.utils.atomic_files import locked

# damage


def test_damaged_files_are_passed_over_with_remarks(bundle: Bundle, tmp_path: Path) -> None:
    good = tmp_path / "anna" / f"anna-{FIRST}.safetensors"
    calibrated(bundle, FIRST).save(good)
    truncated, folder, uncalibrated, renamed, pipe = (
        good.with_name(f"anna-2026010{day}T000000.safetensors") for day in range(1, 6)
    )
    truncated.write_bytes(good.read_bytes()[:1000])
    folder.mkdir()
    replace(bundle, parent_id=bundle.model_id).save(uncalibrated)
    renamed.write_bytes(good.read_bytes())
    os.mkfifo(pipe)
    damaged = (truncated, folder, uncalibrated, renamed, pipe)
    found, remarks = current_calibration(tmp_path, "anna", bundle)
    assert found is not None
    assert found.calibration_id == f"anna-{FIRST}"
    assert [path for path in damaged if not any(str(path) in text for text in remarks)] == []
    listed, remarks = list_calibrations(tmp_path)
    assert [entry.calibration.id for entry in listed] == [f"anna-{FIRST}"]
    assert listed[0].in_use
    assert [path for path in damaged if not any(str(path) in text for text in remarks)] == []


@pytest.mark.parametrize(
    "damage", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])], ids=["gone", "damaged"]
)
def test_newest_sound_calibration_replaces_damaged_choice(
    bundle: Bundle, three: Path, damage: Callable[[Path], None]
) -> None:
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    damage(three / "anna" / f"anna-{FIRST}.safetensors")
    found, remarks = current_calibration(three, "anna", bundle)
    assert found is not None
    assert found.calibration_id == f"anna-{THIRD}"
    assert f"calibration anna-{FIRST}" in remarks[-1]
    assert f"anna-{THIRD}, is used instead" in remarks[-1]
    listed, all_remarks = list_calibrations(three)
    assert [entry.calibration.id for entry in listed if entry.in_use] == [f"anna-{THIRD}"]
    assert remarks[-1] in all_remarks


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"{",
        b"[" * 100_000,
        b"[]",
        b"5",
        b'{"m": "anna-1"}',
        b'{"m": []}',
        b'{"m": [5]}',
        b'{"m": ["../../etc/passwd"]}',
        b'{"m": [""]}',
        b" " * (2 << 20),
    ],
    ids=lambda content: content[:12].decode(errors="replace"),
)
def test_damaged_choices_fall_back_until_next_choice(bundle: Bundle, three: Path, content: bytes) -> None:
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    pointer = three / "anna" / "current"
    pointer.write_bytes(content)
    found, remarks = current_calibration(three, "anna", bundle)
    assert found is not None
    assert found.calibration_id == f"anna-{THIRD}"
    assert len(remarks) == 1
    assert str(pointer) in remarks[0]
    assert remarks == list_calibrations(three)[1]
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    assert current(three, bundle) == f"anna-{FIRST}"


def test_choices_that_are_no_file_do_not_prevent_start(bundle: Bundle, three: Path) -> None:
    pointer = three / "anna" / "current"
    for make in (os.mkfifo, os.mkdir):
        pointer.unlink()
        make(pointer)
        found, remarks = current_calibration(three, "anna", bundle)
        assert found is not None
        assert str(pointer) in remarks[0]
        if make is os.mkdir:
            pointer.rmdir()


def test_store_that_is_no_folder_does_not_prevent_start(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "anna").touch()
    (tmp_path / "file").touch()
    assert current_calibration(tmp_path, "anna", bundle)[0] is None
    assert current_calibration(tmp_path / "file", "anna", bundle)[0] is None
    for directory in (tmp_path, tmp_path / "file"):
        with refusal(directory, "cannot be written"):
            store_calibration(directory, calibrated(bundle, FIRST))


# several at once


def test_store_waits_for_held_folder_until_timeout(
    bundle: Bundle, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "LOCK_TIMEOUT_S", 0.05)
    with locked(three / "anna"):
        with refusal(three / "anna", "another process"):
            store_calibration(three, calibrated(bundle, "20260101T000000"))
        assert current(three, bundle) == f"anna-{THIRD}"  # reading does not wait
    store_calibration(three, calibrated(bundle, "20260101T000000"))
    assert current(three, bundle) == "anna-20260101T000000"


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.calibration.calibration_store import store_calibration
base = Bundle.load(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read(1)
for index in range(4):
    calibration = Calibration(f"anna-{index}-{sys.argv[3]}", "anna", "head", "bag", 30.0, "now")
    store_calibration(Path(sys.argv[2]), replace(base, parent_id=base.model_id, calibration=calibration))
"""


@pytest.mark.slow
def test_concurrent_stores_lose_nothing(bundle: Bundle, tmp_path: Path) -> None:
    """Neither a calibration nor a choice."""
    bundle.save(tmp_path / "base.safetensors")
    store = tmp_path / "store"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "base.safetensors"), str(store), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"x", timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    stored, remarks = list_calibrations(store)
    assert remarks == []
    ids = {f"anna-{index}-{number}" for index in range(4) for number in range(3)}
    assert {entry.calibration.id for entry in stored} == ids
    chosen = json.loads((store / "anna" / "current").read_text())[bundle.model_id]
    assert chosen[0] is None  # before the first
    assert sorted(chosen[1:]) == sorted(ids)
    assert current(store, bundle) == chosen[-1]
