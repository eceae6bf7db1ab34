"""What is in a bag, a table or an ONNX file, for ``imu-emg inspect``."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from imu_emg_estimator.errors import InputError

EXPORTED = (".xdf", ".c3d", ".edf", ".bdf", ".mat", ".xlsx", ".txt", ".gz")  # forms that `import` reads
MAX_NOTE = 200  # characters
NS_PER_S = 1e9


def description_of(path: Path) -> dict[str, Any] | None:
    """Describe a file or folder by its kind; None = it is taken for a bundle.

    Raises:
        InputError: it is a bag, a table or an ONNX file by its name, and cannot be read.
    """
    if path.suffix == ".onnx":
        return _onnx(path)
    if path.suffix.lower() in (".csv", ".parquet"):
        return _table(path)
    if path.suffix.lower() in EXPORTED and path.is_file():
        command = f"imu-emg import {path} --subject NAME --dry-run --out FOLDER"
        raise InputError(f"{path} is no bundle, bag or table; `{command}` shows what is in it")
    if path.suffix.lower() in (".yaml", ".yml") and path.is_file():
        raise InputError(f"{path} is no bundle, bag or table; `imu-emg rig show {path}` shows a rig")
    return _bag(path) if is_bag(path) else None


def is_bag(path: Path) -> bool:
    """Whether a path is a bag by its name."""
    from imu_emg_estimator.bags.bag_files import is_storage

    return path.is_dir() or is_storage(path.name)


def _bag(path: Path) -> dict[str, Any]:
    """Describe a bag: its topics, and messages, rate and channels of those that hold IMUs or EMG."""
    from imu_emg_estimator.bags import IMU_TYPE, open_bag
    from imu_emg_estimator.bags.message_types import EMG_TYPES
    from imu_emg_estimator.rig_files.rig_sources import parts_of_bag

    with open_bag(path) as bag:
        types = {topic: ", ".join(sorted(info.types)) for topic, info in sorted(bag.topics.items())}
        known = {topic: kind for topic, kind in types.items() if kind in (IMU_TYPE, *EMG_TYPES)}
        times: dict[str, list[int]] = {topic: [] for topic in known}
        for message in bag.messages(known) if known else ():
            times[message.topic].append(message.receive_time)
        notes = list(bag.notes)
    received = [time for own in times.values() for time in own]
    topics = {topic: {"type": kind} | _counted(times.get(topic)) for topic, kind in types.items()}
    return {
        "bag": str(path),
        "seconds": (max(received) - min(received)) / NS_PER_S if received else 0.0,
        "topics": topics,
        "emg_channels": list(parts_of_bag(path).muscles),
        "notes": notes,
    }


def _counted(times: list[int] | None) -> dict[str, Any]:
    if times is None:
        return {}
    span = max(times, default=0) - min(times, default=0)
    return {"messages": len(times), "rate_hz": (len(times) - 1) * NS_PER_S / span if span else 0.0}


def _table(path: Path) -> dict[str, Any]:
    """Describe a table of the documented form: its rows, sensors, muscles and labels."""
    from imu_emg_estimator.datasets.csv_folders import TIME
    from imu_emg_estimator.datasets.table_columns import column_names, read_numbers
    from imu_emg_estimator.rig_files.rig_sources import parts_of_tables

    columns = column_names(path)
    if TIME not in columns:
        raise InputError(f"{path} has no column '{TIME}'; turn it into a table with `imu-emg import`")
    parts, times = parts_of_tables(path), read_numbers(path, [TIME])[:, 0]
    return {
        "table": str(path),
        "rows": len(times),
        "seconds": float(times[-1] - times[0]),
        "sensors_hz": dict(parts.rates),
        "gyroscopes": parts.gyroscopes,
        "emg": list(parts.muscles),
        "conditions": list(parts.labels or ()),
        "columns": columns,
    }


def _onnx(path: Path) -> dict[str, Any]:
    """Describe an ONNX file: its inputs and outputs, and what its maker noted."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # before the import
    import onnxruntime

    if not path.is_file():
        raise InputError(f"{path} is not a file; give an ONNX file as `imu-emg export` writes it")
    try:
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    except Exception:  # the library raises a dozen kinds
        raise InputError(f"{path} is not a readable ONNX file; write it again with `imu-emg export`") from None
    parts = {"inputs": session.get_inputs(), "outputs": session.get_outputs()}
    shapes = {kind: {one.name: f"{one.type} {one.shape}" for one in own} for kind, own in parts.items()}
    noted = session.get_modelmeta().custom_metadata_map
    notes = {name: text if len(text) <= MAX_NOTE else f"{len(text)} characters" for name, text in noted.items()}
    return {"onnx": str(path), **shapes, "notes": notes}
