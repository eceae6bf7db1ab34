"""Files of the assistance: what is read, and in which words the rest is refused."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from fixtures.assistance_inputs import CONTENT, content

from imu_emg_estimator.activation_gate import GateSettings
from imu_emg_estimator.assistance.assistance_file import markdown_page, read_assistance, settings_of
from imu_emg_estimator.errors import InputError

ROOT = Path(__file__).parents[2]


def joint(**changes: Any) -> dict[str, Any]:
    return CONTENT["joints"][0] | changes


def muscle(**changes: Any) -> dict[str, Any]:
    return joint(muscles=[CONTENT["joints"][0]["muscles"][0] | changes])


def test_file_is_read_whole(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(yaml.safe_dump(content(trust={"fade_out": 0.05, "required_sensors": ["thigh"]}, rate=200)))
    read = read_assistance(file)
    assert read.trust == GateSettings(fade_out=0.05, required_sensors=["thigh"])
    assert (read.rate, read.deadman, read.dry_run) == (200, True, False)
    assert read.joints[0].muscles[0].angles == (-2.0, 0.0)
    assert read.joints[1].angle_range is None


def test_shipped_file_is_a_dry_run_for_the_shipped_model() -> None:
    read = read_assistance(ROOT / "config" / "assistance.yaml")
    assert read.dry_run
    assert read.muscles == ("vastus_lateralis_right", "vastus_lateralis_left")


@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"joints": []}, "assistance: joints is empty; name at least one"),
        ({"joints": [joint(), joint()]}, "assistance: joints holds 'knee' twice"),
        ({"muscles": []}, "assistance: muscles is empty"),
        (
            {"muscles": ["left", "middle"]},
            "joint 'knee': muscle 'right' is not one of the estimator's",
        ),
        ({"rate": 5}, "assistance: rate is 5; choose 20 to 1000 Hz"),
        ({"rate": None}, "assistance: rate is nan; choose 20 to 1000 Hz"),
        ({"rate": "fast"}, "assistance.rate is 'fast', not a number"),
        ({"dry_run": 1}, "assistance.dry_run is '1', not true or false"),
        ({"ratte": 5}, "assistance has an unknown field 'ratte'"),
        ({"joints": [joint(max_torque=1e4)]}, "joint 'knee': max_torque is 10000; choose 0.001 to 500 Nm"),
        ({"joints": [joint(max_torque=float("inf"))]}, "joint 'knee': max_torque is inf"),
        ({"joints": [joint(max_torque_rate=float("nan"))]}, "joint 'knee': max_torque_rate is nan"),
        ({"joints": [joint(wrench_axis="up")]}, "joint 'knee': wrench_axis is 'up'; choose one of x, y, z"),
        ({"joints": [joint(muscles=[])]}, "joint 'knee': muscles is empty"),
        ({"joints": [{"name": "knee"}]}, "assistance.joints[0] lacks a field: max_torque, max_torque_rate, muscles"),
        ({"joints": [muscle(gain=-1)]}, "muscle 'right': gain is -1; choose 0 to 10000 N"),
        ({"joints": [muscle(moment_arm=0.1)]}, "muscle 'right': give either moment_arm, or angles and moment_arms"),
        ({"joints": [muscle(angles=[], moment_arms=[])]}, "muscle 'right': give either moment_arm"),
        ({"joints": [muscle(angles=[0.0])]}, "muscle 'right': 1 angles and 2 moment_arms"),
        ({"joints": [muscle(angles=[0.0, 0.0])]}, "muscle 'right': angles do not rise"),
        ({"joints": [muscle(moment_arms=[0.1, 5.0])]}, "muscle 'right': moment_arms is 5; choose -0.5 to 0.5 m"),
        ({"trust": 5}, "trust is 5; give a mapping"),
        ({"trust": {"fade_outt": 0.1}}, "trust has an unknown key 'fade_outt'; did you mean 'fade_out'?"),
        ({"trust": {"fade_out": -1}}, "trust: fade_out is -1; choose more than 0, at most 10"),
        ({"trust": {"fade_out": 0.2}}, "trust.max_age 0.15 s, trust.fade_out 0.2 s and two steps of 0.01 s are more"),
        ({"deadman_timeout": 0.25}, "deadman_timeout 0.25 s, trust.fade_out 0.1 s"),
        ({"angle_timeout": 0.25}, "angle_timeout 0.25 s, trust.fade_out 0.1 s"),
    ],
)
def test_settings_that_cannot_be_are_refused_in_a_sentence(changed: dict[str, Any], sentence: str) -> None:
    with pytest.raises(InputError, match=re.escape(sentence)):
        settings_of(content(**changed))


def test_tables_of_one_joint_must_share_a_range() -> None:
    pulls = [
        {"name": "right", "gain": 1.0, "angles": [-2.0, -1.0], "moment_arms": [0.1, 0.1]},
        {"name": "left", "gain": 1.0, "angles": [0.0, 1.0], "moment_arms": [0.1, 0.1]},
    ]
    with pytest.raises(InputError, match="have no range in common"):
        settings_of(content(joints=[joint(muscles=pulls)]))


def test_timeouts_that_nothing_waits_for_are_not_judged() -> None:
    assert settings_of(content(deadman=False, deadman_timeout=0.3)).deadman_timeout == 0.3
    assert settings_of(content(joints=CONTENT["joints"][1:], angle_timeout=0.3)).angle_timeout == 0.3


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a: [1", "is not valid YAML; compare it with config/assistance.yaml"),
        ("- 5", "holds no settings"),
        ("", "holds no settings"),
        ("rate: 50\nrate: 60\n", "key 'rate' is given twice in one place; keep one"),
        ("a: &a [*a]\n", "assistance"),
        ("5: 1\na: 1\n", "unknown field '5'"),
        (f"rate: {'9' * 400}\n", "not a number"),
        (f"trust: {{recovery: {'9' * 400}}}\n", "recovery is inf; choose 0 to 60"),
    ],
)
def test_file_that_is_none_is_refused(text: str, sentence: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(text)
    with pytest.raises(InputError, match=rf"assistance file {re.escape(str(file))}.*{re.escape(sentence)}"):
        read_assistance(file)


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"none\.yaml cannot be read \(No such file or directory\)"):
        read_assistance(tmp_path / "none.yaml")


def test_page_names_every_key() -> None:
    page = markdown_page()
    for key in ("max_torque_rate", "moment_arms", "deadman_timeout", "wrench_frame", "recovery", "required_sensors"):
        assert f"| `{key}` |" in page
