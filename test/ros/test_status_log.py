"""StatusLog: what the log says of a status and of the sensors, and how often."""

import pytest

from imu_emg_estimator.ros.status_log import QUIET_S, StatusLog
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, STALE, WARMING_UP

FROZEN = SensorState(Verdict.FROZEN, "repeats one acceleration since 0.1 s", "switch it off and on again", True)
SLOW = SensorState(Verdict.SLOW, "sends at 40 Hz instead of 59 Hz", "set a higher rate", False)


class Said(list[tuple[str, bool]]):
    def __call__(self, text: str, is_warning: bool) -> None:
        self.append((text, is_warning))


@pytest.fixture
def said() -> Said:
    return Said()


@pytest.fixture
def log(said: Said) -> StatusLog:
    return StatusLog(said, ["left_foot (/imu/left_foot)", "right_foot (/imu/right_foot)"])


def test_log_says_entering_and_leaving_once(log: StatusLog, said: Said) -> None:
    for k in range(1000):
        now = k / 100
        if now < 2 or now >= 7:
            log.note(OK, "", (GOOD, GOOD), now)
        else:
            log.note(STALE, "no message has come that could be used", (GOOD, GOOD), now)
    assert said == [
        ("OK: every sensor contributes", False),
        ("STALE: no message has come that could be used (after 2.0 s of OK)", True),
        ("OK: every sensor contributes (after 5.0 s of STALE)", False),
    ]


def test_log_does_not_repeat_what_flickers(log: StatusLog, said: Said) -> None:
    for k in range(500):
        log.note((OK, WARMING_UP, DEGRADED)[k % 3], "", (GOOD, GOOD), k / 100)
    assert [text.split()[0].strip(":") for text, _ in said] == ["OK", "WARMING_UP", "DEGRADED"]
    log.note(OK, "", (GOOD, GOOD), QUIET_S + 0.1)
    assert said[-1] == ("OK: every sensor contributes (after 5.1 s of DEGRADED)", False)


def test_log_names_sensor_topic_reason_and_remedy(log: StatusLog, said: Said) -> None:
    log.note(OK, "", (GOOD, GOOD), 0.0)
    for k in range(1, 100):
        log.note(DEGRADED, "left_foot repeats", (FROZEN if k < 60 else GOOD, SLOW), k / 10)
    assert said[2:] == [
        (
            "left_foot (/imu/left_foot): frozen, masked: repeats one acceleration since 0.1 s; "
            "switch it off and on again",
            True,
        ),
        ("right_foot (/imu/right_foot): slow, used: sends at 40 Hz instead of 59 Hz; set a higher rate", True),
        ("left_foot (/imu/left_foot): ok again, after 5.9 s of 'frozen'", False),
    ]


def test_log_keeps_quiet_about_what_does_not_last(log: StatusLog, said: Said) -> None:
    log.note(OK, "", (GOOD, GOOD), 0.0)
    for k in range(200):
        log.note(OK, "", (FROZEN if k % 10 == 0 else GOOD, GOOD), 1 + k / 100)
    assert len(said) == 1


def test_log_groups_sensors_with_one_verdict(log: StatusLog, said: Said) -> None:
    for k in range(20):
        log.note(STALE, "nothing", (FROZEN, FROZEN), k / 10)
    assert len(said) == 2
    assert said[1][0].startswith("left_foot (/imu/left_foot), right_foot (/imu/right_foot): frozen, masked:")


def test_log_says_once_what_is_noted_of_a_good_sensor(log: StatusLog, said: Said) -> None:
    noted = SensorState(reason="is worn the other way round, and its samples are turned back")
    for k in range(100):
        log.note(OK, "", (noted if k % 20 else GOOD, GOOD), k / 100)
    assert said[1:] == [(f"left_foot (/imu/left_foot) {noted.reason}", False)]
