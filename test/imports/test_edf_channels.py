"""EDF and BDF files."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import emg_mv, imu_g

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.file_forms import read_take

pyedflib = pytest.importorskip("pyedflib", reason="pyedflib is not installed; pip install 'imu_emg_estimator[import]'")

NAMES = [*(f"shank acc {axis}" for axis in "xyz"), "EMG soleus"]
UNITS = ["g", "g", "g", "mV"]


def write(path: Path, form: str) -> Path:
    kind = {"EDF": pyedflib.FILETYPE_EDFPLUS, "BDF": pyedflib.FILETYPE_BDFPLUS}[form]
    limit = {"EDF": 32767, "BDF": 8388607}[form]
    with pyedflib.EdfWriter(str(path), len(NAMES), file_type=kind) as writer:
        writer.setSignalHeaders(
            [
                {
                    "label": name, "dimension": unit, "sample_frequency": 1000 if "EMG" in name else 100,
                    "physical_max": 2.0, "physical_min": -2.0, "digital_max": limit, "digital_min": -limit - 1,
                    "prefilter": "", "transducer": "",
                }
                for name, unit in zip(NAMES, UNITS, strict=True)
            ]
        )  # fmt: skip
        writer.writeSamples([*np.ascontiguousarray(imu_g()[:, :3].T), emg_mv()])
    return path


@pytest.mark.parametrize(("form", "step"), [("EDF", 4 / 65535), ("BDF", 4 / 16777215)])
def test_signals_have_their_own_rates_units_and_values(tmp_path: Path, form: str, step: float) -> None:
    take = read_take(write(tmp_path / f"a.{form.lower()}", form))
    assert take.form == form
    assert [(channel.name, channel.unit) for channel in take.channels] == list(zip(NAMES, UNITS, strict=True))
    expected = [*imu_g()[:, :3].T, emg_mv()]
    for channel, values, rate in zip(take.channels, expected, (100, 100, 100, 1000), strict=True):
        assert channel.rate == rate
        assert np.allclose(channel.values, values, atol=step)  # one step of the converter


def test_truncated_file_is_refused_in_a_sentence(tmp_path: Path) -> None:
    path = write(tmp_path / "a.edf", "EDF")
    whole = path.read_bytes()
    for length in (100, 700, len(whole) - 500):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match="is not a readable EDF file"):
            read_take(path)
