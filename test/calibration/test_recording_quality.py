"""A verdict for every sensor and muscle: what is bad is left out and named, what is good is left alone."""

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from fixtures.factories import RecordingFactory

from imu_emg_estimator.calibration import recording_quality
from imu_emg_estimator.calibration.recording_quality import Quality, _judge_electrodes, _refusal, assess
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.placement_remedies import remedies
from imu_emg_estimator.model.sensor_placement import Found, Mounting
from imu_emg_estimator.model.worn_ways import signs_of
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.signals.signal_quality import Finding, Stream

RIGHT, LEFT = "vastus_lateralis_right", "vastus_lateralis_left"


@pytest.fixture(scope="module")
def subject(make_recording: RecordingFactory) -> Recording:
    return make_recording([("standing", 5.0), ("walking", 30.0)], seed=20)


@pytest.fixture(scope="module")
def without_gyroscopes(trained_bundle: Bundle) -> Bundle:
    """A bundle whose network does not use gyroscopes."""
    mean, std = (np.array(part) for part in (trained_bundle.normalisation.mean, trained_bundle.normalisation.std))
    mean[:, 3:] = std[:, 3:] = np.nan
    return replace(trained_bundle, normalisation=Normalisation(mean, std))


def kinds(quality: Quality) -> set[str]:
    return {finding.kind for finding in quality.findings}


def test_assess_good_recording_has_no_findings(trained_bundle: Bundle, subject: Recording) -> None:
    quality = assess(trained_bundle, [subject])
    assert quality.findings == ()
    assert quality.refusal == ""
    assert set(quality.verdicts().values()) == {"good"}
    assert set(quality.verdicts()) == {*subject.rig.sensor_names, RIGHT, LEFT}
    assert min(quality.follows.values()) > 0.8
    (usable,) = quality.usable([subject])
    np.testing.assert_array_equal(usable.imu, subject.imu)
    json.dumps(quality.to_dict(), allow_nan=False)


@pytest.mark.parametrize("gyroscopes", ["missing", "wild"])
def test_assess_ignores_gyroscopes_that_network_does_not_use(
    trained_bundle: Bundle, without_gyroscopes: Bundle, subject: Recording, gyroscopes: str
) -> None:
    imu = subject.imu.copy()
    imu[:, 1, 3:] = np.nan if gyroscopes == "missing" else 60.0 * np.sin(np.arange(len(imu)))[:, None]
    recording = replace(subject, imu=imu)
    assert assess(without_gyroscopes, [recording]).findings == ()
    with_gyroscopes = assess(trained_bundle, [recording])
    assert ("angular_rate" in kinds(with_gyroscopes)) == (gyroscopes == "wild")


def test_assess_turns_back_sensor_that_may_be_worn_either_way(trained_bundle: Bundle, subject: Recording) -> None:
    sensors = tuple(replace(own, either_way="z" if i == 1 else "none") for i, own in enumerate(subject.rig.sensors))
    rig = replace(subject.rig, sensors=sensors)
    turned = replace(subject, imu=subject.imu * signs_of([1], rig))
    shank = rig.sensor_names[1]
    assert assess(trained_bundle, [turned]).left_out == (shank,)
    quality = assess(replace(trained_bundle, rig=rig), [subject, turned])
    assert quality.left_out == ()
    assert "worn the other way round in 1 of 2 recordings" in quality.verdicts()[shank]
    for given in (quality.usable([subject, turned]), quality.turned_back([subject, turned])):
        for recording in given:
            np.testing.assert_array_equal(recording.imu, subject.imu)


def test_assess_names_exchanged_sensors(trained_bundle: Bundle, without_gyroscopes: Bundle, subject: Recording) -> None:
    imu = subject.imu.copy()
    imu[:, [0, 3]] = subject.imu[:, [3, 0]]
    for bundle in (trained_bundle, without_gyroscopes):
        quality = assess(bundle, [replace(subject, imu=imu)])
        assert set(quality.left_out) == {subject.rig.sensor_names[0], subject.rig.sensor_names[3]}
        assert "exchange the sensors" in quality.verdicts()[subject.rig.sensor_names[0]]


@pytest.mark.parametrize(("subjects", "evidence", "bad"), [(3, 22.0, False), (3, 60.0, True), (8, 22.0, True)])
def test_assess_doubts_what_few_training_subjects_say_of_the_mounting(
    trained_bundle: Bundle,
    subject: Recording,
    monkeypatch: pytest.MonkeyPatch,
    subjects: int,
    evidence: float,
    bad: bool,
) -> None:
    """Three people who wear a wrist sensor alike made a fourth one's, worn otherwise, a fault."""
    turned = Found(list(remedies(subject.rig))[-1], evidence)
    mounting = Mounting((turned,), 1.0, 1.0, (1.0,) * len(subject.rig.sensors))
    monkeypatch.setattr(recording_quality, "mounting_of", lambda *_: mounting)
    training = trained_bundle.training | {"subjects": [str(number) for number in range(subjects)]}
    quality = assess(replace(trained_bundle, training=training), [subject])
    assert bool(quality.left_out) is bad
    (finding,) = (finding for finding in quality.findings if finding.kind == "mounting")
    assert ("worn otherwise than on the 3 subjects" in finding.text) is not bad


