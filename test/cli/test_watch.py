"""`imu-emg watch` on a bag; on a node: test/ros/test_node_watch.py."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.command_line import run, strict_json

from imu_emg_estimator.cli.main import main
from imu_emg_estimator.imports.delimited_text import read_text_table


@pytest.mark.slow
def test_watch_prints_and_writes_what_was_seen(bag: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = run("watch", bag, "--json", tmp_path / "seen.json")
    content, said = strict_json(tmp_path / "seen.json"), capsys.readouterr().out
    assert status == int(set(content["seen"]) != {"OK", "WARMING_UP"})
    assert sum(content["seen"].values()) > 2000
    assert len(content["sensors"]) == 6
    assert "left_thigh" in said
    assert " estimates: " in said.splitlines()[-1] + said.splitlines()[-2]


@pytest.mark.slow
def test_watch_writes_estimates_for_opensim(bag: Path, tmp_path: Path) -> None:
    file = tmp_path / "estimates.sto"
    run("watch", bag, "--sto", file, "--json", tmp_path / "seen.json")
    table, seen = read_text_table(file), strict_json(tmp_path / "seen.json")["seen"]
    assert list(table.header[-1]) == ["time", "vastus_lateralis_right", "vastus_lateralis_left"]
    assert len(table.data) == seen.get("OK", 0) + seen.get("DEGRADED", 0)
    assert np.isfinite(table.data).all()
    assert (np.diff(table.data[:, 0]) > 0).all()
    assert 0 < table.data[0, 0] < table.data[-1, 0] < 120


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (["nowhere"], "bag nowhere does not exist"),
        (["--rate", "2"], "--bundle, --imu-topics, --rate and --sto are for a bag"),
        (["--sto", "a.sto"], "--bundle, --imu-topics, --rate and --sto are for a bag"),
    ],
)
def test_watch_refuses_bad_input(arguments: list[str], part: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["watch", *arguments]) == 2
    error = capsys.readouterr().err
    assert part in error
    assert error.count("\n") == 1
