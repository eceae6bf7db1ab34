"""The matrix of bags: those that are refused, damaged files, and names of topics."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fixtures.bag_forms import (
    EMG_TOPIC,
    FORMS,
    Signal,
    emg_entries,
    imu_entries,
    in_order,
    write_form,
)
from fixtures.walk_bags import (
    Change,
    assert_same,
    estimate_only,
    on_emg,
    only_before,
    two_emgs,
    without,
)
from numpy.typing import NDArray

from imu_emg_estimator.bags import (
    BagReport,
    BagTooShort,
    BagUnreadable,
    TopicMissing,
    read_bag_with_report,
)
from imu_emg_estimator.bags.message_types import IMU_TYPE
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording

pytestmark = [pytest.mark.bag_matrix, pytest.mark.slow]

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
def test_read_bag_refuses_defect_in_one_sentence(name: str, walk: Recording, tmp_path: Path) -> None:
    change, form, kind, said = REFUSED[name]
    assert walk.emg is not None
    raw = np.nan_to_num(walk.emg.data, nan=128.0)
    emg = emg_entries(Signal(raw, RIG.rate, RIG.muscle_names, False, "count"))
    path = write_form(tmp_path / "bag", change(in_order(imu_entries(walk), emg)), FORMS[form])
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
def test_read_bag_damaged_file(form: str, damage: str, said: str | None, walk: Recording, tmp_path: Path) -> None:
    """None: what is there is read. One file of the bag, the last one, is damaged."""
    assert walk.emg is not None
    raw = np.nan_to_num(walk.emg.data, nan=128.0)
    emg = emg_entries(Signal(raw, RIG.rate, RIG.muscle_names, False, "count"))
    bag = write_form(tmp_path / "bag", in_order(imu_entries(walk), emg), FORMS[form])
    file = max(path for path in (tmp_path / "bag").iterdir() if path.name != "metadata.yaml")
    file.write_bytes(DAMAGE[damage](file.read_bytes()))
    if said is None:
        read, report = read_bag_with_report(bag, RIG)
        assert len(read) > 0.6 * len(walk)
        np.testing.assert_allclose(read.imu, walk.imu[: len(read)], atol=1e-5)
        assert any("ends in the middle of a record" in note or "is empty" in note for note in report.notes)
        return
    with pytest.raises(BagUnreadable) as caught:
        read_bag_with_report(bag, RIG)
    assert said in str(caught.value)
    assert str(bag) in str(caught.value)


def test_read_bag_refuses_bag_with_missing_file(
    walk: Recording, walk_envelope: NDArray[np.float64], tmp_path: Path
) -> None:
    entries = in_order(imu_entries(walk), emg_entries(Signal(walk_envelope, RIG.rate, RIG.muscle_names, True)))
    bag = write_form(tmp_path / "bag", entries, FORMS["mcap-split"])
    (bag / "bag_1.mcap").unlink()
    with pytest.raises(BagUnreadable, match=r"is incomplete: metadata\.yaml names bag_1\.mcap, which is not there"):
        read_bag_with_report(bag, RIG)


def test_read_bag_finds_imu_topics_by_usual_names(
    walk: Recording, walk_envelope: NDArray[np.float64], tmp_path: Path
) -> None:
    for number, pattern in enumerate(("/xsens/{}/data_raw", "/subject/imu_{}", "/{}/imu")):
        topics = [pattern.format(name) for name in RIG.sensor_names]
        emg = emg_entries(Signal(walk_envelope, RIG.rate, ("LeftVastusLateralis", "vastus_lateralis_R"), True))
        entries = in_order(imu_entries(walk, topics), emg)
        path = write_form(tmp_path / f"bag{number}", entries, FORMS["mcap"])
        read, report = read_bag_with_report(path, RIG)
        assert [imu.topic for imu in report.imu] == topics
        assert_same(read, walk, walk_envelope[:, ::-1])
        assert all(entry.type == IMU_TYPE for entry in entries if entry.topic in topics)


def test_report_to_dict_is_json(walk: Recording, walk_envelope: NDArray[np.float64], tmp_path: Path) -> None:
    entries = in_order(imu_entries(walk), emg_entries(Signal(walk_envelope, RIG.rate, RIG.muscle_names, True)))
    _, report = read_bag_with_report(write_form(tmp_path / "bag", entries, FORMS["mcap"]), RIG)
    assert isinstance(report, BagReport)
    figures = report.to_dict()
    assert figures["emg"]["channels"] == {name: name for name in RIG.muscle_names}
    assert [imu["rate"] for imu in figures["imu"]] == [pytest.approx(RIG.rate, rel=0.01)] * 6
