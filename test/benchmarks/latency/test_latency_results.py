"""Results from made outcomes: each ratio is ours over the other, missing pieces leave gaps and no errors."""

from typing import Any

import pytest

from benchmarks.latency.latency_report import aims_of, markdown
from benchmarks.latency.latency_results import Outcomes, compute
from benchmarks.latency.latency_settings import Settings
from benchmarks.latency.run_pieces import Piece

SETTINGS = Settings(repeats=2, windows=(0.5, 4.0), widths=(64,), sensors=(6,), rates=(200.0,))
RATIOS = {"step", "age_p99", "cpu", "memory", "start", "calibration_gap"}
MIDDLE = {"p50": 1.0, "p90": 1.0, "p99": 1.0, "p99.9": 1.0, "mean": 1.0, "largest": 1.0}


def times(p50: float) -> dict[str, Any]:
    kinds = {kind: MIDDLE | {"p50": p50, "processor_p50": p50} for kind in ("step", "estimate")}
    return {"multiply_adds": 1000, **kinds}


def step(p50: float) -> dict[str, Any]:
    return {"start_s": 0.1, "memory": {"rss": 40.0}, "cases": {"main": times(p50), "large": times(2 * p50)}}


def node(scale: float) -> dict[str, Any]:
    """Every figure of a node is so many times that of ours."""
    return {
        "cpu": 0.1 * scale,
        "cpu_load": 0.1,
        "cpu_others": 0.0,
        "memory": {"rss": 80.0 * scale, "pss": 40.0, "peak": 90.0},
        "load": {"asked": 200.0, "kept": 200.0, "late_p50": 0.0, "late_p99": 0.0},
        "age": dict.fromkeys(MIDDLE, 0.002 * scale),
        "latency": dict.fromkeys(MIDDLE, 0.001 * scale),
        "histogram": [1, 2],
        "due": 100,
        "missed": 5,
        "largest_gap": 0.005,
        "start": {"first_estimate": 0.5 * scale, "first_ok": 1.0 * scale},
    }


def gaps(calibrating: float, quiet: float, missed: int) -> dict[str, Any]:
    return {
        "wall_s": 6.0,
        "answer_s": 6.0,
        "message": "",
        "ratio": calibrating / quiet,
        "calibrating": {"largest_gap": calibrating, "missed": missed},
        "quiet": {"largest_gap": quiet, "missed": 0},
        "over_time": {"time": [0.0], "gap": [quiet], "calibrated_until": 1.0},
    }


def complete() -> dict[tuple[str, str, int], dict[str, Any]]:
    """Two repeats, the second on a machine of half the speed."""
    outcomes: dict[tuple[str, str, int], dict[str, Any]] = {}
    for repeat, slow in enumerate((1.0, 2.0)):
        outcomes["floor", "arithmetic", repeat] = {
            "multiply_adds": 1000,
            "gemv_us": 5.0 * slow,
            "gemv_gflops": 40.0,
            "gemm_gflops": 60.0,
            "interpreter_us": 1.0,
        }
        for name, p50 in (("onnx", 50.0), ("numpy", 100.0), ("window", 1000.0), ("sequence", 500.0)):
            outcomes["step", name, repeat] = step(p50 * slow)
        for name in ("onnx", "window"):
            cases = {"window=0.5": times(50.0 * slow), "window=4": times(55.0 * slow), "width=64": times(50.0 * slow)}
            outcomes["sweep", name, repeat] = {"cases": cases}
        for name, scale in (
            ("ours", 1.0),
            ("plain", 5.0),
            ("wait_set", 0.3),
            ("raw", 0.5),
            ("typed", 0.8),
            ("echo", 0.6),
        ):
            outcomes["age", name, repeat] = node(scale * slow)
        outcomes["gap", "ours", repeat] = gaps(0.012 * slow, 0.01 * slow, missed=repeat)
        outcomes["growth", "ours", repeat] = {"rss": {"1": 80.0, "2": 80.4}}
    outcomes["loss", "ours", 0] = node(1.0) | {
        "seconds": 600.0, "imu_messages": 800, "imu_messages_lost": 3, "estimates_lost": 1, "messages_lost": 4
    }  # fmt: skip
    outcomes["loss", "wait_set", 0] = {"received": {"due": 800, "lost": 0}, "cpu": 0.3}
    for subject, wall in (("1", 6.0), ("2", None), ("3", 8.0), ("5", 7.0)):
        outcomes["calibration", subject, 0] = {"wall_s": wall, "answer_s": 9.0, "message": ""}
    return outcomes


