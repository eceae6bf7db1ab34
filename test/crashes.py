"""Processes that are killed while they write to a calibration store.

Run as a program this file is a small server: for every request, a line of JSON, it forks a process that works on the
store, kills it after so many seconds or before one of its changes to the disk, and answers with what the process told
of its work until then. A fork is there at once: hundreds of kills take seconds.
"""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model import store
from imu_emg_estimator.model.bundle import Bundle, Calibration

SUBJECT = "anna"
KILLS = int(os.environ.get("IMU_EMG_KILLS", "0"))  # of a full-size run; 0 = a few
CHANGES = ("mkdir", "open", "fchmod", "fdopen", "fsync", "close", "replace", "unlink")  # of ``os``, to the disk
Tell = Callable[..., None]


def calibrated(base: Bundle, name: str) -> Bundle:
    calibration = Calibration(f"{SUBJECT}-{name}", SUBJECT, "head", "bag", 30.0, "2025-01-01T00:00:00+00:00")
    return replace(base, parent_id=base.model_id, calibration=calibration)


class Killer:
    """The server seen from a test."""

    def __init__(self, base: Path, directory: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__, str(base), str(directory)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )

    def ask(self, **request: Any) -> dict[str, Any]:
        """``killed``: whether it was, or came to its end before; ``told``: what it told."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request).encode() + b"\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def close(self) -> None:
        self._process.communicate()


@contextmanager
def killer(base: Path, directory: Path) -> Iterator[Killer]:
    """A server that works on one store."""
    server = Killer(base, directory)
    try:
        yield server
    finally:
        server.close()


def state(directory: Path, base: Bundle) -> tuple[set[str], str]:
    """Ids of all calibrations and the one in use; none may be half, none passed over."""
    stored, remarks = store.list_calibrations(directory, SUBJECT)
    found, told = store.current_calibration(directory, SUBJECT, base)
    assert (remarks, told) == ([], [])
    return {entry.calibration.id for entry in stored}, found.calibration_id if found else ""


# the server


def serve(base: Bundle, directory: Path) -> None:
    for line in sys.stdin:
        request = json.loads(line)
        if request["do"] == "calibrate":  # what takes long to import is imported once, not after every fork
            import imu_emg_estimator.training.calibrate  # noqa: F401
        print(json.dumps(_work_and_die(base, directory, request)), flush=True)


def _work_and_die(base: Bundle, directory: Path, request: dict[str, Any]) -> dict[str, Any]:
    read, write = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(read)
        _work(base, directory, request, write)
    os.close(write)
    if "after" in request:
        time.sleep(request["after"])
        os.kill(pid, signal.SIGKILL)
    with os.fdopen(read) as pipe:  # until the process is gone
        told = [json.loads(text) for text in pipe]
    _, status = os.waitpid(pid, 0)
    return {"killed": os.WIFSIGNALED(status), "status": os.waitstatus_to_exitcode(status), "told": told}


def _work(base: Bundle, directory: Path, request: dict[str, Any], pipe: int) -> None:
    def tell(**what: Any) -> None:
        os.write(pipe, json.dumps(what).encode() + b"\n")

    status = 1
    try:
        if "step" in request:
            _die_before_change(request["step"])
        status = WORK[request["do"]](base, directory, request, tell) or 0
    finally:
        os._exit(status)


def _die_before_change(number: int) -> None:
    """Let the process be killed before its change to the disk of this number."""
    count = itertools.count()

    def dying(change: Callable[..., Any]) -> Callable[..., Any]:
        def act(*arguments: Any, **options: Any) -> Any:
            if next(count) == number:
                os.kill(os.getpid(), signal.SIGKILL)
            return change(*arguments, **options)

        return act

    for name in CHANGES:
        setattr(os, name, dying(getattr(os, name)))


# what is done


def _store(base: Bundle, directory: Path, request: dict[str, Any], _: Tell) -> None:
    store.store_calibration(directory, calibrated(base, request["name"]))


def _use(base: Bundle, directory: Path, request: dict[str, Any], _: Tell) -> None:
    store.use_calibration(directory, SUBJECT, f"{SUBJECT}-{request['name']}", base)


def _remove(base: Bundle, directory: Path, request: dict[str, Any], _: Tell) -> None:
    store.remove_calibration(directory, SUBJECT, f"{SUBJECT}-{request['name']}")


def _reset(base: Bundle, directory: Path, request: dict[str, Any], _: Tell) -> None:
    store.reset_calibration(directory, SUBJECT, base)


def _undo(base: Bundle, directory: Path, request: dict[str, Any], _: Tell) -> None:
    store.undo_choice(directory, SUBJECT, base)


def _go_on(base: Bundle, directory: Path, request: dict[str, Any], tell: Tell) -> None:
    """Store and choose for ever; tells what will be in use before every act and after it."""
    chance = random.Random(request["name"])
    stored: list[str] = []
    for number in itertools.count():
        if stored and chance.random() < 0.3:
            chosen = chance.choice(stored)
            tell(begun=chosen)
            store.use_calibration(directory, SUBJECT, chosen, base)
            tell(done=chosen)
        else:
            bundle = calibrated(base, f"{request['name']}-{number:06d}")
            tell(begun=bundle.calibration_id, new=bundle.calibration_id)
            store.store_calibration(directory, bundle)
            tell(done=bundle.calibration_id, new=bundle.calibration_id)
            stored.append(bundle.calibration_id)


def _calibrate(base: Bundle, directory: Path, request: dict[str, Any], tell: Tell) -> int:
    """``imu-emg calibrate``, as the service runs it."""
    from imu_emg_estimator.cli import main

    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, 1)
    os.dup2(null, 2)
    return main(["calibrate", *request["arguments"]])


WORK: dict[str, Callable[..., int | None]] = {
    "store": _store,
    "use": _use,
    "remove": _remove,
    "reset": _reset,
    "undo": _undo,
    "go on": _go_on,
    "calibrate": _calibrate,
}


# a full disk


def store_with_little_room(base: Bundle, directory: Path, limit: Callable[[int], None], rooms: Sequence[int]) -> None:
    """Store with ever more room [bytes]; prints for each what came of it."""
    store.store_calibration(directory, calibrated(base, "first"))
    for room in rooms:
        limit(room)
        error = ""
        try:
            store.store_calibration(directory, calibrated(base, f"with-{room}"))
        except InputError as caught:
            error = str(caught)
        ids, used = state(directory, base)
        names = sorted(name for name in os.listdir(directory / SUBJECT) if name.startswith("."))
        print(json.dumps({"room": room, "error": error, "ids": sorted(ids), "used": used, "hidden": names}))
        for name in ids - {f"{SUBJECT}-first"}:
            store.remove_calibration(directory, SUBJECT, name)


def fill(folder: Path, room: int) -> None:
    """Leave so many bytes on the file system of a folder."""
    filler = folder / "filler"
    filler.unlink(missing_ok=True)
    free = shutil.disk_usage(folder).free
    with suppress(OSError), filler.open("wb") as file:  # some need room for what belongs to a file, too
        file.write(bytes(max(0, free - room)))


def limit_files(room: int) -> None:
    """Let no file be longer than so many bytes; stands in for a full disk where none can be made."""
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))


def main() -> None:
    base, directory = Bundle.load(Path(sys.argv[1])), Path(sys.argv[2])
    if len(sys.argv) == 3:
        serve(base, directory)
        return
    size = len(calibrated(base, "first").to_bytes())
    if sys.argv[3] == "disk":
        rooms = [*range(0, size + 40_000, 4096)]
        store_with_little_room(base, directory, lambda room: fill(directory, room), rooms)
        store.store_calibration(directory, calibrated(base, "second"))
        fill(directory, 0)
        store.remove_calibration(directory, SUBJECT, f"{SUBJECT}-second")  # makes room
        print(json.dumps({"after removal": state(directory, base)[1]}))
    else:
        rooms = [0, 1, 100, 1000, size // 2, size - 1, size, size + 1000]
        store_with_little_room(base, directory, limit_files, rooms)


if __name__ == "__main__":
    main()
