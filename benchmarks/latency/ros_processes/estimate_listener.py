"""The listener: a subscriber in its own process that records the arrival of each estimate.

It takes messages as bytes, so that the instant of arrival holds no decoding; they are decoded at the end. ``--out``
holds a row for each: ``arrivals`` and ``timestamps`` [ns], ``status``, ``missing`` (masked sensors), ``is_estimate`` (a
finite activation), ``calibration`` (0 = the first identity that was seen, 1 = the second, ...) and ``activation``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from imu_emg_estimator.msg import MuscleActivation
from rclpy.serialization import deserialize_message

from benchmarks.latency.ros_processes.process_context import FIRST, READY, RELIABLE, running, spin
from imu_emg_estimator.signals.imu_decoder import nanoseconds


class Listener:
    """Record of the arrived estimates."""

    def __init__(self) -> None:
        self._arrivals: list[int] = []
        self._payloads: list[bytes] = []
        self._waiting = True

    def take(self, payload: bytes) -> None:
        """Record a serialised MuscleActivation that has just arrived."""
        self._arrivals.append(time.time_ns())
        self._payloads.append(payload)
        if self._waiting and _is_estimate(deserialize_message(payload, MuscleActivation)):
            self._waiting = False
            print(FIRST, flush=True)

    def table(self) -> dict[str, Any]:
        """Return the record as columns."""
        messages = [deserialize_message(payload, MuscleActivation) for payload in self._payloads]
        names: dict[str, int] = {}
        for message in messages:
            names.setdefault(message.calibration_id, len(names))
        return {
            "arrivals": np.array(self._arrivals, np.int64),
            "timestamps": np.array([nanoseconds(message.header.stamp) for message in messages], np.int64),
            "status": np.array([message.status for message in messages], np.uint8),
            "missing": np.array([len(message.missing_sensors) for message in messages], np.int64),
            "is_estimate": np.array([_is_estimate(message) for message in messages], bool),
            "calibration": np.array([names[message.calibration_id] for message in messages], np.int64),
            "activation": np.array([message.activation for message in messages], np.float32),
        }


def _is_estimate(message: Any) -> bool:
    return bool(len(message.activation)) and bool(np.isfinite(message.activation).all())


def main(argv: Sequence[str] | None = None) -> int:
    """Listen until SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True, help=".npz of what arrived")
    arguments = parser.parse_args(argv)
    with running("bench_listener") as (node, going):
        listener = Listener()
        node.create_subscription(MuscleActivation, "muscle_activation", listener.take, RELIABLE, raw=True)
        print(READY, flush=True)
        spin(node, going)
        np.savez(arguments.out, **listener.table())
    return 0


if __name__ == "__main__":
    sys.exit(main())