def results_of(outcomes: dict[tuple[str, str, int], dict[str, Any]]) -> dict[str, Any]:
    pieces = [(Piece(*key, {}), outcome) for key, outcome in outcomes.items()]
    return {
        **compute(Outcomes(pieces), SETTINGS, ["onnx", "numpy"]),
        "settings": SETTINGS.to_dict(),
        "calibration_source": "simulated",
        "machine": {
            "processor": "made up", "cores_allowed": 2, "virtual": False, "system": "Linux", "python": "3",
            "libraries": {}, "load_average": [0.0], "date": "today",
        },
        "command": "imu-emg bench", "limits": "", "load_is": "", "left_out": {}, "failed": {}, "warning": None,
    }  # fmt: skip


def test_ratios_are_ours_over_the_other() -> None:
    ratios = results_of(complete())["ratios"]
    assert ratios["step"] == pytest.approx(0.05)
    for name in ("age_p99", "cpu", "memory", "start"):
        assert ratios[name] == pytest.approx(0.2), name
    assert ratios["calibration_gap"] == pytest.approx(1.2)
    assert ratios["window_longest_to_shortest"] == pytest.approx(1.1)
    assert ratios["memory_after_an_hour"] == pytest.approx(1.005)
    assert ratios["cpu_to_raw"] == pytest.approx(2.0)


def test_figures_beside_the_ratios() -> None:
    results = results_of(complete())
    assert results["messages_lost"] == 4
    assert results["calibration_wall_s_p50"] == 7.0  # of those whose model was exchanged
    assert results["calibration"]["kept_the_old_model"] == ["2"]
    assert results["gap"]["missed"] == 1
    assert results["floor"]["step_over_floor"] == pytest.approx(75.0 / 7.5)
    assert results["age"]["ours"]["histogram"] == [2, 4]
    assert results["age"]["plain"]["estimates_missed_share"]["median"] == 0.05


def test_budget_is_a_step_and_the_rest_of_a_row() -> None:
    """0.15 cores at 200 Hz are 750 us a row; the step is 75 us of it, both at the repeats' median."""
    budget = results_of(complete())["budget"]
    assert budget["rest_us"] == pytest.approx(675.0)
    assert budget["by_width"]["64"]["share"]["100"] == pytest.approx(0.075)


def test_nothing_measured_leaves_gaps() -> None:
    results = results_of({})
    assert set(results["ratios"]) >= RATIOS
    assert set(results["ratios"].values()) == {None}
    assert results["messages_lost"] is None
    assert results["calibration_wall_s_p50"] is None
    assert all(aim.is_met is None for aim in aims_of(results))
    assert "not measured" in markdown(results)


@pytest.mark.parametrize("section", ["floor", "step", "sweep", "age", "gap", "calibration", "loss", "growth"])
def test_any_section_may_be_missing(section: str) -> None:
    results = results_of({key: outcome for key, outcome in complete().items() if key[0] != section})
    assert markdown(results)


def test_aims_are_held_against_their_limits() -> None:
    met = {aim.what.split(",")[0]: aim.is_met for aim in aims_of(results_of(complete()))}
    assert met["one streaming step against torch eager on 200 samples"] is True
    assert met["messages lost"] is False
    assert met["estimates missed while /calibrate runs"] is False
    assert met["largest gap between estimates while /calibrate runs"] is True


def test_table_names_every_aim_of_the_benchmark() -> None:
    table = markdown(results_of(complete()))
    for words in (
        "20.0 times",
        "4: 3 of 800 Imu messages, 1 of 100 estimates",
        "| **no** |",
        "the old model was kept for 1",
    ):
        assert words in table, words
