"""Which topics that are alive are the subject's."""

from fixtures.factories import refusal

from imu_emg_estimator.bags import EMG_TYPE, IMU_TYPE
from imu_emg_estimator.bags.message_types import ACTIVATION_TYPE, FLOAT32_TYPE
from imu_emg_estimator.guide.topic_search import find_topics, recordable_topics
from imu_emg_estimator.rig import Rig

OTHERS = {"/rosout": "rcl_interfaces/msg/Log", "/muscle_activation": ACTIVATION_TYPE}


def imus(*names: str) -> dict[str, str]:
    return dict.fromkeys(names, IMU_TYPE)


def test_find_topics_by_name(rig: Rig) -> None:
    topics = [f"/xsens/{name}/data" for name in rig.sensor_names]
    found = find_topics(imus(*topics, "/pelvis") | {"/amplifier": EMG_TYPE} | OTHERS, rig)
    assert list(found.sensors) == topics
    assert found.emg == ("/amplifier", EMG_TYPE)
    assert found.others == ("/pelvis",)
    assert set(found.types()) == {*topics, "/amplifier"}


def test_find_topics_returns_none_for_missing_topics(rig: Rig) -> None:
    found = find_topics(imus("/imu/right_foot"), rig)
    assert found.sensors == ("/imu/right_foot", None, None, None, None, None)
    assert found.emg is None


def test_find_topics_takes_given_topics_in_order(rig: Rig) -> None:
    given = [f"/s{number}" for number in range(6)]
    found = find_topics(imus(*given[:5]), rig, given)
    assert found.sensors == (*given[:5], None)
    with refusal("5 different Imu topics", "right_foot"):
        find_topics(imus(*given), rig, given[:5])


def test_find_topics_refuses_ambiguous_names(rig: Rig) -> None:
    with refusal("/a/right_foot", "/b/right_foot", "--imu-topics"):
        find_topics(imus("/a/right_foot", "/b/right_foot"), rig)
    with refusal("/emg_a", "/emg_b", "--emg-topic"):
        find_topics({"/emg_a": EMG_TYPE, "/emg_b": EMG_TYPE}, rig)


def test_find_topics_ignores_estimates_as_emg(rig: Rig) -> None:
    assert find_topics({"/emg_estimate": ACTIVATION_TYPE}, rig).emg is None
    assert find_topics({"/my/emg/raw": FLOAT32_TYPE, "/floats": FLOAT32_TYPE}, rig).emg == ("/my/emg/raw", FLOAT32_TYPE)
    assert find_topics({"/floats": FLOAT32_TYPE}, rig, emg_topic="/floats").emg == ("/floats", FLOAT32_TYPE)


def test_recordable_topics() -> None:
    alive = imus("/pelvis") | {"/e": EMG_TYPE, "/raw_emg": FLOAT32_TYPE, "/floats": FLOAT32_TYPE} | OTHERS
    assert set(recordable_topics(alive)) == {"/pelvis", "/e", "/raw_emg"}
