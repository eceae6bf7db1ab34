"""The services that change the model in use: calibrate, cancel and reset; estimates go on meanwhile."""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import MultiThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import Trigger

from imu_emg_estimator.calibration.calibration_report import CalibrationReport
from imu_emg_estimator.calibration.calibration_store import (
    calibration_path,
    check_subject,
    find_calibration,
    reset_calibration,
    store_calibration,
    undo_choice,
    use_calibration,
)
from imu_emg_estimator.calibration.private_folder import private_folder, sweep
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.calibration.worker_control import OutOfTime, ProcessorTime, Worker, starvation
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.msg import CalibrationStatus
from imu_emg_estimator.ros.calibrate_call import CallFailed, calibration_request, checked_budget, error_code
from imu_emg_estimator.ros.calibration_status import STORING, StatusTopic
from imu_emg_estimator.ros.spin_thread import SpinThread
from imu_emg_estimator.signals.accuracy_metrics import FIGURES
from imu_emg_estimator.srv import Calibrate, ResetCalibration
from imu_emg_estimator.utils.optional_packages import unmet
from imu_emg_estimator.utils.progress import Progress, Stopped

if TYPE_CHECKING:
    from imu_emg_estimator.ros.estimator_node import EstimatorNode

RESERVED_SHARE, MAX_RESERVED_S = 0.2, 2.0  # of the budget, for storing and going over
ANSWER_S = 0.2  # for an answer to arrive: a service that is destroyed takes along what its client has not received
SWAP_TIMEOUT_S = 10.0  # for the node to go over, where there is no budget


def companion_node(live: Node) -> Node:
    """Return a node for services that have threads of their own: in rclpy a node has one executor.

    It lasts as long as ``live``: the middleware loses 100 kB with each node that is destroyed.
    """
    return Node(
        f"{live.get_name()}_calibration",
        namespace=live.get_namespace(),
        context=live.context,
        use_global_arguments=False,
        start_parameter_services=False,
    )


