"""A process that dies while it writes, or a disk that is full, never loses a calibration or prevents a start.

``IMU_EMG_KILLS=200 pytest test/calibration/test_store_crash.py`` kills that often at random instants, both while
storing and while calibrating.
"""

import itertools
import json
import random
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from fixtures import store_crashes as crashes
from fixtures.factories import RecordingFactory
from fixtures.store_crashes import KILLS, calibrated, killer, state

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.calibration_store import current_calibration, remove_calibration, store_calibration
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator
from imu_emg_estimator.utils.atomic_files import TEMPORARY

pytestmark = [pytest.mark.hostile, pytest.mark.timeout(0 if KILLS else 1800)]

MAX_DELAY_S = 0.15  # until a process is killed that stores some calibrations in this time
SEED = 5


@pytest.fixture
def base(bundle: Bundle, tmp_path: Path) -> Path:
    bundle.save(tmp_path / "base.safetensors")
    return tmp_path / "base.safetensors"


def unfinished(directory: Path) -> list[str]:
    return [path.name for path in directory.rglob("*") if TEMPORARY.fullmatch(path.name)]


def starts(directory: Path, base: Bundle) -> None:
    """What the node does at its start."""
    found, _ = current_calibration(directory, crashes.SUBJECT, base)
    StreamingEstimator(found or base)


@pytest.mark.parametrize(
    ("request_", "ids", "used"),
    [
        ({"do": "store", "name": "3"}, "123", "3"),
        ({"do": "use", "name": "1"}, "12", "1"),
        ({"do": "remove", "name": "2"}, "1", "1"),
        ({"do": "remove", "name": "1"}, "2", "2"),
        ({"do": "reset"}, "12", ""),
        ({"do": "undo"}, "12", "1"),
    ],
    ids=lambda value: f"{value['do']} {value.get('name', '')}" if isinstance(value, dict) else str(value),
)
def test_kill_before_any_change_leaves_old_or_new_state(
    bundle: Bundle, base: Path, tmp_path: Path, request_: dict[str, Any], ids: str, used: str
) -> None:
    """A new calibration is there before it is chosen, one that goes is not chosen any more before it is gone."""
    pristine, directory = tmp_path / "pristine", tmp_path / "store"
    for name in "12":
        store_calibration(pristine, calibrated(bundle, name))
    old, new = state(pristine, bundle), ({f"anna-{name}" for name in ids}, f"anna-{used}" if used else "")
    killed, seen = True, []
    with killer(base, directory) as server:
        for step in itertools.count():
            if not killed:
                break
            shutil.rmtree(directory, ignore_errors=True)
            shutil.copytree(pristine, directory)
            killed = server.ask(**request_, step=step)["killed"]
            found = state(directory, bundle)
            assert found[0] in (old[0], new[0])
            assert found[1] in (old[1], new[1])
            seen.append(found)
            store_calibration(directory, calibrated(bundle, "next"))
            assert unfinished(directory) == []
            assert state(directory, bundle) == (found[0] | {"anna-next"}, "anna-next")
    assert len(seen) > 5
    assert (seen[0], seen[-1]) == (old, new)


def test_kill_leaves_first_calibration_whole_or_absent(bundle: Bundle, base: Path, tmp_path: Path) -> None:
    directory, killed, seen = tmp_path / "store", True, set()
    with killer(base, directory) as server:
        for step in itertools.count():
            if not killed:
                break
            shutil.rmtree(directory, ignore_errors=True)
            killed = server.ask(do="store", name="1", step=step)["killed"]
            found = state(directory, bundle)
            assert found in [(set(), ""), ({"anna-1"}, "anna-1")]
            seen.add(found[1])
    assert seen == {"", "anna-1"}


