"""Files of one take on one clock."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import Array, myo_pair

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import Channel, Take
from imu_emg_estimator.imports.file_forms import read_take
from imu_emg_estimator.imports.take_joining import join_takes

SECONDS, LATER_S = 40.0, 3.7


def bursts(times: Array) -> Array:
    """Uneven bursts of movement, 0 to 1."""
    centres = np.array([4.0, 7.5, 9.0, 15.0, 16.2, 22.0, 29.5, 33.0])
    return np.asarray(np.exp(-(((times[:, None] - centres) / 0.5) ** 2)).sum(axis=1))


def steps(times: Array) -> Array:
    """An even rhythm, as of walking."""
    return np.asarray(np.sin(2 * np.pi * times) ** 8)


def pair(activity: Array | None = None, even: bool = False, pulses: bool = False) -> tuple[Take, Take]:
    """An IMU's file, and the EMG's of the same take, whose clock began ``LATER_S`` later."""
    rng = np.random.default_rng(0)
    times, emg_times = np.arange(SECONDS * 100) / 100, np.arange((SECONDS - LATER_S) * 1000) / 1000
    form = steps if even else bursts
    imu = [
        Channel(f"acc {axis}", "g", times, form(times) * rng.standard_normal(len(times)) + (axis == "z"))
        for axis in "xyz"
    ]
    emg = [Channel("emg sol", "mV", emg_times, form(emg_times + LATER_S) * rng.standard_normal(len(emg_times)))]
    if pulses:
        imu.append(Channel("Trigger", "", times, np.isin(np.arange(len(times)) // 10, [60, 120, 250]).astype(float)))
        at = np.round((np.array([60, 120, 250]) / 10 - LATER_S) * 1000).astype(int)
        emg.append(
            Channel("sync", "V", emg_times, np.isin(np.arange(len(emg_times)), at[:, None] + np.arange(50)) * 5.0)
        )
    return Take(Path("imu.csv"), "CSV", tuple(imu)), Take(Path("emg.csv"), "CSV", tuple(emg))


def emg_start(joined: Take) -> float:
    return float(next(channel for channel in joined.channels if channel.name == "emg sol").times[0])


def test_takes_that_do_not_overlap_are_refused(tmp_path: Path) -> None:
    parts = [read_take(path) for path in myo_pair(tmp_path, emg_offset_ms=9000)]
    with pytest.raises(InputError, match=r"do not overlap in time: one ends 5.0 s before the other begins"):
        join_takes(parts)


def test_pulses_of_a_trigger_join_to_a_sample() -> None:
    joined = join_takes(pair(pulses=True))
    assert emg_start(joined) == pytest.approx(LATER_S, abs=0.011)  # the IMU's sample
    assert joined.notes == ("joined by 3 pulses of a trigger, 36.3 s in common",)


def test_movement_and_emg_join_within_a_tenth_of_a_second_and_tell_how_surely() -> None:
    joined = join_takes(pair())
    assert emg_start(joined) == pytest.approx(LATER_S, abs=0.1)
    assert joined.notes[0].startswith("joined by cross-correlation (second +3.")
    assert ", r 0.9" in joined.notes[0]


def test_even_rhythm_is_not_joined_by_guess() -> None:
    with pytest.raises(InputError, match=r"cannot be joined for sure: .* give --join start"):
        join_takes(pair(even=True))


def test_start_is_taken_when_asked_and_told_as_unverified() -> None:
    joined = join_takes(pair(even=True), "start")
    assert emg_start(joined) == 0.0
    assert joined.notes == ("joined by their start, unverified, 36.3 s in common",)


@pytest.mark.parametrize(("how", "fault"), [("clock", "no common clock since 1970"), ("event", "no common trigger")])
def test_way_that_files_do_not_offer_is_refused(how: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        join_takes(pair(), how)


def test_channels_of_one_name_are_told_apart_by_their_file() -> None:
    first, second = pair(pulses=True)
    second = replace(second, channels=(*second.channels, replace(second.channels[0], name="acc x", unit="g")))
    assert {"imu: acc x", "emg: acc x"} <= {channel.name for channel in join_takes([first, second]).channels}


@pytest.mark.parametrize("fewer", [0, 2])
def test_even_pulses_join_only_where_no_other_lag_fits(fewer: int) -> None:
    first, second = pair()
    times, emg_times = first.channels[0].times, second.channels[0].times
    clock = Channel("sync", "", times, ((times > 10) & (times < 30) & (times % 1 < 0.5)).astype(float))
    late = emg_times + LATER_S
    received = (late > 10) & (late < 30 - fewer) & (late % 1 < 0.5)
    parts = [
        replace(first, channels=(*first.channels, clock)),
        replace(second, channels=(*second.channels, Channel("sync", "", emg_times, received.astype(float)))),
    ]
    if fewer:
        with pytest.raises(InputError, match="no common trigger whose pulses coincide"):
            join_takes(parts, "event")
    else:
        assert emg_start(join_takes(parts, "event")) == pytest.approx(LATER_S, abs=0.011)


def test_clocks_that_drift_apart_are_joined_by_pulses() -> None:
    imu, emg = pair()
    at = np.array([4.5, 9.2, 15.7, 25.0])
    parts = []
    for take, rises in ((imu, at), (emg, (at - LATER_S) / 1.004)):
        times = take.channels[0].times
        pulses = (np.abs(times[:, None] - rises).min(axis=1) < 0.02) * 5.0
        parts.append(replace(take, channels=(*take.channels, Channel("sync", "V", times, pulses))))
    joined = join_takes(parts)
    assert emg_start(joined) == pytest.approx(LATER_S, abs=0.01)
    assert "4 pulses of a trigger, clocks +0.4" in joined.notes[-1]
