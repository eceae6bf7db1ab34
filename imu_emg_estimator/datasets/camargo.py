"""Camargo 2021: four IMUs and eleven EMG channels on the right side, exported from MATLAB to CSV or Parquet.

Source: Camargo, Ramanathan, Flanagan and Young, "A comprehensive, open-source dataset of lower limb biomechanics
in multiple conditions of stairs, ramps, and level-ground ambulation and transitions", Journal of Biomechanics 119
(2021) 110320, doi 10.1016/j.jbiomech.2021.110320. How to export it: docs/datasets.md.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.datasets.subject_files import chosen_subjects, map_in_parallel, with_trusted_channels
from imu_emg_estimator.datasets.table_columns import SUFFIXES, read_numbers, read_texts, table_files
from imu_emg_estimator.datasets.table_resampling import (
    MAX_IMU_GAP_S,
    check_overlap,
    envelope_on_grid,
    grid_of,
    interpolate,
    latest_value,
    resample_emg,
    sample_rate,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import UNLABELLED, FloatArray, Recording
from imu_emg_estimator.rig import Muscle, Rig, Sensor
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings
from imu_emg_estimator.signals.imu_units import acceleration_unit, rate_unit

RATE_HZ = 200.0  # Hz, IMUs
EMG_RATE_HZ = 1000.0  # Hz
RATE_TOLERANCE = 0.01  # share
TIME_COLUMN = "Header"  # name of the column of instants [s] in every table

SENSORS = {"foot": "right_foot", "shank": "right_shank", "thigh": "right_thigh", "trunk": "trunk"}
MUSCLES = {
    "gastrocmed": "gastrocnemius_medialis",
    "tibialisanterior": "tibialis_anterior",
    "soleus": "soleus",
    "vastusmedialis": "vastus_medialis",
    "vastuslateralis": "vastus_lateralis",
    "rectusfemoris": "rectus_femoris",
    "bicepsfemoris": "biceps_femoris",
    "semitendinosus": "semitendinosus",
    "gracilis": "gracilis",
    "gluteusmedius": "gluteus_medius",
    "rightexternaloblique": "external_oblique",
}
RIG = Rig(
    name="camargo",
    rate=RATE_HZ,
    sensors=tuple(
        Sensor(name, segment, "centre" if segment == "trunk" else "right") for segment, name in SENSORS.items()
    ),
    muscles=tuple(Muscle(f"{name}_right", name, "right") for name in MUSCLES.values()),
)
IMU_COLUMNS = [f"{segment}_{kind}_{axis}" for segment in SENSORS for kind in ("Accel", "Gyro") for axis in "XYZ"]

# Activity of a trial without labels.
MODES = {"treadmill": "walking", "levelground": "walking", "ramp": "ramp", "stair": "stairs"}
# A transition counts as the terrain that it enters or leaves; starting, turning and stopping count as walking.
LABELS = {
    "idle": UNLABELLED,
    "stand": "standing",
    "walk": "walking",
    "turn1": "walking",
    "turn2": "walking",
    "stand-walk": "walking",
    "walk-stand": "walking",
    "jog": "running",
    **{
        label: condition
        for terrain, condition in {
            "rampascent": "ramp_up",
            "rampdescent": "ramp_down",
            "stairascent": "stairs_up",
            "stairdescent": "stairs_down",
        }.items()
        for label in (terrain, f"walk-{terrain}", f"{terrain}-walk")
    },
}
MIN_BELT_SPEED_MPS = 0.1  # below, the treadmill stands still

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Trial:
    """Path of one trial: SUBJECT/DATE/MODE/imu/NAME.csv, with the other sensors' folders beside imu."""

    folder: Path  # SUBJECT/DATE/MODE
    file: str

    @property
    def subject(self) -> str:
        return self.folder.parts[-3]

    @property
    def mode(self) -> str:
        return self.folder.name

    @property
    def name(self) -> str:
        return "/".join([*self.folder.parts[-3:], Path(self.file).stem])

    @property
    def session(self) -> float:
        return _session_start(self.folder.parent.name)

    def table(self, sensor: str) -> Path:
        """Return the path of this sensor's table in either format; raise InputError if there is none."""
        if path := self.optional(sensor):
            return path
        raise InputError(
            f"{self.folder / sensor / self.file} is missing, although another sensor's table of the trial exists; "
            "export it, or remove the trial"
        )

    def optional(self, sensor: str) -> Path | None:
        stem = self.folder / sensor / Path(self.file).stem
        return next((path for suffix in SUFFIXES if (path := stem.with_name(stem.name + suffix)).is_file()), None)


