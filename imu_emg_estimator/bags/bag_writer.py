"""A recording written as a rosbag2, as a lab would record it."""

from __future__ import annotations

import heapq
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.rosbag2 import StoragePlugin, Writer

from imu_emg_estimator.bags.bag_messages import Message, typestore
from imu_emg_estimator.bags.message_types import EMG_TOPIC, EMG_TYPE, IMU_TYPE
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import SIMULATED, RawEmg, Recording
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.utils.progress import CountProgress

STORAGES = {"mcap": StoragePlugin.MCAP, "sqlite3": StoragePlugin.SQLITE3}
SAMPLES_PER_MESSAGE = 4  # of EMG
DELAY_NS = 2_000_000  # from the timestamp of the last sample in a message to its receive time
SENSOR_DELAY_NS = 100_000  # more for every further IMU, as on one bus


def imu_topic(sensor_name: str) -> str:
    """Topic of a sensor's Imu messages in bags written by this package."""
    return f"/imu/{sensor_name}"


def write_bag(recording: Recording, path: Path, storage: str = "mcap", progress: CountProgress | None = None) -> None:
    """Write a recording as a rosbag2 (version 9): an Imu topic per sensor and an Emg topic.

    Timestamps are on the rig's grid from ``recording.start``, in seconds since 1970. The EMG is raw where the
    recording has it so, else the envelope; with neither there is no Emg topic. An accelerometer
    or gyroscope that is not available is marked by ``covariance[0] = -1``.

    Args:
        path: folder to create.
        storage: ``mcap`` or ``sqlite3``.
        progress: called with the samples written.

    Raises:
        InputError: the folder exists, cannot be written, or the storage is unknown.
    """
    path = Path(path)
    if storage not in STORAGES:
        raise InputError(f"bag storage '{storage}' is not known; choose mcap or sqlite3")
    if path.exists():
        raise InputError(f"{path} exists already; choose another name or remove it")
    try:
        with Writer(path, version=9, storage_plugin=STORAGES[storage]) as writer:
            _write_messages(writer, recording, progress)
    except OSError as error:
        shutil.rmtree(path, ignore_errors=True)
        raise InputError(
            f"bag {path} cannot be written ({error.strerror}); free space or choose another place"
        ) from None
    except BaseException:
        shutil.rmtree(path, ignore_errors=True)
        raise


def _write_messages(writer: Writer, recording: Recording, progress: CountProgress | None) -> None:
    connections = {
        topic: writer.add_connection(topic, msgtype, typestore=typestore())
        for topic, msgtype in topics_of(recording).items()
    }
    for message in serialised_messages(recording, progress):
        writer.write(connections[message.topic], message.receive_time, message.data)


def topics_of(recording: Recording) -> dict[str, str]:
    """Return the type of every topic that a recording is written to."""
    types = {imu_topic(name): IMU_TYPE for name in recording.rig.sensor_names}
    return types if _emg_to_write(recording) is None else types | {EMG_TOPIC: EMG_TYPE}


def serialised_messages(recording: Recording, progress: CountProgress | None = None) -> Iterator[Message]:
    """Yield the messages of a recording in the order of receive time."""
    types, origin = topics_of(recording), round(recording.start * SECOND)
    streams = [_imu_messages(recording, origin, progress)]
    if (emg := _emg_to_write(recording)) is not None:
        streams.append(_emg_messages(emg, recording, origin))
    for receive_time, topic, message in heapq.merge(*streams, key=lambda entry: entry[0]):
        yield Message(topic, receive_time, bytes(typestore().serialize_cdr(message, types[topic])))


def _emg_to_write(recording: Recording) -> RawEmg | None:
    if recording.emg is not None:
        return recording.emg
    if np.isfinite(recording.envelope).any():
        return RawEmg(recording.envelope, recording.rig.rate, recording.envelope_unit)
    return None


def _imu_messages(recording: Recording, origin: int, progress: CountProgress | None) -> Iterator[tuple[int, str, Any]]:
    names = recording.rig.sensor_names
    frame = f"{SIMULATED}_" if recording.is_simulated else ""
    for index, row in enumerate(recording.imu.astype(np.float64)):
        timestamp = origin + _offset(index, recording.rig.rate)
        for sensor, sample in enumerate(row):
            receive_time = timestamp + DELAY_NS + sensor * SENSOR_DELAY_NS
            yield receive_time, imu_topic(names[sensor]), _imu_message(frame + names[sensor], timestamp, sample)
        if progress:
            progress(index + 1, len(recording))


def _imu_message(frame: str, timestamp: int, sample: NDArray[np.float64]) -> Any:
    kinds = typestore().types
    acceleration, acceleration_covariance = _part(sample[:3])
    rate, rate_covariance = _part(sample[3:])
    return kinds[IMU_TYPE](
        header=_header(frame, timestamp),
        orientation=kinds["geometry_msgs/msg/Quaternion"](x=0.0, y=0.0, z=0.0, w=1.0),
        orientation_covariance=_covariance(available=False),
        angular_velocity=rate,
        angular_velocity_covariance=rate_covariance,
        linear_acceleration=acceleration,
        linear_acceleration_covariance=acceleration_covariance,
    )


def _part(values: NDArray[np.float64]) -> tuple[Any, NDArray[np.float64]]:
    available = bool(np.isfinite(values).all())
    x, y, z = values.tolist() if available else (0.0, 0.0, 0.0)
    return typestore().types["geometry_msgs/msg/Vector3"](x=x, y=y, z=z), _covariance(available)


def _covariance(available: bool) -> NDArray[np.float64]:
    """Row-major 3 x 3: all zero = not known, first element -1 = the field is absent (sensor_msgs/Imu)."""
    covariance = np.zeros(9)
    covariance[0] = 0.0 if available else -1.0
    return covariance


def _emg_messages(emg: RawEmg, recording: Recording, origin: int) -> Iterator[tuple[int, str, Any]]:
    for start in range(0, len(emg.data), SAMPLES_PER_MESSAGE):
        data = emg.data[start : start + SAMPLES_PER_MESSAGE]
        timestamp = origin + _offset(start, emg.rate)
        message = typestore().types[EMG_TYPE](
            header=_header(f"{SIMULATED}_emg" if recording.is_simulated else "emg", timestamp),
            sample_rate=float(emg.rate),
            channel_names=list(recording.rig.muscle_names),
            data=np.ascontiguousarray(data, dtype=np.float32).reshape(-1),
            unit=emg.unit,
            is_envelope=recording.emg is None,
        )
        yield timestamp + _offset(len(data) - 1, emg.rate) + DELAY_NS, EMG_TOPIC, message


def _header(frame: str, timestamp: int) -> Any:
    kinds = typestore().types
    seconds, nanoseconds = divmod(timestamp, SECOND)
    time = kinds["builtin_interfaces/msg/Time"](sec=seconds, nanosec=nanoseconds)
    return kinds["std_msgs/msg/Header"](stamp=time, frame_id=frame)


def _offset(index: int, rate: float) -> int:
    """Instant [ns] of a sample after the first, rounded as GridAligner rounds."""
    return round(index * SECOND / rate)
