"""PlacementEvidence: what is worn wrongly is found from its limit of evidence on, and not below it."""

import math

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.model.motion_distribution import Distribution
from imu_emg_estimator.model.motion_hypotheses import Hypotheses
from imu_emg_estimator.model.out_of_step import OutOfStep
from imu_emg_estimator.model.placement_evidence import Motion, PlacementEvidence, squared_distances
from imu_emg_estimator.model.placement_remedies import Remedy
from imu_emg_estimator.model.sensor_drift import MotionProfile
from imu_emg_estimator.signals.motion_statistics import MotionStatistics, motion_moments

SENSORS = len(RIG.sensors)
STATISTICS = MotionStatistics(SENSORS)
ALL = np.ones(SENSORS, bool)
Array = NDArray[np.floating]


@pytest.fixture(scope="module")
def moments(make_recording: RecordingFactory) -> Array:
    """Moments of some seconds of walking with all sensors worn as they should be."""
    return motion_moments(make_recording([("walking", 6.0)]).imu, RIG.rate)[-1]


def motion_of(moments: Array, available: NDArray[np.bool_] = ALL) -> Motion:
    return Motion(moments, STATISTICS.describe(moments)[0], available)


def worn_wrongly(moments: Array, remedy: Remedy) -> Motion:
    """Return the motion that a remedy puts right."""
    rotations = remedy.rotations().transpose(0, 2, 1)
    return motion_of(STATISTICS.remounted(moments, remedy.sources, rotations))


def evidence_at(centre: Array, spread: float, conditions: tuple[str, ...] = ("walking",)) -> PlacementEvidence:
    """Evidence against training subjects around one motion, with statistics apart by so much."""
    size = len(STATISTICS)
    centres = np.stack([centre + 9.0 * index for index in range(len(conditions))])
    return PlacementEvidence(RIG, Distribution("made up", conditions, 2.0, centres, spread**2 * np.eye(size)))


REMEDIES = Hypotheses(RIG).remedies


def a_remedy(kind: str) -> Remedy:
    def is_of_kind(remedy: Remedy) -> bool:
        if remedy.rotation is None:
            return kind == "exchange"
        if remedy.is_inversion:
            return kind == ("inversion" if np.trace(remedy.rotation) == -3 else "axis")
        return kind == ("slip" if remedy.is_slip else "turn")

    return next(remedy for remedy in REMEDIES if is_of_kind(remedy))


@pytest.mark.parametrize(
    ("kind", "least"), [("exchange", 12.0), ("turn", 50.0), ("inversion", 50.0), ("axis", 75.0), ("slip", 90.0)]
)
def test_remedy_is_believed_from_its_evidence_on(moments: Array, kind: str, least: float) -> None:
    remedy = a_remedy(kind)
    good, wrong = motion_of(moments), worn_wrongly(moments, remedy)
    once = evidence_at(good.statistics, 1.0).of(remedy, wrong)
    assert once == pytest.approx(0.5 * ((wrong.statistics - good.statistics) ** 2).sum())
    for share, believed in ((0.99, False), (1.01, True)):
        found = evidence_at(good.statistics, math.sqrt(once / (share * least))).find(wrong)
        assert [f.remedy.fault() for f in found] == [remedy.fault()] * believed
        if believed:
            assert found[0].evidence == pytest.approx(share * least)
            assert found[0].remedy.sensors == remedy.sensors


def test_nothing_is_found_in_good_motion(moments: Array) -> None:
    good = motion_of(moments)
    assert evidence_at(good.statistics, 0.05).find(good) == ()


def test_remedy_is_no_remedy_in_a_condition_that_is_no_locomotion(moments: Array) -> None:
    remedy = a_remedy("turn")
    good, wrong = motion_of(moments), worn_wrongly(moments, remedy)
    assert evidence_at(good.statistics, 0.01, ("sitting", "walking")).find(wrong) == ()
    assert evidence_at(good.statistics, 0.01, ("walking", "sitting")).find(wrong)
    assert evidence_at(good.statistics, 0.01, ("hopping", "skipping")).find(wrong)  # names that nobody knows


@pytest.mark.parametrize(("apart", "believed"), [(1.99, True), (2.01, False)])
def test_remedy_must_leave_a_motion_like_the_training_subjects(moments: Array, apart: float, believed: bool) -> None:
    """After the remedy, every statistic is that many deviations off."""
    remedy = a_remedy("exchange")
    good, wrong = motion_of(moments), worn_wrongly(moments, remedy)
    signs = np.sign(good.statistics - wrong.statistics)
    spread = 1e-3
    centre = good.statistics + np.where(signs == 0, 1.0, signs) * apart * spread
    assert bool(evidence_at(centre, spread).find(wrong)) is believed


