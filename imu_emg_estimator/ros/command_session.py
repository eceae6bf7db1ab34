"""rclpy for a command on a terminal, and what Ctrl-C does to it."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

import rclpy
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown


@contextmanager
def rclpy_session(arguments: Sequence[str]) -> Iterator[None]:
    """Initialise rclpy for as long as a command runs; Ctrl-C and SIGTERM raise KeyboardInterrupt.

    Args:
        arguments: of ROS, such as ``--ros-args -r ...``.
    """
    # rclpy's own handlers invalidate the context in the middle of things; a shell's `&` leaves SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        rclpy.init(args=list(arguments), signal_handler_options=SignalHandlerOptions.NO)
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
