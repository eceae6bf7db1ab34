"""Excel workbooks."""

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.foreign_files import by_name

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.file_forms import read_take

openpyxl = pytest.importorskip("openpyxl", reason="openpyxl is not installed; pip install 'imu_emg_estimator[import]'")

HEADER = ["time [s]", "shank acc x", "mood", "EMG soleus"]
ROWS = [[row / 100, row / 7, "good" if row else None, -row] for row in range(50)]


def write(path: Path, *rows: list[Any], title: str = "Data", first: list[list[Any]] | None = None) -> Path:
    book = openpyxl.Workbook()
    sheet = book.active
    sheet.title = "Notes"
    for row in first or [["made by hand"]]:
        sheet.append(row)
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append(row)
    book.save(path)
    return path


def test_first_sheet_with_numbers_is_read_with_its_units_row(tmp_path: Path) -> None:
    take = read_take(write(tmp_path / "a.xlsx", ["Lab 7"], HEADER, ["s", "g", None, "mV"], *ROWS))
    assert (take.form, list(by_name(take))) == ("Excel", ["shank acc x", "EMG soleus"])
    assert [channel.unit for channel in take.channels] == ["g", "mV"]
    assert np.allclose(take.channels[0].values, np.arange(50) / 7, rtol=1e-14)
    assert np.allclose(take.channels[1].times, np.arange(50) / 100)
    assert "column 'mood' holds text and was left out" in take.notes
    assert take.notes[-1] == "sheet 'Data'"


def test_empty_row_is_a_missing_sample_of_a_column_with_a_rate(tmp_path: Path) -> None:
    rows: list[list[object]] = [[1.0, 2.0], [None, None], [3.0, 4.0], [None, None], [None, None]]
    take = read_take(write(tmp_path / "a.xlsx", ["acc x", "EMG 1"], ["100 Hz", "100 Hz"], *rows))
    assert np.array_equal(take.channels[0].values, [1.0, np.nan, 3.0], equal_nan=True)
    assert take.channels[1].times[2] == pytest.approx(0.02)


def test_formulas_without_values_and_links_are_no_numbers(tmp_path: Path) -> None:
    rows = [[f"={row}/100", f"='[http://example.org/a.xlsx]S'!A{row + 1}", None, "=1+1"] for row in range(50)]
    with pytest.raises(InputError, match="if its cells are formulas, save it once in Excel, or as values"):
        read_take(write(tmp_path / "a.xlsx", HEADER, *rows))


def test_text_among_numbers_is_refused_by_cell(tmp_path: Path) -> None:
    rows = [list(row) for row in ROWS]
    rows[7][1] = "about 3"
    with pytest.raises(InputError, match="row 9 holds 'about 3' in column 2"):
        read_take(write(tmp_path / "a.xlsx", HEADER, *rows))


def test_truncated_files_and_other_archives_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", HEADER, *ROWS)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(InputError, match="cut off or damaged"):
        read_take(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("a.csv", "t,a\n0,1\n")
    with pytest.raises(InputError, match="is an archive, not an Excel file"):
        read_take(path)


def test_workbook_that_expands_to_gigabytes_is_refused_unread(tmp_path: Path) -> None:
    path = write(tmp_path / "a.xlsx", HEADER, *ROWS)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        for number in range(3):
            with archive.open(f"xl/bomb{number}.xml", "w", force_zip64=True) as bomb:
                for _ in range(16):
                    bomb.write(bytes(1 << 20))
    with zipfile.ZipFile(path) as archive:
        assert archive.testzip() is None
    content = path.read_bytes().replace((16 << 20).to_bytes(4, "little"), (0x7FFFFFF0).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(InputError, match="expands further than measured numbers do"):
        read_take(path)


def test_sheets_of_one_take_are_read_together_and_like_ones_are_told(tmp_path: Path) -> None:
    book = openpyxl.Workbook()
    for title, name in (("Settings", "age"), ("Thigh", "acc x"), ("EMG", "soleus"), ("EMG 2", "soleus")):
        sheet = book.create_sheet(title)
        sheet.append(["time [s]" if title != "Settings" else "mass", name])
        for row in range(50):
            sheet.append([str(row / 100), row])  # numbers stored as text, too
    book.create_sheet("EMG 2 again")
    book.save(tmp_path / "a.xlsx")
    take = read_take(tmp_path / "a.xlsx")
    assert list(by_name(take)) == ["Thigh: acc x", "EMG: soleus", "EMG 2: soleus"]
    assert take.notes[-1] == "sheets 'Thigh', 'EMG', 'EMG 2'"
