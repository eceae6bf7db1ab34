"""LiveEstimator: what comes out, and with which status, for what the sensors send."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.grid_alignment import SECOND
from imu_emg_estimator.signals.masked_imu_features import Normalisation
from imu_emg_estimator.streaming.activation_status import DEGRADED, OK, STALE, WARMING_UP
from imu_emg_estimator.streaming.live_estimator import LiveEstimator, LiveSettings, Output
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator

START = 1_700_000_000 * SECOND
DELAY = 2_000_000  # ns, from a sample to its arrival


@pytest.fixture(scope="module")
def imu(make_recording: Callable[..., Recording]) -> NDArray[np.floating]:
    """Ten seconds of walking [588, 6, 6]."""
    return make_recording([("walking", 10.0)]).imu


@pytest.fixture
def live(bundle: Bundle) -> LiveEstimator:
    return LiveEstimator(bundle, LiveSettings())


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
