"""How the sensors are worn is judged live: a fault is named soon, with its remedy, and forgotten soon after its end."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from fixtures.factories import BundleFactory, RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.model import live_placement
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.live_placement import LivePlacement
from imu_emg_estimator.model.placement_evidence import Finding, Motion
from imu_emg_estimator.model.placement_remedies import Remedy, rotation_about
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.signals.sensor_verdict import GOOD, Verdict
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution

Array = NDArray[np.floating]
SCHEDULE = (("standing", 5.0), ("walking", 40.0), ("running", 15.0))
ONSET_S, END_S = 12.0, 20.0  # of a fault


@pytest.fixture(scope="module")
def bundle(make_bundle: BundleFactory, make_recording: RecordingFactory) -> Bundle:
    subjects = [make_recording(SCHEDULE, subject=str(seed), seed=seed) for seed in range(1, 6)]
    return replace(make_bundle(), distribution=fit_distribution(subjects))


@pytest.fixture(scope="module")
def imu(make_recording: RecordingFactory) -> Array:
    return make_recording([("walking", 30.0)], seed=9).imu


def turned(imu: Array, sensor: int, rotation: Array) -> Array:
    result = imu.copy()
    result[:, sensor, :3] = imu[:, sensor, :3] @ rotation.T
    return result


def exchanged(imu: Array, *order: int) -> Array:
    return imu[:, list(order)]


FAULTS: dict[str, tuple[Callable[[Array], Array], tuple[int, ...], str]] = {
    "pair": (lambda imu: exchanged(imu, 3, 1, 2, 0, 4, 5), (0, 3), "look exchanged"),
    "sides": (lambda imu: exchanged(imu, 3, 4, 5, 0, 1, 2), (0, 1, 2, 3, 4, 5), "sides look exchanged"),
    "turned": (lambda imu: turned(imu, 4, rotation_about(np.array([0, 1, 0]), 90)), (4,), "turned by 90° about its y"),
    "slipped": (lambda imu: turned(imu, 2, rotation_about(np.array([0, 1, 0]), 45)), (2,), "slipped by about 45°"),
    "negated": (lambda imu: turned(imu, 1, -np.eye(3)), (1,), "sends all axes negated"),
    "all negated": (lambda imu: -imu, (0, 1, 2, 3, 4, 5), "send all axes negated"),
}


def named(placement: LivePlacement) -> tuple[int, ...]:
    return tuple(index for index, state in enumerate(placement.states) if state.masked)


@pytest.mark.parametrize("kind", FAULTS)
def test_placement_names_fault_within_3_s_and_forgets_it_within_2_s(bundle: Bundle, imu: Array, kind: str) -> None:
    make, sensors, words = FAULTS[kind]
    rate = bundle.rig.rate
    start, end = round(ONSET_S * rate), round(END_S * rate)
    faulty = imu.copy()
    faulty[start:end] = make(imu[start:end])
    placement = LivePlacement(bundle)
    for row in range(len(imu)):
        placement.step(faulty[row])
        if row < start:
            assert placement.states == (GOOD,) * 6
            assert not placement.out_of_distribution
        if row == start + round(3.0 * rate):
            assert named(placement) == sensors
            assert all(placement.states[sensor].verdict is Verdict.MISPLACED for sensor in sensors)
            assert words in placement.states[sensors[0]].reason
        if row == end + round(2.0 * rate):
            assert named(placement) == ()


def walk(placement: LivePlacement, imu: Array, seconds: float | None = None) -> None:
    for row in imu[: None if seconds is None else round(seconds * 58.8)]:
        placement.step(row)


@pytest.mark.parametrize("delay_s", [0.15, 0.3])
def test_placement_names_sensor_whose_samples_are_late(bundle: Bundle, imu: Array, delay_s: float) -> None:
    start, late = round(ONSET_S * bundle.rig.rate), round(delay_s * bundle.rig.rate)
    faulty = imu.copy()
    faulty[start:, 1] = imu[start - late : len(imu) - late, 1]
    placement = LivePlacement(bundle)
    walk(placement, faulty, ONSET_S + 4.0)
    assert named(placement) == (1,)
    assert placement.states[1].verdict is Verdict.LATE
    assert "out of step" in placement.states[1].reason


@pytest.mark.parametrize("kind", FAULTS)
def test_placement_names_fault_that_is_there_from_the_start(bundle: Bundle, imu: Array, kind: str) -> None:
    make, sensors, _ = FAULTS[kind]
    placement = LivePlacement(bundle)
    walk(placement, make(imu), 4.0)
    assert named(placement) == sensors


def test_placement_is_judged_without_a_missing_sensor(bundle: Bundle, imu: Array) -> None:
    gone = imu.copy()
    gone[:, 5] = np.nan
    placement = LivePlacement(bundle)
    walk(placement, gone, 10.0)
    assert placement.states == (GOOD,) * 6
    walk(placement, exchanged(gone, 3, 1, 2, 0, 4, 5), 3.0)
    assert named(placement) == (0, 3)


def test_placement_ignores_sensor_that_the_network_does_not_use(bundle: Bundle, imu: Array) -> None:
    mean, std = bundle.normalisation.mean.copy(), bundle.normalisation.std.copy()
    mean[4], std[4] = np.nan, np.nan
    placement = LivePlacement(replace(bundle, normalisation=Normalisation(mean, std)))
    walk(placement, turned(imu, 4, -np.eye(3)), 8.0)
    assert placement.states == (GOOD,) * 6


def test_placement_accuses_nobody_at_rest(bundle: Bundle, make_recording: RecordingFactory) -> None:
    still = make_recording([("standing", 15.0)], seed=9).imu
    placement = LivePlacement(bundle)
    walk(placement, exchanged(still, 3, 1, 2, 0, 4, 5))
    assert placement.states == (GOOD,) * 6


def test_placement_keeps_verdict_while_the_subject_stands(
    bundle: Bundle, imu: Array, make_recording: RecordingFactory
) -> None:
    still = make_recording([("standing", 10.0)], seed=9).imu
    placement = LivePlacement(bundle)
    walk(placement, turned(imu, 1, -np.eye(3)), 6.0)
    walk(placement, turned(still, 1, -np.eye(3)))
    assert named(placement) == (1,)


def test_placement_keeps_verdict_with_calibrated_bundle(bundle: Bundle, imu: Array) -> None:
    placement = LivePlacement(bundle)
    walk(placement, turned(imu, 1, -np.eye(3)), 6.0)
    placement.adopt(replace(bundle, parent_id="tiny"))
    assert named(placement) == (1,)
    placement.adopt(replace(bundle, distribution=None))
    assert placement.states == (GOOD,) * 6


def test_placement_ignores_sensor_that_a_calibration_left_out(bundle: Bundle, imu: Array) -> None:
    mean, std = bundle.normalisation.mean.copy(), bundle.normalisation.std.copy()
    mean[4], std[4] = np.nan, np.nan
    placement = LivePlacement(bundle)
    placement.adopt(replace(bundle, normalisation=Normalisation(mean, std)))
    walk(placement, turned(imu, 4, -np.eye(3)), 8.0)
    assert placement.states == (GOOD,) * 6


def test_placement_without_distribution_accuses_nobody(bundle: Bundle, imu: Array) -> None:
    placement = LivePlacement(replace(bundle, distribution=None))
    walk(placement, -imu, 6.0)
    assert placement.states == (GOOD,) * 6
    assert not placement.out_of_distribution
    assert np.isnan(placement.score)


def test_placement_tells_what_differs_and_hesitates_to_take_it_back(bundle: Bundle, imu: Array) -> None:
    wild = imu.copy()
    mean = imu[:, 2, :3].mean(axis=0)
    wild[:, 2, :3] = mean + 5.0 * (imu[:, 2, :3] - mean)
    placement = LivePlacement(bundle)
    walk(placement, wild, 5.0)
    assert placement.out_of_distribution
    assert placement.text.startswith("right_thigh differs most from the training subjects' ")
    assert "times as much" in placement.text
    thigh = placement.states[2]
    assert (thigh.verdict, thigh.masked) == (Verdict.UNLIKE_TRAINING, False)
    assert placement.text == f"right_thigh {thigh.reason}"
    assert {state.verdict for sensor, state in enumerate(placement.states) if sensor != 2} == {Verdict.OK}
    walk(placement, imu, 0.1)
    assert placement.out_of_distribution
    walk(placement, imu, 4.0)
    assert not placement.out_of_distribution
    assert placement.text == ""
    assert placement.states == (GOOD,) * 6


def test_placement_survives_samples_without_numbers(bundle: Bundle, imu: Array) -> None:
    placement = LivePlacement(bundle)
    walk(placement, np.full_like(imu[:300], np.nan))
    assert np.isnan(placement.score)
    walk(placement, imu, 10.0)
    assert placement.states == (GOOD,) * 6
    assert placement.score < 1.5


class ScriptedEvidence:
    """Evidence that finds what it is told at every judgement, the last again and again."""

    distribution = SimpleNamespace(threshold=1.0)

    def __init__(self, found: Sequence[tuple[Finding, ...]] = ((),), likelihoods: Sequence[float] = ()) -> None:
        self.found, self.likelihoods = list(found), list(likelihoods)
        self.looks = self.forgotten = 0
        self.learnt: list[Array] = []

    def find(self, motion: Motion) -> tuple[Finding, ...]:
        self.looks += 1
        return self.found.pop(0) if len(self.found) > 1 else self.found[0]

    def of(self, remedy: Remedy, motion: Motion) -> float:
        return self.likelihoods.pop(0)

    def learn(self, statistics: Array, available: Array) -> None:
        self.learnt.append(statistics)

    def forget(self) -> None:
        self.forgotten += 1


class Judgements:
    """A placement that is judged by scripted evidence, judgement by judgement."""

    def __init__(
        self, bundle: Bundle, imu: Array, evidence: ScriptedEvidence, patch: pytest.MonkeyPatch, score: float = 1.0
    ) -> None:
        patch.setattr(live_placement, "PlacementEvidence", lambda *_: evidence)
        strange = SimpleNamespace(reset=int, sensor=None, judge=lambda *_: score)
        patch.setattr(live_placement, "StrangeMotion", lambda *_: strange)
        self.placement, self._imu, self._row = LivePlacement(bundle), imu, 0
        assert not any(self._step() for _ in range(11))
        self._update(9)

    def next(self, count: int = 1) -> list[bool]:
        """Return whether a sensor is named after each of the next judgements."""
        return [self._update(1) for _ in range(count)]

    def _update(self, count: int) -> bool:
        while count:
            count -= self._step()
        return any(state.masked for state in self.placement.states)

    def _step(self) -> bool:
        self._row += 1
        return self.placement.step(self._imu[self._row % len(self._imu)])


FOUND = (Finding(Remedy((4,), tuple(range(6)), -np.eye(3)), 99.0),)
OTHER = (Finding(Remedy((3,), tuple(range(6)), -np.eye(3)), 99.0),)


def test_placement_is_first_judged_after_2_s_and_then_every_fifth(
    bundle: Bundle, imu: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = ScriptedEvidence()
    judgements = Judgements(bundle, imu, evidence, monkeypatch)
    assert evidence.looks == 0
    judgements.next(5)
    assert evidence.looks == 5


def test_placement_names_what_three_judgements_in_a_row_found(
    bundle: Bundle, imu: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = ScriptedEvidence([FOUND, FOUND, (), FOUND, OTHER, OTHER, OTHER], [1.0] * 9)
    assert Judgements(bundle, imu, evidence, monkeypatch).next(7) == [False] * 6 + [True]


def test_placement_takes_back_what_two_judgements_in_a_row_show_to_be_over(
    bundle: Bundle, imu: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then it is judged again when the motion of 2 s, but for what the last 0.6 s hold, is new."""
    evidence = ScriptedEvidence([FOUND], [-1.0, 0.0, -1.0, -1.0])
    judgements = Judgements(bundle, imu, evidence, monkeypatch)
    assert judgements.next(7) == [False, False, True, True, True, True, False]
    assert judgements.next(7) == [False] * 7
    assert evidence.looks == 7
    assert judgements.next(3) == [False, False, True]


