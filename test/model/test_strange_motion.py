"""StrangeMotion: entered and left after five judgements, at limits apart from each other, and with what differs."""

import math
from dataclasses import dataclass
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.strange_motion import StrangeMotion

SENSORS = len(RIG.sensors)
ALL = np.ones(SENSORS, bool)
THRESHOLD = 2.0


@dataclass
class Motion:
    """Gravity in every sensor's axes, and logarithms of strength, [2, sensors, 3]."""

    statistics: NDArray[np.float64]
    strength: float = 0.5


class Evidence:
    """Scores that are given, of the conditions by the sensors that are left."""

    def __init__(self) -> None:
        self.scores, self.without = [9.0, 1.0], dict.fromkeys(range(SENSORS), 1.0)
        self.distribution = SimpleNamespace(
            threshold=THRESHOLD, conditions=("going_up", "walking"), centres=np.stack([usual() + 1.0, usual()])
        )

    def squares(self, _: Motion, available: NDArray[np.bool_]) -> tuple[NDArray[np.float64], int]:
        factor = math.prod(self.without[sensor] for sensor in np.flatnonzero(~available).tolist())
        return factor * 4.0 * np.array(self.scores) ** 2, 4


def usual() -> NDArray[np.float64]:
    gravity = np.tile([0.0, 0.0, 1.0], (SENSORS, 1))
    return np.stack([gravity, np.zeros((SENSORS, 3))]).ravel()


def moving(sensor: int = 0, turned_deg: float = 0.0, stronger: float = 1.0, strength: float = 0.5) -> Motion:
    statistics = usual().reshape(2, SENSORS, 3)
    angle = math.radians(turned_deg)
    statistics[0, sensor] = [0.0, 0.9 * math.sin(angle), 0.9 * math.cos(angle)]
    statistics[1, sensor] = math.log(stronger)
    return Motion(statistics.ravel(), strength)


@pytest.fixture
def evidence() -> Evidence:
    return Evidence()


@pytest.fixture
def strange(evidence: Evidence) -> StrangeMotion:
    return StrangeMotion(RIG, evidence)  # type: ignore[arg-type]


def judge(strange: StrangeMotion, evidence: Evidence, scores: list[float], motion: Motion | None = None) -> list[bool]:
    found = []
    for score in scores:
        evidence.scores = [9.0, score]
        assert strange.judge(motion or moving(), ALL) == pytest.approx(score)  # type: ignore[arg-type]
        found.append(strange.is_strange)
    return found


@pytest.mark.parametrize(
    ("strength", "enter", "leave"), [(0.11, 3.0, 2.2), (0.1, 4.5, 3.3)]
)  # 1.5 and 1.1 thresholds, and at rest 1.5 times as much
def test_strange_motion_is_entered_and_left_after_five_judgements(
    strange: StrangeMotion, evidence: Evidence, strength: float, enter: float, leave: float
) -> None:
    motion = moving(strength=strength)
    assert judge(strange, evidence, [enter - 0.01] * 9, motion) == [False] * 9
    assert judge(strange, evidence, [enter + 0.01] * 4 + [enter - 0.01], motion) == [False] * 5
    assert judge(strange, evidence, [enter + 0.01] * 5, motion) == [False] * 4 + [True]
    assert judge(strange, evidence, [leave + 0.01] * 9, motion) == [True] * 9
    assert judge(strange, evidence, [leave - 0.01] * 4 + [leave + 0.01], motion) == [True] * 5
    assert judge(strange, evidence, [leave - 0.01] * 5, motion) == [True] * 4 + [False]
    assert strange.text == ""


@pytest.mark.parametrize(
    ("turned_deg", "sensors", "told"), [(9.0, 2, True), (11.0, 1, True), (11.0, 2, False), (11.0, 6, False)]
)  # in the mean over both halves: by twice as much from the first to the latter
def test_motion_of_two_postures_is_not_judged(
    strange: StrangeMotion, evidence: Evidence, turned_deg: float, sensors: int, told: bool
) -> None:
    newest = usual().reshape(2, SENSORS, 3)
    angle = math.radians(turned_deg)
    whole = newest.copy()
    whole[0, :sensors] = [0.0, math.tan(angle), 1.0]
    evidence.scores = [9.0, 9.0]
    for _ in range(5):
        strange.judge(Motion(whole.ravel()), ALL, Motion(newest.ravel()))  # type: ignore[arg-type]
    assert strange.is_strange is told


def test_strange_motion_is_forgotten_without_a_sensor(strange: StrangeMotion, evidence: Evidence) -> None:
    judge(strange, evidence, [9.0] * 5)
    assert math.isnan(strange.judge(moving(), ~ALL))  # type: ignore[arg-type]
    assert (strange.is_strange, strange.text) == (False, "")
    assert judge(strange, evidence, [9.0] * 5) == [False] * 4 + [True]


@pytest.mark.parametrize(
    ("motion", "text"),
    [
        (moving(2, turned_deg=31.0), "gravity is 31° off in its axes"),
        (moving(2, turned_deg=29.0), "its axes move otherwise together, or with the other sensors'"),
        (moving(2, turned_deg=29.0, stronger=1.6), "it accelerates 1.6 times as much"),
        (moving(2, stronger=1.49), "its axes move otherwise together"),
        (moving(2, stronger=0.66), "it accelerates 0.7 times as much"),
        (moving(2, stronger=0.67), "its axes move otherwise together"),
    ],
)
def test_strange_motion_says_what_differs_of_the_sensor_without_which_it_is_least_strange(
    strange: StrangeMotion, evidence: Evidence, motion: Motion, text: str
) -> None:
    evidence.without[2] = 0.5
    judge(strange, evidence, [8.0] * 5, motion)
    name = RIG.sensor_names[2]
    assert strange.text.startswith(f"{name} differs most from the training subjects' walking: {text}")


def test_strange_motion_names_the_only_sensor(strange: StrangeMotion, evidence: Evidence) -> None:
    evidence.scores = [9.0, 8.0]
    only = np.arange(SENSORS) == 4
    for _ in range(5):
        strange.judge(moving(4, turned_deg=90.0), only)  # type: ignore[arg-type]
    assert strange.text.startswith(f"{RIG.sensor_names[4]} differs most")


def test_strange_motion_names_one_sensor_until_that_is_gone(strange: StrangeMotion, evidence: Evidence) -> None:
    evidence.without[2] = 0.5
    judge(strange, evidence, [8.0] * 5)
    evidence.without |= {2: 1.0, 3: 0.5}
    judge(strange, evidence, [8.0])
    assert strange.sensor == 2
    strange.judge(moving(), np.arange(SENSORS) != 2)  # type: ignore[arg-type]
    assert strange.sensor == 3


def test_score_is_that_of_the_most_similar_condition(strange: StrangeMotion, evidence: Evidence) -> None:
    for scores in ([9.0, 0.05], [0.0, 3.0]):
        evidence.scores = scores
        assert strange.judge(moving(), ALL) == pytest.approx(min(scores))
