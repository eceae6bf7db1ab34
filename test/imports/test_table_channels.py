"""Channels of Trigno exports and of plain CSV."""

from pathlib import Path

import numpy as np
import pytest
from fixtures.foreign_files import EMG_RATE, IMU_RATE, by_name, discover, emg_mv, emgworks, imu_g

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.channels import Take
from imu_emg_estimator.imports.file_forms import read_take


def read_text(path: Path, text: str) -> Take:
    path.write_text(text)
    return read_take(path)


def rows(count: int, step: float, *values: object) -> str:
    return "".join(",".join([f"{row * step:g}", *map(str, values)]) + "\n" for row in range(count))


@pytest.mark.parametrize("index_column", [False, True])
def test_discover_gives_each_channel_its_rate_sensor_and_unit(tmp_path: Path, index_column: bool) -> None:
    take = read_take(discover(tmp_path / "a.csv", index_column))
    assert take.form == "Trigno Discover 1.6.5"
    values = by_name(take)
    assert list(values) == [*(f"shank: {kind} {axis}" for kind in ("ACC", "GYRO") for axis in "XYZ"), "calf: EMG 1"]
    for column, channel in enumerate(take.channels[:6]):
        assert np.allclose(channel.values, imu_g()[:, column], atol=1e-6)
        assert np.array_equal(channel.times, np.arange(400) / IMU_RATE)
        assert channel.unit == ("G" if column < 3 else "deg/s")
    emg = take.channels[6]
    assert np.allclose(emg.values, emg_mv(), atol=1e-6)
    assert np.array_equal(emg.times, np.arange(4000) / EMG_RATE)
    assert emg.unit == "mV"
    assert take.notes == (("column 1 only counts the rows and was left out",) if index_column else ())


def test_emgworks_gives_each_channel_the_time_on_its_left(tmp_path: Path) -> None:
    take = read_take(emgworks(tmp_path / "a.csv"))
    assert take.form == "EMGworks"
    assert [len(channel.times) for channel in take.channels] == [400] * 6 + [4000]
    assert np.allclose(take.channels[3].values, imu_g()[:, 3], atol=1e-6)
    assert np.allclose(take.channels[6].values, emg_mv(), atol=1e-6)
    assert np.allclose(take.channels[6].times, np.arange(4000) / EMG_RATE)
    assert [channel.unit for channel in take.channels] == ["g"] * 3 + ["deg/s"] * 3 + ["mV"]
    assert take.channels[0].name == "Trigno IM sensor 1: Acc 1.X"


def test_emgworks_takes_units_from_the_lines_above(tmp_path: Path) -> None:
    above = "Label: calf: EMG 1 Sampling frequency: 1000 Number of points: 9 start: 0 Unit: Volts Domain Time: 0.001\n"
    take = read_text(tmp_path / "a.csv", above + "X[s],calf: EMG 1\n" + rows(9, 0.001, 0.25))
    assert [(channel.name, channel.unit, channel.rate) for channel in take.channels] == [
        ("calf: EMG 1", "Volts", 1000.0)
    ]


@pytest.mark.parametrize(
    ("header", "step", "unit"),
    [
        ("time_ms,acc_x [g]", 10, "g"),
        ("Time (ms), Acc X (g)", 10, "g"),
        ("Timestamp [us],ACC_X_g", 10_000, "g"),
        ("X[s],Acc 1.X [g]", 0.01, "g"),
        ("ACC X Time Series (s), ACC X (G)", 0.01, "G"),
        ("time,acc_x\ns,m/s²", 0.01, "m/s²"),
        ("t [s],acc_x (m/s^2)", 0.01, "m/s^2"),
    ],
)
def test_time_and_units_are_read_from_headers(tmp_path: Path, header: str, step: float, unit: str) -> None:
    take = read_text(tmp_path / "a.csv", header + "\n" + rows(20, step, 0.5))
    (channel,) = take.channels
    assert np.allclose(channel.times, np.arange(20) * 0.01)
    assert channel.unit == unit
    assert take.notes == ()


@pytest.mark.parametrize(("step", "name"), [(0.01, "s"), (10, "ms"), (10_000, "µs")])
def test_unit_of_time_that_is_not_stated_is_told(tmp_path: Path, step: float, name: str) -> None:
    take = read_text(tmp_path / "a.csv", "time,acc_x\n" + rows(20, step, 0.5))
    assert take.channels[0].rate == pytest.approx(100.0)
    assert take.notes == (f"'time' states no unit; rows {step:g} apart are taken to be in {name}",)


def test_rows_of_one_instant_are_spread_and_told(tmp_path: Path) -> None:
    text = "time [s],acc_x\n0,1\n0,2\n0.02,3\n0.02,4\n0.04,5\n0.04,6\n"
    take = read_text(tmp_path / "a.csv", text)
    assert np.allclose(take.channels[0].times, np.arange(6) * 0.01)
    assert "50% of the rows share the instant" in take.notes[0]


def test_text_column_is_named_and_left_out(tmp_path: Path) -> None:
    take = read_text(tmp_path / "a.csv", "time [s],mood,acc_x\n" + rows(9, 0.01, "good", 1.0))
    assert [channel.name for channel in take.channels] == ["acc_x"]
    assert take.notes == ("column 'mood' holds text and was left out",)


