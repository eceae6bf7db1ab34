"""Where a rig can be found: a folder of tables, or a bag."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from imu_emg_estimator.bags import IMU_TYPE, Bag, TopicMapping, open_bag, present_topics
from imu_emg_estimator.bags.bag_messages import EmgPacket, Message, decode_packet
from imu_emg_estimator.bags.bag_samples import decode_imu_message, undecodable
from imu_emg_estimator.bags.message_types import EMG_TYPES
from imu_emg_estimator.bags.topic_names import names_of_topics
from imu_emg_estimator.datasets.csv_folders import CONDITION, EMG_COLUMN, SENSOR_COLUMN, TIME
from imu_emg_estimator.datasets.table_columns import column_names, read_numbers, read_texts, table_files, usual_rate
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.rig_files.rig_proposal import FoundParts
from imu_emg_estimator.signals.grid_alignment import SECOND, Sample

MAX_LABELLED_FILES = 50
MAX_MESSAGES = 5000  # of a bag that are read for rates


def parts_of_tables(path: Path) -> FoundParts:
    """Find sensors, muscles and labels in the tables of a folder (of folders), or in one table.

    Raises:
        InputError: there is no table, or tables differ in their columns.
    """
    files = _tables(path)
    names = column_names(files[0])
    matches = [match for name in names if (match := SENSOR_COLUMN.match(name))]
    sensors = list(dict.fromkeys(match["sensor"] for match in matches))
    muscles = list(dict.fromkeys(match["muscle"] for name in names if (match := EMG_COLUMN.match(name))))
    labels, notes = _labels(files)
    for file in files[1:]:
        if missing := [name for name in names if SENSOR_COLUMN.match(name) and name not in column_names(file)]:
            raise InputError(f"{file} has no column '{missing[0]}', which {files[0]} has; give tables of one rig")
    rates = {sensor: _rate(files[0], f"{sensor}_acc_x") for sensor in sensors}
    return FoundParts(rates, muscles, any(match["kind"] == "gyro" for match in matches), labels, notes)


def parts_of_bag(path: Path) -> FoundParts:
    """Find Imu topics and EMG channels of a bag; raises InputError where it cannot be read."""
    with open_bag(path) as bag:
        topics = present_topics(bag, IMU_TYPE)
        rates, gyroscopes = _rates(bag, topics)
        muscles, notes = _channels(bag)
    names = names_of_topics(list(rates))
    return FoundParts({names[topic]: rate for topic, rate in rates.items()}, muscles, gyroscopes, None, notes)


def imu_of(bag: Bag, message: Message) -> Sample:
    """Decode the sample of an Imu message; raises BagUnreadable where it is something else."""
    try:
        return decode_imu_message(message.data)[1]
    except Exception as fault:
        raise undecodable(bag, message.topic, IMU_TYPE, fault) from None


def _packet_of(bag: Bag, message: Message, msgtype: str) -> EmgPacket:
    try:
        return decode_packet(msgtype, message.data, TopicMapping())
    except Exception as fault:
        raise undecodable(bag, message.topic, msgtype, fault) from None


def _tables(path: Path) -> list[Path]:
    if not path.exists():
        raise InputError(f"{path} does not exist; give a folder of tables as `imu-emg import` writes them")
    if path.is_file():
        return [path]
    folders = [path, *sorted(folder for folder in path.iterdir() if folder.is_dir())]
    files = [file for folder in folders for file in table_files(folder)]
    if not files:
        raise InputError(f"{path} holds no .csv or .parquet table; make some with `imu-emg import`, or give --bag")
    return files


def _labels(files: Sequence[Path]) -> tuple[list[str], tuple[str, ...]]:
    read = files[:MAX_LABELLED_FILES]
    found = {str(label) for file in read if CONDITION in column_names(file) for label in read_texts(file, CONDITION)}
    notes = (f"labels of the first {len(read)} of {len(files)} tables",) if len(read) < len(files) else ()
    return sorted(found - {""}), notes


def _rate(file: Path, column: str) -> float:
    rows = read_numbers(file, [TIME, column])
    times = rows[np.isfinite(rows).all(axis=1), 0]
    return usual_rate(times) if len(times) > 1 else float("nan")


def _rates(bag: Bag, topics: Sequence[str]) -> tuple[dict[str, float], bool]:
    """Return the rates of Imu topics [Hz] by the first messages, and whether any has angular rates."""
    received: dict[str, list[int]] = {topic: [] for topic in topics}
    gyroscopes = False
    for count, message in enumerate(bag.messages(dict.fromkeys(topics, IMU_TYPE)) if topics else ()):
        if count >= MAX_MESSAGES:
            break
        received[message.topic].append(message.receive_time)
        gyroscopes = gyroscopes or bool(np.isfinite(imu_of(bag, message)[3:]).all())
    return {topic: mean_rate(times) for topic, times in received.items()}, gyroscopes


def mean_rate(times: Sequence[int]) -> float:
    """Return the rate [Hz] of messages by their receive times [ns]; NaN where fewer than two came."""
    return (len(times) - 1) * SECOND / (times[-1] - times[0]) if len(times) > 1 and times[-1] > times[0] else np.nan


def _channels(bag: Bag) -> tuple[list[str], tuple[str, ...]]:
    """Return the EMG channels that messages name, else numbers, of the topics whose name says that they are EMG."""
    topics = {topic: msgtype for msgtype in EMG_TYPES for topic in present_topics(bag, msgtype)}
    wanted = {topic: msgtype for topic, msgtype in topics.items() if "emg" in topic.lower()}
    names: list[str] = []
    notes = []
    for message in bag.first_messages(wanted).values():
        packet = _packet_of(bag, message, wanted[message.topic])
        if packet.names:
            names += packet.names
        else:
            names += [f"muscle_{number + 1}" for number in range(packet.data.shape[1])]
            notes.append(f"{message.topic} names no channels: write the muscles' names in their order")
    return list(dict.fromkeys(names)), tuple(notes)
