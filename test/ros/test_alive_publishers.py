"""Publishers that were killed do not count, though the graph still has them."""

from types import SimpleNamespace
from typing import Any

import pytest

from imu_emg_estimator.ros import alive_publishers
from imu_emg_estimator.ros.alive_publishers import QOS, AlivePublishers


class Graph:
    """The part of a node that is asked: two publishers, of which one may have been killed."""

    def count_publishers(self, topic: str) -> int:
        return 2

    def get_publishers_info_by_topic(self, topic: str) -> list[Any]:
        return [SimpleNamespace(qos_profile=QOS)] * 2

    def create_subscription(self, *arguments: Any, event_callbacks: Any, raw: bool) -> object:
        self.note = event_callbacks.liveliness
        return self


@pytest.mark.parametrize(("waited_s", "alive", "count"), [(0.9, 1, 2), (1.1, 1, 1), (1.1, 2, 2), (1.1, None, 2)])
def test_killed_publisher_counts_until_its_lease_has_ended_twice(
    waited_s: float, alive: int | None, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    graph, now = Graph(), [5.0]
    monkeypatch.setattr(alive_publishers, "time", SimpleNamespace(monotonic=lambda: now[0]))
    publishers: Any = AlivePublishers(graph, None, "/commands")  # type: ignore[arg-type]
    publishers.count()
    if alive is not None:
        graph.note(SimpleNamespace(alive_count=alive))
    now[0] += waited_s
    assert publishers.count() == count
