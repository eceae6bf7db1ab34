"""The matrix of bags: form x EMG type x defect, each with what must come of it.

Made from a real recording where HuGaDB is at hand, else from a SIMULATED one; EMG faster than HuGaDB's is always
noise that the recording's envelope modulates.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.bag_forms import (
    EMG_TOPIC,
    FORMS,
    SECOND,
    START,
    Entry,
    Signal,
    activation_entries,
    array_entries,
    emg_entries,
    imu_entries,
    in_order,
    joint_entries,
    write_form,
)
from numpy.typing import NDArray

from imu_emg_estimator.bags import (
    BagReport,
    BagTooShort,
    BagUnreadable,
    TopicMapping,
    TopicMissing,
    read_bag_with_report,
)
from imu_emg_estimator.bags.message_definitions import IMU_TYPE
from imu_emg_estimator.datasets import hugadb
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.datasets.simulated_subject import simulate
from imu_emg_estimator.datasets.stride_statistics import shipped_statistics
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope

pytestmark = [pytest.mark.bag_matrix, pytest.mark.slow]

SECONDS = 12.0
SUBJECT = "1"
FAST = 1000.0  # Hz
Entries = list[Entry]
Change = Callable[[Entries], Entries]


@pytest.fixture(scope="module")
def recording(request: pytest.FixtureRequest) -> Recording:
    """Some seconds of walking, real or else SIMULATED."""
    try:
        folder = request.getfixturevalue("hugadb_folder")
    except pytest.skip.Exception:
        walk = simulate(shipped_statistics(), 60.0, 0)
    else:
        walk = max(hugadb.load(folder, [SUBJECT]), key=lambda recording: recording.is_locomotion().sum())
    first = int(np.flatnonzero(walk.is_locomotion())[0])
    return walk.slice(first, first + round(SECONDS * RIG.rate))


@pytest.fixture(scope="module")
def envelope(recording: Recording) -> NDArray[np.float64]:
    """Without gaps, so that it can modulate."""
    return np.nan_to_num(recording.envelope.astype(np.float64), nan=1.0)


def modulated_noise(envelope: NDArray[np.float64], rate: float, powerline: Sequence[float] = ()) -> NDArray[np.float64]:
    """Raw EMG at any rate: noise whose amplitude is the envelope, with lines of powerline."""
    rng = np.random.default_rng(0)
    time = np.arange(round(SECONDS * rate)) / rate
    grid = np.arange(len(envelope)) / RIG.rate
    amplitude = np.stack([np.interp(time, grid, column) for column in envelope.T], axis=1)
    lines = sum(np.sin(2 * np.pi * line * time) / (1 + index) for index, line in enumerate(powerline))
    return np.asarray(
        amplitude * rng.standard_normal(amplitude.shape) + np.mean(envelope) * np.asarray(lines)[..., None]
    )


# EMG types


@dataclass(frozen=True)
class Source:
    """EMG of one type: its messages, the envelope on the grid that must come of it, and what is given to read it."""

    entries: Entries
    expected: NDArray[np.float64]
    mapping: TopicMapping | None = None


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


def on_grid(values: NDArray[np.float64], rate: float, rows: int) -> NDArray[np.float64]:
    time, grid = np.arange(len(values)) / rate, np.arange(rows) / RIG.rate
    return np.stack([np.interp(grid, time, column) for column in values.T], axis=1)


def assert_same(read: Recording, recording: Recording, expected: NDArray[np.float64], tolerance: float = 0.05) -> None:
    """The IMU rows are those of the recording, and so is the envelope but for a share of its own spread."""
    rows = min(len(read), len(recording))
    assert rows > len(recording) - 10
    np.testing.assert_allclose(read.imu[:rows], recording.imu[:rows], atol=1e-5)
    assert_envelope(read.envelope[:rows], expected[:rows], tolerance)


def assert_envelope(actual: NDArray[np.float64], expected: NDArray[np.float64], tolerance: float) -> None:
    known = np.isfinite(actual) & np.isfinite(expected)
    known[:20] = known[-20:] = False  # the filter's edges
    assert known.mean() > 0.85
    for column in range(expected.shape[1]):
        rows = known[:, column]
        error = np.sqrt(np.mean((actual[rows, column] - expected[rows, column]) ** 2))
        assert error < tolerance * expected[rows, column].std() + 1e-9, (column, error)


# form x EMG type


@pytest.mark.parametrize(
    ("form", "kind"),
    [
        (form, EMG_KINDS[(3 * index + turn) % len(EMG_KINDS)])
        for index, form in enumerate(FORMS)
        for turn in (0, 1)
    ],
)  # fmt: skip
def test_every_form_with_every_type_of_emg(
    form: str, kind: str, recording: Recording, envelope: NDArray[np.float64], tmp_path: Path
) -> None:
    source = sources(recording, envelope)[kind]()
    path = write_form(tmp_path / "bag", in_order(imu_entries(recording), source.entries), FORMS[form])
    read, report = read_bag_with_report(path, RIG, source.mapping)
    assert_same(read, recording, source.expected)
    assert report.emg is not None
    assert set(report.emg.channels) == set(RIG.muscle_names)
    assert report.emg.kind == ("raw" if "raw" in kind or "float" in kind else "envelope")
    missing = FORMS[form].metadata == 0
    assert any("metadata.yaml is missing" in note for note in report.notes) == missing


# defects that are put right


def with_timestamps(choose: Callable[[Entry], bool], change: Callable[[Entry], int]) -> Change:
    return lambda entries: [entry.stamped(change(entry)) if choose(entry) else entry for entry in entries]


def of_topic(*topics: str) -> Callable[[Entry], bool]:
    return lambda entry: entry.topic in topics


def elapsed(entry: Entry) -> float:
    return (entry.timestamp - START) / SECOND


def drifting(share: float) -> Callable[[Entry], int]:
    return lambda entry: entry.timestamp + round((entry.timestamp - START) * share)


def shuffled(entries: Entries) -> Entries:
    """All of one topic after the other, as converters write."""
    return sorted(entries, key=lambda entry: entry.topic)


def in_bursts(entries: Entries) -> Entries:
    """EMG messages that arrive four at once and are stamped then."""
    emg = [entry for entry in entries if entry.topic == EMG_TOPIC]
    last = [emg[min(index // 4 * 4 + 3, len(emg) - 1)] for index in range(len(emg))]
    bursts = [replace(one, receipt=end.receipt).stamped(end.timestamp) for one, end in zip(emg, last, strict=True)]
    return in_order(without(EMG_TOPIC)(entries), bursts)


def twin_timestamps(entries: Entries) -> Entries:
    """Every second EMG message has the timestamp of the one before."""
    emg = [entry for entry in entries if entry.topic == EMG_TOPIC]
    twins = {id(entry): emg[index - index % 2].timestamp for index, entry in enumerate(emg)}
    return [entry.stamped(twins[id(entry)]) if id(entry) in twins else entry for entry in entries]


def without_some(entries: Entries) -> Entries:
    rng = random.Random(0)
    return [entry for entry in entries if entry.topic != EMG_TOPIC or rng.random() > 0.03]


def with_strangers(entries: Entries) -> Entries:
    """An estimate of this package's node, and topics of the robot, as `ros2 bag record -a` takes them along."""
    emg = [entry for entry in entries if entry.topic == EMG_TOPIC]
    noise = Signal(np.random.default_rng(0).random((len(emg), 2)), RIG.rate, RIG.muscle_names, True)
    joints = Signal(noise.data, RIG.rate, ("knee", "hip"), True)
    strangers = [*activation_entries(noise, "hugadb-1234"), *joint_entries(joints, topic="/joint_states")]
    others = [replace(entry, topic="/imu/head") for entry in entries if entry.topic == "/imu/left_foot"]
    return in_order(entries, strangers, others)


