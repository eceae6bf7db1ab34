"""A thread that serves a node's callbacks, and survives what they raise."""

from __future__ import annotations

import threading
import time
import traceback
from collections.abc import Callable
from types import TracebackType

from rclpy.executors import Executor, ExternalShutdownException
from rclpy.node import Node

SHUTDOWN_TIMEOUT_S = 5.0
PAUSE_S = 0.01  # after an exception, so that one that comes again and again takes no processor
REPORT_PERIOD_S = 10.0  # between two reports of one exception


class SpinThread:
    """Spins an executor; use it as a context manager.

    rclpy ends the loop at the first exception of a callback, be it for a parameter of a type that does not exist, or
    for a negative time on /clock. Here it is reported, once, and the loop goes on.

    Args:
        name: of the thread.
        died: called should the thread end all the same, before the context is left.
    """

    def __init__(self, executor: Executor, node: Node, name: str, died: Callable[[], None] = lambda: None) -> None:
        self._executor, self._node, self._died = executor, node, died
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._reported: dict[str, float] = {}
        self._leaving = False
        executor.add_node(node)

    def __enter__(self) -> SpinThread:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leaving = True
        if tracker := getattr(self._executor, "_work_tracker", None):
            tracker.wait(SHUTDOWN_TIMEOUT_S)  # for calls to be answered, which ``shutdown`` means to do, but does not
        self._executor.shutdown(timeout_sec=SHUTDOWN_TIMEOUT_S)
        self._thread.join(timeout=SHUTDOWN_TIMEOUT_S)

    def _run(self) -> None:
        try:
            self._spin()
        finally:
            if not self._leaving and self._node.context.ok():
                self._node.get_logger().fatal(f"the thread '{self._thread.name}' of the node has died")
                self._died()

    def _spin(self) -> None:
        while not self._leaving and self._node.context.ok():
            try:
                self._executor.spin()
                return  # it was shut down
            except ExternalShutdownException:
                return
            except Exception as error:  # whatever a callback, or rclpy before it, raises
                if self._leaving:
                    return  # rclpy stumbles over its own shutdown now and then
                self._report(error)
                time.sleep(PAUSE_S)

    def _report(self, error: Exception) -> None:
        place = traceback.extract_tb(error.__traceback__)[-1]
        key, now = f"{place.filename}:{place.lineno}", time.monotonic()
        if now - self._reported.get(key, -REPORT_PERIOD_S) >= REPORT_PERIOD_S:
            self._reported[key] = now
            reason = (str(error).splitlines() or [""])[0]
            self._node.get_logger().error(
                f"a request or message was dropped: {type(error).__name__}: {reason} (in {place.name} of {key})"
            )
