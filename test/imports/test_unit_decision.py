"""Units of a data set: stated, found by size and told, or refused."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channel_mapping import ChannelMapping, propose_mapping
from imu_emg_estimator.imports.channels import Channel, Take
from imu_emg_estimator.imports.table_writer import columns_of
from imu_emg_estimator.imports.unit_decision import decide_units

TIMES = np.arange(200) / 100


def take(
    gravity: float = 9.81,
    rate: float = 0.5,
    acc_unit: str = "",
    gyro_unit: str = "",
    emg_unit: str = "mV",
    name: str = "a",
) -> Take:
    channels = [Channel(f"shank acc {axis}", acc_unit, TIMES, np.full(200, gravity * (axis == "z"))) for axis in "xyz"]
    channels += [Channel(f"shank gyro {axis}", gyro_unit, TIMES, np.full(200, rate * (axis == "x"))) for axis in "xyz"]
    channels.append(Channel("emg sol", emg_unit, TIMES, np.linspace(-1, 1, 200)))
    return Take(Path(f"{name}.csv"), "CSV", tuple(channels))


def in_table(*takes: Take) -> dict[str, float]:
    """The last value of every column of the first take."""
    mapping = decide_units(propose_mapping(takes), takes)
    return {column.name: float(column.values[-1]) for column in columns_of(takes[0], mapping)}


@pytest.mark.parametrize(("gravity", "unit"), [(1.0, "g"), (9.80665, "m/s²"), (1000.0, "mg")])
def test_stated_acceleration_is_converted(gravity: float, unit: str) -> None:
    assert in_table(take(gravity, acc_unit=unit, gyro_unit="rad/s"))["shank_acc_z"] == pytest.approx(9.80665)


def test_stated_angular_rate_is_converted_and_emg_kept() -> None:
    table = in_table(take(acc_unit="m/s2", rate=180.0, gyro_unit="dps", emg_unit="volts"))
    assert table["shank_gyro_x"] == pytest.approx(np.pi)
    assert table["emg_sol [V]"] == 1.0


@pytest.mark.parametrize(
    ("gravity", "rate", "acc_unit", "gyro_unit"), [(1.0, 100.0, "g", "deg/s"), (9.8, 3.0, "m/s²", "rad/s")]
)
def test_units_that_are_not_stated_are_found_by_size_and_told(
    gravity: float, rate: float, acc_unit: str, gyro_unit: str
) -> None:
    mapping = decide_units(propose_mapping([take(gravity, rate)]), [take(gravity, rate)])
    assert {a.unit for a in mapping.assignments[:3]} == {acc_unit}
    assert {a.unit for a in mapping.assignments[3:6]} == {gyro_unit}
    assert mapping.notes == (
        f"acceleration of shank: no unit is stated, taken to be in {acc_unit}, by its size",
        f"angular rate of shank: no unit is stated, taken to be in {gyro_unit}, by its size",
    )


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        (take(3.0), "median size 3 is gravity neither in g nor in m/s²"),
        (take(rate=20.0), "fits fast movement in rad/s and slow in deg/s; state the unit in the mapping"),
        (
            take(9.81, acc_unit="g"),
            "median size of 96.2 m/s² by the unit that is stated or found, where gravity is 9.8",
        ),
        (take(0.1, acc_unit="m/s²"), "median size of 0.1 m/s²"),
        (take(rate=300.0, gyro_unit="rad/s"), "reach 300 rad/s by the unit that is stated, more than limbs do"),
        (take(acc_unit="furlong"), "is in 'furlong', which is no unit of acceleration"),
    ],
)
def test_sizes_that_fit_no_unit_are_refused(wrong: Take, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        in_table(wrong)


def test_unit_of_a_mapping_from_other_files_is_not_believed_against_the_file() -> None:
    mapping = propose_mapping([take(acc_unit="g", gravity=1.0, gyro_unit="rad/s")])
    with pytest.raises(InputError, match=r"'emg sol' is in V by the file and in mV by the mapping"):
        decide_units(mapping, [take(emg_unit="V", gyro_unit="rad/s")])
    changed = take(gravity=1.0, acc_unit="g", rate=2.0, gyro_unit="deg/s")
    with pytest.raises(InputError, match="is in deg/s by the file and in rad/s by the mapping"):
        columns_of(changed, decide_units(mapping, [changed]))


def test_mapping_overrides_volts_that_a_file_states_for_everything() -> None:
    volts = take(gravity=1.0, acc_unit="V", gyro_unit="V", emg_unit="V")
    mapping = propose_mapping([take(gravity=1.0, acc_unit="g", gyro_unit="rad/s", emg_unit="V")])
    columns = {column.name: column.values[-1] for column in columns_of(volts, decide_units(mapping, [volts]))}
    assert columns["shank_acc_z"] == pytest.approx(9.80665)


def test_volts_and_millivolts_in_one_data_set_are_refused_with_both_names() -> None:
    with pytest.raises(InputError, match=r"EMG is in mV \('emg sol' in a.csv\) and in V \('emg sol' in b.csv\)"):
        in_table(take(), take(emg_unit="V", name="b"))


def test_raw_emg_and_an_envelope_in_one_data_set_are_refused_with_both_names() -> None:
    mixed = take()
    mixed = replace(mixed, channels=(*mixed.channels, Channel("envelope ta", "mV", TIMES, np.ones(200))))
    with pytest.raises(InputError, match=r"raw \('emg sol' in a.csv\) and an envelope \('envelope ta' in a.csv\)"):
        in_table(mixed)


@pytest.mark.parametrize(("stated", "right"), [("deg/s", "rad/s"), ("rad/s", "deg/s")])
def test_rates_that_gravity_contradicts_are_refused_with_the_unit_that_fits(stated: str, right: str) -> None:
    times = np.arange(1000) / 100
    angle, speed = 0.6 * np.sin(times), 0.6 * np.cos(times)  # slow enough for deg/s to be within what limbs do
    values = {
        "acc x": -9.81 * np.sin(angle), "acc y": 0 * times, "acc z": 9.81 * np.cos(angle),
        "gyro x": 0 * times, "gyro y": speed * (1.0 if right == "rad/s" else 57.29578), "gyro z": 0 * times,
    }  # fmt: skip
    channels = [Channel(f"shank {n}", "m/s²" if "acc" in n else stated, times, v) for n, v in values.items()]
    channels.append(Channel("emg sol", "mV", times, values["acc x"]))
    tilted = Take(Path("a.csv"), "CSV", tuple(channels))
    mapping = propose_mapping([tilted])
    unit = f"{right} instead of {stated}"
    with pytest.raises(InputError, match=f"give '{unit}' as their unit in the mapping"):
        columns_of(tilted, decide_units(mapping, [tilted]))
    corrected = tuple(replace(own, unit=unit) if own.kind == "gyro" else own for own in mapping.assignments)
    columns = columns_of(tilted, decide_units(ChannelMapping(corrected), [tilted]))
    assert np.allclose({column.name: column.values for column in columns}["shank_gyro_y"], speed)
