"""Recording topics to a bag, where ``ros2 bag record`` is missing."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import try_shutdown

from imu_emg_estimator.bags.live_bag_writer import LiveBag
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.console import Console, bar
from imu_emg_estimator.guide.live_samples import CaptureProgress, OnProgress, RecordedBag
from imu_emg_estimator.guide.topic_search import recordable_topics
from imu_emg_estimator.ros.raw_topics import TopicStream, await_topics

if TYPE_CHECKING:
    from collections.abc import Iterator

POLL = 0.1  # s
RECENT = 2.0  # s over which a live rate is taken
FOREVER = float("inf")


class LiveRates:
    """Rates of topics over the last moments.

    Args:
        labels: what each topic is called.
    """

    def __init__(self, labels: Mapping[str, str]) -> None:
        self._labels = labels
        self._counts = dict.fromkeys(labels, 0)
        self._past: list[tuple[float, dict[str, int]]] = [(time.monotonic(), dict(self._counts))]

    def note(self, topic: str) -> None:
        """A message came."""
        self._counts[topic] += 1

    def rates(self) -> dict[str, float]:
        """Hz, by label."""
        now = time.monotonic()
        if now - self._past[-1][0] >= RECENT / 4:
            self._past = [*self._past[-4:], (now, dict(self._counts))]
        since, counts = self._past[0]
        span = max(now - since, 1e-3)
        return {label: (self._counts[topic] - counts[topic]) / span for topic, label in self._labels.items()}


def record(
    topics: Mapping[str, str],
    path: Path,
    seconds: float,
    tell: OnProgress,
    labels: Mapping[str, str] | None = None,
    emg: str | None = None,
    context: Context | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> RecordedBag:
    """Record topics (name: type) for some seconds, in bounded memory; what is older than a second is on the disk.

    Args:
        labels: what topics are called when it is told how fast they come.
        emg: the topic of the EMG, if whether it came is to be told.
        stop: asked often whether to end early; Ctrl-C ends early, too, and what was recorded until then is kept.

    Raises:
        InputError: the bag cannot be written, a type is not known, or no message came.
    """
    rates = LiveRates(labels or {topic: topic for topic in topics})
    with TopicStream(topics, context) as stream, LiveBag(path, topics) as bag:
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds and not stop():
            for topic, receive_time, payload in stream.take(min(POLL, seconds - elapsed)):
                bag.write(topic, receive_time, payload)
                rates.note(topic)
            tell(CaptureProgress(elapsed, seconds, rates.rates(), bag.counts[emg] > 0 if emg else None))
        tell(
            CaptureProgress(
                seconds if seconds < FOREVER else elapsed, seconds, rates.rates(), bag.counts[emg] > 0 if emg else None
            )
        )
    if not any(bag.counts.values()):
        raise InputError(f"no message came on {', '.join(topics)}; check the drivers, and record again")
    return RecordedBag(path, time.monotonic() - began, bag.counts, stream.lost)


def record_on_screen(
    names: Sequence[str] | None, path: Path, seconds: float, patience: float, ros_arguments: Sequence[str] = ()
) -> RecordedBag:
    """Record with an rclpy of its own, and show how it goes; Ctrl-C ends the recording, which is kept.

    Args:
        names: topics; None = all of Imu and EMG.
        seconds: duration; ``FOREVER`` = until Ctrl-C.
        patience: how long to wait for the topics [s].

    Raises:
        InputError: a topic is missing, the bag cannot be written, or no message came.
    """
    with ros(ros_arguments):
        return _record_on_screen(_chosen(names, patience), path, seconds)


@contextmanager
def ros(arguments: Sequence[str]) -> Iterator[None]:
    """rclpy for as long as a command runs; Ctrl-C and SIGTERM are KeyboardInterrupt."""
    # rclpy's own handlers invalidate the context in the middle of things; a shell's `&` leaves SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        rclpy.init(args=list(arguments), signal_handler_options=SignalHandlerOptions.NO)
        yield
    finally:
        try_shutdown()


def _chosen(wanted: Sequence[str] | None, patience: float) -> dict[str, str]:
    node = Node("imu_emg_recorder", start_parameter_services=False)
    try:
        if wanted is None:
            return _worth_recording(node, patience)
        names = [node.resolve_topic_name(name) for name in wanted]
        alive = await_topics(node, lambda alive: set(names) <= set(alive), patience)
    except RuntimeError as error:
        raise InputError(f"--topics holds a name that is not valid: {str(error).splitlines()[0]}") from None
    finally:
        node.destroy_node()
    if missing := [name for name in names if name not in alive]:
        raise InputError(
            f"nobody publishes {', '.join(missing)}; what there is: {', '.join(sorted(alive)) or 'nothing'}"
        )
    return {name: alive[name] for name in names}


def _worth_recording(node: Node, patience: float) -> dict[str, str]:
    topics = recordable_topics(await_topics(node, lambda alive: False, patience))
    if not topics:
        raise InputError(f"no Imu or EMG topic was found within {patience:g} s; start the drivers, or name --topics")
    return topics


def _record_on_screen(topics: Mapping[str, str], path: Path, seconds: float) -> RecordedBag:
    panel = Console(unattended=True).panel()
    stopped: list[bool] = []

    def tell(live: CaptureProgress) -> None:
        if seconds < FOREVER:
            title = f"[{bar(live.elapsed / seconds)}] {max(0.0, seconds - live.elapsed):3.0f} s left"
        else:
            title = f"{live.elapsed:.0f} s; Ctrl-C ends it"
        rows = [f"    {topic:<40}{rate:6.0f} Hz{'' if rate else '   SILENT'}" for topic, rate in live.rates.items()]
        panel.show([f"  recording {title}", *rows], live.elapsed >= seconds or bool(stopped))

    with suppress_interrupt(stopped):
        return record(topics, path, seconds, tell, stop=lambda: bool(stopped))


@contextmanager
def suppress_interrupt(stopped: list[bool]) -> Iterator[None]:
    """Ctrl-C, and SIGTERM, say that it is enough; a second one interrupts."""

    def enough(number: int, frame: object) -> None:
        if stopped:
            raise KeyboardInterrupt
        stopped.append(True)

    before = {number: signal.signal(number, enough) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            with suppress(ValueError):
                signal.signal(number, handler)
