"""A bag that is written while its messages arrive, as bytes: MCAP, which a crash cuts short but does not spoil."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from rosbags.rosbag2 import StoragePlugin, Writer

from imu_emg_estimator.bags.bag_messages import typestore
from imu_emg_estimator.errors import InputError

SYNC_PERIOD_S = 1.0  # after which messages are safe on the disk


class LiveBag:
    """A rosbag2 folder that is being written; a context manager that completes the bag however it is left.

    Chunks are closed and flushed every second. So memory stays bounded (a second of messages, and 100 bytes of index
    for every second before), and a killed process or a power cut loses the last second only: ``open_bag`` reads what is
    there, and `ros2 bag reindex` makes the missing metadata.yaml.

    Args:
        path: folder to create.
        topics: message type of every topic.

    Raises:
        InputError: the folder exists or cannot be written, or the definition of a type is unknown.
    """

    def __init__(self, path: Path, topics: Mapping[str, str]) -> None:
        self.path = Path(path)
        self.counts = dict.fromkeys(topics, 0)
        if self.path.exists():
            raise InputError(f"{self.path} exists already; choose another name or remove it")
        for topic, msgtype in topics.items():
            if msgtype not in typestore().types:
                raise InputError(
                    f"topic {topic} is of type {msgtype}, whose definition this recorder does not have; "
                    "record it with `ros2 bag record`"
                )
        self._writer = Writer(self.path, version=9, storage_plugin=StoragePlugin.MCAP)
        self._synced = time.monotonic()
        try:
            self._writer.open()
            self._connections = {
                topic: self._writer.add_connection(topic, msgtype, typestore=typestore())
                for topic, msgtype in topics.items()
            }
            self._sync()  # the topics are there from the start
        except OSError as error:
            shutil.rmtree(self.path, ignore_errors=True)
            raise self._failed(error) from None

    def __enter__(self) -> LiveBag:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if not any(self.counts.values()):
            self._abandon()
            shutil.rmtree(self.path, ignore_errors=True)
        elif isinstance(error, InputError):  # it cannot be written any more
            self._abandon()
        else:
            try:
                self._writer.close()
            except OSError as fault:
                self._abandon()
                raise self._failed(fault) from None

    def write(self, topic: str, receive_time: int, payload: bytes) -> None:
        """Write one message.

        Args:
            receive_time: when it was received [ns].
            payload: the message as CDR.

        Raises:
            InputError: the disk is full or fails.
        """
        try:
            self._writer.write(self._connections[topic], receive_time, payload)
            self.counts[topic] += 1
            if time.monotonic() - self._synced > SYNC_PERIOD_S:
                self._sync()
        except OSError as error:
            raise self._failed(error) from None

    def _sync(self) -> None:
        """Flush everything written to the disk."""
        storage: Any = self._writer.storage
        if storage.chunk.bio.tell():
            storage.close_chunk()
        storage.bio.flush()
        os.fsync(storage.bio.fileno())
        self._synced = time.monotonic()

    def _abandon(self) -> None:
        with suppress(OSError):
            self._writer.abort()

    def _failed(self, error: OSError) -> InputError:
        return InputError(f"bag {self.path} cannot be written ({error.strerror}); free space or choose another place")
