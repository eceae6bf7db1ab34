"""SensorWatch: which state a sensor has, and which of its rows are used, at and beside the limits in time."""

from collections.abc import Container, Iterable

import numpy as np
import pytest

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.signals.grid_alignment import ABSENT, SECOND
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict
from imu_emg_estimator.streaming.sensor_watch import GAPPY, LATE, NOTHING_YET, RETURNING, SensorWatch, graver

MS = 1_000_000  # ns
START = 1_700_000_000_000 * MS
ROW_MS = 10
TOLD = SensorState(Verdict.SLOW, "sends slowly", "look at it")
MASKED = SensorState(Verdict.FROZEN, "stands still", "restart it", masked=True)
OTHER_MASKED = SensorState(Verdict.LATE, "sends late", "look at it", masked=True)


class Subject:
    """Six sensors that send every 10 ms and lie still, the first of them with gaps."""

    def __init__(self, bundle: Bundle) -> None:
        self.watch = SensorWatch(bundle, (), 0.0)
        self.now = START
        self._noise = np.random.default_rng(0)

    def row(self, lacks: bool = False, is_silent: bool = False, absent: bool = False) -> bool:
        """Take a row, in which the first sensor may lack; return whether it is used."""
        self.now += ROW_MS * MS
        imu = self._noise.standard_normal((6, 6)) * 0.1 + [0.0, 0.0, 9.81, 0.0, 0.0, 0.0]
        for sensor, sample in enumerate(imu.tolist()):
            if sensor or not is_silent:
                sent = ABSENT if absent and not sensor else tuple(sample)
                self.watch.take(sensor, self.now, sent, self.now + MS, None)
        if lacks:
            imu[0] = np.nan
        self.watch.mask(self.now, imu)
        self.watch.update(self.now + MS)
        assert np.isfinite(imu[1:]).all()
        return bool(np.isfinite(imu[0]).all())

    def rows(self, count: int, lacking: Container[int] = ()) -> list[bool]:
        return [self.row(index in lacking) for index in range(count)]

    @property
    def state(self) -> SensorState:
        return self.watch.states[0]


@pytest.fixture
def subject(bundle: Bundle) -> Subject:
    subject = Subject(bundle)
    assert subject.watch.states == (NOTHING_YET,) * 6
    assert subject.rows(100) == [True] * 100
    assert subject.watch.states == (GOOD,) * 6
    return subject


def silence(subject: Subject, until: Iterable[int], lacks: bool) -> list[SensorState]:
    """Return the states so many ms after the last message of the first sensor."""
    last, found = subject.now + MS, []
    for after in until:
        while subject.now + ROW_MS * MS <= last + after * MS:
            subject.row(lacks=lacks, is_silent=True)
        subject.watch.update(last + after * MS, [])  # looks at once, as others have said something
        found.append(subject.state)
    return found


@pytest.mark.parametrize(("lacks", "limit_ms"), [(True, 100), (False, 250)])
def test_watch_calls_a_sensor_silent_sooner_where_rows_lack_it(subject: Subject, lacks: bool, limit_ms: int) -> None:
    before, after = silence(subject, (limit_ms, limit_ms + 1), lacks)
    assert before == (LATE if lacks else GOOD)
    assert (after.verdict, after.masked) == (Verdict.SILENT, True)
    assert after.reason == f"has sent nothing for {(limit_ms + 1) / 1000:.1f} s"


@pytest.mark.parametrize(("lacking", "held"), [(10, 0), (11, 19)])
def test_watch_leaves_a_sensor_out_for_200_ms_after_a_gap_of_100_ms(subject: Subject, lacking: int, held: int) -> None:
    assert not any(subject.rows(lacking, range(lacking)))
    assert subject.state == LATE
    for _ in range(held):
        assert not subject.row()
        assert subject.state == RETURNING
    assert all(subject.rows(20))
    assert subject.state == GOOD
    report = subject.watch.report(0)
    assert (report.rows, report.used) == (120 + lacking + held, 120)
    assert subject.watch.report(1).used == report.rows


@pytest.mark.parametrize(("distance", "is_gappy"), [(49, True), (50, False)])
def test_watch_leaves_a_sensor_out_whose_fourth_gap_in_a_row_follows_within_half_a_second(
    subject: Subject, distance: int, is_gappy: bool
) -> None:
    gaps = [distance * index for index in range(4)]
    used = subject.rows(gaps[-1], gaps)
    assert used.count(False) == 3
    assert subject.state == GOOD
    assert not subject.row(lacks=True)
    assert subject.state == (GAPPY if is_gappy else LATE)
    assert subject.rows(49) == [not is_gappy] * 49
    assert subject.rows(50) == [True] * 50
    assert subject.state == GOOD


