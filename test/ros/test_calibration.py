"""The calibrate service on real ROS 2: what it answers, what it stores, and that estimates go on meanwhile."""

import os
import shutil
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from imu_emg_estimator.srv import Calibrate
from lab import HOUR, Lab, activations_of, stamps_of, start, workers
from rosbags.rosbag2 import StoragePlugin, Writer

from imu_emg_estimator.datasets.bag import write_bag
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline import estimate_recording
from imu_emg_estimator.model.store import store_calibration
from imu_emg_estimator.model.transformer import network_of
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.calibrate import calibrate

Answer = Calibrate.Response
StartLab = Callable[..., Lab]


@pytest.fixture(scope="module")
def walking(make_recording: Callable[..., Recording]) -> Recording:
    return make_recording([("walking", 30.0)])


@pytest.fixture(scope="module")
def bags(walking: Recording, make_recording: Callable[..., Recording], tmp_path_factory: Any) -> Path:
    """A folder of bags, good ones and every sort of bad one, by name."""
    folder = tmp_path_factory.mktemp("bags")
    rig, length = walking.rig, len(walking)
    five = replace(rig, sensors=rig.sensors[:5])
    late = make_recording([("walking", 30.0)], emg_delay=0.5)
    cut = round(0.7 * length)
    misleading = np.concatenate([late.emg.data[:cut], walking.emg.data[cut:]])
    recordings = {
        "raw": walking,
        "envelope": replace(walking, emg=None),
        "misleading": replace(walking, emg=replace(walking.emg, data=misleading)),
        "without_emg": replace(walking, emg=None, envelope=np.full_like(walking.envelope, np.nan)),
        "without_an_imu": replace(walking, rig=five, imu=walking.imu[:, :5]),
        "short": walking.slice(0, round(6 * rig.rate)),
    }
    for name, recording in recordings.items():
        write_bag(recording, folder / name)
    with Writer(folder / "empty", version=9, storage_plugin=StoragePlugin.MCAP):
        pass
    shutil.copytree(folder / "raw", folder / "corrupt")
    data = folder / "corrupt" / "raw.mcap"
    data.rename(folder / "corrupt" / "raw.mcap").write_bytes(data.read_bytes().replace(b"imu", b"\xff"))
    return folder


@pytest.fixture(scope="module")
def lab(bundle_path: Path, tmp_path_factory: Any) -> Iterator[Lab]:
    """A node for calls that change nothing, in another ROS domain than the nodes of single tests."""
    directory = tmp_path_factory.mktemp("calibrations")
    context = rclpy.Context()
    rclpy.init(context=context, domain_id=int(os.environ["ROS_DOMAIN_ID"]) + 50)
    with ExitStack() as stack:
        stack.callback(context.try_shutdown)
        yield start(stack, context, bundle=str(bundle_path), calibration_directory=str(directory), stale_after=HOUR)


@pytest.fixture(scope="module")
def alices(bundle: Bundle, walking: Recording) -> Bundle:
    """The tiny bundle, calibrated to the wearer."""
    adapted = calibrate(bundle, walking, "alice").bundle
    assert adapted is not None
    return adapted


@pytest.fixture
def unchanged(lab: Lab, walking: Recording) -> Iterator[None]:
    """Checks that after the test the node goes on with the old state, and that nothing was stored."""
    before = lab.estimator.bundle
    yield
    lab.clear()
    lab.play(walking.imu[:30], hurry=True)
    messages = lab.wait_for(20)
    assert {message.calibration_id for message in messages} == {""}
    assert lab.estimator.bundle is before
    assert not stored(lab)


def stored(lab: Lab) -> list[Path]:
    """Calibrations in the node's directory, whole or not."""
    directory = lab.estimator.settings.calibration_directory
    return sorted(path for path in directory.rglob("*") if path.is_file() and path.name not in ("current", ".lock"))


# what a good call does


