"""HuGaDB v1: six IMUs and two EMG channels on the legs, at 58.8 Hz.

Source: Chereshnev and Kertész-Farkas, "HuGaDB: Human Gait Database for Activity
Recognition from Wearable Inertial Sensor Networks", AIST 2017, LNCS 10716.
"""

from __future__ import annotations

import csv
import gzip
import hashlib
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.datasets.subject_files import chosen_subjects, map_in_parallel
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import UNLABELLED, RawEmg, Recording
from imu_emg_estimator.rig import Muscle, Rig, Sensor
from imu_emg_estimator.signals.emg_envelope import MIN_DURATION_S, EnvelopeSettings, emg_envelope

RATE = 58.8  # Hz, from the published durations
ACCELEROMETER_SCALE = 9.80665 / 16384  # m/s^2 per count, full scale 2 g
GYROSCOPE_SCALE = np.pi / 180 / 16.4  # rad/s per count, full scale 2000 deg/s
FULL_SCALE = 32767  # counts

RIG = Rig(
    name="hugadb",
    rate=RATE,
    sensors=tuple(
        Sensor(f"{side}_{segment}", segment, side)
        for side in ("right", "left")
        for segment in ("foot", "shank", "thigh")
    ),
    muscles=tuple(Muscle(f"vastus_lateralis_{side}", "vastus_lateralis", side) for side in ("right", "left")),
    lateral_axis="y",
)
SENSOR_COLUMNS = ("RF", "RS", "RT", "LF", "LS", "LT")  # their names in corrupted_gyro.csv, in the rig's order

CONDITIONS = {
    1: "walking",
    2: "running",
    3: "stairs_up",
    4: "stairs_down",
    5: "sitting",
    6: "sitting_down",
    7: "standing_up",
    8: "standing",
    9: "bicycling",
    10: "lift_up",
    11: "lift_down",
    12: "sitting_in_car",
}
MOVING = (1, 2, 3, 4)  # activities in which a corrupted gyroscope clips
LOCOMOTION = tuple(CONDITIONS[code] for code in MOVING)  # what of a Recording's LOCOMOTION is in here

# Subjects whose EMG columns are exchanged. Vastus lateralis works when its own leg takes the weight: on stairs up
# its envelope peaks 2 to 9 % of the stride after that leg lands, in both columns of all others. Both columns
# of subject 6 peak at 53 % after their own leg's landing, at 3 to 4 % after the other's; walking says the same.
EXCHANGED_EMG = frozenset({"6"})

# (subject, column) whose electrodes carry hardly any muscle signal: never trained on, never scored.
WEAK_EMG = {("3", 1), ("6", 0), ("7", 0), ("8", 0), ("8", 1)}

FILE_NAME = re.compile(r"HuGaDB_v1_(?P<activity>[a-z_]+)_(?P<subject>\d+)_(?P<count>\d+)\.txt(\.gz)?$")
NO_SENSOR = (False,) * len(RIG.sensors)


@dataclass(frozen=True)
class _File:
    """One parsed text file: counts as recorded."""

    path: Path
    subject: str
    start: float
    counts: NDArray[np.float64]  # [samples, 39]

    @property
    def name(self) -> str:
        return self.path.name.removesuffix(".gz").removesuffix(".txt")

    @property
    def gyroscope(self) -> NDArray[np.float64]:
        """Angular rate [samples, sensors, 3] in counts."""
        return self.counts[:, :36].reshape(-1, len(RIG.sensors), 6)[:, :, 3:]


def subjects(folder: Path) -> list[str]:
    """Subjects that the folder has recordings of, in numerical order."""
    return sorted({subject for _, subject in _data_files(folder)}, key=int)


def load(
    folder: Path,
    only: Collection[str] | None = None,
    settings: EnvelopeSettings | None = None,
    workers: int = 1,
    as_published: bool = False,
) -> list[Recording]:
    """Load the recordings of HuGaDB, in order of subject and time.

    Duplicates (the data set holds two) are dropped. Exchanged EMG columns are put right. Corrupted gyroscopes and
    impossible values become NaN. Weak EMG channels get weight 0.

    Args:
        folder: directory with ``HuGaDB_v1_*.txt`` or ``.txt.gz`` and, if there, ``corrupted_gyro.csv``.
        only: subjects to load; None = all.
        settings: how the envelope is made.
        workers: processes that parse files side by side.
        as_published: leave exchanged EMG columns as they are, to measure what correcting them changes.

    Raises:
        InputError: the folder, a subject or a file is not as it should be.
    """
    chosen = chosen_subjects(folder, subjects(folder), only)
    files = map_in_parallel(_parse, [source for source in _data_files(folder) if source[1] in chosen], workers)
    files.sort(key=lambda file: (int(file.subject), file.start, file.name))
    files = list(_without_duplicates(files))
    corrupted = _corrupted_gyroscopes(files, _listed_corruption(folder))
    settings, exchanged = settings or EnvelopeSettings(), frozenset() if as_published else EXCHANGED_EMG
    return [
        _recording(file, corrupted[file.name], settings, exchanged)
        for file in files
        if len(file.counts) >= MIN_DURATION_S * RATE
    ]