@dataclass(frozen=True)
class Repaired:
    """A defect of a bag with raw EMG in packets of one sample that must not matter, and the note that tells of it."""

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
def test_defects_that_are_put_right(
    name: str, recording: Recording, envelope: NDArray[np.float64], tmp_path: Path
) -> None:
    defect = REPAIRED[name]
    assert recording.emg is not None
    raw = np.nan_to_num(recording.emg.data, nan=128.0)
    emg = emg_entries(Signal(raw, RIG.rate, RIG.muscle_names, False, "count"))
    entries = defect.change(in_order(imu_entries(recording), emg))
    path = write_form(tmp_path / "bag", entries, FORMS[defect.form])
    read, report = read_bag_with_report(path, RIG)
    rows = min(len(read), len(recording))
    assert rows > len(recording) - 10
    unharmed = [index for index, sensor in enumerate(RIG.sensor_names) if f"/imu/{sensor}" not in defect.note]
    np.testing.assert_allclose(read.imu[2:rows, unharmed], recording.imu[2:rows, unharmed], atol=1e-5)
    assert np.isfinite(read.imu[10:-10]).mean() > np.isfinite(recording.imu[10:-10]).mean() - 0.01
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
def test_emg_from_50_hz_to_4_khz_and_powerline(
    rate: float, packet: int, powerline: tuple[float, ...], lines: tuple[float, ...],
    recording: Recording, envelope: NDArray[np.float64], tmp_path: Path,
) -> None:  # fmt: skip
    clean = emg_envelope(modulated_noise(envelope, rate), rate, EnvelopeSettings())
    signal = Signal(modulated_noise(envelope, rate, powerline), rate, RIG.muscle_names, False)
    entries = in_order(imu_entries(recording), emg_entries(signal, packet))
    read, report = read_bag_with_report(write_form(tmp_path / "bag", entries, FORMS["mcap"]), RIG)
    assert report.emg is not None
    assert report.emg.rate == pytest.approx(rate, rel=1e-3)
    assert report.emg.powerline_known == (rate > 120)
    for found in report.emg.powerline.values():
        assert (found.lines if found else ()) == pytest.approx(lines, abs=0.15)
    assert_envelope(read.envelope, on_grid(clean, rate, len(recording))[: len(read)], 0.2 if powerline else 0.05)


