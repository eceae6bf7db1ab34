"""A simulated subject, live: Imu and Emg messages at the pace at which it moves, until someone stops it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from imu_emg_estimator.bags.bag_messages import Message
from imu_emg_estimator.bags.bag_writer import serialised_messages, topics_of
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.ros.bag_player import ReplaySettings, replay_messages
from imu_emg_estimator.ros.command_session import rclpy_session


class SimulatedMessages:
    """Messages of recordings that follow on each other; the next one is made while one is read.

    Args:
        recordings: of a simulated subject, without end.
        path: what to call it.
    """

    def __init__(self, recordings: Iterator[Recording], path: str) -> None:
        self.path = path
        self._first = next(recordings)
        self._recordings = recordings
        self.topics = topics_of(self._first)

    def messages_in_order(self, wanted: Mapping[str, str]) -> Iterator[Message]:
        """Yield messages without end."""
        with ThreadPoolExecutor(1) as worker:
            recording = self._first
            while True:
                following = worker.submit(next, self._recordings)
                yield from serialised_messages(recording)
                recording = following.result()


def play_subject(
    recordings: Iterator[Recording], name: str, settings: ReplaySettings, ros_arguments: Sequence[str] = ()
) -> None:
    """Publish with an rclpy of its own; Ctrl-C and SIGTERM end it cleanly. Raises InputError as replay does."""
    messages = SimulatedMessages(recordings, name)
    with suppress(KeyboardInterrupt), rclpy_session(ros_arguments):
        replay_messages("simulated_subject", messages, messages.topics, settings)
