"""A recording from a bag: clocks, jumps, bad values, and EMG of any rate and form."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.composed_bags import (
    START,
    Change,
    changed,
    compose,
    emg_messages,
    entries,
    fast_emg,
    on_emg,
    on_grid,
    timestamp_of,
    with_emg,
    with_timestamp,
)

from imu_emg_estimator.bags import (
    EMG_TOPIC,
    BagLimits,
    BagTooShort,
    BagUnreadable,
    TopicMissing,
    imu_topic,
    read_bag,
    read_bag_with_report,
    write_bag,
)
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import RawEmg, Recording
from imu_emg_estimator.signals.emg_envelope import EnvelopeSettings, emg_envelope
from imu_emg_estimator.signals.grid_alignment import SECOND, AlignmentSettings


def test_read_bag_refuses_too_little_imu_data(recording: Recording, tmp_path: Path) -> None:
    write_bag(recording.slice(0, 60), tmp_path / "bag")
    with pytest.raises(BagTooShort, match=r"holds 1\.0 s of IMU data; record at least 2 s"):
        read_bag(tmp_path / "bag", RIG)


@pytest.mark.parametrize("timeout", [0.0, 0.02])
def test_read_bag_refuses_timeout_between_two_samples(whole_bag: Path, timeout: float) -> None:
    with pytest.raises(InputError, match=r"sensor timeout of .* leaves out every sensor .*; choose 0\.034 s or more"):
        read_bag_with_report(whole_bag, RIG, alignment=AlignmentSettings(timeout=timeout))


def test_read_bag_refuses_too_little_emg(whole_bag: Path, tmp_path: Path) -> None:
    limit = (START + 1.0) * SECOND
    path = changed(whole_bag, tmp_path / "bag", lambda t, m: None if t == EMG_TOPIC and timestamp_of(m) > limit else m)
    with pytest.raises(BagTooShort, match=r"1\.\d s in which IMU and EMG timestamps overlap"):
        read_bag(path, RIG)


def test_read_bag_brings_emg_to_clock_of_imus(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    path = changed(
        whole_bag, tmp_path / "bag", lambda t, m: with_timestamp(m, timestamp_of(m) - 10**18) if t == EMG_TOPIC else m
    )
    read, report = read_bag_with_report(path, RIG)
    assert np.isfinite(read.envelope).mean() > 0.99
    known = np.isfinite(read.envelope)
    np.testing.assert_allclose(read.envelope[known], recording.envelope[known], atol=1.0)
    assert any("the clock of /emg is 1e+09 s behind" in note for note in report.notes)


def leapt(leap: float, topics: str) -> Change:
    """Timestamps that leap [s] after 3 s on topics whose names begin like this."""
    cut = round((START + 3.0) * SECOND)

    def change(topic: str, message: Any) -> Any:
        timestamp = timestamp_of(message)
        leaps = topic.startswith(topics) and timestamp >= cut
        return with_timestamp(message, timestamp + round(leap * SECOND)) if leaps else message

    return change


@pytest.mark.parametrize("leap", [-50.0, -0.4, 0.4, 4294.967296])
def test_read_bag_follows_one_clock_that_leaps(
    recording: Recording, whole_bag: Path, tmp_path: Path, leap: float
) -> None:
    read, report = read_bag_with_report(changed(whole_bag, tmp_path / "bag", leapt(leap, "/imu/left_foot")), RIG)
    assert report.pieces == 1
    sensor = RIG.sensor_names.index("left_foot")
    same = np.isfinite(read.imu[:, sensor, 0])
    assert same.mean() > 0.97
    expected = recording.imu[: len(read), sensor, 0]
    assert np.corrcoef(read.imu[same, sensor, 0], expected[same])[0, 1] > 0.9
    np.testing.assert_allclose(read.imu[5:, :sensor], recording.imu[5 : len(read), :sensor], atol=1e-6)
    assert "/imu/left_foot: its clock leaps: reconciled by receive times" in report.notes


@pytest.mark.parametrize("leap", [-50.0, 50.0])
def test_read_bag_follows_emg_whose_clock_leaps(
    recording: Recording, whole_bag: Path, tmp_path: Path, leap: float
) -> None:
    read, report = read_bag_with_report(changed(whole_bag, tmp_path / "bag", leapt(leap, EMG_TOPIC)), RIG)
    known = np.isfinite(read.envelope)
    assert known.mean() > 0.9
    assert np.corrcoef(read.envelope[known], recording.envelope[: len(read)][known])[0, 1] > 0.98
    assert report.emg is not None
    assert f"{EMG_TOPIC}: its clock leaps: reconciled by receive times" in report.notes


def test_read_bag_tells_how_much_emg_it_uses(whole_bag: Path, tmp_path: Path) -> None:
    _, report = read_bag_with_report(changed(whole_bag, tmp_path / "bag", leapt(-50.0, "/")), RIG)
    assert any("s of 8.0 s of EMG are used" in note for note in report.notes)


@pytest.mark.parametrize("pace", [0.25, 2.0])
def test_read_bag_trusts_timestamps_when_receive_times_run_at_another_pace(
    recording: Recording, whole_bag: Path, tmp_path: Path, pace: float
) -> None:
    """A bag recorded while another was played slower or faster."""
    first = entries(whole_bag)[0][0]
    messages = [(first + round((received - first) / pace), *rest) for received, *rest in entries(whole_bag)]
    read, report = read_bag_with_report(compose(tmp_path / "bag", messages), RIG)
    np.testing.assert_allclose(read.imu, recording.imu[: len(read)], atol=1e-6)
    assert not any(imu.clock.corrected for imu in report.imu)
    assert report.emg is not None
    assert not report.emg.clock.corrected


@pytest.mark.parametrize("jump", [-100.0, -3.0, 3.0, 1e6])
def test_read_bag_reads_longest_piece_between_jumps(
    recording: Recording, whole_bag: Path, tmp_path: Path, jump: float, caplog: pytest.LogCaptureFixture
) -> None:
    start = round(START * SECOND)
    cut = start + round(3.0 * SECOND)

    def change(topic: str, message: Any) -> Any:
        timestamp = timestamp_of(message)
        return with_timestamp(message, timestamp + round(jump * SECOND)) if timestamp >= cut else message

    read = read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)
    assert 4.8 <= read.duration <= 5.0
    assert read.start == pytest.approx(START + 3.0 + jump, abs=0.1)
    first = int(np.ceil(3.0 * RIG.rate))
    length = len(read)
    np.testing.assert_allclose(read.imu[2:], recording.imu[first + 2 : first + length], atol=1e-6)
    inner = slice(30, length - 30)  # away from the filter's edges
    expected = recording.envelope[first : first + length]
    np.testing.assert_allclose(read.envelope[inner], expected[inner], atol=0.5)
    assert "the longest of 2 pieces between jumps of its timestamps" in caplog.text


def test_read_bag_refuses_timestamps_that_always_jump(whole_bag: Path, tmp_path: Path) -> None:
    def change(topic: str, message: Any) -> Any:
        timestamp = timestamp_of(message)
        return with_timestamp(message, timestamp + timestamp // SECOND % 2 * 3600 * SECOND)

    with pytest.raises(BagTooShort, match=r"the longest of \d+ pieces between jumps"):
        read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)


def test_read_bag_refuses_bag_longer_than_limit(whole_bag: Path) -> None:
    with pytest.raises(InputError, match=r"covers more than .* h; cut out what is needed"):
        read_bag(whole_bag, RIG, limits=BagLimits(duration=5.0))


# bad IMU values


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 1e308])
def test_read_bag_masks_nonfinite_imu_values(recording: Recording, whole_bag: Path, tmp_path: Path, bad: float) -> None:
    def change(topic: str, message: Any) -> Any:
        if topic != imu_topic("left_foot"):
            return message
        return replace(message, linear_acceleration=replace(message.linear_acceleration, y=bad))

    read = read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)
    assert np.isnan(read.imu[:, 3, 1]).all()
    others = [s for s in range(6) if s != 3]
    np.testing.assert_array_equal(read.imu[:, others], recording.imu[:, others])
    np.testing.assert_array_equal(read.imu[:, 3, 3:], recording.imu[:, 3, 3:])


def test_read_bag_interpolates_as_far_as_the_node_does(whole_bag: Path, tmp_path: Path) -> None:
    def between_rows(topic: str, message: Any) -> Any:
        own = topic == imu_topic(RIG.sensor_names[1])
        return with_timestamp(message, timestamp_of(message) + 5_000_000) if own else message

    path = changed(whole_bag, tmp_path / "bag", between_rows)
    strict, _ = read_bag_with_report(path, RIG, alignment=AlignmentSettings(largest_gap=0.001))
    assert np.isnan(strict.imu[:, 1]).all()
    assert np.isnan(read_bag(path, RIG).imu[:, 1]).mean() < 0.2


def test_read_bag_masks_absent_imu_fields(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    absent = np.zeros(9)
    absent[0] = -1.0

    def change(topic: str, message: Any) -> Any:
        return message if topic == EMG_TOPIC else replace(message, linear_acceleration_covariance=absent)

    read = read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)
    assert np.isnan(read.imu[..., :3]).all()
    np.testing.assert_array_equal(read.imu[..., 3:], recording.imu[..., 3:])


# EMG


@pytest.mark.parametrize("jitter", [0, 2_000_000])
def test_read_bag_fast_raw_emg_in_packets(whole_bag: Path, tmp_path: Path, jitter: int) -> None:
    raw = fast_emg()
    path = with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, 2000.0, 20, jitter=jitter))
    read = read_bag(path, RIG)
    expected = on_grid(emg_envelope(raw, 2000.0, EnvelopeSettings()), 2000.0, read)
    inside = slice(2, -2)
    assert read.envelope_unit == "mV"
    assert np.isfinite(read.envelope[inside]).all()
    tolerance = 1e-6 if jitter == 0 else 0.006
    np.testing.assert_allclose(read.envelope[inside], expected[inside], atol=tolerance)


def test_read_bag_uses_envelope_settings(whole_bag: Path) -> None:
    smooth = read_bag(whole_bag, RIG, settings=EnvelopeSettings(low_pass=1.0))
    assert smooth.envelope.std() < 0.7 * read_bag(whole_bag, RIG).envelope.std()


def test_read_bag_does_not_extrapolate_emg(whole_bag: Path, tmp_path: Path) -> None:
    raw = fast_emg()[: 2000 * 4]
    read = read_bag(with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, 2000.0, 20, shift=2 * SECOND)), RIG)
    inside = (read.time >= 2.0) & (read.time <= 6.0 - 1 / 2000.0)
    assert np.isfinite(read.envelope[inside]).all()
    assert np.isnan(read.envelope[~inside]).all()


def test_read_bag_does_not_fill_in_lost_packets(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    emg = [entry for entry in entries(whole_bag) if entry[1] == EMG_TOPIC]
    read = read_bag(with_emg(whole_bag, tmp_path / "bag", emg[:40] + emg[41:70] + emg[75:]), RIG)
    lost = np.zeros(len(recording), dtype=bool)
    lost[160:164] = lost[280:300] = True
    np.testing.assert_array_equal(np.isnan(read.envelope).any(axis=1), lost)


def test_read_bag_masks_bad_emg_values(recording: Recording, tmp_path: Path) -> None:
    assert recording.emg is not None
    raw = recording.emg.data.copy()
    raw[100:110, 1] = np.nan
    raw[200, 0] = np.inf
    write_bag(replace(recording, emg=RawEmg(raw, RIG.rate, "count")), tmp_path / "bag")
    read = read_bag(tmp_path / "bag", RIG)
    assert np.flatnonzero(np.isnan(read.envelope[:, 0])).tolist() == [200]
    assert np.flatnonzero(np.isnan(read.envelope[:, 1])).tolist() == list(range(100, 110))


def test_read_bag_matches_channels_by_name(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    assert recording.emg is not None
    right, left = RIG.muscle_names
    three = np.concatenate([recording.emg.data[:, ::-1], recording.emg.data[:, :1]], axis=1)
    emg = emg_messages(three, RIG.rate, 4, channel_names=[left, right, "soleus_right"])
    read = read_bag(with_emg(whole_bag, tmp_path / "all", emg), RIG)
    np.testing.assert_allclose(read.envelope, recording.envelope, atol=1e-4)

    emg = emg_messages(recording.emg.data[:, 1:], RIG.rate, 4, channel_names=[left])
    read = read_bag(with_emg(whole_bag, tmp_path / "left", emg), RIG)
    np.testing.assert_allclose(read.envelope[:, 1], recording.envelope[:, 1], atol=1e-4)
    assert np.isnan(read.envelope[:, 0]).all()
    np.testing.assert_array_equal(read.muscle_weight, [0.0, 1.0])

    emg = emg_messages(recording.emg.data, RIG.rate, 4, channel_names=["soleus_right", "soleus_left"])
    with pytest.raises(TopicMissing, match=r"EMG of soleus_right, soleus_left, but .* wants vastus_lateralis_right, "):
        read_bag(with_emg(whole_bag, tmp_path / "none", emg), RIG)


def test_read_bag_gives_flat_channel_no_weight(recording: Recording, whole_bag: Path, tmp_path: Path) -> None:
    assert recording.emg is not None
    raw = recording.emg.data * [1.0, 0.0]
    read = read_bag(with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, RIG.rate, 4)), RIG)
    np.testing.assert_array_equal(read.muscle_weight, [1.0, 0.0])


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (on_emg(sample_rate=0.0), r"on /emg sample_rate 0 is not between 0 and 100000 Hz"),
        (on_emg(sample_rate=-58.8), r"on /emg sample_rate -58\.8"),
        (on_emg(sample_rate=float("nan")), r"on /emg sample_rate nan"),
        (on_emg(sample_rate=1e9), r"on /emg sample_rate 1e\+09"),
        (on_emg(sample_rate=5000.0), r"470 EMG samples stamped within .* do not go with a sample_rate of 5000 Hz"),
        (on_emg(sample_rate=30.0), r"do not go with a sample_rate of 30 Hz"),
        (on_emg(sample_rate=10.0), r"do not go with a sample_rate of 10 Hz"),
        (on_emg(data=np.zeros(7, dtype=np.float32)), r"on /emg 7 values do not divide into 2 channels"),
        (on_emg(channel_names=[]), r"do not divide into 0 channels"),
        (on_emg(data=np.zeros(0, dtype=np.float32)), r"has no EMG samples on /emg"),
        (on_emg(data=np.full(8, np.nan, dtype=np.float32)), r"0\.0 s in which IMU and EMG timestamps overlap"),
    ],
)
def test_read_bag_names_senseless_emg(whole_bag: Path, tmp_path: Path, change: Change, fault: str) -> None:
    path = changed(whole_bag, tmp_path / "bag", change)
    with pytest.raises(InputError, match=fault) as caught:
        read_bag(path, RIG)
    assert str(path) in str(caught.value)


def test_read_bag_refuses_emg_too_slow_for_an_envelope(whole_bag: Path, tmp_path: Path) -> None:
    emg = emg_messages(fast_emg(10.0), 10.0, 2)
    with pytest.raises(InputError, match=r"raw EMG at 10 Hz is too slow"):
        read_bag(with_emg(whole_bag, tmp_path / "bag", emg), RIG)


@pytest.mark.parametrize("field", [{"unit": "V"}, {"is_envelope": True}, {"sample_rate": 60.0}])
def test_read_bag_refuses_emg_that_changes_format(whole_bag: Path, tmp_path: Path, field: dict[str, Any]) -> None:
    limit = (START + 4.0) * SECOND

    def change(topic: str, message: Any) -> Any:
        return replace(message, **field) if topic == EMG_TOPIC and timestamp_of(message) > limit else message

    with pytest.raises(BagUnreadable, match=r"is_envelope change between messages"):
        read_bag(changed(whole_bag, tmp_path / "bag", change), RIG)


def test_report_tells_seconds_used_of_seconds_recorded(whole_bag: Path, tmp_path: Path) -> None:
    cut = round((START + 3.0) * SECOND)

    def change(topic: str, message: Any) -> Any:
        timestamp = timestamp_of(message)
        return with_timestamp(message, timestamp + 100 * SECOND) if timestamp >= cut else message

    _, report = read_bag_with_report(changed(whole_bag, tmp_path / "bag", change), RIG)
    assert report.recorded == pytest.approx(8.0, abs=0.1)
    assert f"{report.seconds:.1f} s of {report.recorded:.1f} s were used" in " ".join(report.notes)


def test_read_bag_leaves_out_emg_gap_that_is_filled_with_zeros(whole_bag: Path, tmp_path: Path) -> None:
    raw = fast_emg()
    raw[6000:8000] = 0.0  # the fourth second
    read, report = read_bag_with_report(with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, 2000.0, 50)), RIG)
    gap = (read.time > 3.2) & (read.time < 3.8)
    assert np.isnan(read.envelope[gap]).all()
    assert np.isfinite(read.envelope[read.time < 2.8]).all()
    assert any("1.0 s of the EMG on /emg are zeros in all channels" in note for note in report.notes)


def test_read_bag_keeps_zeros_where_they_are_ordinary(whole_bag: Path, tmp_path: Path) -> None:
    """As in rest, from an amplifier with few levels."""
    raw = np.round(40 * fast_emg()) / 40
    raw[6000:8000] = 0.0
    read, report = read_bag_with_report(with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, 2000.0, 50)), RIG)
    assert report.emg is not None
    assert report.emg.zeros == 0.0
    assert np.isfinite(read.envelope[(read.time > 3.2) & (read.time < 3.8)]).all()


def test_report_names_dead_electrode(whole_bag: Path, tmp_path: Path) -> None:
    raw = fast_emg()
    raw[:, 1] = 0.0
    read, report = read_bag_with_report(with_emg(whole_bag, tmp_path / "bag", emg_messages(raw, 2000.0, 50)), RIG)
    assert list(read.muscle_weight) == [1.0, 0.0]
    assert (
        f"the EMG of {RIG.muscle_names[1]} never changes: it was left out; check its electrode and lead" in report.notes
    )
