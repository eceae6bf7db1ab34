"""Every fault that a channel can have is found and told with its figures; good channels get no remark."""

from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import RecordingFactory
from numpy.typing import NDArray

from imu_emg_estimator.recording import RawEmg, Recording
from imu_emg_estimator.signals.signal_quality import (
    Finding,
    MuscleFigures,
    SensorFigures,
    Stream,
    judge_muscle,
    judge_sensor,
    muscle_figures,
    saturated,
    sensor_figures,
    sensor_verdicts,
    true_runs,
)

Array = NDArray[np.floating]
AMPLITUDE = 40.0  # count, that the model expects


@pytest.fixture(scope="module")
def walk(make_recording: RecordingFactory) -> Recording:
    return make_recording([("standing", 4.0), ("walking", 26.0)], seed=3)


def of_sensor(recording: Recording, stream: Stream = Stream()) -> dict[str, Finding]:
    """Findings of the second sensor by kind."""
    name = recording.rig.sensor_names[1]
    findings = judge_sensor(name, sensor_figures([recording], 1, stream))
    assert all(finding.channels == (name,) for finding in findings)
    return {finding.kind: finding for finding in findings}


def of_muscle(recording: Recording, moving: bool = True, stream: Stream = Stream()) -> dict[str, Finding]:
    """Findings of the first muscle by kind."""
    name = recording.rig.muscle_names[0]
    return {f.kind: f for f in judge_muscle(name, muscle_figures([recording], 0, AMPLITUDE, stream), moving)}


def with_imu(recording: Recording, samples: Array) -> Recording:
    imu = recording.imu.copy()
    imu[:, 1] = samples
    return replace(recording, imu=imu)


def test_judge_accepts_good_channels(walk: Recording) -> None:
    assert of_sensor(walk) == {}
    assert of_muscle(walk) == {}
    figures = sensor_figures([walk], 1)
    assert figures.rate == pytest.approx(walk.rig.rate)
    assert (figures.missing, figures.longest_gap, figures.quiet) == (0.0, 0.0, True)
    assert figures.gravity == pytest.approx(9.81, abs=0.1)


@pytest.mark.parametrize(("seconds", "bad"), [(0.7, False), (9.0, True)])
def test_judge_sensor_reports_gaps(walk: Recording, seconds: float, bad: bool) -> None:
    imu = walk.imu[:, 1].copy()
    imu[300 : 300 + round(seconds * walk.rig.rate)] = np.nan
    finding = of_sensor(with_imu(walk, imu))["gaps"]
    assert finding.bad is bad
    assert f"{seconds:.1f} s in a row" in finding.text
    assert f"{seconds / walk.duration:.0%}" in finding.text


def test_judge_sensor_reports_no_samples(walk: Recording) -> None:
    findings = of_sensor(with_imu(walk, np.full_like(walk.imu[:, 1], np.nan)))
    assert list(findings) == ["missing"]
    assert findings["missing"].bad


def test_judge_sensor_accepts_missing_gyroscope(walk: Recording) -> None:
    imu = walk.imu[:, 1].copy()
    imu[:, 3:] = np.nan
    assert of_sensor(with_imu(walk, imu)) == {}
    assert sensor_figures([with_imu(walk, imu)], 1).gyroscope_missing == 1.0


def test_sensor_figures_turn_by_root_mean_square_of_all_axes(walk: Recording) -> None:
    imu = walk.imu.copy()
    imu[:, 1, 3:] = (3.0, 4.0, 12.0)
    assert sensor_figures([replace(walk, imu=imu)], 1).turning == pytest.approx(13.0 / np.sqrt(3.0))


def test_judge_sensor_reports_slow_stream(walk: Recording) -> None:
    finding = of_sensor(walk, Stream(rate={walk.rig.sensor_names[1]: 12.0}))["rate"]
    assert finding.bad
    assert "12 samples a second" in finding.text


def test_judge_sensor_says_nothing_of_the_values_of_few_samples(walk: Recording) -> None:
    imu = walk.imu[:, 1].copy()
    imu[1:], imu[0] = np.nan, 3.0
    assert set(of_sensor(with_imu(walk, imu))) == {"rate", "gaps"}


