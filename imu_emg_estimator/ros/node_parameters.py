"""Declare the node's parameters, and take their changes: each takes effect, or is refused with a reason."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor, SetParametersResult
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node
from rclpy.parameter import Parameter as RosParameter

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.parameter_schema import PARAMETERS, Change, NodeSettings, Parameter

SCHEMA = {entry.name: entry for entry in PARAMETERS}


def declare_parameters(node: Node) -> NodeSettings:
    """Declare all parameters on a node and read them; raises InputError that names the faulty one."""
    values = {entry.name: _declare(node, entry) for entry in PARAMETERS}
    settings = NodeSettings(**{entry.name: entry.convert(values[entry.name]) for entry in PARAMETERS})
    if any(values["bag_directories"]):
        _warn_about_missing_directories(node, settings)
    return settings


def take_changes(
    node: Node, settings: Callable[[], NodeSettings], is_configured: Callable[[], bool], use: Callable[..., None]
) -> None:
    """Let the node's parameters be changed from now on.

    Args:
        settings: returns those in use.
        is_configured: returns whether the node is.
        use: takes the new settings; raises InputError where they cannot be used.
    """

    def consider(changed: Sequence[RosParameter]) -> SetParametersResult:
        try:
            if not all(each.name for each in changed):  # rclpy would declare it
                raise InputError("a parameter has no name")
            own = [(SCHEMA[each.name], each.value) for each in changed if each.name in SCHEMA]
            if own:
                use(_changed(settings(), own, is_configured()))
        except InputError as error:
            return SetParametersResult(successful=False, reason=str(error))
        except Exception as error:
            node.get_logger().error(traceback.format_exc())
            return SetParametersResult(successful=False, reason=f"{type(error).__name__}: {error}")
        return SetParametersResult(successful=True)

    node.add_on_set_parameters_callback(consider)


@contextmanager
def naming_parameter(name: str) -> Iterator[None]:
    """Say of an InputError which parameter it is about; empty = none."""
    try:
        yield
    except InputError as error:
        raise InputError(f"parameter '{name}': {error}" if name else str(error)) from None


def _changed(settings: NodeSettings, changes: Sequence[tuple[Parameter, Any]], is_configured: bool) -> NodeSettings:
    for entry, _ in changes:
        if is_configured and entry.change is Change.UNCONFIGURED:
            raise InputError(
                f"parameter '{entry.name}' can be set only {entry.change.value}: clean up, set it, and configure again"
            )
    values = {entry.name: entry.convert(entry.default if value is None else value) for entry, value in changes}
    return replace(settings, **values)


def _declare(node: Node, entry: Parameter) -> Any:
    given = getattr(getattr(node, "_parameter_overrides", {}).get(entry.name), "value", None)
    try:
        value = node.declare_parameter(entry.name, entry.default, _descriptor(entry)).value
    except InvalidParameterTypeException:
        raise InputError(
            f"parameter '{entry.name}' has a value of the wrong type, {given!r}; it takes {entry.type_description}"
        ) from None
    except InvalidParameterValueException:
        unit = f" {entry.unit}" if entry.unit else ""
        raise InputError(
            f"parameter '{entry.name}' is {given!r}, which is out of bounds; it takes {entry.bounds}{unit}"
        ) from None
    return entry.default if value is None else value  # None: an empty list


def _descriptor(entry: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(
        description=entry.description,
        additional_constraints=f"can be set {entry.change.value}",
        read_only=entry.change is Change.NEVER,
    )
    if entry.minimum is None or entry.maximum is None:
        return descriptor
    if isinstance(entry.default, int):
        descriptor.integer_range = [IntegerRange(from_value=int(entry.minimum), to_value=int(entry.maximum))]
    else:
        descriptor.floating_point_range = [FloatingPointRange(from_value=entry.minimum, to_value=entry.maximum)]
    return descriptor


def _warn_about_missing_directories(node: Node, settings: NodeSettings) -> None:
    for directory in settings.bag_directories:
        if not directory.is_dir():
            node.get_logger().warning(
                f"parameter 'bag_directories' names {directory}, which does not exist: calibrate reads nothing there; "
                "create it, or correct the parameter"
            )
