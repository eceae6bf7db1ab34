"""``imu-emg view``: see a running node, or a bag, on a page in the browser, and calibrate from there."""

from __future__ import annotations

import argparse
import signal
from contextlib import suppress
from pathlib import Path

from imu_emg_estimator.cli import argument_types as types
from imu_emg_estimator.cli import shared_options as options
from imu_emg_estimator.errors import InputError


def add_parser(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to those of ``imu-emg``."""
    parser = options.add_command(
        commands, "view", run, "see a running node, or a bag (without ROS), on a page in the browser of this computer"
    )
    parser.add_argument("bag", type=Path, nargs="?", metavar="BAG", help="bag to view instead of a node")
    parser.add_argument("--topic", metavar="TOPIC", help="of a node: topic of its estimates (default: the first)")
    parser.add_argument("--emg-topic", metavar="TOPIC", help="of a node: topic of its EMG (default: the first Emg)")
    options.add_bundle_option(parser, "of a bag: bundle that estimates")
    parser.add_argument("--imu-topics", type=types.names, metavar="A,B", help="of a bag: Imu topics, as in the rig")
    parser.add_argument("--port", type=types.port, metavar="N", help="of the page; 0 = any (default: 8765, or any)")
    options.accept_ros_arguments(parser)


def run(arguments: argparse.Namespace) -> int:
    """Serve the page until Ctrl-C."""
    if arguments.bag:
        _view_bag(arguments)
        return 0
    if arguments.bundle or arguments.imu_topics:
        raise InputError("--bundle and --imu-topics are for a bag; name one, or leave them out")
    with options.ros_required("view"):
        from imu_emg_estimator.ros.node_feed import view_node
    view_node(arguments.topic, arguments.emg_topic, arguments.port, _say, arguments.ros_arguments)
    return 0


def _view_bag(arguments: argparse.Namespace) -> None:
    from imu_emg_estimator.bags import check_bag
    from imu_emg_estimator.view.bag_feed import BagFeed
    from imu_emg_estimator.view.live_history import LiveHistory
    from imu_emg_estimator.view.page_server import serving

    if arguments.topic or arguments.emg_topic:
        raise InputError("--topic and --emg-topic are for a node; leave out the bag, or them")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    check_bag(arguments.bag)
    history = LiveHistory()
    feed = BagFeed(arguments.bag, options.load_bundle(arguments), arguments.imu_topics, history)
    with suppress(KeyboardInterrupt), serving(history, feed.actions, arguments.port) as server:
        _say(server.url)
        feed.run()


def _say(url: str) -> None:
    print(f"open {url} in a browser of this computer; Ctrl-C ends it", flush=True)
