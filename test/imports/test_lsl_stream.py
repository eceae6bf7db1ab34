"""Live LSL streams: samples and instants as sent, in packets, and one sentence for what is no EMG."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from fixtures.factories import refusal
from fixtures.lsl_outlets import lsl, outlet

from imu_emg_estimator.imports.lsl_stream import LslPacket, LslStream, packets

pytestmark = pytest.mark.slow  # each look for streams takes a second

PATIENCE = 60.0  # s; only a test that fails waits so long


def stream(
    name: str | None = "emg", channels: Any = None, unit: str | None = None, wait: float = PATIENCE
) -> LslStream:
    return LslStream(name, channels, unit, wait)


def split(times: Any) -> list[LslPacket]:
    times = np.asarray(times)
    return list(packets(times, np.arange(len(times), dtype=np.float32)[:, None], 100.0))


def test_packets_split_where_samples_are_missing() -> None:
    first, second = split([5.00, 5.01, 5.02, 5.06, 5.07])
    assert (first.start, second.start) == pytest.approx((5.00, 5.06))
    assert first.data.ravel().tolist() == [0, 1, 2]
    assert second.data.ravel().tolist() == [3, 4]


def test_packets_split_where_times_jump_back() -> None:
    assert [len(packet.data) for packet in split([5.00, 5.01, 1.00, 1.01])] == [2, 2]


def test_packets_smooth_jitter_of_the_sender() -> None:
    (packet,) = split([5.000, 5.019, 5.020, 5.030, 5.040])
    assert packet.start == pytest.approx(5.0)


def pulled(source: LslStream, wanted: int) -> list[LslPacket]:
    """Packets until so many samples came."""
    found: list[LslPacket] = []
    while sum(len(packet.data) for packet in found) < wanted:
        found += source.pull()
    return found


@pytest.mark.timeout(PATIENCE * 3)
def test_stream_gives_samples_and_instants_as_sent() -> None:
    sender = outlet("emg")
    with stream(channels=["b", "a"]) as source:
        assert (source.channels, source.unit, source.rate) == (["b", "a"], "uV", 1000.0)
        assert source.pull() == []  # which also opens the connection
        assert sender.wait_for_consumers(PATIENCE)
        begin = source.clock()
        sender.push_chunk([[float(row), -float(row)] for row in range(200)], begin + 0.199)
        found = pulled(source, 200)
    data = np.concatenate([packet.data for packet in found])
    np.testing.assert_array_equal(data, np.stack([-np.arange(200.0), np.arange(200.0)], axis=1))
    assert all(len(packet.data) <= 50 for packet in found)
    rows = np.cumsum([0, *(len(packet.data) for packet in found)])[:-1]
    # A computer's correction of its own clock is a fraction of the time that a question takes on it.
    np.testing.assert_allclose([packet.start for packet in found], begin + rows / 1000.0, atol=0.05)


@pytest.mark.timeout(PATIENCE * 3)
def test_samples_whose_time_is_none_are_left_out() -> None:
    sender = outlet("emg")
    with stream() as source:
        source.pull()
        assert sender.wait_for_consumers(PATIENCE)
        now = source.clock()
        for value, moment in enumerate([np.nan, 1e12, -np.inf, now]):
            sender.push_sample([float(value), 0.0], moment)
        (packet,) = pulled(source, 1)
    assert packet.data[:, 0].tolist() == [3.0]


def test_stream_without_a_name_is_the_only_one_of_type_emg() -> None:
    senders = [outlet("armband"), outlet("markers", kind="Markers")]
    with stream(name=None) as source:
        assert source.name == "armband"
    senders.append(outlet("trigno"))
    with refusal("more than one", "'armband'", "'trigno'"):
        for _ in range(100):  # on a busy computer a look may miss a stream
            stream(name=None)


def test_unit_of_the_caller_goes_before_that_of_the_sender() -> None:
    sender = outlet("emg", units=("microvolts", "millivolts"))
    with stream(unit="mV") as source:
        assert (source.unit, source.is_unit_stated) == ("mV", True)
    del sender


def test_samples_without_a_unit_are_counts() -> None:
    sender = outlet("emg", labels=("", ""), units=("", ""))
    with stream() as source:
        assert (source.unit, source.is_unit_stated, source.channels) == ("count", False, ["1", "2"])
    del sender


@pytest.mark.parametrize(
    ("sender", "words"),
    [
        (lambda: outlet("emg", format="string"), ("texts",)),
        (lambda: outlet("emg", rate=0.0), ("no rate", "nominal_srate")),
        (lambda: outlet("emg", rate=1e9), ("no rate up to 100000 Hz",)),
        (lambda: outlet("emg", units=("microvolts", "mV")), ("different units", "a in uV", "b in mV")),
        (lambda: outlet("emg", units=("uV", "m/s^2")), ("'b'", "no unit of EMG")),
        (lambda: outlet("emg", labels=("a", "a")), ("more than one channel 'a'",)),
    ],
    ids=["texts", "no rate", "impossible rate", "different units", "accelerations", "one label twice"],
)
def test_stream_that_is_no_emg_is_refused(sender: Callable[[], Any], words: tuple[str, ...]) -> None:
    kept = sender()
    with refusal("'emg'", *words):
        stream()
    del kept


def test_unknown_channel_is_refused_with_those_there_are() -> None:
    sender = outlet("emg")
    with refusal("no channel 'c'; its channels are a, b"):
        stream(channels=["c"])
    del sender


def test_absent_stream_is_refused_with_those_there_are() -> None:
    sender = outlet("other", kind="EEG")
    with stream("other"):
        pass  # it can be found now
    with refusal("no LSL stream 'emg' was found", "'other' (EEG, on "):
        stream(wait=0.0)
    del sender


def test_absent_library_is_refused_with_the_command_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pylsl", None)
    with refusal("needs pylsl", "pip install"):
        stream()


def test_sender_that_ends_is_told() -> None:
    sender = lsl().StreamOutlet(lsl().StreamInfo("emg", "EMG", 1, 1000.0, "float32", ""))  # without a source_id
    with stream() as source:
        source.pull()
        assert sender.wait_for_consumers(PATIENCE)
        del sender
        with refusal("LSL stream 'emg' has ended"):
            for _ in range(10_000):
                source.pull()
