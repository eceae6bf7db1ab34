"""The benchmark end to end on a simulated subject: it runs, resumes, and its report holds what was asked for."""

import json
from pathlib import Path

import pytest

from benchmarks.__main__ import main
from benchmarks.reliability import placement_trials, reliability_command
from benchmarks.reliability.fault_cases import CASES

ALWAYS_TOLD = ("sides exchanged", "all axes negated")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("reliability")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reliability_command, "SIMULATED_SUBJECTS", 1)
        options = ["--cases", "frozen-one,clock_offset-0.4-all", "--minutes", "1", "--buffers", "500", "--workers", "1"]
        only = ["--only", "faults,clean,random,bytes"]
        status = main(["reliability", "--out", str(folder), "--clean-minutes", "0.5", *only, *options])
    assert status == 0
    return folder


@pytest.mark.slow
def test_report_has_every_part_that_was_run(report: Path) -> None:
    results = json.loads((report / "results.json").read_text())
    assert set(results["groups"]) == {"frozen", "clock that leaps", "clock on another time from the start"}
    assert results["clean"]["locomotion"]["minutes"] > 0
    assert results["random"] == {"minutes": 1, "stuck": []}
    assert results["bytes"][0]["buffers"] == 500
    assert results["exceptions"] == []
    table = (report / "table.md").read_text()
    assert "| wrong input published as OK or unnamed, later than 100 ms (250 ms by statistics) | 0 messages |" in table
    assert "nan" not in table


@pytest.mark.slow
def test_report_tells_how_soon_placement_errors_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reliability_command, "SIMULATED_SUBJECTS", 1)
    monkeypatch.setattr(placement_trials, "TRIALS", 1)
    errors = {name: placement_trials.ERRORS[name] for name in ALWAYS_TOLD}
    monkeypatch.setattr(placement_trials, "ERRORS", errors)
    assert main(["reliability", "--out", str(tmp_path), "--only", "placement", "--workers", "1"]) == 0
    found = json.loads((tmp_path / "results.json").read_text())["placement"]
    assert set(found) == set(errors)
    for row in found.values():
        assert (row["trials"], row["named_within"], row["effect_unnamed"]) == (1, {"3": 1.0, "10": 1.0}, 0.0)
    assert "| sides exchanged | 1 |" in (tmp_path / "table.md").read_text()


@pytest.mark.slow
def test_report_alone_runs_nothing(report: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = (report / "table.md").read_text()
    monkeypatch.setattr(reliability_command, "run_jobs", None)
    assert main(["reliability", "--out", str(report), "--report"]) == 0
    assert (report / "table.md").read_text() == before


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--only", "all"], "'all' is no part; choose from faults"),
        (["--report"], "holds no run; run the benchmark"),
        (["--only", "faults", "--cases", "nosuch"], "no fault has a name that begins with nosuch"),
    ],
)
def test_bad_options_are_refused(
    options: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["reliability", "--out", str(tmp_path), *options]) == 2
    assert told in capsys.readouterr().err


def test_names_of_cases_are_unique() -> None:
    assert len({case.name for case in CASES}) == len(CASES)
