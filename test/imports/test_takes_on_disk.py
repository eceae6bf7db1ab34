"""Takes whose arrays lie on the disk."""

from pathlib import Path

import numpy as np
from fixtures.foreign_files import discover

from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.guarded_reading import read_guarded


def test_take_from_the_disk_is_the_take_that_was_read_and_not_in_memory(tmp_path: Path) -> None:
    path, arrays = discover(tmp_path / "a.csv"), tmp_path / "arrays"
    arrays.mkdir()
    take, read = read_guarded(path, arrays), read_take(path)
    assert (take.source, take.form, take.notes) == (read.source, read.form, read.notes)
    for ours, theirs in zip(take.channels, read.channels, strict=True):
        assert (ours.name, ours.unit) == (theirs.name, theirs.unit)
        assert np.array_equal(ours.values, theirs.values)
        assert np.array_equal(ours.times, theirs.times)
        assert isinstance(ours.values, np.memmap)
    assert take.channels[0].times is take.channels[5].times
