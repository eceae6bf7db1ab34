"""Names that mean the same: ``right_foot``, ``RightFoot``, ``foot_R`` and ``/imu/right_foot/data_raw``."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable

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


def listed(names: Iterable[str]) -> str:
    """Names for a sentence; of many, the first 20."""
    names = list(names)
    more = f" and {len(names) - 20} more" if len(names) > 20 else ""
    return ", ".join(names[:20]) + more or "none"
