"""Takes whose arrays lie on the disk until they are used: a data set may be larger than the memory."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from imu_emg_estimator.imports.channels import Array, Take

EMPTY: Array = np.empty(0)
TIMES, VALUES = "times", "values"


def put_on_disk(take: Take, folder: Path) -> Take:
    """Write the arrays of a take to a folder of its own in ``folder``; returns the take without them."""
    own = Path(tempfile.mkdtemp(dir=folder))
    clocks: dict[int, int] = {}
    for index, channel in enumerate(take.channels):
        np.save(own / f"{VALUES}{index}.npy", channel.values)
        clock = clocks.setdefault(id(channel.times), index)
        if clock == index:
            np.save(own / f"{TIMES}{index}.npy", channel.times)
        else:
            (own / f"{TIMES}{index}.npy").symlink_to(own / f"{TIMES}{clock}.npy")
    return replace(take, channels=tuple(replace(c, times=EMPTY, values=EMPTY) for c in take.channels), folder=own.name)


def taken_from_disk(take: Take, folder: Path) -> Take:
    """Return the take with arrays that are read from the disk where they are used."""
    own = folder / take.folder
    clocks: dict[Path, Array] = {}
    channels = []
    for index, channel in enumerate(take.channels):
        clock = (own / f"{TIMES}{index}.npy").resolve()
        if clock not in clocks:
            clocks[clock] = np.load(clock, mmap_mode="r")
        values = np.load(own / f"{VALUES}{index}.npy", mmap_mode="r")
        channels.append(replace(channel, times=clocks[clock], values=values))
    return replace(take, channels=tuple(channels))
