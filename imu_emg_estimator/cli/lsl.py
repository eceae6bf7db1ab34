"""``imu-emg lsl``: publish EMG of the Lab Streaming Layer, where the amplifier has no ROS driver."""

from __future__ import annotations

import argparse
import math
import sys

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "lsl", run, "publish EMG of the Lab Streaming Layer (where the amplifier has no ROS driver)"
    )
    parser.add_argument("--stream", metavar="NAME", help="name of the stream (default: the only one of type EMG)")
    parser.add_argument("--channels", type=types.names, metavar="A,B", help="channels to publish (default: all)")
    parser.add_argument("--topic", default="emg", metavar="TOPIC", help="topic of the Emg messages (default: emg)")
    parser.add_argument(
        "--unit", metavar="UNIT", help="unit of the samples, such as mV (default: as the sender states it)"
    )
    parser.add_argument("--envelope", action="store_true", help="the samples are envelopes, not raw EMG")
    parser.add_argument(
        "--seconds", type=types.positive_number, default=math.inf, metavar="S", help="duration (default: until Ctrl-C)"
    )
    parser.add_argument(
        "--wait", type=types.nonnegative_number, default=5.0, metavar="S",
        help="wait at most this long for the stream (default: 5)",
    )  # fmt: skip
    options.add_json_option(parser)
    options.accept_ros_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Publish until the time is over or Ctrl-C ends it."""
    with options.ros_required("lsl"):
        from imu_emg_estimator.ros.lsl_publisher import publish_on_screen
    from imu_emg_estimator.imports.lsl_stream import LslStream

    with LslStream(arguments.stream, arguments.channels, arguments.unit, arguments.wait) as stream:
        if not stream.is_unit_stated:
            print(f"'{stream.name}' states no unit: published as '{stream.unit}'; --unit names it", file=sys.stderr)
        published = publish_on_screen(
            stream, arguments.topic, arguments.envelope, arguments.seconds, arguments.ros_arguments
        )
    print(f"published {published.samples} samples of {', '.join(published.channels)} [{published.unit}]")
    options.write_json(arguments.json, published.to_dict())
    return 0
