"""File of faults: read as written, and refused in one sentence that says what to do."""

import json
from pathlib import Path

import pytest
from fixtures.markdown_pages import ROOT

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.faults.fault_file import LONGEST_S, check_starts, read_faults
from imu_emg_estimator.faults.fault_kind import Fault

TOPICS = [f"/imu/{name}" for name in RIG.sensor_names]


def write(folder: Path, text: str) -> Path:
    path = folder / "faults.yaml"
    path.write_text(text)
    return path


def test_fault_file_names_sensors_by_topic_or_its_last_part(tmp_path: Path) -> None:
    path = write(
        tmp_path, "- {kind: turned, sensors: [/imu/right_foot, left_thigh], start: 2, duration: 3, magnitude: 90}"
    )
    assert read_faults(path, TOPICS) == [Fault("turned", (0, 5), 2.0, 3.0, 90.0)]


def test_fault_file_may_be_json_and_leave_all_but_the_kind_out(tmp_path: Path) -> None:
    path = write(tmp_path, json.dumps([{"kind": "clock_offset"}]))
    assert read_faults(path, TOPICS) == [Fault("clock_offset", tuple(range(6)), 0.0, LONGEST_S, 0.4)]


def test_example_is_read() -> None:
    assert [fault.kind for fault in read_faults(ROOT / "examples" / "faults.yaml", TOPICS)] == [
        "frozen", "clock_offset", "silent"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("kind: frozen", "holds no list of faults; compare it with examples/faults.yaml"),
        ("[", "is not valid YAML"),
        ("- frozen", "fault 1: 'frozen' is no mapping; give kind, sensors"),
        ("- {kind: froze}", "fault 1: kind 'froze' is not known; choose one of frozen"),
        ("- {sensors: all}", "fault 1: the kind is missing; choose one of frozen"),
        ("- {kind: }", "fault 1: the kind is missing; choose one of frozen"),
        ("- {kind: [frozen]}", "is not known; choose one of"),
        ("- {kind: frozen, end: 3}", "key 'end' is not known; choose from kind, sensors, start"),
        ("- {kind: frozen, sensors: [trunk]}", "sensor 'trunk' is not an Imu topic of the bag; choose from /imu/right"),
        ("- {kind: frozen, sensors: 3}", "sensors must be 'all' or a list of topics"),
        ("- {kind: frozen, sensors: [left_foot, /imu/left_foot]}", "a sensor is named twice"),
        ("- {kind: frozen}\n- {kind: frozen, start: -1}", "fault 2: start is -1, not a number from 0 to 1e"),
        ("- {kind: frozen, duration: yes}", "duration is True, not a number from"),
        ("- {kind: frozen, duration: 0}", "fault 1: duration is 0, so nothing would happen; give seconds, or leave it"),
        ("- {kind: frozen}\n- {kind: silent, magnitude: 3}", "fault 2: kind 'silent' has no magnitude; leave it out"),
        ("- {kind: burst, magnitude: 2.5}", "fault 1: magnitude is 2.5 messages; give a whole number"),
        ("- {kind: silent, start: 1, start: 2}", "fault 1: key 'start' is given twice; keep one"),
        ('[{"kind": "silent"}, {"kind": "silent", "kind": "lost"}]', "fault 2: key 'kind' is given twice; keep one"),
        ("- {kind: spike, magnitude: a lot}", "magnitude is 'a lot', not a number"),
        ("- {kind: lost, magnitude: 2}", "fault 1: fault 'lost' has magnitude 2; choose one from 0 to 1"),
        ("- {kind: exchanged, sensors: [left_foot]}", "needs sensors in pairs, not 1"),
    ],
)
def test_bad_fault_file_is_refused_in_one_sentence(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(InputError) as error:
        read_faults(write(tmp_path, text), TOPICS)
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_fault_that_would_begin_after_the_last_message_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "- {kind: frozen, start: 4}\n- {kind: silent, start: 4.5}")
    faults = read_faults(path, TOPICS)
    check_starts(path, faults, 4.5)
    with pytest.raises(InputError, match=r"faults.yaml, fault 2: start is 4.5 s, but only 4.0 s are played; let it"):
        check_starts(path, faults, 4.0)


def test_absent_fault_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read"):
        read_faults(tmp_path / "none.yaml", TOPICS)