@pytest.mark.parametrize(("subjects", "bad"), [(4, False), (8, True)])
def test_assess_leaves_out_no_strange_sensor_by_few_training_subjects(
    trained_bundle: Bundle, subject: Recording, monkeypatch: pytest.MonkeyPatch, subjects: int, bad: bool
) -> None:
    """Four people do not show how differently people move: a fifth one's shank was left out for it."""
    mounting = Mounting((), 1.0, 1.0, (20.0, *[1.0] * (len(subject.rig.sensors) - 1)))
    monkeypatch.setattr(recording_quality, "mounting_of", lambda *_: mounting)
    training = trained_bundle.training | {"subjects": [str(number) for number in range(subjects)]}
    quality = assess(replace(trained_bundle, training=training), [subject])
    assert (quality.left_out == (subject.rig.sensor_names[0],)) is bad
    (finding,) = (finding for finding in quality.findings if finding.kind == "strange")
    assert ("differ more than the 4 subjects" in finding.text) is not bad


def test_quality_masks_left_out_sensors(trained_bundle: Bundle, subject: Recording) -> None:
    imu = subject.imu.copy()
    imu[:, 2, :3] *= 2.0
    recording = replace(subject, imu=imu)
    quality = assess(trained_bundle, [recording])
    assert quality.left_out == (subject.rig.sensor_names[2],)
    (usable,) = quality.usable([recording])
    assert np.isnan(usable.imu[:, 2]).all()
    assert np.isfinite(np.delete(usable.imu, 2, axis=1)).all()
    used = quality.normalisation(trained_bundle.normalisation).used
    assert not used[2].any()
    assert np.delete(used, 2, axis=0).all()


@pytest.mark.parametrize(
    ("fault", "words", "remedy"),
    [
        ("frozen", "repeats one acceleration", "switch it off and on again"),
        ("g", "as if in g", "send m/s²"),
        ("gravity", "as if its driver removed it", "with gravity (REP 145)"),
    ],
)
def test_assess_says_of_wrong_samples_what_live_says(
    without_gyroscopes: Bundle, subject: Recording, fault: str, words: str, remedy: str
) -> None:
    imu = subject.imu.copy()
    foot = imu[:, 0, :3]
    foot[:] = {"frozen": foot[0], "g": foot / 9.81, "gravity": foot - foot.mean(axis=0)}[fault]
    quality = assess(without_gyroscopes, [replace(subject, imu=imu)])
    assert quality.left_out == (subject.rig.sensor_names[0],)
    verdict = quality.verdicts()[subject.rig.sensor_names[0]]
    assert words in verdict
    assert remedy in verdict
    assert "did not move" not in verdict
    assert "replace" not in verdict


def test_assess_leaves_out_what_was_wrong_for_a_while(without_gyroscopes: Bundle, subject: Recording) -> None:
    imu = subject.imu.copy()
    imu[400:520, 1, :3] = imu[399, 1, :3]
    recording = replace(subject, imu=imu)
    quality = assess(without_gyroscopes, [recording])
    assert quality.left_out == ()
    (finding,) = quality.findings
    assert (finding.channels, finding.kind) == ((subject.rig.sensor_names[1],), "frozen")
    assert f"of {subject.duration:.1f} s" in finding.text
    (usable,) = quality.usable([recording])
    assert np.isnan(usable.imu[410:520, 1, :3]).all()
    assert np.isfinite(usable.imu[540:, 1, :3]).all()


def test_usable_masks_every_bag_by_itself_though_two_have_one_name(
    without_gyroscopes: Bundle, subject: Recording
) -> None:
    """``monday/walk`` and ``tuesday/walk``."""
    imu = subject.imu.copy()
    imu[400:520, 1, :3] = imu[399, 1, :3]
    monday, tuesday = replace(subject, imu=imu), subject.slice(0, 1500)
    first, second = assess(without_gyroscopes, [monday, tuesday]).usable([monday, tuesday])
    assert np.isnan(first.imu[410:520, 1, :3]).all()
    np.testing.assert_array_equal(second.imu, tuesday.imu)


def test_assess_judges_sensors_before_it_says_that_nobody_moved(without_gyroscopes: Bundle, subject: Recording) -> None:
    frozen = replace(subject, imu=np.broadcast_to(subject.imu[0], subject.imu.shape).copy())
    quality = assess(without_gyroscopes, [frozen])
    assert "too few sensors are good" in quality.refusal
    assert "repeats one acceleration" in quality.refusal


