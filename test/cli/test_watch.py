"""`imu-emg watch` on a bag; on a node: test/ros/test_node_watch.py."""

from pathlib import Path

import pytest
from fixtures.command_line import run, strict_json

from imu_emg_estimator.cli.main import main


@pytest.mark.slow
def test_watch_prints_and_writes_what_was_seen(bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run("watch", bag, "--json", tmp_path / "seen.json")
    content, said = strict_json(tmp_path / "seen.json"), capsys.readouterr().out
    assert status == int(set(content["seen"]) != {"OK", "WARMING_UP"})
    assert sum(content["seen"].values()) > 2000
    assert len(content["sensors"]) == 6
    assert "left_thigh" in said
    assert " estimates: " in said.splitlines()[-1] + said.splitlines()[-2]


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nowhere"], "bag nowhere does not exist"),
        (["--rate", "2"], "--bundle, --imu-topics and --rate are for a bag"),
    ],
)
def test_watch_refuses_bad_input(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1
