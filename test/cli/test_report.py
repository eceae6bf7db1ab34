"""`imu-emg report`, and `--report` of other commands."""

from pathlib import Path

import pytest
from fixtures.calibration_actions import FIRST
from fixtures.command_line import refused, run, strict_json
from fixtures.factories import RecordingFactory
from fixtures.html_pages import read_page

from imu_emg_estimator.bags import write_bag


def test_report_of_a_stored_calibration(two: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out, path = tmp_path / "anna.html", tmp_path / "anna.json"
    assert run("report", FIRST, "--directory", two, "--out", out, "--json", path) == 0
    assert f"wrote {out}" in capsys.readouterr().out
    read, figures = read_page(out.read_text()), strict_json(path)
    assert read.row("vastus lateralis left")[2] == f"{figures['r_before'][1]:.2f} → {figures['r_after'][1]:.2f}"
    assert f"imu-emg report {FIRST}" in read.text  # how it was made
    assert run("report", two / "anna" / f"{FIRST}.safetensors", "--out", out) == 0  # a report may be replaced


def test_report_takes_its_name_from_the_thing(two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run("report", FIRST, "--directory", two) == 0
    assert (tmp_path / f"{FIRST}.html").is_file()


@pytest.mark.parametrize(
    ("thing", "part"),
    [
        ("bob-20250102T000000-aaaaaa", "holds no calibration"),
        ("../x", "no id of a calibration"),
        ("<script>", "no id of a calibration"),
        ("missing.safetensors", "missing.safetensors"),
    ],
)
def test_report_refuses_unknown_things(
    thing: str, part: str, two: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "a.html"
    assert part in refused(capfd, "report", thing, "--directory", two, "--out", out)
    assert not out.exists()


def test_report_refuses_a_bundle_that_is_no_calibration(
    base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert "no subject's calibration" in refused(capfd, "report", base, "--out", tmp_path / "a.html")


def test_report_replaces_no_other_file(
    two: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / f"{FIRST}.html"
    other.write_text("<html>my page</html>")
    for arguments in (["--out", other], ["--out", tmp_path / "a.md"], ["--out", tmp_path]):
        refused(capfd, "report", FIRST, "--directory", two, *arguments)
    monkeypatch.chdir(tmp_path)
    assert "is not a report" in refused(capfd, "report", FIRST, "--directory", two)
    assert other.read_text() == "<html>my page</html>"


@pytest.mark.slow
def test_calibrate_writes_the_same_report_as_the_stored_calibration(bag: Path, tiny: Path, tmp_path: Path) -> None:
    out, again, store = tmp_path / "a.html", tmp_path / "b.html", tmp_path / "store"
    arguments = ["--bundle", tiny, "--bag", bag, "--store", store, "--subject", "anna", "--report", out]
    assert run("calibrate", *arguments) == 0
    (stored,) = store.glob("anna/*.safetensors")
    assert run("report", stored.stem, "--directory", store, "--out", again) == 0
    assert read_page(out.read_text()).cells == read_page(again.read_text()).cells
    assert len(read_page(again.read_text()).named("svg")) == 2


@pytest.mark.slow
def test_report_of_a_bag_equals_that_of_inspect(make_recording: RecordingFactory, tmp_path: Path) -> None:
    bag = tmp_path / "walk"
    write_bag(make_recording([("walking", 15.0)]), bag)
    out, again, path = tmp_path / "a.html", tmp_path / "b.html", tmp_path / "a.json"
    assert run("report", bag, "--out", out, "--json", path) == 0
    assert run("inspect", bag, "--report", again) == 0
    read, findings = read_page(out.read_text()), strict_json(path)["findings"]
    assert read.cells == read_page(again.read_text()).cells
    assert read.row("vastus lateralis left")[1] == f"{findings['scores']['vastus_lateralis_left']['r']:.2f}"


def test_report_refuses_a_folder_that_is_no_bag(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "empty").mkdir()
    assert "empty" in refused(capfd, "report", tmp_path / "empty", "--out", tmp_path / "a.html")


def test_inspect_reports_on_no_other_kinds(base: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    assert "no subject's calibration" in refused(capfd, "inspect", base, "--report", tmp_path / "a.html")
    assert not (tmp_path / "a.html").exists()
