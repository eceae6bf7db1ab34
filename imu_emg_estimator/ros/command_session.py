"""rclpy for a command on a terminal, and what Ctrl-C does to it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from imu_emg_estimator.ros.node_refusals import naming_refusal


def initialise_rclpy(arguments: Sequence[str] | None) -> None:
    """Initialise rclpy without signal handlers of its own; raises InputError for what ROS refuses.

    Args:
        arguments: of ROS; None = those of this process.
    """
    with naming_refusal("the ROS arguments cannot be used"):
        rclpy.init(args=None if arguments is None else list(arguments), signal_handler_options=SignalHandlerOptions.NO)


@contextmanager
def rclpy_session(arguments: Sequence[str]) -> Iterator[None]:
    """Initialise rclpy for as long as a command runs; Ctrl-C and SIGTERM raise KeyboardInterrupt.

    Args:
        arguments: of ROS, such as ``--ros-args -r ...``.

    Raises:
        InputError: ROS does not know an argument, cannot read it, or lacks the security that the environment asks for.
    """
    # rclpy's own handlers invalidate the context in the middle of things; a shell's `&` leaves SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        initialise_rclpy(arguments)
        with naming_refusal():
            yield
    finally:
        try_shutdown()


@contextmanager
def stop_on_interrupt(stopped: list[bool]) -> Iterator[None]:
    """Let the first Ctrl-C, or SIGTERM, fill ``stopped`` instead of raising; a second one interrupts."""

    def stop(number: int, frame: object) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(True)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(ValueError):
                signal.signal(number, handler)
