"""The calibrate service on real ROS 2: what it answers, what it stores, and that estimates go on meanwhile."""

import os
import secrets
import shutil
import signal
import stat
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rclpy
from fixtures.factories import BundleFactory
from fixtures.ros_lab import HOUR, PATIENCE, Lab, activations_of, start, timestamps_of, workers
from imu_emg_estimator.msg import CalibrationStatus
from imu_emg_estimator.srv import Calibrate, ResetCalibration
from rosbags.rosbag2 import StoragePlugin, Writer

from imu_emg_estimator.bags import write_bag
from imu_emg_estimator.calibration.calibrate_recordings import calibrate
from imu_emg_estimator.calibration.calibration_report import CalibrationReport
from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.calibration.private_folder import PREFIX
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.calibration.worker import Worker
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.model.geglu_transformer import network_of
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings

Answer = Calibrate.Response
Reset = ResetCalibration.Response
StartLab = Callable[..., Lab]


@pytest.fixture(scope="module")
def bundle(make_bundle: BundleFactory) -> Bundle:
    """Random weights that follow the left muscle no more than the right: nothing looks exchanged."""
    return make_bundle(seed=1)


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
    # EMG that is late at first and not at last: so much of it that the first muscle is left out, the second no better.
    is_late = np.arange(length)[:, None] < length * np.array([0.7, 0.75])
    misleading = np.where(is_late, late.emg.data[:length], walking.emg.data[:length])
    recordings = {
        "raw": walking,
        "envelope": replace(walking, emg=None),
        "misleading": replace(walking, emg=replace(walking.emg, data=misleading)),
        "without_emg": replace(walking, emg=None, envelope=np.full_like(walking.envelope, np.nan)),
        "without_an_imu": replace(walking, rig=five, imu=walking.imu[:, :5]),
        "short": walking.slice(0, round(6 * rig.rate)),
        "standing": make_recording([("standing", 20.0)]),
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
        yield start(
            stack,
            context,
            bundle=str(bundle_path),
            calibration_directory=str(directory),
            stale_after=HOUR,
            calibration_nice=0,  # it must end, however busy the machine is with other tests
        )


@pytest.fixture(scope="module")
def alices(bundle: Bundle) -> Bundle:
    """A calibration of the tiny bundle, made up."""
    weights = {name: 1.1 * value for name, value in bundle.weights.items()}
    calibration = Calibration.made_now("alice", "guarded", "walking", 30.0)
    return replace(bundle, weights=weights, parent_id=bundle.model_id, calibration=calibration)


@pytest.fixture(scope="module")
def adapted_alices(bundle: Bundle, walking: Recording) -> Bundle:
    """The tiny bundle, calibrated to a subject."""
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


def folders() -> list[Path]:
    """Of temporary files of calibrations of this session."""
    return list(Path(tempfile.gettempdir()).glob(f"{PREFIX}*"))


# what a good call does


@pytest.mark.parametrize("form", ["raw", "envelope"])
def test_adapts_while_estimates_go_on(form: str, start_lab: StartLab, bags: Path, walking: Recording) -> None:
    lab = start_lab()
    imu = np.concatenate([walking.imu] * 4)
    stop, timestamps = threading.Event(), []
    player = threading.Thread(target=lambda: timestamps.extend(lab.play(imu, stop=stop)))
    player.start()
    lab.wait_for(30)
    statuses = lab.statuses()
    lab.wait(lambda: statuses, "status of one who subscribes late")
    answer = lab.calibrated(bags / form)
    lab.wait_for(len(lab.messages) + 30)
    stop.set()
    player.join()
    assert (answer.success, answer.error_code) == (True, Answer.OK), answer.message
    lab.wait(lambda: statuses[-1].state == CalibrationStatus.SUCCEEDED, "status of success")

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
    gain, low, high = np.array([answer.r_gain, answer.r_gain_low, answer.r_gain_high])
    np.testing.assert_allclose(gain, figures[0, 1] - figures[0, 0], atol=1e-4)
    assert ((low < gain) & (gain < high)).all()
    assert (low > 0).all()
    assert list(answer.decisions) == ["adapted"] * muscles
    assert set(answer.channel_names) == {*walking.rig.sensor_names, *walking.rig.muscle_names}
    assert set(answer.verdicts) == {"good"}
    assert not answer.left_out

    # How far it was, from the one who had subscribed late to the end.
    running = [status for status in statuses if status.state == CalibrationStatus.RUNNING]
    assert (statuses[0].state, statuses[0].calibration_id) == (CalibrationStatus.IDLE, "")
    phases = list(dict.fromkeys(status.phase for status in running))
    assert phases == ["starting", "reading", "checking", "judging", "adapting", "done", "storing"]
    fractions = [status.fraction for status in statuses[1:]]
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1
    assert any(0 < status.fraction < 1 and status.seconds_left > 0 for status in running)
    assert np.isfinite([status.loss for status in running if status.phase == "adapting"][-1])
    assert {(status.subject_id, status.calibration_id) for status in running} == {("alice", "")}
    assert (statuses[-1].calibration_id, statuses[-1].message) == (answer.calibration_id, answer.message)
    assert not folders()

    # Every grid step once, before, during and after; the swap lies between two of them.
    expected = timestamps[: -lab.look_ahead]
    messages = lab.wait_for(len(expected))
    assert np.abs(np.array(timestamps_of(messages)) - expected).max() <= 1
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
    expected_activation, _ = estimate_recording(network_of(adapted), adapted.normalisation, imu[: len(timestamps)])
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
    start_lab: StartLab, adapted_alices: Bundle, bags: Path, walking: Recording, tmp_path: Path
) -> None:
    store_calibration(tmp_path / "calibrations", adapted_alices)
    lab = start_lab(subject_id="alice", stale_after=HOUR)
    answer = lab.calibrated(bags / "misleading")
    assert (answer.success, answer.error_code) == (False, Answer.NOT_BETTER), answer.message
    assert "the old model was kept" in answer.message
    assert answer.calibration_id == ""
    assert set(answer.decisions) == {"kept"}
    assert answer.r_after == answer.r_before
    verdicts = dict(zip(answer.channel_names, answer.verdicts, strict=True))
    assert (
        set(answer.left_out)
        == {name for name, verdict in verdicts.items() if verdict.startswith("left out: ")}
        != set()
    )
    assert [path.stem for path in stored(lab)] == [adapted_alices.calibration_id]
    statuses = lab.statuses()  # a late subscriber
    lab.wait(lambda: statuses, "status")
    assert (statuses[0].state, statuses[0].message) == (CalibrationStatus.FAILED, answer.message)
    assert statuses[0].calibration_id == adapted_alices.calibration_id
    lab.play(walking.imu[:20], hurry=True)
    assert {message.calibration_id for message in lab.wait_for(15)} == {adapted_alices.calibration_id}


