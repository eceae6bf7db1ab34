"""LiveEstimator: what comes out, and with which status, for what the sensors send."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from fixtures.factories import refusal
from numpy.typing import NDArray

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.sensor_subsets import SensorSubsets, Subset, SubsetFigures
from imu_emg_estimator.model.worn_ways import signs_of
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.signals.sensor_clock import ClockPolicy
from imu_emg_estimator.signals.sensor_verdict import GOOD, SensorState, Verdict
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, STALE, WARMING_UP
from imu_emg_estimator.streaming.live_estimator import LiveEstimator, LiveSettings, Output
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator
from imu_emg_estimator.training.fit_motion_distribution import fit_distribution

START = 1_700_000_000 * SECOND
DELAY = 2_000_000  # ns, from a sample to its arrival


@pytest.fixture(scope="module")
def imu(make_recording: Callable[..., Recording]) -> NDArray[np.floating]:
    """Ten seconds of walking [588, 6, 6]."""
    return make_recording([("walking", 10.0)]).imu


@pytest.fixture
def live(bundle: Bundle) -> LiveEstimator:
    return LiveEstimator(bundle, LiveSettings())


def test_live_estimator_refuses_forecasts(make_bundle: Callable[..., Bundle]) -> None:
    with refusal("forecasts", "nothing from the future is published", "train with --look-ahead 0 or more"):
        LiveEstimator(make_bundle(look_ahead=-1), LiveSettings())
    assert LiveEstimator(make_bundle(look_ahead=0), LiveSettings()).cause


def instants(rows: int, rate: float, start: int = START) -> list[int]:
    return [start + round(index * SECOND / rate) for index in range(rows)]


def play(live: LiveEstimator, imu: NDArray[np.floating], start: int = START) -> list[Output]:
    """Send every sample at its time, and check between the rows."""
    outputs = []
    for instant, row in zip(instants(len(imu), live.bundle.rig.rate, start), imu.tolist(), strict=True):
        outputs += live.check(instant)
        for sensor, sample in enumerate(row):
            outputs += live.take(sensor, instant, tuple(sample), instant + DELAY)
    return outputs


def test_live_estimator_equals_streaming_estimator_on_clean_input(
    live: LiveEstimator, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    streaming = StreamingEstimator(bundle)
    expected = [estimate for row in imu if (estimate := streaming.step(row)) is not None]
    outputs = play(live, imu)
    timestamps = [output.timestamp for output in outputs]
    assert np.abs(np.subtract(timestamps, instants(len(expected), bundle.rig.rate))).max() <= 1
    np.testing.assert_array_equal([o.activation for o in outputs], [e.activation for e in expected])
    np.testing.assert_array_equal([o.deviation for o in outputs], [e.deviation for e in expected])
    cold = sum(estimate.warming_up for estimate in expected)
    assert [o.status for o in outputs] == [WARMING_UP] * cold + [OK] * (len(outputs) - cold)
    assert {(o.missing, round(o.age, 9)) for o in outputs} == {((), DELAY / SECOND)}
    assert live.cause == ""


def test_live_estimator_masks_and_names_silent_sensor(
    live: LiveEstimator, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    imu = imu[:100].copy()
    imu[50:, 3] = np.nan
    outputs = play(live, imu)
    assert {o.status for o in outputs[-20:]} == {DEGRADED}
    assert {o.missing for o in outputs[-20:]} == {(bundle.rig.sensor_names[3],)}
    assert [state.masked for state in live.states] == [sensor == 3 for sensor in range(6)]
    assert bundle.rig.sensor_names[3] in live.cause


def test_live_estimator_says_stale_within_bound_and_goes_on(live: LiveEstimator, imu: NDArray[np.floating]) -> None:
    last = play(live, imu[:60])[-1]
    assert last.status == OK
    newest = instants(60, live.bundle.rig.rate)[-1]
    said = [(now, out) for now in range(newest, newest + SECOND, SECOND // 40) for out in live.check(now)]
    assert said[0][0] <= newest + 0.15 * SECOND
    assert {out.status for _, out in said} == {STALE}
    assert all(np.isnan(out.activation) and np.isnan(out.age) for _, out in said)
    assert np.diff([now for now, _ in said]).max() <= SECOND / 10
    assert live.cause


def test_live_estimator_forgets_who_was_away_when_the_clock_is_put_back(
    live: LiveEstimator, imu: NDArray[np.floating]
) -> None:
    """As at the end of a bag that is played again, where one sensor ends before the others."""
    play(live, imu[:100])
    for instant, row in zip(instants(20, live.bundle.rig.rate, START + 2 * SECOND), imu[100:120].tolist(), strict=True):
        for sensor, sample in enumerate(row):
            if sensor != 3:
                live.take(sensor, instant, tuple(sample), instant + DELAY)
    again = play(live, imu[:100])
    assert again[-1].status == OK
    assert not again[-1].missing


def test_live_estimator_is_stale_where_only_unused_parts_are_left(bundle: Bundle, imu: NDArray[np.floating]) -> None:
    mean, std = (np.array(part) for part in (bundle.normalisation.mean, bundle.normalisation.std))
    mean[:, 3:] = std[:, 3:] = np.nan
    live = LiveEstimator(replace(bundle, normalisation=Normalisation(mean, std)), LiveSettings())
    imu = imu[:100].copy()
    imu[50:, :, :3] = np.nan
    assert {o.status for o in play(live, imu)[-20:]} == {STALE}


def test_live_estimator_starts_anew_where_the_network_gives_no_number(
    live: LiveEstimator, bundle: Bundle, imu: NDArray[np.floating], monkeypatch: pytest.MonkeyPatch
) -> None:
    streaming = StreamingEstimator(bundle)
    *_, estimate = (streaming.step(row) for row in imu[:60])
    assert estimate is not None
    play(live, imu[:60])
    monkeypatch.setattr(
        live._estimator, "step", lambda *rows: replace(estimate, activation=estimate.activation * np.nan)
    )
    (output,) = play(live, imu[60:61], start=instants(61, bundle.rig.rate)[-1])
    assert output.status == STALE
    assert np.isnan(output.activation)
    monkeypatch.undo()
    outputs = play(live, imu[61:120], start=instants(62, bundle.rig.rate)[-1])
    assert {o.status for o in outputs[:5]} == {WARMING_UP}
    assert outputs[-1].status == OK


def test_live_estimator_is_stale_for_the_future_whatever_stale_after(bundle: Bundle, imu: NDArray[np.floating]) -> None:
    as_they_are = LiveSettings(stale_after=60.0, clock_policies=(ClockPolicy.TIMESTAMP,))
    live = LiveEstimator(bundle, as_they_are)
    outputs = []
    for instant, row in zip(instants(60, bundle.rig.rate), imu[:60].tolist(), strict=True):
        for sensor, sample in enumerate(row):
            outputs += live.take(sensor, instant + SECOND // 50, tuple(sample), instant)
    assert {output.status for output in outputs} == {STALE}
    assert "ahead of this clock" in live.cause
    assert "-" not in live.cause


@pytest.mark.parametrize("ahead", [SECOND // 50, SECOND // 5])
def test_live_estimator_masks_a_sensor_of_the_future_that_it_may_not_reconcile(
    bundle: Bundle, imu: NDArray[np.floating], ahead: int
) -> None:
    live = LiveEstimator(bundle, LiveSettings(clock_policies=(ClockPolicy.TIMESTAMP,) * len(bundle.rig.sensors)))
    outputs = []
    for instant, row in zip(instants(120, bundle.rig.rate), imu[:120].tolist(), strict=True):
        for sensor, sample in enumerate(row):
            outputs += live.take(sensor, instant + (ahead if sensor == 2 else 0), tuple(sample), instant)
    assert OK not in {output.status for output in outputs[bundle.config.look_ahead + 15 :]}
    assert outputs[-1].status == DEGRADED
    assert outputs[-1].missing == (bundle.rig.sensor_names[2],)


def test_live_estimator_is_stale_below_measured_minimum(bundle: Bundle, imu: NDArray[np.floating]) -> None:
    factor = (1.0,) * len(bundle.rig.muscles)
    rows = (
        Subset((), 0.8, 0.1, (0.8, 0.8), factor),
        Subset((3,), 0.75, 0.1, (0.8, 0.8), factor),
        Subset((3, 4), 0.3, 0.1, (0.8, 0.8), factor),
    )
    live = LiveEstimator(
        replace(bundle, subset_figures=SubsetFigures("made up", SensorSubsets(6, rows))), LiveSettings()
    )
    imu = imu[:200].copy()
    imu[60:, 3] = imu[130:, 4] = np.nan
    outputs = play(live, imu)
    assert {o.status for o in outputs[100:120]} == {DEGRADED}
    assert {o.status for o in outputs[-20:]} == {STALE}
    foot, shank = bundle.rig.sensor_names[3:5]
    assert live.cause.startswith(f"too few sensors are left; with {shank} back there would be enough: {foot} ")
    assert f", {shank} " in live.cause


def test_live_estimator_gives_a_frozen_sensor_a_reason_and_a_remedy(
    live: LiveEstimator, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    imu = imu[:200].copy()
    imu[100:150, 2] = imu[100, 2]
    outputs = play(live, imu)
    ahead = bundle.config.look_ahead
    assert {o.status for o in outputs[: 100 - ahead]} <= {WARMING_UP, OK}
    named = [bundle.rig.sensor_names[2] in o.missing for o in outputs]
    assert all(named[100 - ahead + 6 : 150 - ahead])  # 0.1 s
    assert not any(named[-10:])  # 0.5 s after it was good again
    assert outputs[-1].status == OK
    assert live.report(2).used < live.report(1).used == live.report(1).rows


def test_live_estimator_bridges_a_value_that_is_absent_now_and_then(
    live: LiveEstimator, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    absent = np.random.default_rng(0).random(len(imu)) < 0.1
    absent[:10] = absent[-10:] = False
    absent &= ~np.roll(absent, 1) & ~np.roll(absent, 2)
    imu = imu.copy()
    imu[absent, 3] = np.nan
    assert {output.status for output in play(live, imu)} == {WARMING_UP, OK}
    report, other = live.report(3), live.report(2)
    assert other.used == other.rows
    assert report.rows - report.used == pytest.approx(absent.sum(), abs=2)


def test_live_estimator_names_a_sensor_within_100_ms_of_its_last_value(
    live: LiveEstimator, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    imu = imu[:100].copy()
    imu[50:, 3] = np.nan
    outputs = play(live, imu)
    sent = instants(100, bundle.rig.rate)[50]
    late = [output for output in outputs if output.timestamp > sent + SECOND / 10 - live._delay]
    assert {(output.status, output.missing) for output in late} == {(DEGRADED, (bundle.rig.sensor_names[3],))}


def test_live_estimator_needs_a_frozen_sensor_no_longer_than_its_hold(
    live: LiveEstimator, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    imu = imu[:200].copy()
    imu[50:100, 3] = imu[50, 3]
    outputs = play(live, imu)
    ended = instants(200, bundle.rig.rate)[100]
    late = [output.timestamp for output in outputs if output.status == DEGRADED]
    assert 0.2 * SECOND < max(late) - ended < 0.4 * SECOND


def test_live_estimator_does_not_alternate_while_everything_pauses_again_and_again(
    live: LiveEstimator, imu: NDArray[np.floating]
) -> None:
    outputs: list[Output] = []
    stamps = instants(len(imu), live.bundle.rig.rate)
    for first in range(0, len(imu), 9):  # 0.153 s, together
        due = stamps[min(first + 8, len(imu) - 1)] + DELAY
        for now in range(stamps[first], due, SECOND // 40):
            outputs += live.check(now)
        for row in range(first, min(first + 9, len(imu))):
            for sensor, sample in enumerate(imu[row].tolist()):
                outputs += live.take(sensor, stamps[row], tuple(sample), due, row)
    assert {o.status for o in outputs if o.timestamp > START + 3 * SECOND} == {STALE}
    assert "pauses again and again" in live.cause


def test_live_estimator_masks_sensor_whose_old_samples_are_stamped_as_new(
    live: LiveEstimator, imu: NDArray[np.floating]
) -> None:
    pause, late = 3 * SECOND // 10, 2
    messages = [
        (at + (pause if sensor == late and row > 200 else 0), sensor, row)
        for row, at in enumerate(instants(400, live.bundle.rig.rate))
        for sensor in range(6)
    ]
    outputs: list[Output] = []
    for at, sensor, row in sorted(messages):
        outputs += live.take(sensor, at, tuple(imu[row, sensor].tolist()), at + DELAY, row)
    assert {o.missing for o in outputs[230:360]} == {(live.bundle.rig.sensor_names[late],)}
    assert live.report(late).used < live.report(late).rows - 120
    assert live.motion()[1][late]  # is judged further: it tells whether the samples are old


def test_rows_of_a_sensor_that_is_worn_wrongly_are_not_used(
    live: LiveEstimator, imu: NDArray[np.floating], monkeypatch: pytest.MonkeyPatch
) -> None:
    exchanged = SensorState(Verdict.MISPLACED, "looks exchanged", "put it back", masked=True)
    monkeypatch.setattr(live._placement, "states", (GOOD, exchanged, *[GOOD] * 4))
    monkeypatch.setattr(live._placement, "step", lambda *_: False)
    play(live, imu[:100])
    assert [live.report(sensor).used for sensor in range(3)] == [100, 0, 100]


@pytest.mark.parametrize("is_disproved", [True, False])
def test_live_estimator_believes_sensor_again_whose_motion_disproves_that_it_turned_over(
    live: LiveEstimator, imu: NDArray[np.floating], is_disproved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Here it was negated from the start, so that what is masked is that it was put right."""
    asked: list[int] = []

    def disproves(sensor: int, turn: float) -> bool:
        asked.append(sensor)
        return is_disproved

    monkeypatch.setattr(live._placement, "disproves_turn", disproves)
    imu = imu[:400].copy()
    imu[:200, 1] *= -1.0
    name, instant = live.bundle.rig.sensor_names[1], instants(281, live.bundle.rig.rate)[-1]
    assert {output.missing for output in play(live, imu[:280])[-20:]} == {(name,)}
    assert not asked  # for 1.5 s what is judged holds what was before
    assert {o.missing for o in play(live, imu[280:], instant)[-20:]} == {() if is_disproved else (name,)}
    assert (asked[0], len(asked) == 1) == (1, is_disproved)