@pytest.mark.parametrize(
    ("scale", "figure", "words"),
    [(1 / 9.81, "is 0.99", "is it in g?"), (1000 / 9.81, "is 99", "in mg?"), (1.15, "is 11.", "calibrate")],
)
def test_judge_sensor_reports_wrong_gravity(walk: Recording, scale: float, figure: str, words: str) -> None:
    imu = walk.imu[:, 1] * np.array([scale] * 3 + [1.0] * 3)
    finding = of_sensor(with_imu(walk, imu))["gravity"]
    assert finding.bad
    assert f"gravity {figure}" in finding.text
    assert words in finding.text


def test_judge_sensor_widens_gravity_limits_in_motion(make_recording: RecordingFactory) -> None:
    """A subject who never stands still shows it less exactly."""
    walk = make_recording([("walking", 30.0)], seed=3)
    scaled = with_imu(walk, walk.imu[:, 1] * np.array([1.15] * 3 + [1.0] * 3))
    assert not sensor_figures([walk], 1).quiet
    assert of_sensor(scaled) == {}
    assert "gravity" in of_sensor(with_imu(walk, walk.imu[:, 1] / 9.81))


def test_judge_sensor_reports_clipping(walk: Recording) -> None:
    finding = of_sensor(with_imu(walk, np.clip(walk.imu[:, 1], -9.81, 9.81)))["clipping"]
    assert "set a wider one" in finding.text
    assert "end of its range" in finding.text


def test_judge_sensor_recognises_degrees(walk: Recording) -> None:
    degrees = walk.imu[:, 1] * np.array([1.0] * 3 + [180 / np.pi] * 3)
    assert "degrees a second?" in of_sensor(with_imu(walk, degrees))["angular_rate"].text
    assert "damaged" in of_sensor(with_imu(walk, walk.imu[:, 1] * 1e4))["angular_rate"].text


def test_judge_sensor_reports_motionless_sensor(walk: Recording) -> None:
    still = np.tile([0.0, 0.0, 9.81, 0.0, 0.0, 0.0], (len(walk), 1))
    findings = of_sensor(with_imu(walk, still + 0.01 * np.random.default_rng(0).standard_normal(still.shape)))
    assert list(findings) == ["still"]
    assert not findings["still"].bad


def with_envelope(recording: Recording, values: Array) -> Recording:
    envelope = recording.envelope.copy()
    envelope[:, 0] = values
    return replace(recording, envelope=envelope, emg=None)


def test_judge_muscle_reports_detached_electrode(walk: Recording) -> None:
    for values in (np.zeros(len(walk)), 30.0 + np.sin(np.arange(len(walk)))):
        findings = of_muscle(with_envelope(walk, values))
        assert findings["electrode_off"].bad
    weak = of_muscle(with_envelope(walk, 0.05 * walk.envelope[:, 0]))["weak"]
    assert weak.bad
    assert "6% of what" in weak.text
    assert not of_muscle(with_envelope(walk, 0.15 * walk.envelope[:, 0]))["weak"].bad


@pytest.mark.parametrize("scale", [1e-3, 1e3])
def test_judge_muscle_tells_another_unit_from_a_detached_electrode(walk: Recording, scale: float) -> None:
    findings = of_muscle(with_envelope(walk, scale * walk.envelope[:, 0]))
    assert list(findings) == ["unit"]
    assert findings["unit"].bad
    assert "in another unit?" in findings["unit"].text


def test_judge_muscle_accepts_rest(walk: Recording) -> None:
    assert of_muscle(with_envelope(walk, 1.0 + 0.1 * np.sin(np.arange(len(walk)))), moving=False) == {}


def test_judge_muscle_has_no_amplitude_limits_in_other_unit(walk: Recording) -> None:
    millivolts = with_envelope(walk, 1e-3 * walk.envelope[:, 0])
    figures = muscle_figures([millivolts], 0)
    assert np.isnan(figures.level)
    assert judge_muscle("m", figures, moving=True) == []


def test_judge_muscle_reports_too_little_emg(walk: Recording) -> None:
    values = walk.envelope[:, 0].copy()
    values[200:] = np.nan
    finding = of_muscle(with_envelope(walk, values))["too_little"]
    assert finding.bad
    assert f"{200 / walk.rig.rate:.1f} s of EMG" in finding.text


@pytest.mark.parametrize(("level", "bad"), [(0.8, False), (0.1, True)])
def test_judge_muscle_reports_saturation(walk: Recording, level: float, bad: bool) -> None:
    assert walk.emg is not None
    generator = np.random.default_rng(0)
    burst = np.repeat(generator.standard_normal((3 * len(walk), 2)), 5, axis=0)  # slow enough to stay at the limit
    emg = RawEmg(np.clip(burst, -level * 2, level * 2), 15 * walk.rig.rate, "mV")
    finding = of_muscle(replace(walk, emg=emg))["saturated"]
    assert finding.bad is bad
    assert "amplifier's limit" in finding.text