@pytest.mark.usefixtures("unchanged")
def test_hopeless_bag_is_refused_with_a_verdict_on_every_channel(lab: Lab, bags: Path, walking: Recording) -> None:
    answer = lab.calibrated(bags / "standing")
    assert (answer.success, answer.error_code) == (False, Answer.REFUSED), answer.message
    assert "the subject did not move" in answer.message
    assert set(answer.channel_names) == {*walking.rig.sensor_names, *walking.rig.muscle_names}
    assert len(answer.verdicts) == len(answer.channel_names)


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[CalibrationRequest]:
    """Requests to processes that do not start."""
    given: list[CalibrationRequest] = []

    def run(_: Worker, request: CalibrationRequest, timeout: float) -> CalibrationReport:
        given.append(request)
        return CalibrationReport.failed(InputError("not started"))

    monkeypatch.setattr(Worker, "run", run)
    return given


def test_subjects_own_model_must_be_bettered(
    start_lab: StartLab, alices: Bundle, bundle_path: Path, tmp_path: Path, requests: list[CalibrationRequest]
) -> None:
    """Not that of the subject before."""
    bobs = replace(alices, calibration=Calibration.made_now("bob", "", "bag", 30.0))
    paths = [store_calibration(tmp_path / "calibrations", subjects) for subjects in (alices, bobs)]
    lab = start_lab(subject_id="alice")
    for subject, path in zip(("alice", "bob", "carol"), (*paths, bundle_path), strict=True):
        assert lab.calibrated("bag", subject).message == "not started"
        assert requests[-1].running == path


def test_bags_are_read_as_the_node_hears(
    start_lab: StartLab, tmp_path: Path, requests: list[CalibrationRequest]
) -> None:
    lab = start_lab(
        bag_directories=[str(tmp_path), "relative"],
        largest_gap=0.3,
        clock_jump=2.0,
        emg_topic="/noraxon",
        emg_channels=["ch1=vastus_lateralis_left", "ch2=none"],
        emg_rate=2000.0,
    )
    assert lab.calibrated("--out=x", further_bag_uris=["file:///a%20b"]).message == "not started"
    request = requests[0]
    assert request.bags == (Path("--out=x").absolute(), Path("/a b"))
    assert request.bag_directories == (tmp_path,)
    assert request.imu_topics == tuple(lab.estimator.topics)
    assert request.alignment == AlignmentSettings(largest_gap=0.3, deadline=0.05, timeout=0.25, jump=2.0)
    assert (request.emg_topic, request.emg_kind, request.emg_rate) == ("/noraxon", None, 2000.0)
    assert request.emg_channels == ("ch1=vastus_lateralis_left", "ch2=none")


