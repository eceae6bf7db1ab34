"""What the names of topics, sensors and muscles have in common: the words that they are made of."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence

NAMELESS = {"imu", "data", "data_raw", "raw"}  # parts of a topic that name no sensor
SIDES = {"l": "left", "r": "right", "lt": "left", "rt": "right"}
WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")


def words(name: str) -> frozenset[str]:
    """Words that a name is made of, in lower case, with sides written out."""
    found = (word.lower() for word in WORDS.findall(name))
    return frozenset(SIDES.get(word, word) for word in found)


def same_name(wanted: str, names: Iterable[str]) -> list[str]:
    """Names that are equal, else those made of the same words."""
    names = list(names)
    return [name for name in names if name == wanted] or [name for name in names if words(name) == words(wanted)]


def topic_of(wanted: str, topics: Collection[str]) -> list[str]:
    """Topics that belong to a sensor, by the clearest sign that any of them gives.

    In this order: the last part of the path is the name; any part is; a part is made of the same words; the path
    contains them.
    """
    signs = (
        lambda topic: topic.rsplit("/", 1)[-1] == wanted,
        lambda topic: wanted in topic.split("/"),
        lambda topic: any(words(part) == words(wanted) for part in topic.split("/")),
        lambda topic: words(wanted) <= words(topic),
    )
    for sign in signs:
        if found := [topic for topic in topics if sign(topic)]:
            return found
    return []


def names_of_topics(topics: Sequence[str]) -> dict[str, str]:
    """Name sensors after what tells their topics apart: ``foot_r`` for ``/xsens/foot_r/imu`` and ``/xsens/imu/foot_r``.

    The last part that does is the name, or where two topics share it all of them.
    """
    parts = {topic: [part for part in topic.split("/") if part] for topic in topics}
    shared = set.intersection(*map(set, parts.values())) if len(parts) > 1 else set()
    telling = {topic: [part for part in own if part not in shared | NAMELESS] for topic, own in parts.items()}
    last = [own[-1] for own in telling.values() if own]
    return {
        topic: "_".join(own[-1:] if own and last.count(own[-1]) == 1 else own or parts[topic])
        for topic, own in telling.items()
    }


def listed(names: Iterable[str]) -> str:
    """Names for a sentence; of many, the first 20."""
    names = list(names)
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more or "none"
