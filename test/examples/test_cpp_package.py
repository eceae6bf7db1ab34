"""Another package finds the installed C++ header for controllers, with CMake as colcon runs it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

CONSUMER = """
cmake_minimum_required(VERSION 3.16)
project(consumer CXX)
find_package(imu_emg_estimator REQUIRED)
add_executable(consumer main.cpp)
target_compile_options(consumer PRIVATE -Wall -Wextra -Wpedantic -Werror)
target_link_libraries(consumer PRIVATE {target})
"""
WITH_HEADER = """
#include <imu_emg_estimator/activation_gate.hpp>
int main() {return imu_emg_estimator::ActivationGate({"right"}).update(0.0, 0.01)[0] == 0.0 ? 0 : 1;}
"""
WITH_MESSAGE = """
#include <imu_emg_estimator/activation_gate.hpp>
#include <imu_emg_estimator/msg/muscle_activation.hpp>
int main()
{
  imu_emg_estimator::msg::MuscleActivation message;
  message.muscle_names = {"right"};
  message.activation = {0.5F};
  message.header.stamp.sec = 1000;
  imu_emg_estimator::GateSettings settings;
  settings.recovery = 0.0;
  imu_emg_estimator::ActivationGate gate({"right"}, settings);
  gate.receive(message, 1000.01);
  return gate.update(1000.01, 0.01)[0] > 0.0 && !*gate.reason() ? 0 : 1;
}
"""


def installed_prefix() -> Path:
    """Return where colcon has installed the package with its header."""
    for prefix in map(Path, os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
        if (prefix / "include" / "imu_emg_estimator" / "imu_emg_estimator" / "activation_gate.hpp").is_file():
            return prefix
    pytest.skip("no imu_emg_estimator with activation_gate.hpp is installed; make setup")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("target", "source"),
    [("imu_emg_estimator::activation_gate", WITH_HEADER), ("${imu_emg_estimator_TARGETS}", WITH_MESSAGE)],
    ids=["header alone", "header and messages"],
)
def test_cmake_package_uses_installed_header(tmp_path: Path, target: str, source: str) -> None:
    if not shutil.which("cmake"):
        pytest.skip("CMake is not installed")
    prefix = installed_prefix()
    (tmp_path / "CMakeLists.txt").write_text(CONSUMER.format(target=target))
    (tmp_path / "main.cpp").write_text(source)
    call("cmake", "-S", tmp_path, "-B", tmp_path / "build", f"-Dimu_emg_estimator_ROOT={prefix}")
    call("cmake", "--build", tmp_path / "build")
    call(tmp_path / "build" / "consumer")


def call(*command: str | Path) -> None:
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
