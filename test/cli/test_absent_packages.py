"""Every command without the optional packages: it works, or says in one sentence what it needs and what brings it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from fixtures.absent_packages import EVERY, without
from fixtures.command_line import run

from imu_emg_estimator.utils.optional_packages import needs

Command = Callable[..., "subprocess.CompletedProcess[str]"]
TABLES = ("--dataset", "csv", "--data", "tables", "--rig", "hugadb.yaml")
WITHOUT_ANY = {  # what each command says with none of them; "" = it works
    ("inspect",): "",
    ("doctor", "--seconds", "0"): "",
    ("rig", "show"): "",
    ("calibrations", "list", "--directory", "none"): "",
    ("import", "anna.csv", "--subject", "anna", "--out", "imported"): "scipy",
    ("rig", "new", "own.yaml", "--data", "tables"): "rosbags",
    ("rig", "check", "hugadb"): "rosbags",
    ("rig", "show", "hugadb", "--picture", "body.png"): "matplotlib",
    ("inspect", "bag"): "rosbags",
    ("export", "--out", "model.onnx"): "onnxruntime",
    ("simulate", "--out", "new", "--seconds", "3"): "rosbags",
    ("report", "bag", "--out", "report.html"): "rosbags",
    ("watch", "bag"): "rosbags",
    ("view", "bag"): "rosbags",
    ("calibrate", "--bag", "bag", "--out", "new.safetensors"): "rosbags",
    ("train", *TABLES, "--out", "new.safetensors"): "torch",
    ("evaluate", *TABLES): "torch",
    ("bag", *TABLES, "--out", "new"): "rosbags",
}
ONE_MISSING = {  # the command that meets each
    "rosbags": ("inspect", "bag"),
    "lz4": ("inspect", "bag"),
    "backports": ("inspect", "bag"),
    "scipy": ("simulate", "--out", "new", "--seconds", "3"),
    "matplotlib": ("rig", "show", "hugadb", "--picture", "body.png"),
    "onnxruntime": ("export", "--out", "model.onnx"),
    "torch": ("calibrate", "--bag", "bag", "--out", "new.safetensors"),
    "joblib": ("evaluate", *TABLES),
}
USED_LIVE = {"onnxruntime", "threadpoolctl", "torch"}
ESTIMATE = """
import sys
import numpy as np
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.live_estimator import LiveEstimator, LiveSettings
from imu_emg_estimator.utils.shipped_files import shipped_bundle
live = LiveEstimator(Bundle.load(shipped_bundle()), LiveSettings())
shown, generator = [], np.random.default_rng(0)
for row in range(200):
    for sensor, sample in enumerate(generator.normal((0, 9.81, 0, 0, 0, 0), 0.1, (6, 6))):
        now = 10**18 + row * 17 * 10**6
        shown += live.take(sensor, now, tuple(sample), now, None, now)
assert len(shown) > 100 and np.isfinite(shown[-1].activation).all(), shown[-1]
print(*{name.partition('.')[0] for name in sys.modules})
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Make a folder with a bag and some files."""
    folder = tmp_path_factory.mktemp("files")
    assert run("simulate", "--out", folder / "bag", "--seconds", "6") == 0
    lines = [f"{row / 100},{row % 7},9.81,{row % 5},{row % 3}" for row in range(400)]
    header = "time [s],thigh_acc_x [m/s2],thigh_acc_y [m/s2],thigh_acc_z [m/s2],vastus [mV]"
    (folder / "anna.csv").write_text("\n".join([header, *lines]))
    return folder


@pytest.fixture
def command(folder: Path, tmp_path: Path) -> Command:
    """Return a function that runs a command without some packages."""

    def start(packages: set[str], *words: str) -> "subprocess.CompletedProcess[str]":
        program = [sys.executable, "-m", "imu_emg_estimator", *words]
        environment = without(packages, tmp_path / "site")
        return subprocess.run(program, env=environment, cwd=folder, capture_output=True, text=True, timeout=600)

    return start


@pytest.mark.parametrize("packages", [EVERY, USED_LIVE, *({name} for name in sorted(USED_LIVE))])
@pytest.mark.slow
def test_estimating_live_needs_none(packages: set[str], tmp_path: Path) -> None:
    """Of those that are there only these few are imported, so that it does not matter which of the others are."""
    program, environment = [sys.executable, "-c", ESTIMATE], without(packages, tmp_path / "site")
    done = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert EVERY & set(done.stdout.split()) <= USED_LIVE - packages


@pytest.mark.slow
@pytest.mark.parametrize("words", WITHOUT_ANY, ids=" ".join)
def test_command_without_any_works_or_says_what_it_needs(words: tuple[str, ...], command: Command) -> None:
    done, missing = command(EVERY, *words), WITHOUT_ANY[words]
    if missing:
        assert_names(done, words[0], missing)
    else:
        assert done.returncode == 0, done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("package", ONE_MISSING)
def test_command_without_one_says_that_it_needs_it(package: str, command: Command) -> None:
    if package == "backports" and sys.version_info >= (3, 14):
        pytest.skip("zstd is part of Python 3.14")
    assert_names(command({package}, *ONE_MISSING[package]), ONE_MISSING[package][0], package)


def assert_names(done: "subprocess.CompletedProcess[str]", name: str, package: str) -> None:
    assert done.returncode == 2, done.stderr
    last = done.stderr.splitlines()[-1]
    assert last.startswith(f"imu-emg {name}")
    assert last.endswith(needs(package))
    assert "Traceback" not in done.stderr
