"""Verdicts as the commands print them."""

from imu_emg_estimator.cli.verdict_table import verdict_table


def test_verdict_table_shows_only_what_is_not_good() -> None:
    assert verdict_table({"a": "good", "b": "good"}) == "sensors and muscles: all 2 are good"
    shown = verdict_table(
        {"foot": "good", "left_foot": "left out: no samples", "hip": "used, but check it: x"}, "sensors"
    )
    assert shown.splitlines() == [
        "sensors: 1 of 3 are good",
        "  left_foot  left out: no samples",
        "  hip        used, but check it: x",
    ]
