"""Problems that show whatever the subject does: silent, slow and stuck sensors, and missing EMG."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.guided_subject import changed, named, standing_of, stands, steps

from imu_emg_estimator.guide.limb_check import LIMBS, check_limb
from imu_emg_estimator.guide.live_samples import LiveSamples
from imu_emg_estimator.guide.sensor_problems import Problem
from imu_emg_estimator.guide.standing_check import check_standing
from imu_emg_estimator.rig import Rig

RIGHT_FOOT, RIGHT_SHANK, RIGHT_THIGH, LEFT_FOOT, LEFT_SHANK, LEFT_THIGH = range(6)


def pose(samples: LiveSamples, rig: Rig) -> list[Problem]:
    return check_standing(samples, rig, standing_of(rig))


def limb(samples: LiveSamples, rig: Rig) -> list[Problem]:
    return check_limb(samples, rig, LIMBS[0])


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"topic": None, "receipts": np.empty(0), "imu": np.empty((0, 6))}, "no_topic"),
        ({"receipts": np.empty(0), "imu": np.empty((0, 6))}, "silent"),
        ({"receipts": np.arange(40) / 10, "imu": np.random.default_rng(0).standard_normal((40, 6))}, "slow"),
        ({"receipts": np.arange(100) / 60, "imu": np.random.default_rng(0).standard_normal((100, 6))}, "gaps"),
        ({"receipts": np.arange(240) / 60, "imu": np.full((240, 6), np.nan)}, "no_acceleration"),
        ({"receipts": np.arange(240) / 60, "imu": np.tile([0, 0, 9.81, 0, 0, 0], (240, 1))}, "stuck"),
    ],
)
@pytest.mark.parametrize("check", [pose, limb])
def test_connection_problem_is_named_by_both_checks(
    rig: Rig, values: dict[str, object], kind: str, check: object
) -> None:
    samples = stands(rig) if check is pose else replace(steps(rig), seconds=4.0)
    problems = check(changed(samples, LEFT_SHANK, **values), rig)
    assert named(problems) == [(kind, ("left_shank",))]
    assert "left shank" in problems[0].text


@pytest.mark.parametrize(("rig_rate", "slow"), [(58.8, False), (79.9, False), (80.1, True), (200.0, True)])
def test_sensor_is_too_slow_below_half_of_the_rigs_rate(rig: Rig, rig_rate: float, slow: bool) -> None:
    forty = {"receipts": np.arange(160) / 40, "imu": noisy(160, 0.05)}
    problems = pose(changed(stands(rig), LEFT_SHANK, **forty), replace(rig, rate=rig_rate))
    texts = [problem.text for problem in problems if problem.kind == "slow" and problem.sensors == ("left_shank",)]
    assert len(texts) == slow
    assert all(f"at least {rig_rate / 2:.3g} Hz is needed" in text for text in texts)


def noisy(count: int, deviation: float) -> np.ndarray:
    return np.array([0, 0, 9.81, 0, 0, 0]) + deviation * np.random.default_rng(0).standard_normal((count, 6))


@pytest.mark.parametrize(
    ("imu", "kind", "words"),
    [
        (noisy(240, 0.0005), "stuck", "the same values"),
        (np.concatenate([noisy(100, 0.05), np.tile(noisy(1, 0.05), (140, 1))]), "stuck", "the same values"),
        (np.where(np.arange(240)[:, None] % 2, 0.5, 1.0) * noisy(240, 0.05), "two publishers", "one driver alone"),
    ],
)
def test_connection_problem_is_what_live_would_say(rig: Rig, imu: np.ndarray, kind: str, words: str) -> None:
    problems = pose(changed(stands(rig), LEFT_SHANK, receipts=np.arange(240) / 60, imu=imu), rig)
    assert named(problems) == [(kind, ("left_shank",))]
    assert words in problems[0].text


def test_connection_problems_report_silent_rig_once(rig: Rig) -> None:
    samples = stands(rig)
    for sensor in range(6):
        samples = changed(samples, sensor, topic=None, receipts=np.empty(0), imu=np.empty((0, 6)))
    problems = pose(replace(samples, other_topics=("/x/imu",)), rig)
    assert named(problems) == [("silent", rig.sensor_names)]
    assert "/x/imu" in problems[0].text


def test_connection_problems_report_missing_emg(rig: Rig) -> None:
    assert named(pose(replace(stands(rig), emg_messages=0), rig)) == [("no_emg", ())]
    assert named(pose(replace(stands(rig), emg_topic=None, emg_messages=0), rig)) == [("no_emg", ())]
