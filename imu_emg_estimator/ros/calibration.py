"""The calibrate service: adaptation in a process of its own, while estimates go on."""

from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from rclpy.callback_groups import ReentrantCallbackGroup
from rclpy.executors import ExternalShutdownException, MultiThreadedExecutor
from rclpy.node import Node

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.store import check_subject, store_calibration
from imu_emg_estimator.ros.parameters import NodeSettings
from imu_emg_estimator.srv import Calibrate
from imu_emg_estimator.training.metrics import FIGURES

LONGEST = 3600.0  # s, bound of max_duration
ERROR_CODES = {
    "BagUnreadable": Calibrate.Response.BAG_UNREADABLE,
    "TopicMissing": Calibrate.Response.MISSING_TOPIC,
    "BagTooShort": Calibrate.Response.TOO_SHORT,
    "InputError": Calibrate.Response.INVALID_REQUEST,
}


class LiveNode(Protocol):
    """What the service needs of the running node."""

    settings: NodeSettings
    base: Bundle
    base_path: Path
    running_path: Path
    topics: list[str]

    def swap(self, bundle: Bundle, path: Path) -> None: ...


class CalibrationFailed(Exception):
    """A calibration that ended without a new model: error code and sentence for the response."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code


class CalibrationServer:
    """Serves ``calibrate`` from its own node and threads, so that the data's executor never waits for it.

    Use as a context manager; leaving it ends a running calibration.
    """

    def __init__(self, live: Any) -> None:
        self._live: LiveNode = live
        # Names are resolved by the live node, so that its remappings and namespace hold here too.
        self._node = Node(
            f"{live.get_name()}_calibration",
            namespace=live.get_namespace(),
            context=live.context,
            use_global_arguments=False,
            start_parameter_services=False,
        )
        self._busy = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self._worker_lock = threading.Lock()
        self._closed = False
        self._node.create_service(
            Calibrate,
            live.resolve_service_name("calibrate"),
            self._serve,
            callback_group=ReentrantCallbackGroup(),
        )
        # Two threads: one calibrates, the other tells a second caller that it does.
        self._executor = MultiThreadedExecutor(num_threads=2, context=live.context)
        self._executor.add_node(self._node)
        self._thread = threading.Thread(target=self._spin, name="calibration", daemon=True)

    def __enter__(self) -> CalibrationServer:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._worker_lock:
            self._closed = True
            if self._worker is not None:
                self._worker.kill()
        self._executor.shutdown(timeout_sec=2.0)
        self._thread.join(timeout=2.0)
        self._node.destroy_node()

    def _spin(self) -> None:
        with suppress(ExternalShutdownException):
            self._executor.spin()

    def _serve(self, request: Calibrate.Request, response: Calibrate.Response) -> Calibrate.Response:
        start = time.monotonic()
        if not self._busy.acquire(blocking=False):
            response.error_code = Calibrate.Response.BUSY
            response.message = "another calibration is running; wait for its answer and call again"
            return response
        try:
            self._calibrate(request, response, start)
        except CalibrationFailed as failure:
            response.error_code, response.message = failure.code, str(failure)
        except (InputError, OSError) as error:
            response.error_code, response.message = Calibrate.Response.FAILED, str(error)
        except Exception as error:  # not foreseen; the service must live on
            self._node.get_logger().error(traceback.format_exc())
            response.error_code, response.message = Calibrate.Response.FAILED, f"{type(error).__name__}: {error}"
        finally:
            self._busy.release()
        response.calibration_wall_s = time.monotonic() - start
        # Two calls: rclpy refuses another severity from the same place.
        if response.success:
            self._node.get_logger().info(f"calibration: {response.message}")
        else:
            self._node.get_logger().warning(f"calibration: {response.message}")
        return response

    def _calibrate(self, request: Calibrate.Request, response: Calibrate.Response, start: float) -> None:
        budget = self._checked_budget(request)
        with tempfile.TemporaryDirectory(prefix="imu_emg_calibration_") as folder:
            adapted, figures = Path(folder) / "adapted.safetensors", Path(folder) / "report.json"
            errors = self._run_worker(request, adapted, figures, start + budget - time.monotonic())
            report = _read_report(figures, errors)
            if "error" in report:
                code = ERROR_CODES.get(report["error"], Calibrate.Response.FAILED)
                raise CalibrationFailed(code, report["message"])
            _fill_figures(response, report)
            if not report["success"]:
                raise CalibrationFailed(Calibrate.Response.NOT_BETTER, report["message"])
            response.message = report["message"]
            if request.dry_run:
                response.message += "; dry run: nothing was changed or stored"
            else:
                response.calibration_id = self._take_over(Bundle.load(adapted))
        response.success = True
        response.error_code = Calibrate.Response.OK

    def _checked_budget(self, request: Calibrate.Request) -> float:
        try:
            check_subject(request.subject_id)
        except InputError as error:
            raise CalibrationFailed(Calibrate.Response.INVALID_REQUEST, f"subject_id: {error}") from None
        if not request.bag_uri:
            raise CalibrationFailed(
                Calibrate.Response.INVALID_REQUEST, "bag_uri is empty; give the path of a rosbag2 folder or file"
            )
        if not (math.isfinite(request.max_duration) and 0.0 <= request.max_duration <= LONGEST):
            raise CalibrationFailed(
                Calibrate.Response.INVALID_REQUEST,
                f"max_duration is {request.max_duration}; give 0 for the default, or up to {LONGEST:g} s",
            )
        return float(request.max_duration) or self._live.settings.calibration_max_duration

    def _run_worker(self, request: Calibrate.Request, adapted: Path, figures: Path, budget: float) -> str:
        """Run ``imu-emg calibrate``; returns what it said on standard error."""
        settings = self._live.settings
        command = [sys.executable, "-m", "imu_emg_estimator.background", "calibrate"]
        # "--option=value": a value that begins with a dash must not become an option.
        command += [
            f"--bundle={self._live.base_path}",
            f"--running={self._live.running_path}",
            f"--bag={os.path.expanduser(request.bag_uri)}",
            f"--out={adapted}",
            f"--json={figures}",
            f"--subject={request.subject_id}",
            f"--method={request.method}",
            f"--imu-topics={','.join(self._live.topics)}",
            f"--sensor-rotations={','.join(map(str, settings.sensor_rotations))}",
            f"--threads={settings.calibration_threads}",
        ]
        environment = os.environ | {"OMP_NUM_THREADS": str(settings.calibration_threads)}
        with self._worker_lock:
            if self._closed:
                raise CalibrationFailed(Calibrate.Response.FAILED, "the node is shutting down; the old model was kept")
            # A session of its own: Ctrl-C at the terminal is for the node, which then ends the worker. A node that
            # is killed closes its end of the pipe, which ends it, too.
            lifeline, held = os.pipe()
            try:
                worker = self._worker = subprocess.Popen(
                    command,
                    env=environment,
                    stdin=lifeline,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    start_new_session=True,
                )
            except BaseException:
                os.close(held)
                raise
            finally:
                os.close(lifeline)
        try:
            _, errors = worker.communicate(timeout=max(budget, 0.0))
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.communicate()
            raise CalibrationFailed(
                Calibrate.Response.TIMEOUT, "max_duration was over before the adaptation; the old model was kept"
            ) from None
        finally:
            self._worker = None
            os.close(held)
        return errors.decode(errors="replace")

    def _take_over(self, bundle: Bundle) -> str:
        """Store the calibration, then run with it: what runs is always what the next start finds."""
        if bundle.parent_id != self._live.base.model_id:
            raise InputError(
                f"{self._live.base_path} has changed since the node started; restart the node and calibrate again"
            )
        path = store_calibration(self._live.settings.calibration_directory, bundle)
        self._live.swap(bundle, path)
        return bundle.calibration_id


def _read_report(path: Path, errors: str) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = (errors.strip().splitlines() or ["no message"])[-1]
        raise InputError(f"the calibration process ended without a report ({last}); the old model was kept") from None
    return report


def _fill_figures(response: Calibrate.Response, report: Mapping[str, Any]) -> None:
    response.muscle_names = report["muscle_names"]
    for figure in FIGURES:
        for when in ("before", "after"):
            values = [math.nan if value is None else value for value in report[f"{figure}_{when}"]]
            setattr(response, f"{figure}_{when}", values)