@pytest.mark.usefixtures("unchanged")
def test_second_call_is_refused_while_one_runs(lab: Lab, bags: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begun, go_on = threading.Event(), threading.Event()

    def run(_: Worker, request: CalibrationRequest, timeout: float) -> CalibrationReport:
        begun.set()
        assert go_on.wait(PATIENCE)
        return CalibrationReport.failed(InputError("not started"))

    monkeypatch.setattr(Worker, "run", run)
    first = lab.calibrate(bags / "raw")
    lab.wait(begun.is_set, "start of the first calibration")
    answer = lab.calibrated(bags / "raw")
    assert (answer.success, answer.error_code) == (False, Answer.BUSY)
    assert "another calibration is running" in answer.message
    assert not first.done()
    go_on.set()
    lab.wait(first.done, "answer to the first call")


@pytest.mark.usefixtures("unchanged")
def test_dry_run_changes_nothing(lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(bags / "raw", dry_run=True)
    assert (answer.success, answer.error_code) == (True, Answer.OK)
    assert answer.calibration_id == ""
    assert "dry run: nothing was changed or stored" in answer.message
    assert len(answer.r_after) == 2


# how bad calls are answered


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
        ({"method": "magic"}, "adaptation method 'magic' is not known; leave the method empty, or give 'guarded'"),
    ],
    ids=lambda value: None if isinstance(value, str) else "-".join(f"{k}={v}" for k, v in value.items()),
)
def test_bad_request(fields: dict[str, Any], said: str, lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(**({"bag": bags / "raw"} | fields))
    assert (answer.success, answer.error_code) == (False, Answer.INVALID_REQUEST), answer.message
    assert said in answer.message


@pytest.mark.usefixtures("unchanged")
def test_home_of_nobody(lab: Lab) -> None:
    answer = lab.calibrated("~nobody-here/bag")
    assert answer.error_code == Answer.INVALID_REQUEST
    assert "names a home directory that is not known" in answer.message


# how it ends before its end


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("budget", [0.3, 2.5])
def test_budget_is_kept(budget: float, lab: Lab, bags: Path) -> None:
    answer = lab.calibrated(bags / "raw", subject="hasty", max_duration=budget)
    assert answer.error_code == Answer.TIMEOUT, answer.message
    assert "the old model was kept" in answer.message
    assert answer.calibration_wall_s < budget
    assert not workers("hasty")
    assert not folders()


@pytest.mark.usefixtures("unchanged")
def test_cancelled(lab: Lab, bags: Path) -> None:
    assert not lab.cancel().success
    statuses = lab.statuses()
    answer = lab.calibrate(bags / "raw", subject="changed-her-mind")
    lab.wait(lambda: statuses and statuses[-1].phase == "judging", "status of judging")
    (folder,) = folders()
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    busy = lab.reset(subject_id="changed-her-mind")
    assert (busy.success, busy.error_code) == (False, Reset.BUSY)
    assert lab.cancel().success
    lab.wait(answer.done, "answer")
    assert (answer.result().success, answer.result().error_code) == (False, Answer.CANCELLED)
    assert "cancelled; the old model was kept" in answer.result().message
    assert not workers("changed-her-mind")
    assert not folders()
    lab.wait(lambda: statuses[-1].state == CalibrationStatus.CANCELLED, "status of cancelled")
    assert statuses[-1].message == answer.result().message
    assert "done" not in {status.phase for status in statuses}  # it did not work on to its end
    assert not lab.cancel().success


@pytest.mark.usefixtures("unchanged")
def test_worker_that_dies(lab: Lab, bags: Path) -> None:
    answer = lab.calibrate(bags / "raw", subject="unlucky")
    lab.wait(lambda: workers("unlucky"), "calibration process")
    os.kill(workers("unlucky")[0], signal.SIGKILL)
    lab.wait(answer.done, "answer")
    assert answer.result().error_code == Answer.FAILED
    assert "ended without a report" in answer.result().message
    assert not folders()


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


# which bags are read


def test_bags_elsewhere_are_refused(start_lab: StartLab, bags: Path, tmp_path: Path) -> None:
    allowed, missing = tmp_path / "allowed", tmp_path / "missing"
    shutil.copytree(bags / "short", allowed / "short")
    (allowed / "link").symlink_to(bags / "raw")
    (allowed / "of_links").mkdir()
    for file in (bags / "raw").iterdir():
        (allowed / "of_links" / file.name).symlink_to(file)
    lab = start_lab(bag_directories=[str(missing), str(allowed)])
    for bag in (allowed / ".." / "bag", allowed / "link", allowed / "of_links"):
        answer = lab.calibrated(allowed / "short", further_bag_uris=[str(bag)])
        assert answer.error_code == Answer.INVALID_REQUEST, answer.message
        assert f"lies outside the directories that bags are read from ({allowed})" in answer.message
        assert "\n" not in answer.message
    assert lab.calibrated(f"file://{allowed}/short").error_code == Answer.TOO_SHORT
    assert not stored(lab)


def test_no_directory_of_bags_is_there(start_lab: StartLab, bags: Path, tmp_path: Path) -> None:
    lab = start_lab(bag_directories=[str(tmp_path / "missing")])
    answer = lab.calibrated(bags / "raw")
    assert answer.error_code == Answer.INVALID_REQUEST
    assert f"none of the directories that bags may lie in exists ({tmp_path / 'missing'})" in answer.message


# what is undone


def test_reset_to_base_to_an_earlier_one_and_back(
    start_lab: StartLab, alices: Bundle, walking: Recording, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    newer = replace(alices, calibration=Calibration.made_now("alice", "guarded", "walking", 30.0))
    assert alices.calibration is not None
    older = replace(alices, calibration=replace(alices.calibration, id="alice-20200101T000000-000000"))
    for bundle in (older, newer):
        store_calibration(tmp_path / "calibrations", bundle)
    lab = start_lab(subject_id="alice", stale_after=HOUR)
    statuses = lab.statuses()

    def assert_running(calibration_id: str) -> None:
        """Here at once, and in a node that starts now."""
        for each in (lab, start_lab(subject_id="alice", namespace=f"/again_{secrets.token_hex(4)}", stale_after=HOUR)):
            timestamps = each.play(walking.imu[:20], hurry=True)
            each.wait_beyond(timestamps[-5 - each.look_ahead])  # the grid may lie between two samples
            newest = each.messages[-1]
            assert (newest.calibration_id, newest.header.frame_id) == (calibration_id, "alice")

    assert_running(newer.calibration_id)
    assert (
        f"calibration {newer.calibration_id} of subject 'alice', made {newer.calibration.created}"
        in capfd.readouterr().err
    )
    for fields, before, after in (
        ({"calibration_id": older.calibration_id}, newer, older),
        ({"subject_id": "alice"}, older, None),
        ({"previous": True}, None, older),
    ):
        answer = lab.reset(**fields)
        assert (answer.success, answer.error_code) == (True, Reset.OK), answer.message
        expected = after.calibration_id if after else ""
        assert (answer.calibration_id_before, answer.calibration_id) == (
            before.calibration_id if before else "",
            expected,
        )
        assert_running(expected)
        lab.wait(lambda message=answer.message: statuses[-1].message == message, "status of the reset")
        assert (statuses[-1].state, statuses[-1].calibration_id) == (CalibrationStatus.IDLE, expected)
    assert len(stored(lab)) == 2


def test_reset_that_cannot_be(start_lab: StartLab, alices: Bundle, make_bundle: Any, tmp_path: Path) -> None:
    directory = tmp_path / "calibrations"
    path = store_calibration(directory, alices)
    bobs = replace(make_bundle(seed=5), parent_id="another", calibration=Calibration.made_now("bob", "", "bag", 30.0))
    store_calibration(directory, bobs)
    lab = start_lab()
    for fields, code, said in (
        ({}, Reset.INVALID_REQUEST, "subject_id is empty and the node has no subject"),
        ({"subject_id": "../x"}, Reset.INVALID_REQUEST, "'../x' is not a valid name"),
        ({"calibration_id": alices.calibration_id, "previous": True}, Reset.INVALID_REQUEST, "give one of them"),
        ({"calibration_id": "nobody-20200101T000000-000000"}, Reset.NOT_FOUND, "holds no calibration"),
        ({"calibration_id": "../../x"}, Reset.NOT_FOUND, "is not the id of a calibration"),
        ({"subject_id": "carol", "previous": True}, Reset.NOT_FOUND, "nothing was in use before for subject 'carol'"),
        ({"calibration_id": bobs.calibration_id}, Reset.FAILED, "was made for model another"),
    ):
        answer = lab.reset(**fields)
        assert (answer.success, answer.error_code, answer.calibration_id) == (False, code, ""), answer.message
        assert said in answer.message
    path.write_bytes(path.read_bytes()[:1000])
    answer = lab.reset(calibration_id=alices.calibration_id)
    assert (answer.error_code, answer.calibration_id) == (Reset.FAILED, "")
    assert "is truncated or not a bundle" in answer.message
    assert lab.estimator.bundle.calibration is None


# what a killed process left


def test_next_start_removes_what_a_killed_one_left(start_lab: StartLab, capfd: pytest.CaptureFixture[str]) -> None:
    left = Path(tempfile.mkdtemp(prefix=PREFIX))
    (left / "adapted.safetensors").touch()
    start_lab()
    assert not left.exists()
    assert f"removed {left}" in capfd.readouterr().err
