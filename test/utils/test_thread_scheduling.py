"""Real-time scheduling where the system allows it, and a sentence where it does not."""

import os
import threading
from collections.abc import Callable
from typing import Any

import pytest

from imu_emg_estimator.utils.thread_scheduling import current_threads, schedule

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the scheduling of Linux")


def in_a_thread(function: Callable[[], Any]) -> Any:
    """Result of a function in a thread of its own, whose scheduling ends with it."""
    results: list[Any] = []
    thread = threading.Thread(target=lambda: results.append(function()))
    thread.start()
    thread.join()
    return results[0]


def test_current_threads_lists_all() -> None:
    assert in_a_thread(lambda: {threading.get_native_id(), os.getpid()} <= set(current_threads()))


def test_schedule_changes_nothing_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("sched_setaffinity", "sched_setscheduler"):
        monkeypatch.setattr(os, name, lambda *_: pytest.fail("the system was asked"))
    assert schedule(current_threads(), 0, ()) == []


def test_schedule_binds_processors() -> None:
    one = min(os.sched_getaffinity(0))

    def bound() -> tuple[list[str], set[int]]:
        return schedule([threading.get_native_id()], 0, [one]), os.sched_getaffinity(0)

    assert in_a_thread(bound) == ([], {one})


def test_schedule_sets_priority_or_says_why_not() -> None:
    def prioritised() -> tuple[list[str], int, int]:
        refusals = schedule([threading.get_native_id()], 7, ())
        return refusals, os.sched_getscheduler(0), os.sched_getparam(0).sched_priority

    refusals, policy, priority = in_a_thread(prioritised)
    if refusals:
        assert "realtime_priority 7 was refused (Operation not permitted)" in refusals[0]
    else:
        assert (policy, priority) == (os.SCHED_FIFO, 7)


def test_schedule_refusals_say_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "sched_setaffinity", refuse)
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    processors, priority = schedule(current_threads(), 80, [0])
    assert "cpu_affinity [0] was refused (Operation not permitted): the node runs on any processor" in processors
    assert "realtime_priority 80 was refused (Operation not permitted): the node runs at normal priority" in priority
    assert "rtprio 80" in priority
    monkeypatch.delattr(os, "sched_setaffinity")  # macOS
    assert "not supported by this system" in schedule([0], 0, [0])[0]


def test_schedule_ignores_ended_thread() -> None:
    ended = in_a_thread(threading.get_native_id)
    assert schedule([ended], 0, sorted(os.sched_getaffinity(0))) == []
