"""Files of every form with bytes changed at random: read, or refused in one sentence, and no reader takes long."""

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import discover, myo_pair
from fixtures.xdf_files import write_xdf
from imports.test_c3d_channels import write as write_c3d
from imports.test_edf_channels import write as write_edf
from imports.test_excel_channels import HEADER, ROWS
from imports.test_excel_channels import write as write_excel
from imports.test_mat_channels import write_v5, write_v73
from imports.test_xdf_channels import EMG, IMU

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.guarded_reading import read_guarded

MAX_READ_S, LONGEST_S = 10.0, 60.0
MAT = {"acc": np.ones((400, 3)), "emg": np.ones(400), "fs": 100.0}
FORMS: dict[str, Callable[[Path], Path]] = {
    "discover": discover,
    "myo": lambda path: myo_pair(path.parent)[0],
    "mat": lambda path: write_v5(path, MAT),
    "mat73": lambda path: write_v73(path, MAT),
    "xdf": lambda path: write_xdf(path, [IMU, EMG]),
    "c3d": write_c3d,
    "edf": lambda path: write_edf(path, "EDF"),
    "xlsx": lambda path: write_excel(path, HEADER, *ROWS),
}


@pytest.mark.hostile
@pytest.mark.parametrize("form", FORMS)
def test_mutated_files_are_read_or_refused_in_one_sentence(form: str, tmp_path: Path) -> None:
    path = FORMS[form](tmp_path / f"a.{form}")
    whole = np.frombuffer(path.read_bytes(), dtype=np.uint8)
    for seed in range(15):
        rng = np.random.default_rng(seed)
        bytes_ = whole.copy()
        head = 600 if seed % 2 else len(bytes_)  # every other time only where sizes and offsets stand
        places = rng.integers(0, head, 1 + seed)
        bytes_[places] = rng.integers(0, 256, len(places))
        path.write_bytes(bytes_.tobytes()[: len(bytes_) if seed % 3 else rng.integers(1, len(bytes_))])
        sentence = refusal_of(path)
        assert "\n" not in sentence
        assert not sentence or str(path) in sentence


def refusal_of(path: Path) -> str:
    """Read a file within its time; return why it was refused, '' if it was not."""
    begin = time.monotonic()
    try:
        read_guarded(path, max_s=MAX_READ_S)
    except InputError as refusal:
        return str(refusal)
    finally:
        assert time.monotonic() - begin < LONGEST_S
    return ""
