"""The demo, shortened: node, player and calibration as processes, and a report of what was published."""

import json
import math
import sys
from pathlib import Path

import pytest

from examples.demo import __main__ as demo
from examples.demo import demo_playback

PLAYED_S = 10.0
RATE = 58.8


def test_demo_of_a_simulated_subject_from_end_to_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """How many messages are lost, and how late they come, depends on the machine; test_demo_report has the figures."""
    monkeypatch.setattr(demo, "CALIBRATION_DURATION_S", 16.0)
    for limit in ("STARTUP_LIMIT_S", "CALIBRATION_LIMIT_S"):
        monkeypatch.setattr(demo_playback, limit, 1000.0)
    assert demo.main(["--seconds", f"{PLAYED_S:g}", "--out", str(tmp_path)]) == 0
    said = capfd.readouterr().out
    assert "SIMULATED subject" in said
    assert "vastus_lateralis_right" in said  # the bars
    report = json.loads((tmp_path / "report.json").read_text())
    assert report["source"] == "simulated"
    assert 0 < report["publish_rate_hz"] < 1.5 * RATE
    assert 0 <= report["messages_lost"] < 2 * PLAYED_S * RATE
    assert 0 < report["age_s"]["p50"] <= report["age_s"]["p99"] < 0.5  # older ones are STALE
    assert all(math.isfinite(report[f"{figure}_{when}"]) for figure in ("r", "r2") for when in ("before", "after"))
    assert report["r2_by_muscle"]["before"].keys() == {"vastus_lateralis_right", "vastus_lateralis_left"}
    assert "R² before, after" in said
    assert report["calibration_wall_s"] > 0
    assert report["calibration_message"] in said
    assert "held out in turn" in report["calibration_message"]  # it was judged, not refused
    assert report["calibrated"] == ("adapted to" in report["calibration_message"])
    assert ("NOT CALIBRATED" in said) != report["calibrated"]
    assert (tmp_path / "before_and_after.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("process", "program", "said"),
    [
        ("PLAYER", "import sys; sys.exit('no such bag')", "the player of judged_part ended with status 1: no such bag"),
        ("PLAYER", "import sys; sys.exit(3)", "the player of judged_part ended with status 3: it said nothing"),
        ("PLAYER", "pass", "the node gave 0 estimates and "),
        ("NODE", "import sys; sys.exit(5)", "the node ended with status 5; see its messages above"),
    ],
)
def test_demo_says_in_one_line_what_failed(
    process: str,
    program: str,
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(demo, "CALIBRATION_DURATION_S", 16.0)
    monkeypatch.setattr(demo_playback, "STARTUP_LIMIT_S", 1000.0)
    monkeypatch.setattr(demo_playback, process, (sys.executable, "-c", program))
    assert demo.main(["--seconds", f"{PLAYED_S:g}", "--out", str(tmp_path)]) == 1
    errors = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("[")]
    assert errors[-1].startswith(f"demo: {said}")
    assert not any("Traceback" in line for line in errors)


def test_demo_names_missing_data_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert demo.main(["--data", str(tmp_path / "missing"), "--out", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("demo: ")
    assert str(tmp_path / "missing") in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("arguments", [["--seconds", "5"], ["--seconds", "1e9"], ["--seed", "-1"]])
def test_demo_refuses_arguments_out_of_bounds(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as end:
        demo.main(arguments)
    assert end.value.code == 2
