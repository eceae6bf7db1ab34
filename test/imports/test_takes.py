"""Files grouped into takes, and what their names tell."""

from pathlib import Path

import pytest

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.takes import TakeFiles, find_takes


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    return folder


def test_names_tell_subject_and_condition_by_a_pattern(tmp_path: Path) -> None:
    folder = touch(tmp_path, "A_curl_1.csv.gz", "B_row_2.csv", "ratings.csv", "README.md", ".hidden.csv")
    takes, unfit = find_takes([folder], pattern="{subject}_{condition}_*")
    assert takes == [
        TakeFiles((folder / "A_curl_1.csv.gz",), "A_curl_1", "A", "curl"),
        TakeFiles((folder / "B_row_2.csv",), "B_row_2", "B", "row"),
    ]
    assert unfit == [folder / "ratings.csv"]


def test_folders_tell_subject_and_condition(tmp_path: Path) -> None:
    folder = touch(tmp_path, "anna/fork/7_EMG.txt", "anna/fork/7_IMU.txt", "ben/spoon/8.txt")
    takes, _ = find_takes([folder], pattern="{subject}/{condition}/*")
    assert [(take.subject, take.condition, take.name, len(take.files)) for take in takes] == [
        ("anna", "fork", "fork_7", 2),
        ("ben", "spoon", "spoon_8", 1),
    ]


def test_first_folder_is_the_subject_without_a_pattern(tmp_path: Path) -> None:
    takes, _ = find_takes([touch(tmp_path, "anna/day1/a.csv")])
    assert (takes[0].subject, takes[0].name) == ("anna", "day1_a")


@pytest.mark.parametrize(
    "names",
    [
        ("w1_imu.csv", "w1_emg.csv"),
        ("EMG_w1.mat", "IMU_w1.csv"),
        ("walk-1-xsens.csv", "walk-1-delsys.csv"),
        ("imu.csv", "emg.csv"),
    ],
)
def test_files_that_differ_by_kind_are_one_take(tmp_path: Path, names: tuple[str, ...]) -> None:
    (take,) = find_takes([touch(tmp_path, *names)], subject="anna")[0]
    assert {file.name for file in take.files} == set(names)


def test_files_that_differ_otherwise_are_takes_of_their_own(tmp_path: Path) -> None:
    takes, _ = find_takes([touch(tmp_path, "emg_1.csv", "emg_2.csv", "emg_1.mat")], subject="anna")
    assert [take.name for take in takes] == ["emg_1", "emg_1_2", "emg_2"]


def test_together_makes_one_take_of_all(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.csv", "b.csv")
    (take,) = find_takes([folder / "a.csv", folder / "b.csv"], subject="anna", together=True)[0]
    assert [file.name for file in take.files] == ["a.csv", "b.csv"]


def test_faults_are_refused_in_a_sentence(tmp_path: Path) -> None:
    folder = touch(tmp_path, "a.csv")
    for arguments, fault in (
        ({"paths": [folder / "b.csv"]}, "does not exist"),
        ({"paths": [folder]}, "whose recording .*a.csv is does not show; give --subject NAME"),
        ({"paths": [folder], "pattern": "{subject}_*"}, "no file fits --names"),
        ({"paths": [folder], "pattern": "{subject}_{subject}"}, "names a field twice"),
    ):
        with pytest.raises(InputError, match=fault):
            find_takes(**arguments)
