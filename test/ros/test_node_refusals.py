"""SROS 2 that cannot be had: one sentence, exit status 2, no traceback."""

import sys
from pathlib import Path

import pytest
from fixtures.node_process import output, process

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.ros.node_refusals import naming_refusal

COMMANDS = {
    "imu_emg_estimator": ["imu_emg_estimator.ros.node"],
    "assistance": ["imu_emg_estimator.ros.assistance_node"],
    "imu-emg watch": ["imu_emg_estimator", "watch"],
}
# What rcl says on Jazzy.
NO_LIBRARIES = (
    "error creating node: This Fast DDS version doesn't have the security libraries\n"
    "Please compile Fast DDS using the -DSECURITY=ON CMake option, at /src/participant.cpp:364, at /src/node.c:252"
)
NO_DIRECTORY = "failed to initialize rcl: SECURITY ERROR: directory '/k/enclaves' does not exist., at /src/security.c:1"
NO_FILES = "error creating node: couldn't find all security files!, at /src/participant.cpp:1, at /src/node.c:252"
NO_KEYSTORE = "failed to initialize rcl: error not set"


@pytest.fixture
def keystore(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A keystore without a key, and security that is enforced."""
    (tmp_path / "enclaves").mkdir()
    monkeypatch.setenv("ROS_SECURITY_ENABLE", "true")
    monkeypatch.setenv("ROS_SECURITY_STRATEGY", "Enforce")
    monkeypatch.setenv("ROS_SECURITY_KEYSTORE", str(tmp_path))
    return tmp_path


def ended(name: str) -> tuple[int, str]:
    """Exit status, and what the command says of its own."""
    with process([sys.executable, "-m", *COMMANDS[name]]) as command:
        said = output(command)
    return command.returncode, "\n".join(line for line in said.splitlines() if "[rcl]" not in line)


@pytest.mark.parametrize("name", COMMANDS)
def test_command_without_the_security_asked_for_says_so(name: str, keystore: Path) -> None:
    status, said = ended(name)  # there are no security libraries in Fast DDS, or else no keys for them
    assert (status, said.count("\n")) == (2, 0), said
    assert said.startswith(f"{name}: ROS_SECURITY_ENABLE is true, but "), said


def test_node_without_its_enclave_says_which_directory_is_missing(keystore: Path) -> None:
    (keystore / "enclaves").rmdir()
    status, said = ended("imu_emg_estimator")
    assert (status, said.count("\n")) == (2, 0), said
    assert f"but directory '{keystore}/enclaves' does not exist: create the enclave" in said


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (NO_LIBRARIES, "no security libraries: use the ROS 2 packages"),
        (NO_DIRECTORY, "but directory '/k/enclaves' does not exist: create the enclave"),
        (NO_FILES, "but error creating node: couldn't find all security files: create the enclave"),
        (NO_KEYSTORE, "ROS_SECURITY_KEYSTORE names no keystore: set it"),
        ("error creating node: out of memory, at /src/node.c:1", "no node: error creating node: out of memory"),
    ],
)
def test_refusal_is_a_sentence(reason: str, said: str, keystore: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS_SECURITY_KEYSTORE")
    with pytest.raises(InputError) as caught, naming_refusal("no node"):
        raise RuntimeError(reason)
    assert said in str(caught.value)
    assert "/src/" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_refusal_without_security_is_not_about_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROS_SECURITY_ENABLE", raising=False)
    with pytest.raises(RuntimeError, match="error not set"), naming_refusal():
        raise RuntimeError(NO_KEYSTORE)
