"""Rigs proposed from names: places and sides in usual spellings, and a file that reads back as it was."""

from pathlib import Path

import pytest
from fixtures.factories import refusal

from imu_emg_estimator.rig import DEFAULT_MOVEMENTS, Movement, Rig
from imu_emg_estimator.rig_files.rig_proposal import FoundParts, place_of, propose_rig, proposed_rate, rig_text


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("right_wrist", ("wrist", "right")),
        ("LeftThigh", ("thigh", "left")),
        ("shin_l", ("shank", "left")),
        ("r upper arm", ("upper_arm", "right")),
        ("vastus_lateralis_left", ("vastus_lateralis", "left")),
        ("bicep", ("biceps_brachii", "centre")),
        ("deltoid_middle_right", ("deltoid_middle", "right")),
        ("imu_7", ("7", "centre")),
    ],
)
def test_place_of_name(name: str, place: tuple[str, str]) -> None:
    assert place_of(name) == place


def test_proposed_rate_is_that_of_the_slowest_sensor() -> None:
    assert proposed_rate([370.37, 148.1]) == 100.0
    assert proposed_rate([370.37, 58.82]) == 58.8
    assert proposed_rate([float("nan")]) == 100.0


def test_propose_rig_takes_labels_that_are_not_rest() -> None:
    parts = FoundParts({"right_wrist": 50.0}, ["biceps_right"], False, ["curl", "Rest", "unlabelled"])
    rig, remarks = propose_rig(parts, "arm")
    assert rig.movements == (Movement("curl"),)
    assert (rig.sensors[0].segment, rig.sensors[0].side, rig.gyroscopes) == ("forearm", "right", False)
    assert any("curl" in remark for remark in remarks)


def test_propose_rig_counts_everything_where_nothing_is_labelled() -> None:
    rig, remarks = propose_rig(FoundParts({"wrist": 50.0}, ["biceps"], labels=[]), "arm")
    assert rig.movement_names == ("unlabelled",)
    assert any("nothing is labelled" in remark for remark in remarks)
    assert propose_rig(FoundParts({"wrist": 50.0}, ["biceps"], labels=["walking"]), "leg")[0].movements == (
        DEFAULT_MOVEMENTS
    )


def test_propose_rig_asks_where_an_unknown_sensor_is() -> None:
    _, remarks = propose_rig(FoundParts({"imu_7": 50.0}, ["biceps"]), "arm")
    assert "where is sensor 'imu_7'?" in remarks[0]


def test_propose_rig_refuses_nothing() -> None:
    with refusal("no sensor"):
        propose_rig(FoundParts({}, ["biceps"]), "arm")
    with refusal("no EMG channel"):
        propose_rig(FoundParts({"wrist": 50.0}, []), "arm")


def test_rig_text_reads_back_with_all_keys(tmp_path: Path) -> None:
    names = {"left_wrist": 50.0, "right_wrist": 50.0}
    rig, _ = propose_rig(FoundParts(names, ["vastus_lateralis_left"], False, ["curl: fast", "#2"]), "arm: both")
    path = tmp_path / "rig.yaml"
    path.write_text(rig_text(rig))
    assert Rig.from_yaml(path) == rig
    assert "# the IMUs, in the order of the model's input" in path.read_text()
