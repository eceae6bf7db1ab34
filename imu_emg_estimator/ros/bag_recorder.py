"""Recording topics to a bag, where ``ros2 bag record`` is missing."""

from __future__ import annotations

import argparse
import signal
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import rclpy
from rclpy.context import Context
from rclpy.node import Node
from rclpy.signals import SignalHandlerOptions
from rclpy.utilities import remove_ros_args, try_shutdown

from imu_emg_estimator.bags.mcap_writer import LiveBag
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.console import Console, bar
from imu_emg_estimator.guide.live_samples import Live, Recorded, Tell
from imu_emg_estimator.guide.topic_search import worth_recording
from imu_emg_estimator.ros.raw_topics import TopicStream, await_topics
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import to_json

if TYPE_CHECKING:
    from collections.abc import Iterator

POLL = 0.1  # s
DISCOVERY = 3.0  # s in which topics are found
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
    tell: Tell,
    labels: Mapping[str, str] | None = None,
    emg: str | None = None,
    context: Context | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> Recorded:
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
            for topic, receipt, payload in stream.take(min(POLL, seconds - elapsed)):
                bag.write(topic, receipt, payload)
                rates.note(topic)
            tell(Live(elapsed, seconds, rates.rates(), bag.counts[emg] > 0 if emg else None))
        tell(
            Live(
                seconds if seconds < FOREVER else elapsed, seconds, rates.rates(), bag.counts[emg] > 0 if emg else None
            )
        )
    if not any(bag.counts.values()):
        raise InputError(f"no message came on {', '.join(topics)}; check the drivers, and record again")
    return Recorded(path, time.monotonic() - began, bag.counts, stream.lost)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of the command."""
    parser.add_argument("--topics", metavar="A,B", help="topics to record (default: all of Imu and EMG)")
    parser.add_argument("--seconds", type=float, metavar="S", help="length (default: until Ctrl-C)")
    parser.add_argument("--out", type=Path, required=True, metavar="BAG", help="folder to make")
    parser.add_argument("--wait", type=float, default=DISCOVERY, help="s to wait for the topics (default: 3)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON, too")


def run(arguments: argparse.Namespace, ros_arguments: Sequence[str] | None = None) -> int:
    """Run the command; Ctrl-C ends the recording, which is kept. Returns the exit status."""
    try:
        seconds = FOREVER if arguments.seconds is None else arguments.seconds
        if not seconds > 0:
            raise InputError(f"--seconds {seconds:g} is not a positive number of seconds; correct it")
        with ros(ros_arguments):
            topics = _chosen(arguments.topics, arguments.wait)
            recorded = _record_on_screen(topics, arguments.out, seconds)
    except InputError as error:
        print(f"imu-emg record: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    print(f"wrote {recorded.path}: {recorded.seconds:.1f} s, {sum(recorded.counts.values())} messages")
    if lost := sum(recorded.lost.values()):
        print(f"{lost} messages were lost: this computer, or the network, is busy", file=sys.stderr)
    if arguments.json:
        write_atomically(arguments.json, to_json(recorded.to_dict()))
    return 0


@contextmanager
def ros(arguments: Sequence[str] | None) -> Iterator[None]:
    """rclpy for as long as a command runs; Ctrl-C and SIGTERM are KeyboardInterrupt."""
    # rclpy's own handlers invalidate the context in the middle of things; a shell's `&` leaves SIGINT ignored.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    try:
        rclpy.init(args=None if arguments is None else list(arguments), signal_handler_options=SignalHandlerOptions.NO)
        yield
    finally:
        try_shutdown()


def _chosen(wanted: str | None, patience: float) -> dict[str, str]:
    node = Node("imu_emg_recorder", start_parameter_services=False)
    try:
        if wanted is None:
            return _worth_recording(node, patience)
        names = [node.resolve_topic_name(name.strip()) for name in wanted.split(",") if name.strip()]
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
    topics = worth_recording(await_topics(node, lambda alive: False, patience))
    if not topics:
        raise InputError(f"no Imu or EMG topic was found within {patience:g} s; start the drivers, or name --topics")
    return topics


def _record_on_screen(topics: Mapping[str, str], path: Path, seconds: float) -> Recorded:
    panel = Console(unattended=True).panel()
    stopped: list[bool] = []

    def tell(live: Live) -> None:
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


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point of ``imu-emg record``."""
    argv = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="imu-emg record", description=__doc__)
    add_arguments(parser)
    return run(parser.parse_args(remove_ros_args(["record", *argv])[1:]), argv)


if __name__ == "__main__":
    sys.exit(main())