def _data_files(folder: Path) -> list[tuple[Path, str]]:
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"data folder {folder} does not exist; give the folder that holds HuGaDB_v1_*.txt")
    matches = [(path, FILE_NAME.match(path.name)) for path in sorted(folder.iterdir())]
    found = [(path, str(int(match["subject"]))) for path, match in matches if match]
    if not found:
        raise InputError(f"data folder {folder} holds no HuGaDB_v1_*.txt or .txt.gz file; is it the HuGaDB v1 folder?")
    uncompressed = {path.name for path, _ in found}
    return [(path, subject) for path, subject in found if path.suffix != ".gz" or path.stem not in uncompressed]


def _parse(source: tuple[Path, str]) -> _File:
    path, subject = source
    opener = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="ascii") as file:
            header = [next(file) for _ in range(4)]
            counts = np.loadtxt(file, dtype=np.float64, ndmin=2)
        if not np.isfinite(counts).all():
            raise ValueError("a count that is no number")
    except (OSError, EOFError, StopIteration, ValueError, UnicodeDecodeError):
        raise InputError(f"{path} is not a readable HuGaDB v1 text file; unpack or fetch it again") from None
    if counts.shape[1:] != (39,):
        raise InputError(f"{path} has {counts.shape[-1]} columns, HuGaDB v1 has 39; fetch it again")
    return _File(path, subject, _start(header[2], path), counts)


def _start(line: str, path: Path) -> float:
    """Seconds since the start of the recording year, from '#Date MM-DD-hh-mm'."""
    match = re.match(r"#Date\s+(\d+)-(\d+)-(\d+)-(\d+)", line)
    if not match:
        raise InputError(f"{path}: line 3 is not '#Date MM-DD-hh-mm'; fetch the file again")
    month, day, hour, minute = (int(part) for part in match.groups())
    return float((((month - 1) * 31 + day - 1) * 24 + hour) * 60 + minute) * 60


def _without_duplicates(files: list[_File]) -> Iterator[_File]:
    seen = set()
    for file in files:
        digest = hashlib.sha256(file.counts.tobytes()).digest()
        if digest not in seen:
            yield file
        seen.add(digest)


def _listed_corruption(folder: Path) -> dict[str, tuple[bool, ...]]:
    path = Path(folder) / "corrupted_gyro.csv"
    if not path.is_file():
        return {}
    try:
        with path.open(encoding="ascii", newline="") as file:
            rows = list(csv.DictReader(file))
        return {row["file"].removesuffix(".txt"): tuple(row[key] == "1" for key in SENSOR_COLUMNS) for row in rows}
    except KeyError as error:
        raise InputError(f"{path} has no column {error}; it needs file, {', '.join(SENSOR_COLUMNS)}") from None
    except (OSError, UnicodeDecodeError, csv.Error):
        raise InputError(f"{path} is not a readable CSV file; fetch it again") from None


def _corrupted_gyroscopes(files: list[_File], listed: dict[str, tuple[bool, ...]]) -> dict[str, tuple[bool, ...]]:
    """Find the corrupted gyroscopes of every recording: listed, clipping, or by the nearest recording in time.

    The published list leaves out most walking and standing recordings, although
    a gyroscope that was corrupted in one recording of a session is so in the next.
    A gyroscope scaled by about ten clips in locomotion, so moving recordings show
    it; a still one takes over the evidence of its subject's nearest one in time.
    """
    evidence = {file.name: listed.get(file.name) or _clipping_gyroscopes(file) for file in files}
    result = {}
    for file in files:
        known = evidence[file.name]
        if known is None:
            judged = [other for other in files if other.subject == file.subject and evidence[other.name] is not None]
            nearest = min(judged, key=lambda other: abs(other.start - file.start), default=None)
            known = evidence[nearest.name] if nearest else None
        result[file.name] = known or NO_SENSOR
    return result


def _clipping_gyroscopes(file: _File) -> tuple[bool, ...] | None:
    moving = np.isin(file.counts[:, 38], MOVING)
    if moving.sum() < 5 * RATE:
        return None
    clipped = (np.abs(file.gyroscope[moving]) >= FULL_SCALE).any(axis=2).mean(axis=0)
    return tuple(bool(share > 5e-4) for share in clipped)


def _recording(
    file: _File, corrupted: tuple[bool, ...], settings: EnvelopeSettings, exchanged: Collection[str]
) -> Recording:
    imu = file.counts[:, :36].copy()
    imu[np.abs(imu) > FULL_SCALE + 1] = np.nan
    imu = imu.reshape(-1, len(RIG.sensors), 6)
    imu[:, :, :3] *= ACCELEROMETER_SCALE
    imu[:, :, 3:] *= GYROSCOPE_SCALE
    imu[:, np.array(corrupted), 3:] = np.nan
    columns = [1, 0] if file.subject in exchanged else [0, 1]  # of the right and the left leg
    raw = file.counts[:, 36:38][:, columns]
    raw = np.where((raw < 0) | (raw > 255), np.nan, raw)
    return Recording(
        name=file.name,
        subject=file.subject,
        rig=RIG,
        start=file.start,
        imu=imu.astype(np.float32),
        envelope=emg_envelope(raw, RATE, settings).astype(np.float32),
        envelope_unit="count",
        muscle_weight=np.array([0.0 if (file.subject, column) in WEAK_EMG else 1.0 for column in columns]),
        condition=np.array([CONDITIONS.get(int(code), UNLABELLED) for code in file.counts[:, 38]]),
        emg=RawEmg(raw, RATE, "count"),
    )
