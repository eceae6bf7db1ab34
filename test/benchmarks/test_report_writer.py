"""Reports are small, and the stored ones are what the report writer makes of their figures."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from benchmarks.accuracy import accuracy_report
from benchmarks.latency import latency_report
from benchmarks.report_writer import MAX_JSON_BYTES, compact_json, table_head, table_row, write_report

STORED = Path(__file__).parents[2] / "benchmarks" / "results"


def test_compact_json_keeps_innermost_containers_on_a_line() -> None:
    content = {"a": {"b": [1, 2.5, None], "c": {}}, "d": [{"e": "x, [y]"}, {"f": []}]}
    text = compact_json(content).decode()
    assert json.loads(text) == content
    assert '"b": [1, 2.5, null]' in text
    assert '"c": {}' in text


def test_table_has_rule_under_head() -> None:
    assert list(table_head(["a", "b"], "---:")) == ["| a | b |", "| --- | ---: |"]
    assert table_row(["x", 1]) == "| x | 1 |"


def test_write_report_writes_figures_table_and_pictures(tmp_path: Path) -> None:
    drawn: list[Any] = []
    write_report(tmp_path, {"a": 1}, "# A\n", lambda results, folder: drawn.append((results, folder)))
    assert json.loads((tmp_path / "results.json").read_text()) == {"a": 1}
    assert (tmp_path / "table.md").read_text() == "# A\n"
    assert drawn == [({"a": 1}, tmp_path)]


def test_write_report_warns_of_results_too_large_to_keep(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_report(tmp_path, {"a": "x" * MAX_JSON_BYTES}, "", lambda *_: None)
    assert "too many to keep in the repository" in capsys.readouterr().err


def test_stored_results_are_small() -> None:
    files = list(STORED.rglob("*.json"))
    assert files
    assert max(file.stat().st_size for file in files) <= MAX_JSON_BYTES


@pytest.mark.parametrize(
    ("name", "markdown"),
    [
        ("accuracy", accuracy_report.markdown),
        ("accuracy_curls", accuracy_report.markdown),
        ("latency", latency_report.markdown),
    ],
)
def test_stored_tables_match_stored_results(name: str, markdown: Callable[[Any], str]) -> None:
    results = json.loads((STORED / name / "results.json").read_text())
    assert (STORED / name / "table.md").read_text() == markdown(results)
