"""Libraries that are not installed."""

import subprocess
import sys
from pathlib import Path

import pytest
from fixtures.foreign_files import discover

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.utils.optional_packages import needs

STARTS = {
    "pymatreader": b"MATLAB 5.0 MAT-file",
    "pyxdf": b"XDF:",
    "ezc3d": b"\x02\x50" + bytes(600),
    "pyedflib": b"0       ",
    "openpyxl": b"PK\x03\x04",
    "pyarrow": b"PAR1",
}


@pytest.mark.parametrize("library", STARTS)
def test_missing_library_is_named_with_the_command_that_brings_it(
    library: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "a.bin"
    path.write_bytes(STARTS[library])
    for name in (library, f"{library}.parquet"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(InputError) as caught:
        read_take(path)
    assert str(caught.value).endswith(needs(library))


def test_text_needs_none_of_them(tmp_path: Path) -> None:
    path = discover(tmp_path / "a.csv")
    lines = [
        "import sys",
        *(f"sys.modules[{name!r}] = None" for name in STARTS),
        "from pathlib import Path",
        "from imu_emg_estimator.imports.file_forms import read_take",
        f"print(len(read_take(Path({str(path)!r})).channels))",
    ]
    run = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "7"