def test_column_of_labels_says_what_was_done_when(tmp_path: Path) -> None:
    labels = ["", "", "curl", "curl", "", "rest", "curl", "curl", "curl"]
    lines = "".join(f"{row / 100},{label},1.0\n" for row, label in enumerate(labels))
    take = read_text(tmp_path / "a.csv", "time [s],Condition,acc_x\n" + lines)
    assert take.labels == ((0.02, "curl"), (0.05, "rest"), (0.06, "curl"))
    assert take.notes == ("column 'Condition' labels the rows: curl, rest",)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("a,b\n" + "1.5,2\n" * 9, "no column of time and no rate was found for 'a'"),
        ("a,b\n0,98,0,12\n0,97,0,11\n0,98,0,13\n", "commas separate its cells and stand in its numbers"),
        ("time [s],a\n0,1\n1,2\n0.2,3\n0.3,4\n", "steps back from 1 to 0.2 s"),
        ("time,a\n" + rows(9, 1e9, 1.0) , "rows 1e.09 apart fit none"),
        ("time,a\n" + rows(9, 0.1, 1.0), "rows 0.1 apart fit s and ms; name it"),
        ("time,a\n" + rows(9, 100, 1.0), "rows 100 apart fit ms and µs; name it"),
        ("time [s],a\n" + rows(9, 1e-7, 1.0), "1e.07 samples a second, not between 1 and 100000"),
        ("time [s],a\n0,1\n,2\n0.02,3\n0.03,4\n", "row 2 of the numbers has no time"),
        ("time [s],a\n0,1\n", "no row of numbers"),
    ],
)  # fmt: skip
def test_tables_that_cannot_be_recordings_are_refused(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(InputError, match=fault):
        read_text(tmp_path / "a.csv", text)


def test_absurd_rate_in_discover_is_refused_by_channel(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"states a rate of 9e.09 Hz for 'shank: ACC X'"):
        read_take(discover(tmp_path / "a.csv", rate="9000000000 Hz"))


@pytest.mark.parametrize(("step", "rate"), [(100, 100.0), (83, 120.48), (16_667, 60.0)])
def test_sample_time_of_xsens_is_in_ticks_of_mt_or_microseconds_of_dot(tmp_path: Path, step: int, rate: float) -> None:
    take = read_text(tmp_path / "a.csv", "SampleTimeFine,Acc_X\n" + rows(20, step, 0.5))
    assert take.channels[0].rate == pytest.approx(rate, rel=1e-3)


@pytest.mark.parametrize("separator", [", ", ";"])
def test_discover_2_has_times_periods_and_annotations_beside(tmp_path: Path, separator: str) -> None:
    """Decimal commas, too, where Windows has them; of two sensors of one name, serial numbers tell them apart."""
    lines = [
        ["Application:", "Trigno Discover (2.1.0.7)"],
        ["Avanti (81)", "", "Avanti (93)", "", "Annotations"],
        ["sensor mode: 65", "", "sensor mode: 50", "", ""],
        ["EMG 1 Time Series (s)", "EMG 1 (mV)", "ACC X Time Series (s)", "ACC X (G)", "Label"],
        ["", "1000.5 Hz", "", "100.25 Hz", ""],
        ["", "0.0009995 s", "", "0.009975 s", ""],
        *(
            [f"{n / 1000.5:.9f}", f"{n:.1f}", *([f"{n / 100.25:.9f}", f"{n:.1f}"] if n < 50 else ["", ""]), ""]
            for n in range(500)
        ),
    ]
    lines[20][4], lines[450][4] = "jump", "7.5"
    text = "\n".join(separator.join(line) for line in lines) + "\n"
    take = read_text(tmp_path / "a.csv", text.replace(".", ",") if separator == ";" else text)
    assert take.notes == ("what stands right of column 4 is of no sensor and was left out",)
    assert [(c.name, c.unit, len(c.values)) for c in take.channels] == [
        ("Avanti (81): EMG 1", "mV", 500),
        ("Avanti (93): ACC X", "G", 50),
    ]
    assert np.allclose(take.channels[1].times, np.arange(50) / 100.25, atol=1e-8)


@pytest.mark.parametrize(
    ("instants", "first_s"),
    [
        (["2026-03-01T10:00:00.5", "2026-03-01 10:00:01.5", "2026/03/01 10:00:02,5"], 1772359200.5),
        (["2026-03-01T12:00:00.5+02:00", "2026-03-01T10:00:01.5Z", "2026-03-01T09:30:02.5-0030"], 1772359200.5),
        (["23:59:59.5", "0:00:00.5", "0:00:01.5"], 86399.5),
    ],
)
def test_dates_and_times_of_day_are_instants(tmp_path: Path, instants: list[str], first_s: float) -> None:
    rows = "".join(f"{instant};{n}\n" for n, instant in enumerate(instants))
    (channel,) = read_text(tmp_path / "a.csv", "Date/Time;acc x [g]\n" + rows).channels
    assert np.allclose(channel.times, first_s + np.arange(3), atol=1e-6)


def test_rate_in_a_line_above_serves_where_there_is_no_time(tmp_path: Path) -> None:
    take = read_text(tmp_path / "a.csv", "Heart rate: 70\nSampling rate [Hz]: 250\nacc x,acc y\n" + "1,2\n" * 9)
    assert [channel.rate for channel in take.channels] == [250.0, 250.0]


def test_names_that_repeat_are_told_apart_by_the_line_above(tmp_path: Path) -> None:
    take = read_text(
        tmp_path / "a.csv", ",thigh,,shank,\ntime [s],X [g],Y [g],X [g],Y [g]\n" + rows(9, 0.01, 1, 2, 3, 4)
    )
    assert list(by_name(take)) == ["thigh: X", "thigh: Y", "shank: X", "shank: Y"]