def test_assess_refuses_too_few_good_sensors(trained_bundle: Bundle, subject: Recording) -> None:
    imu = subject.imu.copy()
    imu[:, :4] = np.nan
    quality = assess(trained_bundle, [replace(subject, imu=imu)])
    assert "too few sensors are good" in quality.refusal
    assert all(name in quality.refusal for name in subject.rig.sensor_names[:4])


def test_assess_rejects_same_signal_on_both_channels(trained_bundle: Bundle, subject: Recording) -> None:
    both = replace(subject, envelope=subject.envelope[:, [0, 0]], emg=None)
    quality = assess(trained_bundle, [both])
    assert "same_signal" in kinds(quality)
    assert set(quality.left_out) == {RIGHT, LEFT}
    assert "no muscle has usable EMG" in quality.refusal


@pytest.mark.parametrize(("expected", "kinds_found"), [(0.1, ["same_signal"]), (0.9, [])])
def test_same_signal_of_both_sides_is_no_fault_where_the_movement_is_that_of_both(
    rig: Rig, expected: float, kinds_found: list[str]
) -> None:
    twins: Any = SimpleNamespace(
        movement_r={}, sources=[0, 1], unrelated=[], data=SimpleNamespace(amplitude=np.ones(2)),
        twin_correlations=lambda rig: {(0, 1): (0.97, expected)},
    )  # fmt: skip
    assert [finding.kind for finding in _judge_electrodes(twins, rig, False)] == kinds_found


def test_assess_uses_findings_of_bag_reader(trained_bundle: Bundle, subject: Recording) -> None:
    stream = Stream(
        rate={"right_foot": 12.0}, saturated={LEFT: 0.5}, powerline={RIGHT: 0.3}, powerline_frequency={RIGHT: 50.0}
    )
    verdicts = assess(trained_bundle, [subject], stream).verdicts()
    assert verdicts["right_foot"].startswith("left out: 12 samples a second")
    assert verdicts[LEFT].startswith("left out: 50% of the samples at the amplifier's limit")
    assert verdicts[RIGHT].startswith("used, but check it: 30% of its power is powerline at 50 Hz")


def test_assess_calls_negated_axes_negated(trained_bundle: Bundle, subject: Recording) -> None:
    imu = subject.imu.copy()
    imu[:, 1, :3] *= -1.0
    quality = assess(trained_bundle, [replace(subject, imu=imu)])
    verdict = quality.verdicts()[subject.rig.sensor_names[1]]
    assert verdict.startswith("left out: ")
    assert "negated" in verdict
    assert "turned" not in verdict


def test_assess_without_distribution_skips_mounting(trained_bundle: Bundle, subject: Recording) -> None:
    quality = assess(replace(trained_bundle, distribution=None), [subject])
    assert quality.mounting is None
    assert quality.findings == ()


def test_assess_does_not_compare_emg_with_movement_at_rest(
    trained_bundle: Bundle, make_recording: RecordingFactory
) -> None:
    quality = assess(trained_bundle, [make_recording([("standing", 20.0)], seed=21)])
    assert quality.refusal.startswith("the subject did not move")
    assert quality.follows == {}
    assert not kinds(quality) & {"not_locked", "exchanged", "same_signal", "same_phase"}


@pytest.mark.parametrize(("left_out", "words"), [("sensors", "bad foot"), ("muscles", "bad vastus")])
def test_refusal_names_what_was_left_out_of_its_kind_alone(rig: Rig, left_out: str, words: str) -> None:
    findings = [
        *(Finding((name,), "gaps", "bad foot", left_out == "sensors") for name in rig.sensor_names),
        *(Finding((name,), "weak", "bad vastus", True) for name in rig.muscle_names),
        Finding((rig.muscle_names[0],), "powerline", "of note", False),
    ]
    refusal = _refusal(findings, rig, rig.muscle_names, True)
    assert words in refusal
    assert not any(other in refusal for other in ({"bad foot", "bad vastus", "of note"} - {words}))


@pytest.mark.parametrize(
    ("sources", "accepted", "bad"),
    [([1, 0], False, [True, True]), ([1, 0], True, [False, False]), ([1, 1], False, [False]), ([1, 1], True, [False])],
)
def test_exchanged_leads_are_a_fault_where_both_muscles_say_so_unless_accepted(
    rig: Rig, sources: list[int], accepted: bool, bad: list[bool]
) -> None:
    electrodes: Any = SimpleNamespace(
        movement_r={}, sources=sources, unrelated=[], data=SimpleNamespace(amplitude=np.ones(2)),
        twin_correlations=lambda rig: {},
    )  # fmt: skip
    found = _judge_electrodes(electrodes, rig, accepted)
    assert [finding.bad for finding in found] == bad
    assert ["--accept-exchanged" in finding.text for finding in found] == bad
