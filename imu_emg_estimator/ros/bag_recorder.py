"""Record topics to a bag, where ``ros2 bag record`` is missing."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from rclpy.context import Context
from rclpy.node import Node

from imu_emg_estimator.bags.live_bag_writer import LiveBag
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.console import Console, bar
from imu_emg_estimator.guide.live_samples import CaptureProgress, OnProgress, RecordedBag
from imu_emg_estimator.guide.topic_search import recordable_topics
from imu_emg_estimator.ros.command_session import rclpy_session, stop_on_interrupt
from imu_emg_estimator.ros.live_rates import LiveRates
from imu_emg_estimator.ros.raw_subscriptions import TopicStream, await_topics

POLL_PERIOD_S = 0.1
FOREVER = float("inf")


def record(
    topics: Mapping[str, str],
    path: Path,
    seconds: float,
    on_progress: OnProgress,
    labels: Mapping[str, str] | None = None,
    emg: str | None = None,
    context: Context | None = None,
    stop: Callable[[], bool] = lambda: False,
) -> RecordedBag:
    """Record topics (name: type) for some seconds, in bounded memory; what is older than a second is on the disk.

    Args:
        on_progress: called about ten times a second.
        labels: names of topics in the progress; else the topics.
        emg: topic of the EMG, if the progress shall say whether it was received.
        stop: whether to end early, asked often. After Ctrl-C, too, what was recorded is kept.

    Raises:
        InputError: the bag cannot be written, a type is unknown, or no message was received.
    """
    rates = LiveRates(labels or {topic: topic for topic in topics})

    def report(elapsed: float) -> None:
        on_progress(CaptureProgress(elapsed, seconds, rates.rates(), bag.counts[emg] > 0 if emg else None))

    with TopicStream(topics, context) as stream, LiveBag(path, topics) as bag:
        began = time.monotonic()
        while (elapsed := time.monotonic() - began) < seconds and not stop():
            for topic, receive_time, payload in stream.take(min(POLL_PERIOD_S, seconds - elapsed)):
                bag.write(topic, receive_time, payload)
                rates.note(topic)
            report(elapsed)
        report(seconds if seconds < FOREVER else elapsed)
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
    with rclpy_session(ros_arguments):
        return _record_on_screen(_chosen(names, patience), path, seconds)


def _chosen(wanted: Sequence[str] | None, patience: float) -> dict[str, str]:
    node = Node("imu_emg_recorder", start_parameter_services=False)
    try:
        if wanted is None:
            return _all_recordable(node, patience)
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


def _all_recordable(node: Node, patience: float) -> dict[str, str]:
    topics = recordable_topics(await_topics(node, lambda alive: False, patience))
    if not topics:
        raise InputError(f"no Imu or EMG topic was found within {patience:g} s; start the drivers, or name --topics")
    return topics


def _record_on_screen(topics: Mapping[str, str], path: Path, seconds: float) -> RecordedBag:
    panel = Console(unattended=True).panel()
    stopped: list[bool] = []

    def show(live: CaptureProgress) -> None:
        if seconds < FOREVER:
            title = f"[{bar(live.elapsed / seconds)}] {max(0.0, seconds - live.elapsed):3.0f} s left"
        else:
            title = f"{live.elapsed:.0f} s; Ctrl-C ends it"
        rows = [f"    {topic:<40}{rate:6.0f} Hz{'' if rate else '   SILENT'}" for topic, rate in live.rates.items()]
        panel.show([f"  recording {title}", *rows], live.elapsed >= seconds or bool(stopped))

    with stop_on_interrupt(stopped):
        return record(topics, path, seconds, show, stop=lambda: bool(stopped))