@pytest.mark.parametrize("form", ["raw", "envelope"])
def test_adapts_while_estimates_go_on(form: str, start_lab: StartLab, bags: Path, walking: Recording) -> None:
    lab = start_lab()
    imu = np.concatenate([walking.imu] * 4)
    stop, stamps = threading.Event(), []
    player = threading.Thread(target=lambda: stamps.extend(lab.play(imu, stop=stop)))
    player.start()
    lab.wait_for(30)
    answer = lab.calibrated(bags / form)
    lab.wait_for(len(lab.messages) + 30)
    stop.set()
    player.join()
    assert (answer.success, answer.error_code) == (True, Answer.OK), answer.message

    # Figures, by muscle.
    muscles = len(walking.rig.muscles)
    assert tuple(answer.muscle_names) == walking.rig.muscle_names
    figures = np.array([[getattr(answer, f"{f}_{when}") for when in ("before", "after")] for f in ("r", "r2", "nrmse")])
    assert figures.shape == (3, 2, muscles)
    assert np.isfinite(figures).all()
    assert (figures[:2, 1] > figures[:2, 0]).all()
    assert (figures[2, 1] < figures[2, 0]).all()
    assert answer.calibration_wall_s > 0
    assert "r " in answer.message

    # Every grid step once, before, during and after; the swap lies between two of them.
    expected = stamps[: -lab.look_ahead]
    messages = lab.wait_for(len(expected))
    assert np.abs(np.array(stamps_of(messages)) - expected).max() <= 1
    ids = [message.calibration_id for message in messages]
    swap = ids.index(answer.calibration_id)
    assert ids == [""] * swap + [answer.calibration_id] * (len(ids) - swap)
    assert {message.model_id for message in messages} == {lab.estimator.base.model_id}
    frames = [message.header.frame_id for message in messages]
    assert frames == [walking.rig.name] * swap + ["alice"] * (len(frames) - swap)

    # What is stored is what runs, and it knew at once what had come before it.
    assert [path.stem for path in stored(lab)] == [answer.calibration_id]
    assert stored(lab)[0].parent.name == "alice"
    adapted = Bundle.load(stored(lab)[0])
    expected_activation, _ = estimate_recording(network_of(adapted), adapted.normalisation, imu[: len(stamps)])
    np.testing.assert_allclose(activations_of(messages)[swap:], expected_activation[swap : len(expected)], atol=1e-4)


def test_next_start_of_the_subject_has_it(
    start_lab: StartLab, alices: Bundle, walking: Recording, tmp_path: Path
) -> None:
    store_calibration(tmp_path / "calibrations", alices)
    for subject, calibration in (("alice", alices.calibration_id), ("bob", ""), ("", "")):  # bob has none
        lab = start_lab(subject_id=subject, namespace=f"/lab_{subject}", stale_after=HOUR)
        lab.play(walking.imu[:20], hurry=True)
        messages = lab.wait_for(15)
        assert {message.calibration_id for message in messages} == {calibration}
        assert {message.model_id for message in messages} == {alices.parent_id}
        assert {message.header.frame_id for message in messages} == {subject or walking.rig.name}


