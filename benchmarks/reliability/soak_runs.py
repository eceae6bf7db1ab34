"""Long accelerated runs and wild bytes: memory and handles stay flat, and nothing raises."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.reliability.fault_cases import Scene
from benchmarks.reliability.imu_streams import START_NS, Transport, messages_of
from benchmarks.reliability.live_runs import CHECK_NS
from benchmarks.reliability.random_faults import random_faults
from benchmarks.reliability.reliability_jobs import Job
from benchmarks.reliability.subject_scenes import Subject
from imu_emg_estimator.faults.fault_injection import inject
from imu_emg_estimator.faults.fault_kind import ImuMessage
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.imu_decoder import decode_imu
from imu_emg_estimator.signals.imu_encoder import encode_imu
from imu_emg_estimator.streaming.activation_status import OK
from imu_emg_estimator.streaming.live_estimator import LiveEstimator, LiveSettings

SETTLED_AFTER = 8  # scenes after which caches are full
SCENE_NS = 45 * SECOND  # from the beginning of one scene to that of the next
BUFFER_PERIOD_NS = SECOND // 600
MAX_LENGTH = 600  # of a random buffer [bytes]


def run_soak(job: Job, subject: Subject) -> Mapping[str, Any]:
    """Walk for hours with random faults; return resident memory [MB] and open handles over time."""
    live = LiveEstimator(Bundle.load(subject.bundle), LiveSettings())
    scenes = max(SETTLED_AFTER + 2, round(job.size * 3600 * SECOND / SCENE_NS))
    memory, handles, good = [], [], 0
    for number in range(scenes):
        ok = False
        for message in _scene(subject, job.seed, number):
            for output in _taken(live, message, _bytes(message)):
                ok = output.status == OK
        good += ok
        memory.append(_resident_mb())
        handles.append(len(os.listdir("/proc/self/fd")))
    settled = np.array(memory[SETTLED_AFTER:])
    return {
        "hours": scenes * SCENE_NS / SECOND / 3600,
        "memory_mb": [memory[SETTLED_AFTER], memory[-1]],
        "memory_highest_mb": float(settled.max()),
        "handles": [handles[SETTLED_AFTER], handles[-1]],
        "scenes": scenes,
        "scenes_that_ended_ok": good,
    }


def run_bytes(job: Job, subject: Subject) -> Mapping[str, Any]:
    """Decode random and mutated buffers and feed what decodes; then clean input must be OK again."""
    generator = np.random.default_rng(job.seed)
    live = LiveEstimator(Bundle.load(subject.bundle), LiveSettings())
    whole = [_bytes(message) for message in messages_of(subject.scenes[Scene.WALKING], Transport(seed=job.seed))]
    sensors, decoded, now = len(live.bundle.rig.sensors), 0, START_NS
    for number in range(round(job.size)):
        now += BUFFER_PERIOD_NS
        taken = decode_imu(_wild(whole[number % len(whole)], generator))
        if taken is not None:
            decoded += 1
            live.take(int(generator.integers(sensors)), *taken, now, int(generator.integers(1 << 31)))
        if number % 15 == 0:
            live.check(now)
    statuses = [
        output.status
        for message in _shifted(messages_of(subject.scenes[Scene.WALKING], Transport(seed=job.seed)), now + SECOND)
        for output in _taken(live, message, _bytes(message))
    ]
    return {"buffers": round(job.size), "decoded": decoded, "is_ok_afterwards": statuses[-1:] == [OK]}


def _wild(payload: bytes, generator: np.random.Generator) -> bytes:
    """Return random bytes, or a message cut, prolonged, or with some of its bytes or bits changed."""
    kind, message = int(generator.integers(6)), bytearray(payload)
    if kind == 0:
        return generator.bytes(int(generator.integers(MAX_LENGTH)))
    if kind == 1:
        return bytes(message[: int(generator.integers(len(message)))])
    if kind == 2:
        return bytes(message) + generator.bytes(int(generator.integers(1, 12)))
    for _ in range(int(generator.integers(1, 9))):
        at = int(generator.integers(len(message)))
        if kind == 3:
            message[at] ^= 1 << int(generator.integers(8))
        elif kind == 4:
            message[at] = int(generator.integers(256))
        else:
            at -= at % 8 + 4  # a double of the payload
            message[max(at, 20) : max(at, 20) + 8] = generator.bytes(8)
    return bytes(message)


def _scene(subject: Subject, seed: int, number: int) -> Iterator[ImuMessage]:
    scene = subject.scenes[Scene.WALKING]
    faults = random_faults(scene.rig, np.random.default_rng([seed, number]))
    messages = inject(messages_of(scene, Transport(seed=seed + number)), faults, number)
    return _shifted(messages, START_NS + number * SCENE_NS)


def _shifted(messages: Iterator[ImuMessage], start: int) -> Iterator[ImuMessage]:
    shift = start - START_NS
    for message in messages:
        yield message._replace(arrival=message.arrival + shift, timestamp=message.timestamp + shift)


def _taken(live: LiveEstimator, message: ImuMessage, payload: bytes) -> list[Any]:
    decoded = decode_imu(payload)
    outputs = live.check(message.arrival) if message.arrival % CHECK_NS < CHECK_NS // 8 else []
    if decoded is not None:
        outputs += live.take(message.sensor, *decoded, message.arrival, message.sequence)
    return outputs


def _bytes(message: ImuMessage) -> bytes:
    return encode_imu(message.timestamp, message.sample, message.absent)


def _resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6
