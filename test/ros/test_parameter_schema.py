"""Parameters: one schema for declarations, documentation and config; and every wrong start told in one sentence."""

import dataclasses
import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rclpy
import yaml
from fixtures.ros_lab import Lab, overrides
from rclpy.node import Node
from rclpy.parameter import Parameter

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.ros import node as estimator_node
from imu_emg_estimator.ros import parameter_schema
from imu_emg_estimator.ros.node_parameters import declare_parameters
from imu_emg_estimator.ros.parameter_schema import PARAMETERS, Change, NodeSettings
from imu_emg_estimator.ros.parameter_schema import Parameter as Entry

ROOT = Path(__file__).parents[2]
SCHEMA = {entry.name: entry for entry in PARAMETERS}
NUMBERS = [entry for entry in PARAMETERS if entry.minimum is not None]


@pytest.fixture
def declared(context: rclpy.Context) -> Any:
    """Function that declares the parameters on a bare node."""
    nodes = []

    def declare(*values: Parameter) -> NodeSettings:
        nodes.append(Node("bare", context=context, parameter_overrides=list(values)))
        return declare_parameters(nodes[-1])

    yield declare
    for node in nodes:
        node.destroy_node()


# schema, documentation, configuration


def test_parameter_page_is_current() -> None:
    page = (ROOT / "docs" / "parameters.md").read_text(encoding="utf-8")
    assert page == parameter_schema.markdown_page() + "\n", (
        "python -m imu_emg_estimator.ros.parameter_schema > docs/parameters.md"
    )


def test_shipped_configuration_is_valid(declared: Callable[..., NodeSettings]) -> None:
    content = yaml.safe_load((ROOT / "config" / "estimator.yaml").read_text(encoding="utf-8"))
    values = content["/**"]["ros__parameters"]
    assert set(values) <= set(SCHEMA)
    settings = declared(*overrides(**values))  # types and bounds are checked here
    rig = Rig.from_yaml(ROOT / "config" / "rigs" / "hugadb.yaml")
    assert settings.imu_topics == tuple(f"imu/{name}" for name in rig.sensor_names)


def test_shipped_configuration_shows_defaults(declared: Callable[..., NodeSettings]) -> None:
    content = yaml.safe_load((ROOT / "config" / "estimator.yaml").read_text(encoding="utf-8"))
    shown = declared(*overrides(**content["/**"]["ros__parameters"]))
    assert dataclasses.replace(shown, imu_topics=None) == declared()


def test_parameter_descriptors_match_schema(start_lab: Callable[..., Lab]) -> None:
    node = start_lab().estimator
    for entry in PARAMETERS:
        descriptor = node.describe_parameter(entry.name)
        assert descriptor.description == entry.description
        assert descriptor.read_only is (entry.change is Change.NEVER)
        bounds = [*descriptor.integer_range, *descriptor.floating_point_range]
        assert [(b.from_value, b.to_value) for b in bounds] == (
            [] if entry.minimum is None else [(entry.minimum, entry.maximum)]
        )


def test_number_parameters_have_bounds() -> None:
    for entry in PARAMETERS:
        if isinstance(entry.default, (int, float)) and not isinstance(entry.default, bool):
            assert entry.minimum <= entry.default <= entry.maximum


def test_empty_list_is_default(declared: Callable[..., NodeSettings]) -> None:
    empty = [Parameter(name, Parameter.Type.NOT_SET) for name in ("imu_topics", "sensor_rotations")]
    assert declared(*empty) == declared()


