"""Caller of the calibrate service: waits for a line on standard input, calls, and prints JSON.

It calls with a bag that does not exist, then with the bag. The report holds ``refusal_s`` of the first call; of the
second the instants ``called`` and ``answered`` [ns], ``success``, ``judged`` (False where the call ended before the
model was judged), ``message`` and ``calibration_wall_s``.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence

from imu_emg_estimator.srv import Calibrate
from rclpy.executors import SingleThreadedExecutor

from benchmarks.latency.ros_processes.process_context import READY, REPORT, running
from imu_emg_estimator.signals.grid_alignment import SECOND

PATIENCE_S = 30.0  # for the service to appear
JUDGED = {Calibrate.Response.OK, Calibrate.Response.NOT_BETTER, Calibrate.Response.REFUSED}


def main(argv: Sequence[str] | None = None) -> int:
    """Call the service with a wrong path, and with the bag."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bag", required=True)
    parser.add_argument("--subject", default="bench")
    arguments = parser.parse_args(argv)
    with running("bench_caller") as (node, going):
        client = node.create_client(Calibrate, "calibrate")
        if not client.wait_for_service(PATIENCE_S):
            print(f"no calibrate service within {PATIENCE_S:.0f} s", flush=True)
            return 1
        executor = SingleThreadedExecutor()
        executor.add_node(node)
        print(READY, flush=True)
        sys.stdin.readline()
        instants = []
        for bag in (f"{arguments.bag}-missing", arguments.bag):
            called = time.time_ns()
            answer = client.call_async(Calibrate.Request(bag_uri=bag, subject_id=arguments.subject))
            while going() and not answer.done():
                executor.spin_once(0.1)
            if not answer.done():
                return 1
            instants += [called, time.time_ns()]
        response = answer.result()
        report = {
            "refusal_s": (instants[1] - instants[0]) / SECOND,
            "called": instants[2],
            "answered": instants[3],
            "success": response.success,
            "judged": response.error_code in JUDGED,
            "message": response.message,
            "calibration_id": response.calibration_id,
            "calibration_wall_s": response.calibration_wall_s,
        }
        print(f"{REPORT}{json.dumps(report)}", flush=True)
        executor.shutdown()
    return 0


if __name__ == "__main__":
    sys.exit(main())
