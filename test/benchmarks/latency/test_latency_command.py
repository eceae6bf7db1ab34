"""``python -m benchmarks latency`` without ROS: all fields, nothing measured twice, bad input refused."""

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.__main__ import main
from benchmarks.latency import latency_command as command
from benchmarks.latency import measurement_plan as plan
from imu_emg_estimator.model.bundle import Bundle

WITHOUT_ROS = ["--only", "floor,step,sweep"]


@pytest.fixture
def bench(bundle: Bundle, tmp_path: Path) -> Any:
    """Function that runs the command on the tiny bundle; returns status and results."""
    path = tmp_path / "tiny.safetensors"
    bundle.save(path)

    def run(*options: str) -> tuple[int, dict[str, Any]]:
        out, file = tmp_path / "out", tmp_path / "figures.json"
        places = ["--out", str(out), "--json", str(file)]
        status = main(["latency", "--quick", "--bundle", str(path), *places, *options])
        return status, json.loads(file.read_text())

    return run


@pytest.mark.slow
@pytest.mark.usefixtures("_numpy_only")
def test_command_runs_sections_without_ros(bench: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status, results = bench(*WITHOUT_ROS)
    assert status == 0
    assert results["ratios"]["step"] > 0
    assert results["floor"]["gemv_us"]["median"] > 0
    assert set(results["sweep"]) == {"window", "width", "sensors", "rate"}
    assert results["ratios"]["age_p99"] is None
    assert results["left_out"]["age"] == "not asked for"
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == results
    assert "| one streaming step" in (tmp_path / "out" / "table.md").read_text()
    assert (tmp_path / "out" / "cost.png").stat().st_size > 1000
    capsys.readouterr()

    again, same = bench(*WITHOUT_ROS)
    assert again == 0
    assert same["step"] == results["step"]
    assert ", 0 to measure" in capsys.readouterr().err


@pytest.mark.usefixtures("_numpy_only")
def test_command_without_ros_reports_it_and_runs_rest(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(plan, "PROBE", "import no_such_module_of_ros")
    status, results = bench("--only", "floor,age,loss")
    assert status == 0
    assert results["floor"]["gemv_us"]["median"] > 0
    for section in ("age", "loss"):
        assert "no_such_module_of_ros" in results["left_out"][section]
        assert "source scripts/env.sh" in results["left_out"][section]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--only", "step,speed"], ["section 'speed'", "floor, step"]),
        (["--engine", "fast"], ["engine 'fast'", "numpy"]),
        (["--cores", "4096"], ["4096 cores", "give fewer"]),
        (["--age-seconds", "-1"], ["--age-seconds -1"]),
        (["--growth-minutes", "1"], ["1 min cannot show growth"]),
    ],
)
def test_command_reports_bad_input_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], words: list[str]
) -> None:
    assert main(["latency", "--out", str(tmp_path), *options]) == 2
    *_, last = capsys.readouterr().err.strip().splitlines()
    assert last.startswith("benchmarks latency: ")
    assert all(word in last for word in words), last


@pytest.fixture
def _numpy_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """One engine is enough to see that all fields come; and the code stays what it is while a test runs."""
    monkeypatch.setattr(command, "code_fingerprint", lambda: "code")
    for module in (plan, command):
        monkeypatch.setattr(module, "available_engines", lambda: ["numpy"])


@pytest.mark.parametrize("option", ["--out", "--run"])
@pytest.mark.parametrize("benchmark", ["accuracy", "latency"])
def test_command_refuses_folder_that_is_a_file(
    benchmark: str, option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    places = {"--out": str(tmp_path / "out"), option: str(tmp_path / "file")}
    assert main([benchmark, *(word for pair in places.items() for word in pair)]) == 2
    assert f"{tmp_path / 'file'} is not a writable folder" in capsys.readouterr().err
