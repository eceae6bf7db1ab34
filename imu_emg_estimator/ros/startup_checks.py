"""What ROS passes over in silence at the start: parameters of another name, and parameter files for another node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from rclpy.node import Node

QOS_OVERRIDES = "qos_overrides."
PARAMETERS_KEY = "ros__parameters"
NEARLY = 0.8  # ratio of difflib from which a name is a misspelt one, though another one fits


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return a question for the nearest of the known names, or what to do if none is near."""
    nearest = get_close_matches(name, list(known), 1)
    return f"; did you mean '{nearest[0]}'?" if nearest else "; correct its name, or remove it"


def unknown_overrides(node: Node, of_topics: bool) -> list[str]:
    """Return a sentence for every override of a parameter that the node has not.

    Args:
        of_topics: those of the QoS, which are declared with the topics; else all others.
    """
    known = set(node.get_parameters_by_prefix(""))
    unknown = sorted(set(getattr(node, "_parameter_overrides", ())) - known)
    return [
        f"parameter '{name}' is not one of this node and has no effect{did_you_mean(name, known)}"
        for name in unknown
        if name.startswith(QOS_OVERRIDES) == of_topics
    ]


def remapped_parameters(arguments: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return a sentence for every argument that ROS takes for a remapping, though it has the name of a parameter."""
    names = set(known)
    remapped = [after for before, after in pairwise(["", *arguments]) if before not in ("-p", "--param")]
    return [
        f"'{each}' remaps a topic of that name and sets no parameter; write -p {each}"
        for each in remapped
        if ":=" in each and each.partition(":=")[0] in names
    ]


def unread_files(arguments: Sequence[str], node_name: str) -> list[str]:
    """Return a sentence for every parameter file that is not for the node, or for one of nearly its name.

    Args:
        arguments: of the process.
        node_name: with its namespace.
    """
    files = [Path(after) for before, after in pairwise(arguments) if before == "--params-file"]
    return [sentence for file in files if (sentence := _unread(file, node_name))]


def _unread(file: Path, node_name: str) -> str:
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (OSError, ValueError, yaml.YAMLError):
        return ""  # ROS has read it, in a way of its own
    sections = list(dict.fromkeys(_sections(content)))
    if not sections:
        return f"parameter file {file} holds no {PARAMETERS_KEY}: it has no effect; compare config/estimator.yaml"
    if node_name in sections:
        return ""
    others = [name for name in sections if not section_fits(name, node_name)]
    misspelt = get_close_matches(node_name, others, 1, NEARLY)
    if misspelt or (others and len(others) == len(sections)):
        named = misspelt[0] if misspelt else "', '".join(others)
        return (
            f"parameter file {file} is for '{named}', which is not this node: its values have no effect; "
            f"did you mean '{node_name}' or '/**'?"
        )
    return ""


def _sections(content: Any, prefix: str = "") -> Iterator[str]:
    """Yield the names that parameters are given for."""
    if not isinstance(content, Mapping):
        return
    for key, value in content.items():
        if key == PARAMETERS_KEY:
            yield prefix
        else:
            yield from _sections(value, f"{prefix}/{str(key).strip('/')}")


def section_fits(section: str, node_name: str) -> bool:
    """Whether a section of a parameter file, wildcards or not, is for a node."""
    return _fits(section.strip("/").split("/"), node_name.strip("/").split("/"))


def _fits(pattern: Sequence[str], name: Sequence[str]) -> bool:
    if not pattern:
        return not name
    if pattern[0] == "**":
        return any(_fits(pattern[1:], name[skipped:]) for skipped in range(len(name) + 1))
    return bool(name) and pattern[0] in ("*", name[0]) and _fits(pattern[1:], name[1:])