@dataclass(frozen=True)
class _Parsed:
    """One trial on the grid; ``imu`` is still in the file's units.

    Attributes:
        start: seconds since 1970.
        imu: [samples, sensors, 6].
        envelope: [samples, muscles] in mV.
        condition: [samples].
        unknown: labels that are not in ``LABELS``.
    """

    trial: _Trial
    start: float
    imu: FloatArray
    envelope: FloatArray
    condition: NDArray[np.str_]
    unknown: frozenset[str]


def subjects(folder: Path) -> list[str]:
    """List the subjects of the folder's trials, sorted."""
    return sorted({trial.subject for trial in _trials(folder)})


def load(
    folder: Path,
    only: Collection[str] | None = None,
    settings: EnvelopeSettings | None = None,
    workers: int = 1,
) -> list[Recording]:
    """Load the trials, ordered by subject, date, mode and name.

    Acceleration and angular rate are converted to m/s² and rad/s. Their units are detected by gravity and by the
    subject's fastest movements, and logged as a warning. The raw EMG, gigabytes in total, is not kept. It was
    published band-passed at 20 to 400 Hz, so the high-pass of the default settings removes nothing more.

    Args:
        folder: holds SUBJECT/DATE/MODE/SENSOR/TRIAL.csv or .parquet.
        only: subjects to load; None = all.
        settings: filters of the envelope; None = the default ones.
        workers: number of processes that parse trials in parallel.

    Raises:
        InputError: a folder, file or column is missing, or a rate or unit is wrong.
    """
    trials = _trials(folder)
    chosen = chosen_subjects(folder, [trial.subject for trial in trials], only)
    trials = [trial for trial in trials if trial.subject in chosen]
    parse = partial(_parse, settings=settings or EnvelopeSettings())
    parsed = map_in_parallel(parse, trials, workers)
    if unknown := sorted(frozenset().union(*(part.unknown for part in parsed))):
        logger.warning("unknown Camargo labels were read as unlabelled: %s", ", ".join(unknown))
    return with_trusted_channels([recording for recordings in _by_subject(parsed) for recording in recordings])


def _trials(folder: Path) -> list[_Trial]:
    folder = Path(folder)
    if not folder.is_dir():
        raise InputError(f"data folder {folder} does not exist; give the folder that holds AB06, AB07, ...")
    found = {
        _Trial(place.parent, f"{path.stem}.csv")
        for mode in MODES
        for sensor in ("imu", "emg")
        for place in folder.glob(f"*/*/{mode}/{sensor}")
        for path in table_files(place)
    }
    if found:
        return sorted(found, key=lambda trial: (trial.subject, trial.session, trial.name))
    if any(folder.glob("*/*/*/imu/*.mat")):
        raise InputError(
            f"data folder {folder} holds MATLAB tables, which only MATLAB reads; export them as docs/datasets.md says"
        )
    raise InputError(
        f"data folder {folder} holds no SUBJECT/DATE/MODE/imu/TRIAL.csv or .parquet, where MODE is one of "
        f"{', '.join(MODES)}; see docs/datasets.md"
    )


def _session_start(date: str) -> float:
    """Parse a folder name such as 10_09_18 or 03_09_2019 (month, day, year) to seconds since 1970; else return 0."""
    for form in ("%m_%d_%y", "%m_%d_%Y"):
        try:
            return datetime.strptime(date, form).replace(tzinfo=timezone.utc).timestamp()
        except ValueError:
            continue
    return 0.0