@pytest.mark.parametrize(("amplitude", "bad"), [(0.8, False), (5.0, True)])
def test_judge_muscle_reports_powerline(walk: Recording, amplitude: float, bad: bool) -> None:
    time = np.arange(30 * 1000) / 1000
    noise = np.random.default_rng(0).standard_normal((len(time), 2))
    raw = noise + amplitude * np.sin(2 * np.pi * 50.0 * time)[:, None]
    finding = of_muscle(replace(walk, emg=RawEmg(raw, 1000.0, "mV")))["powerline"]
    assert finding.bad is bad
    assert "50 Hz" in finding.text


def test_judge_muscle_uses_stream_knowledge(walk: Recording) -> None:
    name = walk.rig.muscle_names[0]
    stream = Stream(saturated={name: 0.5}, powerline={name: 0.9}, powerline_frequency={name: 60.0})
    findings = of_muscle(replace(walk, emg=None), stream=stream)
    assert findings["saturated"].bad
    assert "60 Hz" in findings["powerline"].text


def test_finding_text() -> None:
    assert str(Finding(("left_foot", "right_foot"), "mounting", "look exchanged", True)) == (
        "left_foot and right_foot: look exchanged"
    )


GOOD_SENSOR = SensorFigures(
    rate=58.8,
    rig_rate=58.8,
    missing=0.0,
    longest_gap=0.0,
    gyroscope_missing=0.0,
    clipped=0.0,
    gravity=9.81,
    quiet=True,
    level=9.81,
    movement=2.0,
    turning=1.0,
)
GOOD_MUSCLE = MuscleFigures(
    seconds=30.0,
    missing=0.0,
    peaks=40.0,
    level=1.0,
    modulation=8.0,
    saturated=0.0,
    powerline=0.0,
    powerline_frequency=50.0,
)


@pytest.mark.parametrize(
    ("kind", "change", "accepted", "refused", "bad"),
    [
        ("rate", "rate", 29.4, 29.3, True),
        ("rate", "rig_rate", 117.6, 117.7, True),
        ("gaps", "missing", 0.02, 0.021, False),
        ("gaps", "missing", 0.02, 0.251, True),
        ("gaps", "longest_gap", 0.5, 0.51, False),
        ("still", "movement", 0.5, 0.49, False),
        ("clipping", "clipped", 0.35, 0.36, False),
        ("clipping", "clipped", 0.35, 0.81, True),
        ("gravity", "gravity", 9.0, 8.99, True),
        ("gravity", "gravity", 10.6, 10.61, True),
        ("angular_rate", "turning", 6.0, 6.1, True),
    ],
)
def test_judge_sensor_limits(kind: str, change: str, accepted: float, refused: float, bad: bool) -> None:
    assert judge_sensor("foot", replace(GOOD_SENSOR, **{change: accepted})) == []
    (finding,) = judge_sensor("foot", replace(GOOD_SENSOR, **{change: refused}))
    assert (finding.kind, finding.bad) == (kind, bad)


def test_judge_sensor_limits_are_inclusive_for_being_left_out() -> None:
    assert [finding.bad for finding in judge_sensor("foot", replace(GOOD_SENSOR, missing=0.25))] == [False]
    assert [finding.bad for finding in judge_sensor("foot", replace(GOOD_SENSOR, clipped=0.8))] == [False]


@pytest.mark.parametrize(
    ("gravity", "level", "accepted"),
    [
        (3.49, 9.0, False),
        (3.5, 9.0, True),
        (16.0, 17.0, True),
        (16.01, 17.0, False),
        (7.0, 7.99, False),
        (7.0, 8.0, True),
    ],
)
def test_judge_sensor_gravity_limits_in_motion(gravity: float, level: float, accepted: bool) -> None:
    findings = judge_sensor("foot", replace(GOOD_SENSOR, quiet=False, gravity=gravity, level=level))
    assert (findings == []) is accepted


@pytest.mark.parametrize(
    ("gravity", "words"),
    [
        (0.3, "remove gravity?"),
        (0.79, "calibrate"),
        (0.81, "in g?"),
        (1.59, "in g?"),
        (1.61, "calibrate"),
        (799.0, "calibrate"),
        (801.0, "in mg?"),
        (1599.0, "in mg?"),
        (1601.0, "calibrate"),
    ],
)
def test_judge_sensor_guesses_unit_of_gravity(gravity: float, words: str) -> None:
    (finding,) = judge_sensor("foot", replace(GOOD_SENSOR, gravity=gravity, level=gravity))
    assert words in finding.text


