"""Fixtures for tests of tables."""

from pathlib import Path

import pytest
from fixtures.csv_tables import Table, Writer, write_rows


@pytest.fixture
def write_table(tmp_path: Path) -> Writer:
    """Function that writes columns as a CSV file, NaN as an empty cell, and returns its path."""

    def write_columns(columns: Table, name: str = "anna/walk") -> Path:
        cells = [["" if value != value else value for value in values] for values in columns.values()]
        return write_rows(tmp_path / f"{name}.csv", columns, zip(*cells, strict=True))

    return write_columns
