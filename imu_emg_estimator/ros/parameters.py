"""Declare and read the node's parameters, as ``parameter_schema`` defines them."""

from __future__ import annotations

from typing import Any

from rcl_interfaces.msg import FloatingPointRange, IntegerRange, ParameterDescriptor
from rclpy.exceptions import InvalidParameterTypeException, InvalidParameterValueException
from rclpy.node import Node

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.parameter_schema import PARAMETERS, NodeSettings, Parameter, settings_from_values


def declare_parameters(node: Node) -> NodeSettings:
    """Declare all parameters on a node and read them; raises InputError that names the faulty one."""
    values = {entry.name: _declare(node, entry) for entry in PARAMETERS}
    settings = settings_from_values(values)
    if any(values["bag_directories"]):
        _warn_about_missing_directories(node, settings)
    return settings


def _declare(node: Node, entry: Parameter) -> Any:
    try:
        value = node.declare_parameter(entry.name, entry.default, _descriptor(entry)).value
    except InvalidParameterTypeException:
        raise InputError(
            f"parameter '{entry.name}' has a value of the wrong type; it takes {entry.type_description}"
        ) from None
    except InvalidParameterValueException:
        raise InputError(f"parameter '{entry.name}' is out of bounds; it takes {entry.bounds}") from None
    return entry.default if value is None else value  # None: an empty list


def _descriptor(entry: Parameter) -> ParameterDescriptor:
    descriptor = ParameterDescriptor(description=entry.description, read_only=True)
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
                f"parameter 'bag_directories' names {directory}, which does not exist: calibrate reads nothing there"
            )
