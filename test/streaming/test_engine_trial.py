"""An engine that crashes is found in a process of its own, once; one that works costs a start nothing."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from imu_emg_estimator.streaming import engine_trial
from imu_emg_estimator.streaming.engine import FALLBACK
from imu_emg_estimator.streaming.engine_trial import crash_of, main, verdict_file

START = """
import sys, warnings
import numpy as np
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.streaming.streaming_estimator import StreamingEstimator
from imu_emg_estimator.utils.shipped_files import shipped_bundle
estimator = StreamingEstimator(Bundle.load(shipped_bundle()))
estimator.step(np.zeros((6, 6)))
print(estimator.engine_name)
"""
LIBRARY = "a_library"  # that is not loaded
Try = Callable[[str], str | None]


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give this process, and those it starts, a cache of their own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def trials(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str | None], list[str]]:
    """Install a library whose trials end as told; returns a list to which each adds its engine."""
    (tmp_path / f"{LIBRARY}.py").touch()
    monkeypatch.syspath_prepend(tmp_path)

    def ending(crash: str | None) -> list[str]:
        tried: list[str] = []
        monkeypatch.setattr(engine_trial, "_try", lambda name: tried.append(name) or crash)
        return tried

    return ending


@pytest.mark.slow
def test_start_survives_library_that_crashes_and_tries_it_once(cache: Path, tmp_path: Path) -> None:
    library = tmp_path / "onnxruntime" / "__init__.py"
    library.parent.mkdir()
    library.write_text(
        "import os, signal\n"
        f"open({str(tmp_path / 'tries')!r}, 'a').write('x')\n"
        "os.kill(os.getpid(), signal.SIGILL)\n"
    )  # fmt: skip
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}
    for _ in range(2):
        done = subprocess.run([sys.executable, "-c", START], env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert done.stdout == f"{FALLBACK}\n"
        assert "onnxruntime does not work here (SIGILL)" in done.stderr
    assert (tmp_path / "tries").read_text() == "x"


@pytest.mark.parametrize("crash", ["", "SIGILL"])
def test_verdict_is_remembered_until_library_changes(
    crash: str, trials: Callable[[str | None], list[str]], tmp_path: Path
) -> None:
    tried = trials(crash)
    assert [crash_of("onnx", LIBRARY) for _ in range(3)] == [crash] * 3
    assert tried == ["onnx"]
    os.utime(tmp_path / f"{LIBRARY}.py", ns=(1, 1))
    assert crash_of("onnx", LIBRARY) == crash
    assert tried == ["onnx", "onnx"]


def test_verdict_is_of_one_processor(
    trials: Callable[[str | None], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    tried = trials("")
    monkeypatch.setattr(engine_trial, "PROCESSOR", tmp_path / "modalias")
    for features in ("0001", "0001", "0001,0002"):
        (tmp_path / "modalias").write_text(f"cpu:type:aarch64:feature:,{features}")
        crash_of("onnx", LIBRARY)
    assert tried == ["onnx", "onnx"]


def test_trial_without_verdict_is_not_remembered(trials: Callable[[str | None], list[str]]) -> None:
    tried = trials(None)
    assert [crash_of("onnx", LIBRARY) for _ in range(2)] == ["", ""]
    assert tried == ["onnx", "onnx"]


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b"[" * 10**5, b'{"key": 1}', b"\xff"])
def test_spoilt_verdict_is_tried_anew(content: bytes, trials: Callable[[str | None], list[str]]) -> None:
    tried = trials("SIGILL")
    verdict_file("onnx").parent.mkdir(parents=True)
    verdict_file("onnx").write_bytes(content)
    assert crash_of("onnx", LIBRARY) == "SIGILL"
    assert tried == ["onnx"]
    assert json.loads(verdict_file("onnx").read_text())["crash"] == "SIGILL"


def test_cache_that_cannot_be_written_stops_nothing(cache: Path, trials: Callable[[str | None], list[str]]) -> None:
    cache.write_text("a file, not a folder")
    trials("SIGILL")
    assert crash_of("onnx", LIBRARY) == "SIGILL"


def test_loaded_library_is_not_tried(trials: Callable[[str | None], list[str]]) -> None:
    tried = trials("SIGILL")
    assert crash_of("onnx", "json") == ""
    assert tried == []


@pytest.mark.parametrize(
    ("ending", "verdict"),
    [
        ("raise SystemExit(0)", ""),
        ("raise OSError", ""),
        *((f"import os; os.kill(os.getpid(), {int(number)})", number.name) for number in engine_trial.CRASHES),
        (f"import os; os.kill(os.getpid(), {int(signal.SIGKILL)})", None),
        ("import time; time.sleep(600)", None),
    ],
)
def test_trial_tells_crash_from_exception_and_from_other_ends(
    ending: str, verdict: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ends.py").write_text(ending)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(engine_trial, "__name__", "ends")
    monkeypatch.setattr(engine_trial, "TIMEOUT_S", 0.5 if "sleep" in ending else 600.0)
    assert engine_trial._try("onnx") == verdict


def test_trial_steps_a_small_network() -> None:
    main(FALLBACK)
