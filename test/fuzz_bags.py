"""Mutated bags through the reader: no crash, no hang, bounded memory, one clear error or a correct result.

    python test/fuzz_bags.py --cases 10000 --workers 2 --json fuzz.json
    python test/fuzz_bags.py --case 4711 --keep /tmp/bag      # that one again, its bag kept

Every case is read by a process of its own, with an address space of its own size and a watchdog. What a case is follows
from its number alone. The bags are made of a SIMULATED recording.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import random
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parent))

import numpy as np
from bag_forms import (
    FORMS,
    SECOND,
    Entry,
    Signal,
    array_entries,
    emg_entries,
    imu_entries,
    in_order,
    joint_entries,
    write_form,
)

from imu_emg_estimator.datasets.bag import read_bag_with_report
from imu_emg_estimator.datasets.bag.mcap import CHUNK, MAGIC, RECORD_HEAD
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.datasets.simulator import simulate
from imu_emg_estimator.datasets.stride_statistics import shipped_statistics
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.plain import to_json
from imu_emg_estimator.progress import ProgressBar
from imu_emg_estimator.recording import Recording

SECONDS = 3.0  # of every bag
PATIENCE = 10.0  # s
MEMORY = 512 << 20  # bytes over what the process takes before it reads
EXTREMES = (0, 1, 0x7F, 0xFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1)
PROTECTED = ("foxglove-zstd", "foxglove-lz4", "foxglove-without-summary")  # checksums over all messages
Files = dict[str, bytes]
GOOD = ("error", "result")


@dataclass(frozen=True)
class Outcome:
    """What became of a case: ``error`` or ``result``, or else a fault of the reader."""

    case: int
    form: str
    mutation: str
    kind: str
    text: str
    seconds: float
    memory: int


# bags to mutate


@cache
def entries(kind: str) -> list[Entry]:
    """Messages of a SIMULATED recording, with EMG of a kind."""
    recording = simulate(shipped_statistics(), 30.0, 0).slice(300, 300 + round(SECONDS * RIG.rate))
    assert recording.emg is not None
    raw = Signal(recording.emg.data, RIG.rate, RIG.muscle_names, False, "count")
    emg = {
        "emg": lambda: emg_entries(raw, 4),
        "joint": lambda: joint_entries(raw),
        "array": lambda: array_entries(raw, 32),
    }
    return in_order(imu_entries(recording), emg[kind]())


@dataclass(frozen=True)
class Altered(Entry):
    """A message whose bytes were changed before it was written."""

    raw: bytes = b""

    @property
    def data(self) -> bytes:
        return self.raw


@cache
def whole(form: str, kind: str) -> Files:
    """The files of a sound bag."""
    return written(form, entries(kind))


def written(form: str, messages: list[Entry]) -> Files:
    with tempfile.TemporaryDirectory() as folder:
        write_form(Path(folder) / "bag", messages, FORMS[form])
        return {path.name: path.read_bytes() for path in sorted((Path(folder) / "bag").iterdir())}


# mutations of bytes


def flip_bits(data: bytearray, rng: random.Random) -> None:
    for _ in range(rng.choice([1, 1, 8, 200])):
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)


def overwrite(data: bytearray, rng: random.Random) -> None:
    length = min(rng.choice([1, 4, 16, 300, 5000]), len(data))
    start = rng.randrange(len(data) - length + 1)
    fill = rng.choice([bytes(length), b"\xff" * length, rng.randbytes(length)])
    data[start : start + length] = fill


def truncate(data: bytearray, rng: random.Random) -> None:
    del data[rng.randrange(len(data)) :]


def insert_or_delete(data: bytearray, rng: random.Random) -> None:
    start, length = rng.randrange(len(data)), rng.choice([1, 3, 100, 4096])
    if rng.random() < 0.5:
        del data[start : start + length]
    else:
        data[start:start] = rng.randbytes(length)


def shuffle_blocks(data: bytearray, rng: random.Random) -> None:
    """Exchange records of MCAP, or pages of sqlite3, or else any blocks."""
    blocks = list(_blocks(bytes(data)))
    for _ in range(rng.choice([1, 1, 3, 20])):
        first, second = rng.randrange(len(blocks)), rng.randrange(len(blocks))
        action = rng.choice(("exchange", "drop", "repeat"))
        if action == "exchange":
            blocks[first], blocks[second] = blocks[second], blocks[first]
        elif action == "drop" and len(blocks) > 2:
            blocks.pop(first)
        else:
            blocks.insert(second, blocks[first])
    data[:] = b"".join(blocks)


def lie_in_headers(data: bytearray, rng: random.Random) -> None:
    """Set lengths, counts, sizes and offsets to what they are not."""
    for _ in range(rng.choice([1, 1, 2, 5])):
        place, width = _header_field(bytes(data), rng)
        value = rng.choice([*EXTREMES, rng.getrandbits(8 * width), len(data)])
        data[place : place + width] = (value & ((1 << 8 * width) - 1)).to_bytes(width, rng.choice(("little", "big")))


MUTATIONS: dict[str, Callable[[bytearray, random.Random], None]] = {
    "bits": flip_bits,
    "overwritten": overwrite,
    "truncated": truncate,
    "shifted": insert_or_delete,
    "shuffled": shuffle_blocks,
    "lying": lie_in_headers,
}


def _blocks(data: bytes) -> Iterator[bytes]:
    if data.startswith(MAGIC):
        places = [0, *_record_places(data), len(data)]
    elif data.startswith(b"SQLite"):
        places = list(range(0, len(data) + 1, 4096))
    else:
        places = [*range(0, len(data), max(len(data) // 16, 1)), len(data)]
    for start, end in pairwise(places):
        yield data[start:end]


def _record_places(data: bytes) -> Iterator[int]:
    at = len(MAGIC)
    while at + RECORD_HEAD.size < len(data) - len(MAGIC):
        yield at
        at += RECORD_HEAD.size + RECORD_HEAD.unpack_from(data, at)[1]


def _header_field(data: bytes, rng: random.Random) -> tuple[int, int]:
    """Place and width of a number that says how something is laid out."""
    if data.startswith(MAGIC):
        place = rng.choice([*_record_places(data)] or [0])
        if data[place] == CHUNK and rng.random() < 0.7:
            return place + 9 + rng.choice([0, 8, 16, 24, 28, 36]), rng.choice([4, 8])
        return place + rng.choice([1, 9, 11, 13, 15, 21]), rng.choice([2, 4, 8])
    if data.startswith(b"SQLite"):
        page = rng.randrange(max(len(data) // 4096, 1)) * 4096
        if page == 0 and rng.random() < 0.5:
            return rng.choice([16, 18, 20, 24, 28, 32, 36, 40, 44, 52, 56, 60, 64]), rng.choice([1, 2, 4])
        return page + rng.choice([0, 1, 3, 5, 7, 8, 10, 12, 14, 16]), rng.choice([1, 2])
    return rng.randrange(min(len(data), 24) or 1), rng.choice([1, 2, 4])


# cases


def mutated(case: int) -> tuple[str, str, Files]:
    """Form, mutation and files of a case."""
    rng = random.Random(case)
    form = rng.choice(list(FORMS))
    kind = rng.choice(("emg", "emg", "joint", "array"))
    if rng.random() < 0.1:
        return form, "messages", written(form, _altered_messages(kind, rng))
    if rng.random() < 0.2:
        return form, "values", written(form, _odd_messages(kind, rng))
    files = dict(whole(form, kind))
    if rng.random() < 0.03:
        other = whole(rng.choice(list(FORMS)), kind)
        name, content = rng.choice(list(files)), rng.choice(list(other.values()))
        cut = rng.randrange(len(content))
        return form, "spliced", files | {name: files[name][: len(content) - cut] + content[cut:]}
    mutation = rng.choice(list(MUTATIONS))
    names = [name for name in files if name != "metadata.yaml"] * 8 + list(files)
    name = rng.choice(names)
    content = bytearray(files[name])
    MUTATIONS[mutation](content, rng)
    return form, mutation, files | {name: bytes(content)}


def _altered_messages(kind: str, rng: random.Random) -> list[Entry]:
    """A sound file of messages that are not: what checksums cannot tell."""
    messages = list(entries(kind))
    emg = [index for index, entry in enumerate(messages) if "emg" in entry.topic]
    for _ in range(rng.choice([1, 3, 30, 300])):
        index = rng.choice(emg) if rng.random() < 0.5 else rng.randrange(len(messages))
        data = bytearray(messages[index].data)
        if not data:  # was truncated before
            continue
        rng.choice([flip_bits, overwrite, truncate, insert_or_delete, lie_in_message])(data, rng)
        messages[index] = Altered(**{**vars(messages[index]), "raw": bytes(data)})
    if rng.random() < 0.2:
        index = rng.randrange(len(messages))
        odd = rng.choice([0, (1 << 63) - 1, rng.getrandbits(62)])
        messages[index] = replace(messages[index], receipt=odd)
    return messages


def _odd_messages(kind: str, rng: random.Random) -> list[Entry]:
    """Messages that can be decoded but say odd things: of stamps, times of receipt, values, rates and names."""
    messages = list(entries(kind))
    for _ in range(rng.choice([1, 1, 2, 3])):
        topic = rng.choice(messages).topic if messages else ""
        chosen = [index for index, entry in enumerate(messages) if entry.topic == topic or rng.random() < 0.02]
        if rng.random() < 0.5:
            chosen = rng.sample(chosen, max(len(chosen) // rng.choice([2, 10, 100]), 1)) if chosen else []
        oddity = rng.choice(ODDITIES)
        amount = rng.choice([0, 1, -1, rng.uniform(-1, 1), rng.uniform(-1e3, 1e3), 1e9 * rng.uniform(-2, 2)])
        for index in sorted(chosen, reverse=True):
            odd = oddity(messages[index], amount, rng)
            messages[index : index + 1] = [] if odd is None else [odd] * rng.choice([1, 1, 1, 2])
    return messages


def _stamp_set(entry: Entry, amount: float, rng: random.Random) -> Entry | None:
    seconds = int(np.clip(amount, -(2**31), 2**31 - 1))
    return entry.stamped(seconds * SECOND + rng.randrange(SECOND)) if hasattr(entry.message, "header") else entry


def _stamp_moved(entry: Entry, amount: float, rng: random.Random) -> Entry | None:
    if not hasattr(entry.message, "header"):
        return entry
    return entry.stamped(max(min(entry.stamp + round(amount * SECOND), 2**31 * SECOND - 1), -(2**31) * SECOND))


def _stamp_jittered(entry: Entry, amount: float, rng: random.Random) -> Entry | None:
    return _stamp_moved(entry, amount * rng.random(), rng)


def _stamp_zero(entry: Entry, amount: float, rng: random.Random) -> Entry | None:
    return entry.stamped(0) if hasattr(entry.message, "header") else entry


def _received(entry: Entry, amount: float, rng: random.Random) -> Entry | None:
    return replace(entry, receipt=max(entry.receipt + round(amount * SECOND), 0))


def _received_at(entry: Entry, amount: float, rng: random.Random) -> Entry | None:
    return replace(entry, receipt=rng.choice([0, (1 << 63) - 1, 12345]))


def _lost(entry: Entry, amount: float, rng: random.Random) -> Entry | None:
    return None


def _odd_numbers(entry: Entry, amount: float, rng: random.Random) -> Entry | None:
    """Values that a sensor does not give, or an amplifier; rates and names of another."""
    value = rng.choice([float("nan"), float("inf"), 1e308, -1e308, 0.0, amount])
    message = entry.message
    if hasattr(message, "linear_acceleration"):
        part = rng.choice(("linear_acceleration", "angular_velocity"))
        return replace(entry, message=replace(message, **{part: replace(getattr(message, part), x=value)}))
    if hasattr(message, "sample_rate"):
        odd = rng.choice(
            [{"sample_rate": abs(value)}, {"sample_rate": 58.8 * abs(amount)}, {"channel_names": ["a", "b"]}]
        )
        return replace(entry, message=replace(message, **odd))
    field = "effort" if hasattr(message, "effort") else "data"
    return replace(
        entry, message=replace(message, **{field: np.full_like(getattr(message, field), np.float32(0) + value)})
    )


ODDITIES: tuple[Callable[[Entry, float, random.Random], Entry | None], ...] = (
    _stamp_set, _stamp_moved, _stamp_jittered, _stamp_zero, _received, _received_at, _lost, _odd_numbers,
)  # fmt: skip


def lie_in_message(data: bytearray, rng: random.Random) -> None:
    """Stamps, lengths and numbers of a message set to extremes."""
    place, width = rng.randrange(0, max(len(data) - 8, 1), 4), rng.choice([4, 8])
    value = rng.choice([*EXTREMES, rng.getrandbits(64)]) & ((1 << 8 * width) - 1)
    data[place : place + width] = value.to_bytes(width, "little")


@cache
def sound(form: str, kind: str = "emg") -> Recording:
    """What a sound bag is read as."""
    with tempfile.TemporaryDirectory() as folder:
        return read_bag_with_report(_lay_out(Path(folder) / "bag", form, whole(form, kind)), RIG)[0]


def _lay_out(folder: Path, form: str, files: Files) -> Path:
    folder.mkdir()
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder / next(iter(files)) if FORMS[form].single else folder


def run_case(case: int, keep: Path | None = None) -> Outcome:
    """Mutate a bag and read it in a process of its own."""
    form, mutation, files = mutated(case)
    with tempfile.TemporaryDirectory() as folder:
        path = _lay_out(Path(folder) / "bag", form, files)
        if keep:
            shutil.copytree(Path(folder) / "bag", keep)
        began = time.monotonic()
        kind, text, memory = _watched(path, form if mutation not in ("messages", "values") else "")
        return Outcome(case, form, mutation, kind, text, time.monotonic() - began, memory)


def _watched(path: Path, form: str) -> tuple[str, str, int]:
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        try:
            os.write(writer, json.dumps(_read(path, form)).encode()[:60_000])
        finally:
            os._exit(0)
    os.close(writer)
    with open(reader, "rb") as pipe:
        ready, _, _ = select.select([pipe], [], [], PATIENCE)
        if not ready:
            os.kill(process, signal.SIGKILL)
        answer = pipe.read()
    status = os.waitpid(process, 0)[1]
    if not ready:
        return "hang", f"more than {PATIENCE:g} s", 0
    if status or not answer:
        return "crash", f"status {status}", 0
    kind, text, memory = json.loads(answer)
    return kind, text, memory


def _read(path: Path, form: str) -> tuple[str, str, int]:
    """Kind of outcome, sentence, and bytes of memory at most."""
    Path("/proc/self/clear_refs").write_text("5")
    before = _memory("VmRSS")
    size = _memory("VmSize")
    resource.setrlimit(resource.RLIMIT_AS, (size + MEMORY, size + MEMORY))
    try:
        recording, report = read_bag_with_report(path, RIG)
        fault = _fault(recording, form)
        to_json(report.to_dict())
        kind, text = ("wrong", fault) if fault else ("result", "; ".join(report.notes))
    except InputError as error:
        text = str(error)
        cause: BaseException | None = error
        while cause is not None and not isinstance(cause, (MemoryError, RecursionError)):
            cause = cause.__cause__
        clear = text.startswith(("bag ", "folder ", str(path))) and "\n" not in text and len(text) < 2000
        kind = "exhausted" if cause else "error" if clear else "unclear"
        text = f"{type(error).__name__}: {text.replace(str(path), 'BAG')}"
    except BaseException as error:
        kind, text = "crash", f"{type(error).__name__}: {error}"
    return kind, text[:500], _memory("VmHWM") - before


def _memory(what: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * int(next(line for line in lines if line.startswith(what)).split()[1])


def _fault(recording: Recording, form: str) -> str:
    """What is wrong with a recording that a mutated bag gave; '' = nothing."""
    if np.isinf(recording.imu).any() or np.isinf(recording.envelope).any():
        return "a value is infinite"
    if recording.duration < 2.0 or not np.isfinite(recording.envelope).any():
        return "there is nothing in it"
    if form in PROTECTED:
        expected = sound(form)
        offset = round((recording.start - expected.start) * RIG.rate)
        if abs((recording.start - expected.start) * RIG.rate - offset) < 1e-3 and offset >= 0:
            here = expected.imu[offset : offset + len(recording)]
            known = np.isfinite(recording.imu[: len(here)]) & np.isfinite(here)
            if not np.allclose(recording.imu[: len(here)][known], here[known], atol=1e-5):
                return "IMU values are not those that were written"
    return ""


# many cases


def run_cases(cases: range, workers: int = 1, progress: Callable[[int, int], None] | None = None) -> list[Outcome]:
    """Outcomes of all cases, in their order."""
    for form in PROTECTED:
        sound(form)
    if workers == 1:
        outcomes = []
        for case in cases:
            outcomes.append(run_case(case))
            if progress:
                progress(len(outcomes), len(cases))
        return outcomes
    with multiprocessing.get_context("fork").Pool(workers) as pool:
        outcomes = []
        for outcome in pool.imap(run_case, cases, chunksize=16):
            outcomes.append(outcome)
            if progress:
                progress(len(outcomes), len(cases))
        return outcomes


def summary(outcomes: list[Outcome]) -> dict[str, object]:
    """Figures of a run."""
    kinds = Counter(outcome.kind for outcome in outcomes)
    slowest = max(outcomes, key=lambda outcome: outcome.seconds)
    largest = max(outcomes, key=lambda outcome: outcome.memory)
    errors = Counter(outcome.text.split(":")[0] for outcome in outcomes if outcome.kind == "error")
    table = Counter((outcome.mutation, outcome.kind) for outcome in outcomes)
    return {
        "data": "simulated",
        "cases": len(outcomes),
        "outcomes": dict(kinds),
        "errors": dict(errors),
        "by_mutation": {f"{mutation}: {kind}": count for (mutation, kind), count in sorted(table.items())},
        "slowest": asdict(slowest),
        "most_memory": asdict(largest),
        "bounds": {"seconds": PATIENCE, "memory": MEMORY},
        "failures": [asdict(outcome) for outcome in outcomes if outcome.kind not in GOOD],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description="read mutated bags")
    parser.add_argument("--cases", type=int, default=10_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first case")
    parser.add_argument("--case", type=int, help="only this one")
    parser.add_argument("--keep", type=Path, help="with --case: keep its bag in this folder")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    if arguments.case is not None:
        print(run_case(arguments.case, arguments.keep))
        return 0
    cases = range(arguments.first, arguments.first + arguments.cases)
    result = summary(run_cases(cases, arguments.workers, ProgressBar("bags")))
    print(json.dumps(result, indent=2))
    if arguments.json:
        arguments.json.write_bytes(to_json(result))
    return 1 if result["failures"] else 0


if __name__ == "__main__":
    sys.exit(main())