def test_paths_expand_home_directory(
    declared: Callable[..., NodeSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("ROS_HOME")
    assert declared().calibration_directory == tmp_path / ".ros" / "imu_emg_estimator" / "calibrations"
    assert declared(*overrides(bundle="~/b.safetensors")).bundle == tmp_path / "b.safetensors"
    assert declared(*overrides(bundle="~nobody-here/b")).bundle == Path("~nobody-here/b")


def test_bag_directories_default_to_usual_places(
    declared: Callable[..., NodeSettings], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    here, home, temporary = tmp_path / "here", tmp_path / "home", tmp_path / "tmp"
    here.mkdir()
    monkeypatch.chdir(here)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setattr("tempfile.tempdir", str(temporary))
    disks = tuple(map(Path, parameter_schema.DATA_DISKS))
    assert declared().bag_directories == (home, here, temporary, *disks)
    # A service without a home that starts in / must not open the whole disk.
    monkeypatch.setenv("HOME", "/")
    monkeypatch.chdir("/")
    assert declared().bag_directories == (temporary, *disks)


def test_bag_directories_of_parameter(
    declared: Callable[..., NodeSettings],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bags").mkdir()
    given = declared(*overrides(bag_directories=["bags", "", "~nobody-here/x", "/"])).bag_directories
    assert given == (tmp_path / "bags", tmp_path / "~nobody-here" / "x", Path("/"))
    said = capfd.readouterr().err
    assert f"names {given[1]}, which does not exist" in said
    assert said.count("does not exist") == 1
    assert declared(*overrides(bag_directories=["/a,b"])).bag_directories == (Path("/a,b"),)


def test_emg_parameters(declared: Callable[..., NodeSettings]) -> None:
    default = declared()
    assert (default.emg_topic, default.emg_channels, default.emg_kind, default.emg_rate) == (None, None, None, None)
    given = declared(*overrides(emg_topic="/emg", emg_channels=["a", "none"], emg_kind="raw", emg_rate=1500.0))
    assert default.emg_delay is None
    assert [declared(*overrides(emg_delay=text)).emg_delay for text in ("0", "-0.1", "auto")] == [0.0, -0.1, "auto"]
    for text in ("soon", "nan"):
        with pytest.raises(InputError, match="parameter 'emg_delay' is"):
            declared(*overrides(emg_delay=text))
    assert (given.emg_topic, given.emg_channels, given.emg_kind, given.emg_rate) == (
        "/emg",
        ("a", "none"),
        "raw",
        1500.0,
    )
    with pytest.raises(InputError, match="parameter 'emg_kind' is 'cooked'; give raw or envelope"):
        declared(*overrides(emg_kind="cooked"))


@pytest.mark.parametrize("entry", NUMBERS, ids=lambda entry: entry.name)
def test_parameter_bounds_are_enforced(entry: Entry, declared: Callable[..., NodeSettings]) -> None:
    kind = type(entry.default)
    declared(*overrides(**{entry.name: kind(entry.minimum)}))
    declared(*overrides(**{entry.name: kind(entry.maximum)}))
    for value in [kind(entry.minimum - 1), kind(2 * entry.maximum)] + [float("nan")] * (kind is float):
        with pytest.raises(InputError, match=f"'{entry.name}' is .*, which is out of bounds; it takes"):
            declared(*overrides(**{entry.name: value}))


# wrong starts


@pytest.fixture
def start(bundle_path: Path, capfd: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Function that runs the node's main program, which must refuse to start; returns its one sentence."""

    def refused(*arguments: str) -> str:
        status = estimator_node.main(["--ros-args", "-p", f"bundle:={bundle_path}", *arguments])
        said = capfd.readouterr()
        assert "Traceback" not in said.out + said.err
        ours = [line for line in said.err.splitlines() if line.startswith("imu_emg_estimator: ")]
        assert (status, len(ours)) == (2, 1), said.err
        return ours[0]

    return refused


@pytest.mark.parametrize(
    ("parameter", "said"),
    [
        (
            "deadline:='soon'",
            "parameter 'deadline' has a value of the wrong type, 'soon'; it takes a number with a decimal",
        ),
        ("queue_depth:=1.5", "parameter 'queue_depth' has a value of the wrong type, 1.5; it takes a whole number"),
        ("subject_id:=5", "parameter 'subject_id' has a value of the wrong type, 5; it takes text (quote"),
        (
            "sensor_rotations:=[0,0,0,1]",
            "parameter 'sensor_rotations' has a value of the wrong type, [0, 0, 0, 1]; it takes a list",
        ),
        (
            "imu_topics:=imu/foot",
            "parameter 'imu_topics' has a value of the wrong type, 'imu/foot'; it takes a list, each text",
        ),
        ("deadline:=-0.1", "parameter 'deadline' is -0.1, which is out of bounds; it takes 0 to 10 s"),
        ("sensor_rotations:=[0.0,1.0]", "sensor_rotations holds 2 numbers; give 4 (x y z w) for all sensors, or 24"),
        ("sensor_rotations:=[0.0,0.0,0.0,0.0]", "sensor_rotations holds a quaternion whose length is not 1"),
        ("subject_id:=../x", "parameter 'subject_id': subject '../x' is not a valid name"),
        ("imu_topics:=[a, b]", "parameter 'imu_topics' names 2 topics, the bundle's rig has 6 sensors; give one for"),
        ("imu_topics:=[a, b, c, d, e, e]", "two sensors share a topic (/a, /b, /c, /d, /e, /e)"),
        ("imu_topics:=[a, b, c, d, e, /e]", "two sensors share a topic"),
        ("imu_topics:=[a, b, c, d, e, 'no name']", "parameter 'imu_topics' holds a name that is not valid"),
        ("qos_overrides./imu/left_foot.subscription.depth:=x", "qos_overrides cannot be used"),
        (
            "qos_overrides./imu/left_foot.subscription.reliability:=x",
            "policy `reliability`: `x`; correct qos_overrides./imu/left_foot.subscription.reliability",
        ),
    ],
)
def test_node_refuses_wrong_parameter(parameter: str, said: str, start: Callable[..., str]) -> None:
    assert said in start("-p", parameter)


def test_node_refuses_two_sensors_on_one_topic(start: Callable[..., str]) -> None:
    assert "with the parameter 'imu_topics' or by remapping" in start("-r", "imu/left_foot:=imu/right_foot")


def test_node_refuses_wrong_ros_arguments(start: Callable[..., str], tmp_path: Path) -> None:
    assert "params-file /no/such.yaml" in start("--params-file", "/no/such.yaml")
    broken = tmp_path / "broken.yaml"
    broken.write_text("/**:\n  ros__parameters: [1, 2")
    assert "the ROS arguments cannot be used" in start("--params-file", str(broken))
    assert "--no-such" in start("--no-such")


def test_node_refuses_wrong_bundle(
    start: Callable[..., str], bundle_path: Path, make_bundle: Any, tmp_path: Path
) -> None:
    content = bundle_path.read_bytes()
    path = tmp_path / "other.safetensors"

    def said() -> str:
        return start("-p", f"bundle:={path}")

    assert f"parameter 'bundle': bundle {path} does not exist" in said()
    for wrong in (content[:-10], content[:40], b"", b"not a bundle at all"):
        path.write_bytes(wrong)
        assert f"bundle {path} is truncated or not a bundle" in said()
    path.write_bytes(of_version(content, 99))
    assert f"bundle {path} has format version 99, this software reads version 3" in said()
    five = _without_a_sensor(make_bundle)
    five.save(path)
    message = start("-p", f"bundle:={path}", "--params-file", str(ROOT / "config" / "estimator.yaml"))
    assert "names 6 topics, the bundle's rig has 5 sensors" in message
    path.unlink()
    path.mkdir()
    assert f"bundle {path} is not a file" in said()


def of_version(bundle_file: bytes, version: int) -> bytes:
    """A bundle's file that says it is of another format version."""
    (length,) = struct.unpack("<Q", bundle_file[:8])
    header = json.loads(bundle_file[8 : 8 + length])
    document = json.loads(header["__metadata__"]["bundle"])
    header["__metadata__"]["bundle"] = json.dumps(document | {"format_version": version})
    changed = json.dumps(header).encode()
    return struct.pack("<Q", len(changed)) + changed + bundle_file[8 + length :]


def _without_a_sensor(make_bundle: Callable[..., Bundle]) -> Bundle:
    rig = Rig.from_yaml(ROOT / "config" / "rigs" / "hugadb.yaml")
    return make_bundle(rig=dataclasses.replace(rig, sensors=rig.sensors[:5]))
