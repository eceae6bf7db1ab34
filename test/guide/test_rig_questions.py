"""Answers to the questions for a rig."""

import pytest

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.rig_questions import check_names


@pytest.mark.parametrize("text", ["left_shank right_shank", "a, a", " , "])
def test_names_without_commas_between_them_are_asked_for_again(text: str) -> None:
    with pytest.raises(InputError, match="separate them with commas"):
        check_names(text)


def test_names_may_have_blanks_around_them() -> None:
    check_names(" left_shank , right_shank ")