def test_watch_counts_gaps_anew_after_half_a_second_without(subject: Subject) -> None:
    subject.rows(150, (0, 40, 80, 130))
    assert subject.rows(40, (20,)).count(False) == 1


def test_watch_bridges_one_message_without_values(subject: Subject) -> None:
    assert subject.row(absent=True)
    assert subject.state == GOOD
    report = subject.watch.report(0)
    assert (report.rows, report.used) == (101, 100)


@pytest.mark.parametrize("state", [TOLD, MASKED])
def test_watch_follows_the_verdict_of_others_on_a_sensor(subject: Subject, state: SensorState) -> None:
    subject.watch.judge(0, state)
    assert subject.rows(10) == [not state.masked] * 10
    assert subject.state == state
    assert subject.watch.report(0).used == (100 if state.masked else 110)
    subject.watch.judge(0, GOOD)
    assert subject.row()
    assert subject.state == GOOD


def test_watch_takes_the_graver_state_of_others_at_once(subject: Subject) -> None:
    subject.watch.update(subject.now + MS, (MASKED, TOLD, GOOD, GOOD, GOOD, GOOD))
    assert subject.watch.states == (MASKED, TOLD, GOOD, GOOD, GOOD, GOOD)


@pytest.mark.parametrize(("later", "looks"), [(-1, True), (1, False), (25 * MS, False), (25 * MS + 1, True)])
def test_watch_looks_at_all_sensors_every_25_ms_and_when_time_steps_back(
    subject: Subject, later: int, looks: bool
) -> None:
    subject.watch.update(subject.now + SECOND)
    states = subject.watch.states
    subject.watch.update(subject.now + SECOND + later)
    assert (subject.watch.states is not states) == looks


@pytest.mark.parametrize(
    ("one", "other", "gravest"),
    [
        (GOOD, TOLD, TOLD),
        (TOLD, GOOD, TOLD),
        (GOOD, MASKED, MASKED),
        (MASKED, GOOD, MASKED),
        (TOLD, MASKED, MASKED),
        (MASKED, TOLD, MASKED),
        (MASKED, OTHER_MASKED, MASKED),
        (TOLD, SensorState(Verdict.LATE, "sends late", "look at it"), TOLD),
    ],
)
def test_graver_state_is_masked_or_not_good(one: SensorState, other: SensorState, gravest: SensorState) -> None:
    assert graver(one, other) == gravest


def test_watch_accuses_a_sensor_once_when_it_is_found_wrong(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter([GOOD, MASKED, OTHER_MASKED, TOLD, GOOD])
    monkeypatch.setattr(
        subject.watch._checks, "check", lambda sensor, instant, sample, sequence: (sample, next(states))
    )
    for index in range(5):
        at = subject.now + (index + 1) * ROW_MS * MS
        subject.watch.take(0, at, (0.0, 0.0, 9.81, 0.0, 0.0, 0.0), at + MS, None)
        assert subject.watch.accused == [0] * (index > 0)


def test_sensor_is_right_again_half_a_second_after_its_second_publisher_has_gone(subject: Subject) -> None:
    noise = np.random.default_rng(1)

    def send(row: int, sequence: int) -> None:
        sample = noise.standard_normal(6) * 0.1 + [0.0, 0.0, 9.81, 0.0, 0.0, 0.0]
        now = START + 2 * SECOND + row * ROW_MS * MS
        subject.watch.take(0, now, tuple(sample.tolist()), now + MS, sequence)
        subject.watch.update(now + MS)

    for row in range(500):
        send(row, row)
        if 100 <= row < 400:
            send(row, 500 + row)
        assert row < 120 or row >= 400 or subject.state.verdict is Verdict.TWO_PUBLISHERS
    assert subject.state.verdict is not Verdict.TWO_PUBLISHERS
    assert subject.state.verdict not in (Verdict.SLOW, Verdict.LATE)


def test_watch_bridges_only_messages_without_any_value_that_is_used(subject: Subject) -> None:
    at, nan = subject.now + ROW_MS * MS, float("nan")
    assert subject.watch.take(0, at, ABSENT, at + MS, None) is None
    half = (0.0, 0.0, 9.81, nan, nan, nan)
    assert subject.watch.take(1, at, half, at + MS, None) is not None