class CalibrationServer:
    """Serves them from threads of their own, so that the data's executor never waits for them.

    Use as a context manager; leaving it ends a running calibration.

    Args:
        live: whose model it is. It resolves the names, so that its remappings and namespace hold here too.
        node: whose services they are, see ``companion_node``.
    """

    def __init__(self, live: EstimatorNode, node: Node) -> None:
        self._live, self._node = live, node
        self._busy = threading.Lock()
        self._worker: Worker | None = None
        self._closed = False
        self._status = StatusTopic(self._node, live.resolve_topic_name("~/calibration_status"), live.get_clock())
        self._rest("no calibration was asked for since the start")
        self._services = [
            node.create_service(
                service, live.resolve_service_name(name), serve, callback_group=ReentrantCallbackGroup()
            )
            for service, name, serve in (
                (Calibrate, "calibrate", self._serve_calibrate),
                (Trigger, "~/cancel_calibration", self._serve_cancel),
                (ResetCalibration, "~/reset_calibration", self._serve_reset),
            )
        ]
        # Two threads: one calibrates, the other answers all calls meanwhile.
        executor = MultiThreadedExecutor(num_threads=2, context=live.context)
        self._thread = SpinThread(executor, self._node, "calibration")
        for folder in sweep():
            self._node.get_logger().info(f"removed {folder}, which a killed calibration had left")

    def __enter__(self) -> CalibrationServer:
        self._thread.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closed = True
        if worker := self._worker:
            worker.stop()
        self._thread.__exit__(kind, error, trace)
        if worker:
            time.sleep(ANSWER_S)
        for service in self._services:
            self._node.destroy_service(service)
        self._status.close()

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Keep the model in use from being changed meanwhile by a call; raises InputError while one is being served."""
        if not self._busy.acquire(blocking=False):
            raise InputError("a calibration is running; wait for its answer, or cancel it, and try again")
        try:
            yield
            self._rest("the settings were changed; no calibration was asked for since")
        finally:
            self._busy.release()

    def _rest(self, message: str) -> None:
        self._status.rest(self._live.subject, self._live.bundle.calibration_id, message)

    # calibrate

    def _serve_calibrate(self, request: Calibrate.Request, response: Calibrate.Response) -> Calibrate.Response:
        start = time.monotonic()
        if not self._busy.acquire(blocking=False):
            response.error_code = Calibrate.Response.BUSY
            response.message = "another calibration is running; wait for its answer, or cancel it, and call again"
            return response
        try:
            self._status.begin(request.subject_id, self._live.bundle.calibration_id)
            self._answer(response, Calibrate.Response.FAILED, lambda: self._calibrate(request, response, start))
            response.calibration_wall_s = time.monotonic() - start
            self._status.end(_state(response), self._live.bundle.calibration_id, response.message)
        finally:
            self._busy.release()
        self._log("calibration", response)
        return response

    def _calibrate(self, request: Calibrate.Request, response: Calibrate.Response, start: float) -> None:
        budget = checked_budget(request, self._live.settings)
        reserve = min(RESERVED_SHARE * budget, MAX_RESERVED_S)
        work = calibration_request(request, self._live)
        nice = self._live.settings.calibration_nice
        with private_folder() as folder:
            worker = Worker(folder, nice, self._status.advance, lambda got: self._warn_of_starvation(got, nice))
            report = self._run(worker, work, start + budget - reserve - time.monotonic())
            if report.error:
                raise CallFailed(error_code(report.error), report.message)
            _fill_figures(response, report)
            if not report.success:
                code = Calibrate.Response.REFUSED if report.refusal else Calibrate.Response.NOT_BETTER
                raise CallFailed(code, report.message)
            response.message = f"{report.message}; it took {worker.time}"
            if request.dry_run:
                response.message += "; dry run: nothing was changed or stored"
            else:
                self._status.advance(Progress(STORING, 1.0, 0.0, math.nan))
                response.calibration_id = self._take_over(Bundle.load(worker.adapted), start + budget)

    def _run(self, worker: Worker, request: CalibrationRequest, timeout: float) -> CalibrationReport:
        self._worker = worker
        try:
            if self._closed:
                raise Stopped
            return worker.run(request, timeout)
        except Stopped:
            if self._closed:
                raise CallFailed(
                    Calibrate.Response.FAILED, "the node is shutting down; the old model was kept"
                ) from None
            raise CallFailed(
                Calibrate.Response.CANCELLED, "the calibration was cancelled; the old model was kept"
            ) from None
        except OutOfTime as error:
            raise CallFailed(
                Calibrate.Response.TIMEOUT, f"max_duration was over, the old model was kept: {error}"
            ) from None
        finally:
            self._worker = None

    def _warn_of_starvation(self, got: ProcessorTime, nice: int) -> None:
        self._status.warn(starvation(got, nice) if got.is_starved else "")

    def _take_over(self, bundle: Bundle, deadline: float) -> str:
        """Store the calibration, then run with it: what runs is what the next start finds."""
        live = self._live
        if bundle.parent_id != live.base.model_id:
            raise InputError(
                f"{live.base_path} has changed since the node started; restart the node and calibrate again"
            )
        assert bundle.calibration is not None  # the process makes no other
        prepared = live.prepare(bundle)
        path = store_calibration(live.settings.calibration_directory, bundle)
        live.swap(prepared, path, bundle.calibration.subject, max(deadline - time.monotonic(), 0.1))
        return bundle.calibration_id

    # cancel

    def _serve_cancel(self, request: Trigger.Request, response: Trigger.Response) -> Trigger.Response:
        worker = self._worker
        response.success = worker is not None and worker.stop()
        response.message = (
            "the calibration is being cancelled; the old model goes on"
            if response.success
            else "no calibration is running that could be cancelled; ~/reset_calibration undoes one that is in use"
        )
        return response

    # reset

    def _serve_reset(
        self, request: ResetCalibration.Request, response: ResetCalibration.Response
    ) -> ResetCalibration.Response:
        response.calibration_id = response.calibration_id_before = self._live.bundle.calibration_id
        if not self._busy.acquire(blocking=False):
            response.error_code = ResetCalibration.Response.BUSY
            response.message = "a calibration is running; wait for its answer, or cancel it, and call again"
            return response
        try:
            self._answer(response, ResetCalibration.Response.FAILED, lambda: self._reset(request, response))
            response.calibration_id = self._live.bundle.calibration_id
            if response.success:
                self._rest(response.message)
        finally:
            self._busy.release()
        self._log("reset", response)
        return response

    def _reset(self, request: ResetCalibration.Request, response: ResetCalibration.Response) -> None:
        live, directory = self._live, self._live.settings.calibration_directory
        subject = self._reset_subject(request)
        own: Bundle | None = None
        if request.previous:
            try:
                own, remarks = undo_choice(directory, subject, live.base)
            except InputError as error:
                raise CallFailed(ResetCalibration.Response.NOT_FOUND, str(error)) from None
            for remark in remarks:
                self._node.get_logger().warning(remark)
        elif request.calibration_id:
            own = use_calibration(directory, subject, request.calibration_id, live.base)
        else:
            reset_calibration(directory, subject, live.base)
        path = calibration_path(directory, own) if own else live.base_path
        live.swap(live.prepare(own or live.base), path, subject, SWAP_TIMEOUT_S)
        used = f"calibration {own.calibration_id}" if own else "the base model, without a calibration,"
        response.message = f"{used} is in use for subject '{subject}' now, and at every next start"

    def _reset_subject(self, request: ResetCalibration.Request) -> str:
        """Return whose calibration it is; raise CallFailed where the request makes no sense."""
        invalid = ResetCalibration.Response.INVALID_REQUEST
        subject = request.subject_id or self._live.subject
        if request.previous and request.calibration_id:
            raise CallFailed(invalid, "calibration_id and previous were given; give one of them")
        if not subject and not request.calibration_id:
            raise CallFailed(invalid, "subject_id is empty and the node has no subject; give the subject's")
        try:
            if subject:
                check_subject(subject)
        except InputError as error:
            raise CallFailed(invalid, f"subject_id: {error}") from None
        if not request.calibration_id:
            return subject
        try:
            directory = self._live.settings.calibration_directory
            return find_calibration(directory, request.calibration_id, subject or None)[0]
        except InputError as error:
            raise CallFailed(ResetCalibration.Response.NOT_FOUND, str(error)) from None

    # what the services share

    def _answer(self, response: Any, failed: int, work: Callable[[], None]) -> None:
        """Do the work of a call and put its outcome, or its failure, into the response."""
        try:
            work()
            response.success, response.error_code = True, response.OK
        except CallFailed as failure:
            response.error_code, response.message = failure.code, str(failure)
        except (InputError, OSError) as error:
            response.error_code, response.message = failed, str(error)
        except Exception as error:
            reason = unmet(error) if isinstance(error, ImportError) else ""
            if not reason:  # not foreseen
                self._node.get_logger().error(traceback.format_exc())
            response.error_code = failed
            response.message = f"the service {reason}" if reason else f"{type(error).__name__}: {error}"

    def _log(self, what: str, response: Any) -> None:
        # Two calls: rclpy refuses another severity from the same place.
        if response.success:
            self._node.get_logger().info(f"{what}: {response.message}")
        else:
            self._node.get_logger().warning(f"{what}: {response.message}")


def _state(response: Calibrate.Response) -> int:
    if response.success:
        return int(CalibrationStatus.SUCCEEDED)
    if response.error_code == Calibrate.Response.CANCELLED:
        return int(CalibrationStatus.CANCELLED)
    return int(CalibrationStatus.FAILED)


def _fill_figures(response: Calibrate.Response, report: CalibrationReport) -> None:
    muscles = report.muscles.values()
    response.muscle_names = list(report.muscles)
    response.decisions = [outcome.decision for outcome in muscles]
    for figure in FIGURES:
        for when, scores in (("before", report.before), ("after", report.after)):
            setattr(response, f"{figure}_{when}", [getattr(entry, figure) for entry in scores.values()])
    response.r_gain = [outcome.improvement.change for outcome in muscles]
    response.r_gain_low = [outcome.improvement.low for outcome in muscles]
    response.r_gain_high = [outcome.improvement.high for outcome in muscles]
    response.channel_names, response.verdicts = list(report.verdicts), list(report.verdicts.values())
    response.left_out = report.left_out