def _parse(trial: _Trial, settings: EnvelopeSettings) -> _Parsed:
    path = trial.table("imu")
    times, imu = _table(path, IMU_COLUMNS, RATE_HZ)
    grid = grid_of(path, times, RATE_HZ)
    path = trial.table("emg")
    emg_times, emg = _table(path, list(MUSCLES), EMG_RATE_HZ)
    raw, rate = resample_emg(path, emg_times, emg, grid, TIME_COLUMN)
    envelope = envelope_on_grid(path, raw, rate, grid, settings)
    check_overlap(path, envelope, RATE_HZ)
    condition, unknown = _condition(trial, grid)
    on_grid = interpolate(times, imu, grid, MAX_IMU_GAP_S).reshape(len(grid), len(SENSORS), 6)
    start = trial.session + float(grid[0])
    return _Parsed(trial, start, on_grid.astype(np.float32), envelope.astype(np.float32), condition, unknown)


def _table(path: Path, names: list[str], rate: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Read instants [rows] in s and columns [rows, names] of a table that must have this rate [Hz]."""
    rows = read_numbers(path, [TIME_COLUMN, *names])
    found = sample_rate(path, rows[:, 0], TIME_COLUMN)
    if abs(found / rate - 1) > RATE_TOLERANCE:
        raise InputError(f"{path} has {found:g} rows a second, the data set has {rate:g}; export the table as it is")
    return rows[:, 0], rows[:, 1:]


def _condition(trial: _Trial, grid: NDArray[np.float64]) -> tuple[NDArray[np.str_], frozenset[str]]:
    """Return the activity [samples] on the grid, and the unknown labels."""
    path = trial.optional("conditions")
    if path is None:
        return np.full(len(grid), MODES[trial.mode]), frozenset()
    if trial.mode == "treadmill":
        times, speed = read_numbers(path, [TIME_COLUMN, "Speed"]).T
        moving = latest_value(times, np.abs(speed) >= MIN_BELT_SPEED_MPS, grid, True)
        return np.where(moving, "walking", "standing"), frozenset()
    times = read_numbers(path, [TIME_COLUMN])[:, 0]
    labels = np.char.lower(read_texts(path, "Label"))
    present, index = np.unique(labels, return_inverse=True)
    names = np.array([LABELS.get(str(label), UNLABELLED) for label in present])
    unknown = frozenset(str(label) for label in present if label and str(label) not in LABELS)
    return latest_value(times, names[index], grid, UNLABELLED), unknown


def _by_subject(parsed: list[_Parsed]) -> Iterator[list[Recording]]:
    found: dict[tuple[str, str], list[str]] = {}
    for subject in dict.fromkeys(part.trial.subject for part in parsed):
        own = [part for part in parsed if part.trial.subject == subject]
        acceleration, rate, scale = _units(subject, np.concatenate([part.imu for part in own]))
        found.setdefault((acceleration, rate), []).append(subject)
        yield [_recording(part, scale) for part in own]
    for (acceleration, rate), names in found.items():
        logger.warning(
            "Camargo %s: acceleration is in %s, angular rate in %s, by gravity and the fastest movements",
            ", ".join(names), acceleration, rate,
        )  # fmt: skip


def _units(subject: str, imu: FloatArray) -> tuple[str, str, FloatArray]:
    """Detect the units of acceleration and angular rate; return them and their size [6] in m/s² and rad/s."""
    acceleration = acceleration_unit(imu)
    if acceleration is None:
        median = np.nanmedian(np.linalg.norm(imu[..., :3], axis=-1))
        raise InputError(
            f"the accelerations of {subject} have a median magnitude of {median:.3g}, which is gravity neither in "
            "g nor in m/s²; export the imu tables as they are"
        )
    rate = rate_unit(imu)
    return acceleration[0], rate[0], np.repeat([acceleration[1], rate[1]], 3)


def _recording(part: _Parsed, scale: FloatArray) -> Recording:
    return Recording(
        name=part.trial.name,
        subject=part.trial.subject,
        rig=RIG,
        start=part.start,
        imu=(part.imu * scale).astype(np.float32),
        envelope=part.envelope,
        envelope_unit="mV",
        muscle_weight=np.ones(len(MUSCLES)),
        condition=part.condition,
    )