def test_random_kills_while_storing(bundle: Bundle, base: Path, tmp_path: Path) -> None:
    directory, chance = tmp_path / "store", random.Random(SEED)
    kept: set[str] = set()
    used, in_between, leftovers = "", 0, 0
    with killer(base, directory) as server:
        for number in range(KILLS or 20):
            reported = server.ask(do="go on", name=f"{number:04d}", after=chance.uniform(0, MAX_DELAY_S))["reported"]
            kept |= {what["new"] for what in reported if "done" in what and "new" in what}
            allowed = {what["done"] for what in reported if "done" in what}
            used = [used, *(what["done"] for what in reported if "done" in what)][-1]
            allowed = {used} | ({reported[-1]["begun"]} if reported and "begun" in reported[-1] else set())
            found, current = state(directory, bundle)
            assert kept <= found, "a calibration that was stored is lost"
            assert len(found - kept) <= 1  # the one that was being stored
            assert current in allowed
            starts(directory, bundle)
            leftovers += len(unfinished(directory))
            in_between += bool(reported and "begun" in reported[-1])
            kept, used = found, current
            for name in sorted(found - {current})[:-3]:
                remove_calibration(directory, "anna", name)
                kept = kept - {name}
    assert in_between > 0
    print(f"\n{KILLS or 20} kills, {in_between} while writing, {leftovers} unfinished files left by them")


def test_random_kills_while_calibrating(
    trained_bundle: Bundle, tmp_path: Path, make_recording: RecordingFactory
) -> None:
    base, directory = tmp_path / "base.safetensors", tmp_path / "store"
    trained_bundle.save(base)
    write_bag(make_recording([("walking", 20.0)], seed=20, emg_delay=0.15), tmp_path / "walk")
    arguments = [f"--bundle={base}", f"--running={base}", f"--bag={tmp_path / 'walk'}", f"--store={directory}"]
    arguments.append("--subject=anna")
    chance = random.Random(SEED)
    with killer(base, directory) as server:
        assert server.ask(do="calibrate", arguments=arguments)["status"] == 0
        started = time.monotonic()
        server.ask(do="calibrate", arguments=arguments)
        longest = time.monotonic() - started
        kept, used = state(directory, trained_bundle)
        assert len(kept) == 2
        survived = 0
        for _ in range(KILLS or 2):
            answer = server.ask(do="calibrate", arguments=arguments, after=chance.uniform(0, longest))
            found, current = state(directory, trained_bundle)
            assert kept <= found
            assert len(found - kept) <= 1
            assert current in {used} | (found - kept)
            if not answer["killed"] and answer["status"] == 0:
                assert {current} == found - kept
                survived += 1
            starts(directory, trained_bundle)
            kept, used = found, current
    print(f"\n{KILLS or 2} kills, {survived} came too late; a whole calibration took {longest:.1f} s")


def test_full_disk_keeps_what_was_stored(base: Path, tmp_path: Path) -> None:
    """On a real, small file system."""
    directory = tmp_path / "disk"
    directory.mkdir()
    mount = f"mount -t tmpfs -o size=256k tmpfs {directory}"
    private = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"]
    try:
        possible = subprocess.run([*private, mount], capture_output=True, timeout=60).returncode == 0
    except OSError:
        possible = False
    if not possible:
        pytest.skip("no file system can be mounted here; the limit of file sizes stands in for it")
    reported = little_room([*private, f'{mount} && exec "$@"', "sh"], base, directory, "disk")
    assert reported.pop() == {"after removal": "anna-first"}
    check_little_room(reported)
    assert any("No space left" in what["error"] for what in reported)


def test_file_size_limit_keeps_what_was_stored(base: Path, tmp_path: Path) -> None:
    reported = little_room([], base, tmp_path / "store", "files")
    check_little_room(reported)
    assert any("File too large" in what["error"] for what in reported)


def little_room(prefix: list[str], base: Path, directory: Path, kind: str) -> list[dict[str, Any]]:
    command = [*prefix, sys.executable, crashes.__file__, str(base), str(directory), kind]
    done = subprocess.run(command, capture_output=True, text=True, timeout=250)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def check_little_room(reported: list[dict[str, Any]]) -> None:
    for what in reported:
        new = f"anna-with-{what['room']}"
        assert what["hidden"] == [".lock"], what
        if what["error"]:
            assert "free space" in what["error"]
            assert (what["ids"], what["used"]) == (["anna-first"], "anna-first"), what
        else:
            assert (what["ids"], what["used"]) == (["anna-first", new], new), what
    assert reported[0]["error"]
    assert not reported[-1]["error"]
