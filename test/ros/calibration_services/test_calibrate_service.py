"""The calibrate service on real ROS 2: what it answers, what it stores, and that estimates go on meanwhile."""

import shutil
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.calibration_files import folders, stored
from fixtures.ros_lab import HOUR, PATIENCE, Lab, activations_of, timestamps_of
from imu_emg_estimator.msg import CalibrationStatus
from imu_emg_estimator.srv import Calibrate

from imu_emg_estimator.calibration.calibration_report import CalibrationReport
from imu_emg_estimator.calibration.calibration_store import store_calibration
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.calibration.worker_control import Worker
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.model.causal_network import network_of
from imu_emg_estimator.model.offline_estimate import estimate_recording
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.grid_alignment import AlignmentSettings

Answer = Calibrate.Response
StartLab = Callable[..., Lab]


def test_calibrate_adapts_while_estimates_go_on(start_lab: StartLab, bags: Path, walking: Recording) -> None:
    lab = start_lab()
    imu = np.concatenate([walking.imu] * 4)
    stop, timestamps = threading.Event(), []
    player = threading.Thread(target=lambda: timestamps.extend(lab.play(imu, stop=stop)))
    player.start()
    lab.wait_for(30)
    statuses = lab.statuses()
    lab.wait(lambda: statuses, "status of one who subscribes late")
    answer = lab.calibrated(bags / "raw")
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
    assert " s of processor time)" in answer.message
    assert "; EMG delay " in answer.message
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
    models = [message.model_id for message in messages]
    assert models == [lab.estimator.base.model_id] * swap + [lab.estimator.bundle.model_id] * (len(ids) - swap)
    assert lab.estimator.bundle.model_id != lab.estimator.base.model_id
    frames = [message.header.frame_id for message in messages]
    assert frames == [walking.rig.name] * swap + ["alice"] * (len(frames) - swap)

    # What is stored is what runs, and it knew at once what had come before it.
    assert [path.stem for path in stored(lab)] == [answer.calibration_id]
    assert stored(lab)[0].parent.name == "alice"
    adapted = Bundle.load(stored(lab)[0])
    expected_activation, _ = estimate_recording(network_of(adapted), adapted.normalisation, imu[: len(timestamps)])
    np.testing.assert_allclose(activations_of(messages)[swap:], expected_activation[swap : len(expected)], atol=1e-4)


def test_calibrated_bundle_is_used_at_next_start(
    start_lab: StartLab, alices: Bundle, walking: Recording, tmp_path: Path
) -> None:
    store_calibration(tmp_path / "calibrations", alices)
    for subject, calibration in (("alice", alices.calibration_id), ("bob", ""), ("", "")):  # bob has none
        lab = start_lab(subject_id=subject, namespace=f"/lab_{subject}", stale_after=HOUR)
        lab.play(walking.imu[:20], hurry=True)
        messages = lab.wait_for(15)
        assert {message.calibration_id for message in messages} == {calibration}
        used = alices.model_id if calibration else alices.parent_id
        assert {message.model_id for message in messages} == {used}
        assert {message.header.frame_id for message in messages} == {subject or walking.rig.name}


def test_start_skips_calibration_of_another_model(
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


def test_calibrate_keeps_model_without_improvement(
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
def test_calibrate_refuses_hopeless_bag_with_verdicts(lab: Lab, bags: Path, walking: Recording) -> None:
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


def test_calibrate_must_improve_on_own_calibration(
    start_lab: StartLab, alices: Bundle, bundle_path: Path, tmp_path: Path, requests: list[CalibrationRequest],
    bags: Path,
) -> None:  # fmt: skip
    """Not that of the subject before."""
    bobs = replace(alices, calibration=Calibration.made_now("bob", "", "bag", 30.0))
    paths = [store_calibration(tmp_path / "calibrations", subjects) for subjects in (alices, bobs)]
    lab = start_lab(subject_id="alice")
    for subject, path in zip(("alice", "bob", "carol"), (*paths, bundle_path), strict=True):
        assert lab.calibrated(bags / "raw", subject).message == "not started"
        assert requests[-1].running == path


def test_calibrate_reads_bags_as_node_receives(
    start_lab: StartLab, tmp_path: Path, requests: list[CalibrationRequest], bags: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    for name in ("--out=x", "a b"):
        shutil.copytree(bags / "short", tmp_path / name)
    monkeypatch.chdir(tmp_path)
    lab = start_lab(
        bag_directories=[str(tmp_path), "relative"],
        largest_gap=0.3,
        clock_jump=2.0,
        emg_topic="/noraxon",
        emg_channels=["ch1=vastus_lateralis_left", "ch2=none"],
        emg_rate=2000.0,
    )
    assert lab.calibrated("--out=x", further_bag_uris=[f"file://{tmp_path}/a%20b"]).message == "not started"
    request = requests[0]
    assert request.bags == (tmp_path / "--out=x", tmp_path / "a b")
    assert request.bag_directories == (tmp_path,)
    assert request.imu_topics == tuple(lab.estimator.topics)
    assert request.alignment == AlignmentSettings(largest_gap=0.3, deadline=0.05, timeout=0.25, jump=2.0)
    assert (request.emg_topic, request.emg_kind, request.emg_rate) == ("/noraxon", None, 2000.0)
    assert request.emg_channels == ("ch1=vastus_lateralis_left", "ch2=none")


@pytest.mark.parametrize(
    ("asked", "delay", "find"), [("", None, True), ("0.2", 0.2, False), ("0", 0.0, False), ("auto", None, True)]
)
def test_delay_of_the_call_comes_before_that_of_the_node(
    asked: str, delay: float | None, find: bool, lab: Lab, bags: Path, requests: list[CalibrationRequest]
) -> None:
    """The node of the laboratory finds the delay."""
    assert lab.calibrated(bags / "raw", emg_delay=asked).message == "not started"
    assert (requests[-1].emg_delay, requests[-1].find_emg_delay) == (delay, find)


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
    answer = lab.calibrated(bags / "envelope", dry_run=True)
    assert (answer.success, answer.error_code) == (True, Answer.OK)
    assert answer.calibration_id == ""
    assert "dry run: nothing was changed or stored" in answer.message
    assert len(answer.r_after) == 2
