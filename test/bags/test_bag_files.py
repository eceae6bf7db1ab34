"""Files of a bag: why one cannot be read is said in the system's words, without its numbers."""

from pathlib import Path

import pytest

from imu_emg_estimator.bags.bag_files import find_files
from imu_emg_estimator.bags.read_limits import BagLimits
from imu_emg_estimator.errors import InputError


def test_find_files_gives_the_reason_of_the_system(tmp_path: Path) -> None:
    def broken_disk(path: Path) -> Path:
        raise OSError(5, "Input/output error", str(path))

    with pytest.raises(InputError, match=r"bag .* cannot be read \(Input/output error\)"):
        find_files(tmp_path, BagLimits(), broken_disk)