# bags that are refused


def without(*topics: str) -> Change:
    return lambda entries: [entry for entry in entries if entry.topic not in topics]


def only_before(seconds: float, *topics: str) -> Change:
    return lambda entries: [entry for entry in entries if entry.topic not in topics or elapsed(entry) < seconds]


def on_emg(**values: Any) -> Change:
    def change(entry: Entry) -> Entry:
        return replace(entry, message=replace(entry.message, **values)) if entry.topic == EMG_TOPIC else entry

    return lambda entries: [change(entry) for entry in entries]


def two_emgs(entries: Entries) -> Entries:
    emg = [entry for entry in entries if entry.topic == EMG_TOPIC]
    left, right = ([replace(entry, topic=f"/{side}/emg") for entry in emg] for side in ("a", "b"))
    return in_order(without(EMG_TOPIC)(entries), left, right)


def estimate_only(entries: Entries) -> Entries:
    """The amplifier was not recorded, but what the node made of the IMUs was: no EMG to learn from."""
    noise = Signal(np.random.default_rng(0).random((500, 2)), RIG.rate, RIG.muscle_names, True)
    return in_order(without(EMG_TOPIC)(entries), activation_entries(noise, "hugadb-1234"))


IMUS = tuple(f"/imu/{name}" for name in RIG.sensor_names)
REFUSED: dict[str, tuple[Change, str, type[InputError], str]] = {
    "no-emg": (without(EMG_TOPIC), "mcap", TopicMissing, "has no imu_emg_estimator/msg/Emg messages"),
    "only-an-estimate": (estimate_only, "sqlite3", TopicMissing, "has no imu_emg_estimator/msg/Emg messages"),
    "no-left-thigh": (without("/imu/left_thigh"), "sqlite3", TopicMissing, "no Imu messages for sensor 'left_thigh'"),
    "no-imu": (without(*IMUS), "foxglove-lz4", TopicMissing, "no Imu messages for sensor 'right_foot'"),
    "two-emg-topics": (two_emgs, "mcap-split", TopicMissing, "more than one EMG topic"),
    "other-muscles": (
        on_emg(channel_names=["soleus_left", "soleus_right"]), "mcap", TopicMissing, "wants vastus_lateralis_right"
    ),
    "half-a-second-of-emg": (only_before(0.5, EMG_TOPIC), "sqlite3", BagTooShort, "IMU and EMG timestamps overlap"),
    "a-second-of-all": (only_before(1.0, EMG_TOPIC, *IMUS), "mcap-file", BagTooShort, "of IMU data"),
    "wrong-rate": (on_emg(sample_rate=20.0), "mcap", BagUnreadable, "do not go with a sample_rate of 20 Hz"),
    "no-rate": (on_emg(sample_rate=0.0), "sqlite3-humble", BagUnreadable, "sample_rate 0 is not between"),
    "odd-data": (
        on_emg(data=np.zeros(7, np.float32)), "foxglove-zstd", BagUnreadable, "7 values do not divide into 2 channels"
    ),
    "no-values": (
        on_emg(data=np.full(2, np.nan, np.float32)),
        "mcap",
        BagTooShort,
        "0.0 s in which IMU and EMG timestamps overlap",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_bags_that_are_refused(name: str, recording: Recording, tmp_path: Path) -> None:
    change, form, kind, said = REFUSED[name]
    assert recording.emg is not None
    raw = np.nan_to_num(recording.emg.data, nan=128.0)
    emg = emg_entries(Signal(raw, RIG.rate, RIG.muscle_names, False, "count"))
    path = write_form(tmp_path / "bag", change(in_order(imu_entries(recording), emg)), FORMS[form])
    with pytest.raises(kind) as caught:
        read_bag_with_report(path, RIG)
    assert said in str(caught.value)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)
    assert type(caught.value) is kind


# damage to files


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: int(0.9 * len(content))],
    "emptied": lambda content: b"",
    "text": lambda content: b"not a bag" * 100,
    "flipped": lambda content: content[: (at := content.index(b"zstd") + 200)] + bytes(64) + content[at + 64 :],
}


