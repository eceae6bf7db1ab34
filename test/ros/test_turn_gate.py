"""Changes between the turns of the data thread."""

import threading
import time

import pytest

from imu_emg_estimator.ros.turn_gate import TurnGate


def test_change_comes_between_turns_of_busy_thread() -> None:
    gate, stop, in_turn, overlaps, turns = TurnGate(), threading.Event(), [False], [0], [0]

    def work() -> None:
        while not stop.is_set():
            with gate.turn():
                in_turn[0] = True
                time.sleep(0.002)
                in_turn[0] = False
                turns[0] += 1

    thread = threading.Thread(target=work)
    thread.start()
    try:
        for _ in range(50):
            before = turns[0]
            with gate.change():
                overlaps[0] += in_turn[0]
                assert turns[0] - before <= 2  # the turn that was going on, and one that began meanwhile
    finally:
        stop.set()
        thread.join()
    assert overlaps[0] == 0


def test_change_gives_up_after_timeout() -> None:
    gate = TurnGate()
    with gate.turn(), pytest.raises(TimeoutError), gate.change(0.01):
        pass
    with gate.change(0.01):  # it can be made later
        pass
