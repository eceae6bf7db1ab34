"""The matrix of bags: form x EMG type x defect, each with what must come of it.

Made from a real recording where HuGaDB is at hand, else from a SIMULATED one; EMG faster than HuGaDB's is always
noise that the recording's envelope modulates.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from fixtures.bag_forms import (
    EMG_TOPIC,
    FORMS,
    SECOND,
    START,
    Signal,
    activation_entries,
    array_entries,
    emg_entries,
    imu_entries,
    in_order,
    joint_entries,
    write_form,
)
from fixtures.walk_bags import (
    FAST,
    Change,
    Entries,
    assert_envelope,
    assert_same,
    drifting,
    in_bursts,
    modulated_noise,
    of_topic,
    on_grid,
    shuffled,
    twin_timestamps,
    with_strangers,
    with_timestamps,
    without_some,
)
from numpy.typing import NDArray

from imu_emg_estimator.bags import (
    TopicMapping,
    read_bag_with_report,
)
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope

pytestmark = [pytest.mark.bag_matrix, pytest.mark.slow]


# EMG types


@dataclass(frozen=True)
class Source:
    """EMG of one type: its messages, the envelope on the grid that must come of it, and what is given to read it."""

    entries: Entries
    expected: NDArray[np.float64]
    mapping: TopicMapping = field(default_factory=TopicMapping)


def sources(recording: Recording, envelope: NDArray[np.float64]) -> dict[str, Callable[[], Source]]:
    names = RIG.muscle_names
    assert recording.emg is not None
    slow = Signal(np.nan_to_num(recording.emg.data, nan=128.0), RIG.rate, names, False, "count")
    fast = Signal(modulated_noise(envelope, FAST), FAST, names, False)
    smooth = Signal(envelope, RIG.rate, names, True)
    from_slow = emg_envelope(slow.data, RIG.rate, EnvelopeSettings())
    from_fast = on_grid(emg_envelope(fast.data, FAST, EnvelopeSettings()), FAST, len(envelope))
    positional = TopicMapping(emg_topic="/emg/raw", emg_channels=names, emg_kind="raw")
    return {
        "emg-raw": lambda: Source(emg_entries(slow, 4), from_slow),
        "emg-raw-fast": lambda: Source(emg_entries(fast, 20), from_fast),
        "emg-envelope": lambda: Source(emg_entries(smooth, 4), envelope),
        "activation": lambda: Source(activation_entries(smooth), envelope),
        "joint-effort": lambda: Source(joint_entries(smooth), envelope),
        "joint-position": lambda: Source(joint_entries(smooth, "position"), envelope),
        "float32": lambda: Source(array_entries(fast, 32, 20), from_fast),
        "float64-mapped": lambda: Source(array_entries(fast, 64, 20, named=False), from_fast, positional),
    }


EMG_KINDS = (
    "emg-raw", "emg-raw-fast", "emg-envelope", "activation", "joint-effort", "joint-position", "float32",
    "float64-mapped",
)  # fmt: skip


# form x EMG type


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (form, EMG_KINDS[(3 * index + turn) % len(EMG_KINDS)])
        for index, form in enumerate(FORMS)
        for turn in (0, 1)
    ],
)  # fmt: skip
def test_read_bag_every_form_with_emg_types(
    form: str, kind: str, walk: Recording, walk_envelope: NDArray[np.float64], tmp_path: Path
) -> None:
    source = sources(walk, walk_envelope)[kind]()
    path = write_form(tmp_path / "bag", in_order(imu_entries(walk), source.entries), FORMS[form])
    read, report = read_bag_with_report(path, RIG, source.mapping)
    assert_same(read, walk, source.expected)
    assert report.emg is not None
    assert set(report.emg.channels) == set(RIG.muscle_names)
    assert report.emg.kind == ("raw" if "raw" in kind or "float" in kind else "envelope")
    missing = FORMS[form].metadata == 0
    assert any("metadata.yaml is missing" in note for note in report.notes) == missing


# defects that are corrected


@dataclass(frozen=True)
class Repaired:
    """A defect of a bag with raw EMG in packets of one sample that must not matter, and the note on it."""

    change: Change
    form: str
    note: str = ""
    tolerance: float = 0.05


REPAIRED = {
    "stranger-topics": Repaired(with_strangers, "mcap"),
    "topic-after-topic": Repaired(shuffled, "foxglove-lz4"),
    "emg-without-stamps": Repaired(
        with_timestamps(of_topic(EMG_TOPIC), lambda e: 0), "mcap", "/emg has no timestamps", 0.1
    ),
    "imu-without-stamps": Repaired(
        with_timestamps(of_topic("/imu/left_foot"), lambda e: 0), "sqlite3", "/imu/left_foot has no timestamps", 0.1
    ),
    "emg-clock-ahead": Repaired(
        with_timestamps(of_topic(EMG_TOPIC), lambda e: e.timestamp + 37 * SECOND),
        "mcap",
        "37 s ahead of the IMUs'",
        0.1,
    ),
    "emg-clock-at-boot": Repaired(
        with_timestamps(of_topic(EMG_TOPIC), lambda e: e.timestamp - START), "sqlite3", "behind the IMUs'", 0.1
    ),
    "imu-clock-behind": Repaired(
        with_timestamps(of_topic("/imu/left_shank"), lambda e: e.timestamp - 5 * SECOND),
        "foxglove-zstd",
        "/imu/left_shank is 5 s behind",
    ),
    "emg-clock-drifts": Repaired(
        with_timestamps(of_topic(EMG_TOPIC), drifting(0.01)), "mcap-lz4-chunks", "the clock of /emg drifts by", 0.1
    ),
    "all-clocks-old": Repaired(with_timestamps(lambda e: True, lambda e: e.timestamp - 10**16), "mcap-split"),
    "twin-stamps": Repaired(twin_timestamps, "sqlite3-humble", "share a timestamp", 0.1),
    "stamped-in-bursts": Repaired(in_bursts, "mcap-fastwrite", "share a timestamp", 0.15),
    "emg-lost-here-and-there": Repaired(without_some, "mcap", "of the EMG samples were lost", 0.5),
}


@pytest.mark.parametrize("name", REPAIRED)
def test_read_bag_corrects_defect_and_notes_it(
    name: str, walk: Recording, walk_envelope: NDArray[np.float64], tmp_path: Path
) -> None:
    defect = REPAIRED[name]
    assert walk.emg is not None
    raw = np.nan_to_num(walk.emg.data, nan=128.0)
    emg = emg_entries(Signal(raw, RIG.rate, RIG.muscle_names, False, "count"))
    entries = defect.change(in_order(imu_entries(walk), emg))
    path = write_form(tmp_path / "bag", entries, FORMS[defect.form])
    read, report = read_bag_with_report(path, RIG)
    rows = min(len(read), len(walk))
    assert rows > len(walk) - 10
    unharmed = [index for index, sensor in enumerate(RIG.sensor_names) if f"/imu/{sensor}" not in defect.note]
    np.testing.assert_allclose(read.imu[2:rows, unharmed], walk.imu[2:rows, unharmed], atol=1e-5)
    assert np.isfinite(read.imu[10:-10]).mean() > np.isfinite(walk.imu[10:-10]).mean() - 0.01
    assert_envelope(read.envelope[:rows], emg_envelope(raw, RIG.rate, EnvelopeSettings())[:rows], defect.tolerance)
    assert defect.note in " ".join(report.notes)
    if not defect.note:
        assert report.notes == []


# EMG at any rate, with powerline


@pytest.mark.parametrize(
    ("rate", "packet", "powerline", "lines"),
    [
        (50.0, 1, (), ()),
        (100.0, 2, (), ()),
        (250.0, 5, (50.0,), (50.0,)),
        (1000.0, 10, (60.0, 120.0, 180.0), (60.0, 120.0, 180.0)),
        (1000.0, 1, (50.2, 100.4, 150.6), (50.2, 100.4, 150.6)),
        (2148.0, 27, (), ()),
        (4000.0, 40, (49.9, 149.7), (49.9, 149.7)),
    ],
)
def test_read_bag_emg_from_50_hz_to_4_khz_with_powerline(
    rate: float, packet: int, powerline: tuple[float, ...], lines: tuple[float, ...],
    walk: Recording, walk_envelope: NDArray[np.float64], tmp_path: Path,
) -> None:  # fmt: skip
    clean = emg_envelope(modulated_noise(walk_envelope, rate), rate, EnvelopeSettings())
    signal = Signal(modulated_noise(walk_envelope, rate, powerline), rate, RIG.muscle_names, False)
    entries = in_order(imu_entries(walk), emg_entries(signal, packet))
    read, report = read_bag_with_report(write_form(tmp_path / "bag", entries, FORMS["mcap"]), RIG)
    assert report.emg is not None
    assert report.emg.rate == pytest.approx(rate, rel=1e-3)
    for found in report.emg.powerline.values():
        assert (found.lines if found else ()) == pytest.approx(lines, abs=0.15)
    assert_envelope(read.envelope, on_grid(clean, rate, len(walk))[: len(read)], 0.2 if powerline else 0.05)
