"""Some mutated bags. IMU_EMG_FUZZ=10000 reads as many; `python test/fixtures/fuzz_bags.py` uses several processors."""

import faulthandler
import os

import pytest
from fixtures.fuzz_bags import GOOD, run_cases, summary

pytestmark = pytest.mark.hostile

CASES = int(os.environ.get("IMU_EMG_FUZZ", "120"))
PERIOD = 1009  # so that a few cases are of all sorts, and other ones than the first of a full run


def test_read_bag_answers_mutated_bags_with_error_or_result() -> None:
    outcomes = run_cases(range(0, CASES * PERIOD, PERIOD) if CASES < 1000 else range(CASES))
    assert [outcome for outcome in outcomes if outcome.kind not in GOOD] == []
    figures = summary(outcomes)
    assert set(figures["outcomes"]) == set(GOOD)  # type: ignore[call-overload]


def test_run_case_detects_crash_hang_and_memory() -> None:
    """The harness itself: what it is to find, it finds."""
    from fixtures import fuzz_bags

    def crash(*arguments: object, **options: object) -> None:
        faulthandler.disable()  # pytest's: no traceback of what is meant to happen
        os.abort()

    def endless(*arguments: object, **options: object) -> None:
        while True:
            pass

    def greedy(*arguments: object, **options: object) -> bytes:
        return bytes(2 * fuzz_bags.MEMORY)

    original, patience = fuzz_bags.read_bag_with_report, fuzz_bags.PATIENCE
    try:
        for fault, kind in ((crash, "crash"), (endless, "hang"), (greedy, "crash")):
            fuzz_bags.read_bag_with_report, fuzz_bags.PATIENCE = fault, 0.5  # type: ignore[assignment]
            assert fuzz_bags.run_case(0).kind == kind
    finally:
        fuzz_bags.read_bag_with_report, fuzz_bags.PATIENCE = original, patience