@pytest.mark.parametrize(("turning", "words"), [(6.2, "degrees"), (340.0, "degrees"), (350.0, "damaged")])
def test_judge_sensor_guesses_unit_of_angular_rate(turning: float, words: str) -> None:
    (finding,) = judge_sensor("foot", replace(GOOD_SENSOR, turning=turning))
    assert words in finding.text


@pytest.mark.parametrize(
    ("kind", "change", "accepted", "refused", "bad"),
    [
        ("too_little", "seconds", 5.0, 4.9, True),
        ("electrode_off", "peaks", 0.01, 0.0, True),
        ("weak", "level", 0.25, 0.249, False),
        ("weak", "level", 0.25, 0.099, True),
        ("electrode_off", "modulation", 3.0, 2.99, True),
        ("saturated", "saturated", 0.03, 0.031, False),
        ("saturated", "saturated", 0.03, 0.251, True),
        ("powerline", "powerline", 0.2, 0.21, False),
        ("powerline", "powerline", 0.2, 0.61, True),
    ],
)
def test_judge_muscle_limits(kind: str, change: str, accepted: float, refused: float, bad: bool) -> None:
    assert judge_muscle("vastus", replace(GOOD_MUSCLE, **{change: accepted}), moving=True) == []
    (finding,) = judge_muscle("vastus", replace(GOOD_MUSCLE, **{change: refused}), moving=True)
    assert (finding.kind, finding.bad) == (kind, bad)


@pytest.mark.parametrize(("change", "value"), [("level", 0.1), ("saturated", 0.25), ("powerline", 0.6)])
def test_judge_muscle_limits_are_inclusive_for_being_left_out(change: str, value: float) -> None:
    (finding,) = judge_muscle("vastus", replace(GOOD_MUSCLE, **{change: value}), moving=True)
    assert not finding.bad


def test_true_runs_leaves_out_short_ones() -> None:
    chosen = np.array([1, 1, 0, 1, 0, 0, 1, 1, 1], bool)
    assert true_runs(chosen, 1) == [(0, 2), (3, 4), (6, 9)]
    assert true_runs(chosen, 2) == [(0, 2), (6, 9)]
    assert true_runs(np.zeros(4, bool), 1) == []
    assert true_runs(np.ones(4, bool), 4) == [(0, 4)]


def test_saturated_finds_clipped_samples() -> None:
    rng = np.random.default_rng(0)
    raw = np.clip(np.round(128 + 60 * rng.standard_normal((2000, 2))), 0, 255)
    raw[100:110, 0] = 255.0
    raw[500:504, 0] = 0.0
    hit = saturated(raw)
    assert hit[100:110, 0].all()
    assert hit[500:504, 0].all()
    assert hit[:, 0].sum() < 40
    assert hit[:, 1].mean() < 0.01


def test_saturated_ignores_quiet_or_flat_channel() -> None:
    quiet = np.random.default_rng(0).integers(127, 130, (2000, 1)).astype(float)
    assert not saturated(quiet).any()
    assert not saturated(np.full((100, 1), 5.0)).any()
    assert not saturated(np.full((100, 1), np.nan)).any()


def test_sensor_verdicts_tell_frozen_sensor_with_remedy(walk: Recording) -> None:
    imu = walk.imu.copy()
    imu[300:, 2] = imu[300, 2]
    verdicts = sensor_verdicts(replace(walk, imu=imu))
    assert [name for name, verdict in verdicts.items() if verdict != "good"] == [walk.rig.sensor_names[2]]
    assert "switch it off and on again" in verdicts[walk.rig.sensor_names[2]]


@pytest.mark.parametrize(("levels", "found"), [(15, 0), (16, 6)])
def test_saturation_needs_sixteen_values_of_a_channel(levels: int, found: int) -> None:
    """Three samples in a row at either end; two are no limit of the amplifier."""
    ends = np.repeat([0.0, 5.0, levels - 1.0, 5.0, 0.0, 5.0, levels - 1.0], [3, 1, 3, 1, 2, 1, 2])
    raw = np.concatenate([np.arange(1, levels - 1), ends]).astype(float)
    assert saturated(raw[:, None]).sum() == found
