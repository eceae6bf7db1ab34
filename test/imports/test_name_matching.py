"""Words of channels matched with a rig's sensors and muscles."""

import pytest

from imu_emg_estimator.imports.name_matching import match_names
from imu_emg_estimator.rig import Muscle, Sensor

SENSORS = [Sensor(f"{side}_{part}", part, side) for side in ("left", "right") for part in ("foot", "shank", "thigh")]
MUSCLES = [
    Muscle("vastus_lateralis_right", "vastus_lateralis", "right"),
    Muscle("vastus_lateralis_left", "vastus_lateralis", "left"),
    Muscle("biceps_femoris_right", "biceps_femoris", "right"),
]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("left foot", "left_foot"),
        ("l shin", "left_shank"),
        ("rt thigh", "right_thigh"),
        ("right lower leg", "right_shank"),
        ("lthigh", "left_thigh"),
    ],
)
def test_sensors_are_found_by_side_and_segment(label: str, name: str) -> None:
    assert match_names([tuple(label.split())], SENSORS) == ({tuple(label.split()): name}, [])


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("vl r", "vastus_lateralis_right"),
        ("l vastus lateralis", "vastus_lateralis_left"),
        ("rbf", "biceps_femoris_right"),
        ("biceps femoris", "biceps_femoris_right"),
    ],
)
def test_muscles_are_found_by_their_abbreviations(label: str, name: str) -> None:
    assert match_names([tuple(label.split())], MUSCLES) == ({tuple(label.split()): name}, [])


def test_words_that_fit_two_are_left_to_the_user() -> None:
    found, notes = match_names([("vl",)], MUSCLES)
    assert found == {}
    assert notes == ["'vl' fits vastus_lateralis_right and vastus_lateralis_left: say in the mapping what it is"]


def test_two_channels_that_fit_one_are_left_to_the_user() -> None:
    found, notes = match_names([("l", "foot"), ("left", "toe")], SENSORS)
    assert found == {}
    assert notes == ["'left_foot' fits l foot and left toe: say in the mapping which it is"]


def test_the_only_one_is_taken_for_the_only_one_and_told() -> None:
    found, notes = match_names([("sensor", "7")], [Sensor("wrist", "forearm", "right")])
    assert found == {("sensor", "7"): "wrist"}
    assert notes == ["'sensor 7' is taken for 'wrist', as there is one of each"]


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("anterior deltoid r", "deltoid_anterior_right"),
        ("deltoid middle right", "deltoid_middle_right"),
        ("middle deltoid r", "deltoid_middle_right"),
        ("posterior deltoid r", None),
    ],
)
def test_part_of_a_muscle_is_not_taken_for_another(label: str, name: str | None) -> None:
    parts = [Muscle(f"deltoid_{part}_right", f"deltoid_{part}", "right") for part in ("anterior", "middle")]
    found, _ = match_names([tuple(label.split())], parts)
    assert found == ({tuple(label.split()): name} if name else {})


@pytest.mark.parametrize(
    ("label", "fits"),
    [
        ("extensor digitorum", False),
        ("extensor carpi radialis", True),
        ("extensor carpi", True),
        ("ext_carpi_rad 5", True),
        ("5 carpi extensor", True),
    ],
)
def test_one_common_word_is_not_enough_where_others_differ(label: str, fits: bool) -> None:
    parts = [Muscle("ext_carpi_rad", "extensor_carpi_radialis"), Muscle("biceps", "biceps_brachii")]
    words = tuple(label.replace("_", " ").split())
    assert match_names([words], parts)[0] == ({words: "ext_carpi_rad"} if fits else {})


def test_flexor_is_not_taken_for_an_extensor() -> None:
    found, notes = match_names(
        [("flexor", "carpi", "ulnaris"), ("biceps",)],
        [Muscle("extensor_carpi_ulnaris", "extensor_carpi_ulnaris"), Muscle("biceps", "biceps_brachii")],
    )
    assert found == {("biceps",): "biceps"}
    assert notes == ["'flexor carpi ulnaris' fits no name of the rig: say in the mapping what it is"]