def statuses_at(live: LiveEstimator, imu: NDArray[np.floating], ages: list[float]) -> list[int]:
    """Status of the estimate of the last row and of ones after it, published when the input is this old [s]."""
    rows = instants(60 + len(ages), live.bundle.rig.rate)
    play(live, imu[:60])
    found = []
    for row, age in enumerate(ages, 60):
        outputs = []
        for sensor, sample in enumerate(imu[row].tolist()):
            now = rows[row] + round(age * SECOND)
            outputs += live.take(sensor, rows[row], tuple(sample), rows[row] + DELAY, now=now)
        found += [output.status for output in outputs]
    return found


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ([0.149, 0.15, 0.151], [OK, OK, STALE]),
        ([0.151, 0.149, 0.121, 0.119, 0.149], [STALE, STALE, STALE, OK, OK]),
        ([-0.004, -0.006, -0.004], [OK, STALE, OK]),
    ],
)
def test_live_estimator_is_stale_beyond_150_ms_and_ok_again_below_120(
    live: LiveEstimator, imu: NDArray[np.floating], ages: list[float], expected: list[int]
) -> None:
    assert statuses_at(live, imu, ages) == expected


def test_live_estimator_repeats_stale_every_50_ms_however_often_it_is_asked(
    live: LiveEstimator, imu: NDArray[np.floating]
) -> None:
    play(live, imu[:60])
    newest = instants(60, live.bundle.rig.rate)[-1]
    said = [now for now in range(newest, newest + 2 * SECOND, SECOND // 1000) if live.check(now)]
    assert said[0] - newest == pytest.approx(0.125 * SECOND, abs=SECOND // 1000)
    assert set(np.diff(said)) == {SECOND // 20}


def test_live_estimator_says_stale_before_the_first_message_and_after_the_clock_is_put_back(
    live: LiveEstimator,
) -> None:
    def first(start: int) -> int:
        return next(now - start for now in range(start, start + SECOND, SECOND // 40) if live.check(now))

    assert first(START) == SECOND // 8
    assert live.cause.startswith("no message has come that could be used")
    assert first(START - 3600 * SECOND) == SECOND // 8


def test_live_estimator_says_what_every_sensor_lacks_once(
    live: LiveEstimator, bundle: Bundle, imu: NDArray[np.floating]
) -> None:
    imu = imu[:100].copy()
    imu[50:] = np.nan
    play(live, imu)
    assert live.cause.count("every sensor") == 1
    assert not any(name in live.cause for name in bundle.rig.sensor_names)


@pytest.mark.parametrize("number", [2, 5, 7])
def test_live_settings_have_a_clock_policy_for_all_or_one_each(bundle: Bundle, number: int) -> None:
    settings = LiveSettings(clock_policies=(ClockPolicy.AUTO,) * number)
    with pytest.raises(InputError, match=f"clock_policy has {number} entries; give one for all sensors, or 6"):
        LiveEstimator(bundle, settings)
    each = tuple(ClockPolicy)[:3] * 2
    assert LiveSettings(clock_policies=each).policies(6) == each
    assert LiveSettings(clock_policies=each[:1]).policies(6) == each[:1] * 6


def test_live_estimator_turns_samples_by_its_rotations(bundle: Bundle, imu: NDArray[np.floating]) -> None:
    """Mounted upside down about x: y and z are negated."""
    turned = imu[:120] * np.array([1.0, -1.0, -1.0] * 2)
    straight, mounted = (LiveEstimator(bundle, LiveSettings(rotations=q)) for q in ((0.0, 0, 0, 1), (1.0, 0, 0, 0)))
    expected = [output.activation for output in play(straight, imu[:120])]
    np.testing.assert_allclose([output.activation for output in play(mounted, turned)], expected, atol=1e-5)


def test_live_estimator_turns_back_sensor_that_is_worn_the_other_way_round(
    bundle: Bundle, make_recording: Callable[..., Recording]
) -> None:
    people = [make_recording([("walking", 20.0)], subject=str(seed), seed=seed) for seed in range(1, 4)]
    sensors = tuple(
        replace(own, either_way="z" if index == 4 else "none") for index, own in enumerate(bundle.rig.sensors)
    )
    either = replace(bundle, rig=replace(bundle.rig, sensors=sensors), distribution=fit_distribution(people))
    imu = make_recording([("walking", 12.0)], seed=9).imu
    other = imu * signs_of([4], either.rig)
    (right, live), outputs = [LiveEstimator(either, LiveSettings()) for _ in range(2)], {}
    for name, estimator, own in (("right", right, imu), ("other", live, other)):
        outputs[name] = play(estimator, own)
    assert right.states == (GOOD,) * 6
    assert "worn the other way round" in live.states[4].reason
    assert not live.states[4].masked
    known = [next(i for i, own in enumerate(outputs[name]) if own.status == OK) for name in outputs]
    assert max(known) < 6.0 * either.rig.rate
    assert {own.status for own in outputs["other"][: max(known)]} == {WARMING_UP}
    assert {own.status for own in outputs["other"][max(known) :]} == {OK}
    np.testing.assert_allclose(outputs["other"][-1].activation, outputs["right"][-1].activation, atol=1e-4)
