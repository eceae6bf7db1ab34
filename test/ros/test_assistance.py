"""The example controller in Python assists on messages that it trusts, and fades out on others."""

import importlib.util
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import rclpy
from fixtures.gate_runs import Message

ROOT = Path(__file__).parents[2]


@pytest.fixture
def assistance() -> Iterator[Any]:
    """The example's node in this process, with a clock and a publisher of our own."""
    rclpy.init()
    node = example_module().Assistance()
    node._now = lambda: 1000.0 + time.monotonic()
    node._publisher = SimpleNamespace(publish=lambda message: published.append(list(message.data)))
    published: list[list[float]] = []
    yield SimpleNamespace(node=node, published=published)
    node.destroy_node()
    rclpy.shutdown()


def example_module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("assistance", ROOT / "examples" / "python" / "assistance.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_python_example_fades_in_and_out(assistance: Any) -> None:
    node = assistance.node
    muscles = node.get_parameter("muscles").value
    assert control_until(assistance, lambda values: values == pytest.approx([0.5, 0.2]), muscle_names=muscles)
    assert control_until(assistance, lambda values: values == [0.0, 0.0], muscle_names=muscles, status=3)
    assert all(0.0 <= value <= 0.5 for values in assistance.published for value in values)


def control_until(assistance: Any, condition: Any, **fields: Any) -> bool:
    """Let messages arrive and the controller run, one after the other, until the condition holds."""
    deadline = time.monotonic() + 60.0
    while time.monotonic() < deadline:
        assistance.node._receive(Message(assistance.node._now() - 0.05, **fields))
        assistance.node._control()
        if condition(assistance.published[-1]):
            return True
        time.sleep(0.005)
    return False