def test_placement_learns_every_other_motion_when_six_more_were_good(
    bundle: Bundle, imu: Array, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = ScriptedEvidence([()] * 17 + [FOUND, ()])
    judgements = Judgements(bundle, imu, evidence, monkeypatch)
    learnt = []
    for _ in range(34):
        judgements.next()
        learnt.append(len(evidence.learnt))
    assert learnt[:17] == [0] * 13 + [1, 1, 2, 2]
    assert learnt[17:33] == [2] * 16  # a fault, and those before it are not good
    assert learnt[33] == 3


@pytest.mark.parametrize(("score", "learns"), [(1.09, True), (1.11, False), (float("nan"), False)])
def test_placement_learns_no_motion_that_is_unlike_the_training(
    bundle: Bundle, imu: Array, score: float, learns: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence = ScriptedEvidence()
    Judgements(bundle, imu, evidence, monkeypatch, score).next(20)
    assert bool(evidence.learnt) == learns


@pytest.mark.parametrize(
    ("worn", "disproves"),
    [
        (lambda imu: imu, True),
        (lambda imu: turned(imu, 1, -np.eye(3)), False),
        (lambda imu: -imu, False),
        (lambda imu: np.repeat(imu[:1], len(imu), axis=0), False),
    ],
    ids=["right", "negated", "all negated", "at rest"],
)
def test_motion_disproves_a_turn_of_a_sensor_that_is_right_while_it_moves(
    bundle: Bundle, imu: Array, worn: Callable[[Array], Array], disproves: bool
) -> None:
    placement = LivePlacement(bundle)
    for row in worn(imu[:300]):
        placement.step(row, [1])
    assert placement.disproves_turn(1, 2.0 * 9.81) == disproves


@pytest.mark.parametrize(("strength_g", "moves"), [(0.097, False), (0.103, True)])
def test_placement_forgets_the_motion_after_30_s_without_movement(
    bundle: Bundle, strength_g: float, moves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    imu = np.full((2, 6, 6), strength_g * 9.80665)
    imu[1] *= -1.0
    evidence = ScriptedEvidence()
    judgements = Judgements(bundle, imu, evidence, monkeypatch)
    judgements.next(150)
    assert (evidence.forgotten, evidence.looks) == (1, 150 * moves)  # once at the start
    judgements.next(1)
    assert evidence.forgotten == (1 if moves else 2)
