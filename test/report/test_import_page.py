"""The report of an import says what came from which files, and what was left out."""

from pathlib import Path

import pytest
from fixtures.command_line import run, strict_json
from fixtures.foreign_files import discover
from fixtures.html_pages import ReadPage, read_page


@pytest.fixture
def exports(tmp_path: Path) -> Path:
    """A folder with an export of Anna, one of Ben, and one that is none."""
    folder = tmp_path / "exports"
    folder.mkdir()
    for name in ("anna_curl.csv", "ben_curl.csv"):
        discover(folder / name)
    (folder / "carl_curl.csv").write_text("no table <b>")
    return folder


def imported(exports: Path, *options: str) -> tuple[ReadPage, dict[str, object]]:
    out, page, figures = (exports.parent / name for name in ("out", "a.html", "a.json"))
    arguments = ["--names", "{subject}_{condition}", "--skip-bad", "--out", out, "--json", figures, "--report", page]
    assert run("import", exports, *arguments, *options) == 0
    return read_page(page.read_text()), strict_json(figures)


def test_page_shows_recordings_channels_and_what_was_left_out(exports: Path) -> None:
    read, figures = imported(exports)
    assert "2 recordings of 2 subjects, 0.1 minutes: 2 files were written; 1 files were left out." in read.text
    row = read.row("anna_curl")
    assert row[1:4] == ["anna", "curl", "4.0 s"]
    assert row[4].endswith("anna_curl.csv")
    mapping = figures["mapping"]
    assert isinstance(mapping, dict)
    for channel, column in mapping.items():
        assert read.row(channel)[1] == ("not used" if column == "none" else column)
    left_out = figures["left_out"]
    assert isinstance(left_out, dict)
    assert [name.endswith("carl_curl.csv") for name in left_out] == [True]
    assert all([name, reason] in read.cells for name, reason in left_out.items())


def test_page_of_a_dry_run_says_that_nothing_was_written(exports: Path) -> None:
    read, _ = imported(exports, "--dry-run")
    assert "nothing was written but the mapping" in read.text
    assert "correct mapping.yaml" in read.text