def test_three_faults_are_found_one_after_the_other_and_no_more(moments: Array) -> None:
    turn = a_remedy("turn").rotation
    assert turn is not None
    places = tuple(range(SENSORS))
    wrong = moments
    for sensor in range(4):
        wrong = worn_wrongly(wrong, Remedy((sensor,), places, turn)).moments
    found = evidence_at(motion_of(moments).statistics, 0.01).find(motion_of(wrong))
    assert len(found) <= 3
    two = worn_wrongly(worn_wrongly(moments, Remedy((0,), places, turn)).moments, Remedy((4,), places, turn))
    pair = evidence_at(motion_of(moments).statistics, 0.3).find(two)
    assert {finding.remedy.sensors for finding in pair} <= {(0,), (4,)}


@pytest.mark.parametrize(("share", "believed"), [(0.99, False), (1.01, True)])
def test_change_of_the_subjects_own_motion_needs_evidence_of_30(moments: Array, share: float, believed: bool) -> None:
    """The training subjects say nothing of a slip, the subject's calibration does."""
    remedy = a_remedy("slip")
    good, wrong = motion_of(moments), worn_wrongly(moments, remedy)
    between = (good.statistics + wrong.statistics) / 2  # as far from the one as from the other
    square = float(((wrong.statistics - good.statistics) ** 2).sum())
    spread = math.sqrt(0.5 * square / (share * 30.0))
    evidence = evidence_at(between, spread)
    assert evidence.find(wrong) == ()
    evidence.take_profile(MotionProfile({"walking": good.statistics}, {"walking": 100.0}))
    assert evidence.of(remedy, wrong) == pytest.approx(share * 30.0, rel=1e-6)
    assert [finding.remedy.fault() for finding in evidence.find(wrong)] == [remedy.fault()] * believed
    evidence.take_profile(None)
    assert evidence.find(wrong) == ()


def out_of_step(moments: Array, sensor: int, deviation: float, rest: float = 0.0) -> tuple[PlacementEvidence, Motion]:
    """A sensor whose correlations with the others deviate by so much from training and own motion, added up."""
    owners, spread, good = STATISTICS.owners, 0.01, motion_of(moments)
    across = (owners == sensor).any(axis=1) & (owners[:, 0] != owners[:, 1])
    changes = spread * np.where(across, math.sqrt(deviation / 2), math.sqrt(rest))
    evidence = evidence_at(good.statistics, spread)
    evidence.take_profile(MotionProfile({"walking": good.statistics}, {"walking": 100.0}))
    return evidence, Motion(moments, good.statistics + changes, ALL)


@pytest.mark.parametrize(("deviation", "told"), [(10.9, False), (11.1, True)])
def test_sensor_is_out_of_step_from_a_deviation_of_11_on(moments: Array, deviation: float, told: bool) -> None:
    evidence, motion = out_of_step(moments, 2, deviation)
    assert [finding.remedy for finding in evidence.find(motion)] == [OutOfStep((2,))] * told
    assert evidence.of(OutOfStep((2,)), motion) == pytest.approx(deviation - 6.6)
    evidence.forget()
    evidence.take_profile(None)
    assert evidence.find(motion) == ()  # nobody knows how this subject walks
    assert math.isnan(evidence.of(OutOfStep((2,)), motion))


@pytest.mark.parametrize(("rest", "told"), [(1.43, True), (1.45, False)])
def test_sensor_is_out_of_step_only_where_all_else_is_as_before(moments: Array, rest: float, told: bool) -> None:
    evidence, motion = out_of_step(moments, 2, 20.0, rest)
    assert any(isinstance(finding.remedy, OutOfStep) for finding in evidence.find(motion)) is told


@pytest.mark.parametrize(("sensors", "known"), [(3, True), (2, False)])
def test_of_two_sensors_nobody_knows_which_is_out_of_step(moments: Array, sensors: int, known: bool) -> None:
    evidence, motion = out_of_step(moments, 1, 20.0)
    few = Motion(motion.moments, motion.statistics, np.arange(SENSORS) < sensors)
    assert math.isfinite(evidence.of(OutOfStep((1,)), few)) is known


def test_strength_is_the_mean_deviation_of_available_sensors(moments: Array) -> None:
    motion = motion_of(moments)
    deviation = np.exp(motion.statistics[18:36]).reshape(SENSORS, 3)
    assert motion.strength == pytest.approx(deviation.mean())
    some = np.arange(SENSORS) < 2
    assert motion_of(moments, some).strength == pytest.approx(deviation[:2].mean())
    assert motion_of(moments, ~ALL).strength == 0.0


def test_squared_distances_equal_those_one_by_one() -> None:
    rng = np.random.default_rng(0)
    rows, centres = rng.standard_normal((5, 7)), rng.standard_normal((3, 7))
    expected = [[((row - centre) ** 2).sum() for centre in centres] for row in rows]
    np.testing.assert_allclose(squared_distances(rows, centres), expected)
