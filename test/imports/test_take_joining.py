"""Files of one take on one clock."""

from pathlib import Path

import pytest
from fixtures.foreign_files import myo_pair

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.take_joining import join_takes


def test_takes_that_do_not_overlap_are_refused(tmp_path: Path) -> None:
    parts = [read_take(path) for path in myo_pair(tmp_path, emg_offset_ms=9000)]
    with pytest.raises(InputError, match=r"do not overlap in time: one ends 5.0 s before the other begins"):
        join_takes(parts)
