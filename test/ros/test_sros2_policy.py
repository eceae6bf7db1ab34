"""The SROS 2 policy grants what the running nodes have in the graph: nothing is missing, nothing is too much."""

import importlib.util
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

import pytest
import rclpy
import yaml
from fixtures.node_process import output, process
from fixtures.ros_isolation import own_domain
from fixtures.ros_lab import PATIENCE
from rclpy.node import Node

CONFIG = Path(__file__).parents[2] / "config"
POLICY = ElementTree.parse(CONFIG / "sros2_policy.xml").getroot()
NODES = ("imu_emg_estimator", "imu_emg_estimator_calibration", "assistance")
ENCLAVES = {"/lab/estimator": list(NODES[:2]), "/lab/assistance": list(NODES[2:])}
SETTLED_S = 1.0  # the graph is compared once it has not changed for so long
# Not in Humble. The policy grants it, and a node that lacks it is not less secure.
DESCRIBES_TYPES = importlib.util.find_spec("rclpy.type_description_service") is not None

Grants = set[tuple[str, str]]  # what is done, full name


def granted(node: str) -> Grants:
    """What the policy grants to a node."""
    profile = next(each for each in POLICY.iter("profile") if each.get("node") == node)
    assert profile.get("ns") == "/"
    grants = {
        (action, full_name(str(entry.text), node)) for rule in profile for action in rule.attrib for entry in rule
    }
    return {grant for grant in grants if DESCRIBES_TYPES or not grant[1].endswith("/get_type_description")}


def full_name(name: str, node: str) -> str:
    """A name of a policy as SROS 2 completes it."""
    if name.startswith("~"):
        return f"/{node}{name[1:]}"
    return name if name.startswith("/") else f"/{name}"


def seen(onlooker: Node, node: str) -> Grants:
    """What a node has in the graph."""
    asked = {
        "publish": onlooker.get_publisher_names_and_types_by_node,
        "subscribe": onlooker.get_subscriber_names_and_types_by_node,
        "reply": onlooker.get_service_names_and_types_by_node,
        "request": onlooker.get_client_names_and_types_by_node,
    }
    return {(action, name) for action, ask in asked.items() for name, _ in ask(node, "/")}


def settled(onlooker: Node, processes: Sequence[Popen[str]]) -> dict[str, Grants]:
    """What each node has in the graph, once all are there and nothing changes any more."""
    deadline, graph, since = time.monotonic() + PATIENCE, dict[str, Grants](), time.monotonic()
    while not (len(graph) == len(NODES) and time.monotonic() - since > SETTLED_S and is_configured(graph)):
        assert time.monotonic() < deadline, f"the nodes did not come up: {graph}; {ended(processes)}"
        time.sleep(0.05)
        there = {name for name, _ in onlooker.get_node_names_and_namespaces()}
        now = {node: seen(onlooker, node) for node in NODES if node in there}
        if now != graph:
            graph, since = now, time.monotonic()
    return graph


def ended(processes: Sequence[Popen[str]]) -> list[tuple[int | None, str]]:
    """What processes that came to nothing had ended with, and said."""
    statuses = [each.poll() for each in processes]
    for each in processes:
        each.kill()
    return [(status, output(each)) for status, each in zip(statuses, processes, strict=True)]


def is_configured(graph: dict[str, Grants]) -> bool:
    """What a configured node has besides its lifecycle is there: the last that each makes."""
    last = [
        ("publish", "/muscle_activation_by_name"),
        ("reply", "/imu_emg_estimator/reset_calibration"),
        ("subscribe", "/joint_states"),
    ]
    return all(each in graph[node] for node, each in zip(NODES, last, strict=True))


@pytest.fixture(scope="module")
def graph(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Grants]]:
    """The graph of the real nodes under their default names, with all that parameters add to it."""
    assistance = yaml.safe_load((CONFIG / "assistance.yaml").read_text()) | {"dry_run": False}
    assistance["trust"] = {"required_sensors": ["left_thigh"]}
    path = tmp_path_factory.mktemp("policy") / "assistance.yaml"
    path.write_text(yaml.safe_dump(assistance))
    context = rclpy.Context()
    with ExitStack() as stack:
        stack.enter_context(own_domain())
        rclpy.init(context=context)
        stack.callback(context.try_shutdown)
        processes = []
        for module, options in {
            "node": ["--params-file", str(CONFIG / "estimator.yaml"), "-p", "plot_by_name:=true"],
            "assistance_node": ["-p", f"config:={path}"],
        }.items():
            command = [sys.executable, "-m", f"imu_emg_estimator.ros.{module}", "--ros-args", *options]
            processes.append(stack.enter_context(process([*command, "-p", "use_sim_time:=true"])))
        onlooker = Node("onlooker", context=context)
        stack.callback(onlooker.destroy_node)
        yield settled(onlooker, processes)


@pytest.mark.parametrize("node", NODES)
def test_policy_grants_all_that_the_node_has(node: str, graph: dict[str, Grants]) -> None:
    assert graph[node] - granted(node) == set()


@pytest.mark.parametrize("node", NODES)
def test_policy_grants_nothing_that_the_node_has_not(node: str, graph: dict[str, Grants]) -> None:
    assert granted(node) - graph[node] == set()


def test_policy_has_an_enclave_for_each_process() -> None:
    assert POLICY.get("version") == "0.2.0"
    assert {
        enclave.get("path"): [profile.get("node") for profile in enclave.iter("profile")]
        for enclave in POLICY.iter("enclave")
    } == ENCLAVES


def test_policy_denies_nothing_and_grants_nothing_twice() -> None:
    for profile in POLICY.iter("profile"):
        assert all(set(rule.attrib.values()) == {"ALLOW"} for rule in profile)
        names = [(action, entry.text) for rule in profile for action in rule.attrib for entry in rule]
        assert len(names) == len(set(names))