@pytest.mark.parametrize(
    ("form", "damage", "said"),
    [
        ("foxglove-zstd", "cut", None),
        ("foxglove-zstd", "emptied", "it is empty"),
        ("foxglove-zstd", "text", "neither MCAP nor sqlite3"),
        ("foxglove-zstd", "flipped", "cannot be read"),
        ("foxglove-without-chunks", "cut", None),
        ("mcap-zstd-file", "cut", None),
        ("mcap-lz4-file", "cut", None),
        ("mcap-split", "emptied", None),
        ("sqlite3", "cut", "malformed"),
        ("sqlite3", "emptied", "it is empty"),
        ("sqlite3-zstd-file", "cut", "cannot be read"),
    ],
)
def test_damaged_files(form: str, damage: str, said: str | None, recording: Recording, tmp_path: Path) -> None:
    """None: what is there is read. One file of the bag, the last one, is damaged."""
    assert recording.emg is not None
    raw = np.nan_to_num(recording.emg.data, nan=128.0)
    emg = emg_entries(Signal(raw, RIG.rate, RIG.muscle_names, False, "count"))
    bag = write_form(tmp_path / "bag", in_order(imu_entries(recording), emg), FORMS[form])
    file = max(path for path in (tmp_path / "bag").iterdir() if path.name != "metadata.yaml")
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    if said is None:
        read, report = read_bag_with_report(bag, RIG)
        assert len(read) > 0.6 * len(recording)
        np.testing.assert_allclose(read.imu, recording.imu[: len(read)], atol=1e-5)
        assert any("ends in the middle of a record" in note or "is empty" in note for note in report.notes)
        return
    with pytest.raises(BagUnreadable) as caught:
        read_bag_with_report(bag, RIG)
    assert said in str(caught.value)
    assert str(bag) in str(caught.value)


def test_a_bag_that_is_not_whole(recording: Recording, envelope: NDArray[np.float64], tmp_path: Path) -> None:
    entries = in_order(imu_entries(recording), emg_entries(Signal(envelope, RIG.rate, RIG.muscle_names, True)))
    bag = write_form(tmp_path / "bag", entries, FORMS["mcap-split"])
    (bag / "bag_1.mcap").unlink()
    with pytest.raises(BagUnreadable, match=r"is not whole: metadata\.yaml names bag_1\.mcap, which is not there"):
        read_bag_with_report(bag, RIG)


def test_imu_topics_are_found_by_any_sensible_name(
    recording: Recording, envelope: NDArray[np.float64], tmp_path: Path
) -> None:
    for number, pattern in enumerate(("/xsens/{}/data_raw", "/subject/imu_{}", "/{}/imu")):
        topics = [pattern.format(name) for name in RIG.sensor_names]
        emg = emg_entries(Signal(envelope, RIG.rate, ("LeftVastusLateralis", "vastus_lateralis_R"), True))
        entries = in_order(imu_entries(recording, topics), emg)
        path = write_form(tmp_path / f"bag{number}", entries, FORMS["mcap"])
        read, report = read_bag_with_report(path, RIG)
        assert [imu.topic for imu in report.imu] == topics
        assert_same(read, recording, envelope[:, ::-1])
        assert all(entry.type == IMU_TYPE for entry in entries if entry.topic in topics)


def test_the_report_is_json(recording: Recording, envelope: NDArray[np.float64], tmp_path: Path) -> None:
    entries = in_order(imu_entries(recording), emg_entries(Signal(envelope, RIG.rate, RIG.muscle_names, True)))
    _, report = read_bag_with_report(write_form(tmp_path / "bag", entries, FORMS["mcap"]), RIG)
    assert isinstance(report, BagReport)
    figures = report.to_dict()
    assert figures["emg"]["channels"] == {name: name for name in RIG.muscle_names}
    assert [imu["rate"] for imu in figures["imu"]] == [pytest.approx(RIG.rate, rel=0.01)] * 6
