"""Results from made outcomes: each ratio is ours over the other, missing pieces leave gaps and no errors."""

import pytest
from fixtures.latency_outcomes import complete, results_of

from benchmarks.latency.latency_report import aims_of, markdown

RATIOS = {"step", "age_p99", "cpu", "memory", "start", "calibration_gap"}


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
    assert results["age"]["baseline"]["estimates_missed_share"]["median"] == 0.05


def test_budget_is_step_and_rest_of_row() -> None:
    """0.15 cores at 200 Hz are 750 us a row; the step is 75 us of it, both at the repeats' median."""
    budget = results_of(complete())["budget"]
    assert budget["rest_us"] == pytest.approx(675.0)
    assert budget["by_width"]["64"]["share"]["100"] == pytest.approx(0.075)


def test_results_of_nothing_measured_are_empty() -> None:
    results = results_of({})
    assert set(results["ratios"]) >= RATIOS
    assert set(results["ratios"].values()) == {None}
    assert results["messages_lost"] is None
    assert results["calibration_wall_s_p50"] is None
    assert all(aim.is_met is None for aim in aims_of(results))
    assert "not measured" in markdown(results)


@pytest.mark.parametrize("section", ["floor", "step", "sweep", "age", "gap", "calibration", "loss", "growth"])
def test_results_accept_missing_sections(section: str) -> None:
    results = results_of({key: outcome for key, outcome in complete().items() if key[0] != section})
    assert markdown(results)


def test_aims_are_compared_with_limits() -> None:
    met = {aim.what.split(",")[0]: aim.is_met for aim in aims_of(results_of(complete()))}
    assert met["one streaming step against torch eager on 200 samples"] is True
    assert met["messages lost"] is False
    assert met["estimates missed while /calibrate runs"] is False
    assert met["largest gap between estimates while /calibrate runs"] is True
    assert met["answer to a call with a wrong path"] is True


def test_table_names_every_aim_of_the_benchmark() -> None:
    table = markdown(results_of(complete()))
    for words in (
        "20.0 times",
        "4: 3 of 800 Imu messages, 1 of 100 estimates",
        "| **no** |",
        "the old model was kept for 1",
    ):
        assert words in table, words


def test_floor_alone_tells_the_machine_s_factor() -> None:
    table = markdown(results_of({key: outcome for key, outcome in complete().items() if key[0] == "floor"}))
    assert "the interpreter's yardstick " in table
