"""Storage files of OpenSim: the header it documents, and numbers that come back."""

from pathlib import Path

import numpy as np

from imu_emg_estimator.imports.delimited_text import read_text_table
from imu_emg_estimator.utils.storage_file import write_storage


def test_storage_file_has_the_header_of_opensim(tmp_path: Path) -> None:
    write_storage(tmp_path / "a.sto", "walk", ["vasti", "soleus"], [[0.0, 0.25, 1.0], [0.017, 0.5, 0.0]])
    assert (tmp_path / "a.sto").read_text() == (
        "walk\nversion=1\nnRows=2\nnColumns=3\ninDegrees=no\nendheader\ntime\tvasti\tsoleus\n"
        "0.000000\t0.250000\t1.000000\n0.017000\t0.500000\t0.000000\n"
    )


def test_storage_file_is_read_as_an_import_reads_it(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((50, 3))
    write_storage(tmp_path / "a.sto", "walk", ["vasti", "soleus"], rows.tolist())
    table = read_text_table(tmp_path / "a.sto")
    assert table.header[-1] == ("time", "vasti", "soleus")
    np.testing.assert_allclose(table.data, rows, atol=1e-6)