def test_calibration_of_another_model_is_passed_over(
    start_lab: StartLab, make_bundle: Any, alices: Bundle, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.safetensors"
    make_bundle(seed=5).save(other)
    path = store_calibration(tmp_path / "calibrations", alices)
    (path.parent / "damaged.safetensors").write_bytes(path.read_bytes()[:1000])
    lab = start_lab(bundle=str(other), subject_id="alice")
    assert lab.estimator.bundle.calibration is None
    said = capfd.readouterr().err
    assert f"calibration {path} was made for model {alices.parent_id}, not" in said
    assert "damaged.safetensors is truncated or not a bundle" in said


def test_not_better_keeps_the_old_model(
    start_lab: StartLab, alices: Bundle, bags: Path, walking: Recording, tmp_path: Path
) -> None:
    store_calibration(tmp_path / "calibrations", alices)
    lab = start_lab(subject_id="alice", stale_after=HOUR)
    answer = lab.calibrated(bags / "misleading")
    assert (answer.success, answer.error_code) == (False, Answer.NOT_BETTER), answer.message
    assert "the old model was kept" in answer.message
    assert answer.calibration_id == ""
    assert np.mean(answer.r_before) > 0.8  # it is alice's model that must be bettered, not the one for all
    assert np.mean(answer.r_after) < np.mean(answer.r_before)
    assert [path.stem for path in stored(lab)] == [alices.calibration_id]
    lab.play(walking.imu[:20], hurry=True)
    assert {message.calibration_id for message in lab.wait_for(15)} == {alices.calibration_id}


@pytest.mark.usefixtures("unchanged")
def test_dry_run_changes_nothing_and_a_second_call_is_told_at_once(lab: Lab, bags: Path) -> None:
    first = lab.calibrate(bags / "raw", dry_run=True)
    second = lab.calibrate(bags / "raw")
    lab.wait(lambda: first.done() or second.done(), "answer")
    assert not first.done()
    assert (second.result().success, second.result().error_code) == (False, Answer.BUSY)
    assert "another calibration is running" in second.result().message
    lab.wait(first.done, "answer to the first call")
    answer = first.result()
    assert (answer.success, answer.error_code) == (True, Answer.OK)
    assert answer.calibration_id == ""
    assert "dry run: nothing was changed or stored" in answer.message
    assert len(answer.r_after) == 2


# what a bad call is told


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("bag", "code", "said"),
    [
        ("missing", Answer.BAG_UNREADABLE, "does not exist"),
        ("empty", Answer.BAG_UNREADABLE, "holds no message"),
        ("corrupt", Answer.BAG_UNREADABLE, "cannot be read"),
        ("without_emg", Answer.MISSING_TOPIC, "no imu_emg_estimator/msg/Emg messages"),
        ("without_an_imu", Answer.MISSING_TOPIC, "no Imu messages on /imu/left_thigh"),
        ("short", Answer.TOO_SHORT, "at least"),
    ],
)
def test_bad_bag(bag: str, code: int, said: str, lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(bags / bag)
    assert (answer.success, answer.error_code) == (False, code), answer.message
    assert said in answer.message
    assert bag in answer.message
    assert "\n" not in answer.message
    assert answer.calibration_id == ""


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"subject": "../x"}, "subject_id: subject '../x' is not a valid name"),
        ({"subject": ""}, "subject_id: subject '' is not a valid name"),
        ({"bag": ""}, "bag_uri is empty"),
        ({"max_duration": -1.0}, "max_duration is -1.0; give 0 for the default, or up to 3600 s"),
        ({"max_duration": float("nan")}, "max_duration is nan"),
        ({"max_duration": float("inf")}, "max_duration is inf"),
        ({"max_duration": 4000.0}, "max_duration is 4000.0"),
        ({"method": "magic"}, "adaptation method 'magic' is not known; use one of none, affine, head"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(f"{k}={v}" for k, v in value.items()),
)
def test_bad_request(fields: dict[str, Any], said: str, lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(**({"bag": bags / "raw"} | fields))
    assert (answer.success, answer.error_code) == (False, Answer.INVALID_REQUEST), answer.message
    assert said in answer.message


@pytest.mark.usefixtures("unchanged")
def test_home_of_nobody(lab: Lab) -> None:
    assert lab.calibrated("~nobody-here/bag").error_code == Answer.BAG_UNREADABLE


@pytest.mark.usefixtures("unchanged")
def test_too_little_time(lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(bags / "raw", subject="hasty", max_duration=0.3)
    assert answer.error_code == Answer.TIMEOUT, answer.message
    assert "the old model was kept" in answer.message
    assert not workers("hasty")


@pytest.mark.usefixtures("unchanged")
def test_worker_that_dies(lab: Lab, bags: Path) -> None:
    answer = lab.calibrate(bags / "raw", subject="unlucky")
    lab.wait(lambda: workers("unlucky"), "calibration process")
    os.kill(workers("unlucky")[0], signal.SIGKILL)
    lab.wait(answer.done, "answer")
    assert answer.result().error_code == Answer.FAILED
    assert "ended without a report" in answer.result().message


@pytest.mark.usefixtures("unchanged")
def test_full_disk_of_temporary_files(lab: Lab, bags: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "missing"))
    answer = lab.calibrated(bags / "raw")
    assert (answer.success, answer.error_code) == (False, Answer.FAILED)


def test_directory_that_cannot_be_written(start_lab: StartLab, bags: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    lab = start_lab(calibration_directory=str(tmp_path / "file" / "calibrations"))
    answer = lab.calibrated(bags / "raw")
    assert (answer.success, answer.error_code) == (False, Answer.FAILED)
    assert f"{tmp_path / 'file' / 'calibrations' / 'alice'}" in answer.message
    assert "cannot be written" in answer.message
    assert answer.calibration_id == ""
    assert lab.estimator.bundle.calibration is None


def test_bundle_that_was_replaced_meanwhile(start_lab: StartLab, make_bundle: Any, bags: Path, tmp_path: Path) -> None:
    path = tmp_path / "replaced.safetensors"
    make_bundle(seed=1).save(path)
    lab = start_lab(bundle=str(path))
    make_bundle(seed=2).save(path)
    answer = lab.calibrated(bags / "raw")
    assert (answer.success, answer.error_code) == (False, Answer.FAILED)
    assert f"{path} has changed since the node started; restart the node and calibrate again" in answer.message
    assert lab.estimator.bundle.calibration is None
    assert not stored(lab)
