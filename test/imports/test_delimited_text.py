"""Text tables of any dialect, and what cannot be one."""

from pathlib import Path

import numpy as np
import pytest

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.delimited_text import MAX_HEADER_CHARACTERS, read_text_table

ROWS = [[0.0, 1.5, -2.25], [0.01, 1e-3, 4.0], [0.02, 7.0, 0.5], [0.03, -1.0, 0.25]]


def write(path: Path, separator: str = ",", decimal: str = ".", encoding: str = "utf-8", header: str = "t,a,b") -> Path:
    rows = [separator.join(str(value).replace(".", decimal) for value in row) for row in ROWS]
    path.write_bytes("\n".join([header.replace(",", separator), *rows, ""]).encode(encoding))
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "cp1252"])
@pytest.mark.parametrize(
    ("separator", "decimal"), [(",", "."), (";", "."), (";", ","), ("\t", ","), ("|", "."), ("  ", ".")]
)
def test_dialects_hold_the_same_numbers(tmp_path: Path, separator: str, decimal: str, encoding: str) -> None:
    header = "t,a °,b" if encoding == "cp1252" and separator != "  " else "t,a,b"
    table = read_text_table(write(tmp_path / "a.csv", separator, decimal, encoding, header))
    assert np.array_equal(table.data, ROWS)
    assert table.header[-1] == tuple(header.split(","))


def test_missing_cells_are_nan_in_every_spelling(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,a,b\n0,1,2\n1,N/A,\n2,NaN,null\n3, - ,4\n")
    expected = [[0, 1, 2], [1, np.nan, np.nan], [2, np.nan, np.nan], [3, np.nan, 4]]
    assert np.array_equal(read_text_table(path).data, expected, equal_nan=True)


def test_row_of_empty_cells_keeps_its_place_and_a_blank_line_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    for separator in (",", "\t", ";"):
        path.write_text("t,a,what\n0,1,x\n,,\n\n2,3,y\n3,4,z\n".replace(",", separator))
        table = read_text_table(path)
        assert np.array_equal(table.data[:, :2], [[0, 1], [np.nan, np.nan], [2, 3], [3, 4]], equal_nan=True)
        assert table.texts == {2: ["x", "", "y", "z"]}


def test_metadata_lines_above_the_numbers_are_no_numbers(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("# lab 7\n# rate, 100\n\ntime,acc\n" + "".join(f"{row},{row * 2}\n" for row in range(9)))
    table = read_text_table(path)
    assert table.data[:, 1].tolist() == [0, 2, 4, 6, 8, 10, 12, 14, 16]
    assert table.header == (("lab 7",), ("rate", "100"), ("time", "acc"))


def test_columns_of_text_are_kept_apart(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('t,what,"a, b"\n0,walk,1\n1,"sit, still",2\n2,,3\n')
    table = read_text_table(path)
    assert table.texts == {1: ["walk", "sit, still", ""]}
    assert np.array_equal(table.data[:, [0, 2]], [[0, 1], [1, 2], [2, 3]])
    assert table.header == (("t", "what", "a, b"),)


def test_last_line_that_is_cut_off_is_left_out_and_told(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,a,b\n0,1,2\n1,2,3\n2,3,4\n3,4")
    table = read_text_table(path)
    assert len(table.data) == 3
    assert table.notes == ("the last line (5) is cut off and was left out",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("t,a\n0,1\n1,2\n2,x7\n3,4\n4,5\n5,6\n", "line 4 holds 'x7' in column 2"),
        ("t,a\n0,1\n1,2,3\n2,3\n3,4\n4,5\n", "line 3 has 3 cells, the others have 2"),
        ("dear diary\ntoday\nI walked\n", "no table of numbers"),
        ("\x00\x01\x02" * 50, "neither text nor a known form"),
    ],
)
def test_faulty_text_is_refused_by_place(tmp_path: Path, text: str, fault: str) -> None:
    path = tmp_path / "a.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=fault):
        read_text_table(path)


def test_header_without_end_is_refused_without_reading_it_all(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with path.open("wb") as file:
        file.write(b"comment " * 1000)
        file.truncate(3 << 30)  # a sparse file: zeros are no line
    with pytest.raises(InputError):
        read_text_table(path)
    path.write_text("# comment\n" * (MAX_HEADER_CHARACTERS // 5) + "t,a\n0,1\n1,2\n")
    with pytest.raises(InputError, match="no table of numbers in its first 400 lines"):
        read_text_table(path)


def test_decimal_commas_in_quotes_may_stand_between_commas(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,a\n" + "".join(f'"0,{row}","{row},5"\n' for row in range(1, 5)))
    assert np.array_equal(read_text_table(path).data, [[row / 10, row + 0.5] for row in range(1, 5)])


def test_column_that_was_empty_up_to_a_text_is_one_of_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,a,event\n" + "".join(f"{row},{row},{'jump' if row == 450 else ''}\n" for row in range(500)))
    table = read_text_table(path)
    assert table.texts[2][449:452] == ["", "jump", ""]
    assert np.isfinite(table.data[:, :2]).all()


def test_commas_that_separate_and_stand_in_numbers_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("t,a\n0,0\n" + "".join(f"0,0{row},{row},5\n" for row in range(1, 9)))
    with pytest.raises(
        InputError, match="2 names and 4 cells a row: commas separate its cells and stand in its numbers"
    ):
        read_text_table(path)
    path.write_text("Application:,Trigno\nt,a,b,c\n" + "0.1,1,2,3\n" * 9)  # no such file: a line above has two cells
    assert read_text_table(path).data.shape == (9, 4)
