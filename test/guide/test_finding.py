"""Lines of `imu-emg doctor`."""

from imu_emg_estimator.guide.finding import Finding, Level, finding_lines, worst_level

GOOD, BAD, WORSE = (Finding(level.value, level, "as seen") for level in Level)


def test_lines_are_in_columns() -> None:
    assert finding_lines([GOOD, WORSE]) == ["ok       ok       as seen", "problem  problem  as seen"]


def test_worst_level_is_the_gravest() -> None:
    assert worst_level([]) is Level.OK
    assert worst_level([BAD, GOOD]) is Level.WARNING
    assert worst_level([GOOD, WORSE, BAD]) is Level.PROBLEM
