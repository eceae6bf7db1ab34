"""The activation gate holds its contract, in Python and in C++: vectors worked out by hand, random runs."""

import json
import math
import random
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import fields
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fixtures.gate_runs import (
    COMPILER,
    ROOT,
    Answer,
    Command,
    GateRun,
    Message,
    Receive,
    Update,
    compile_gate,
    has_compiler,
    run_in_python,
)

from imu_emg_estimator import activation_gate
from imu_emg_estimator.activation_gate import ActivationGate, GateSettings

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "activation_gate.json").read_text())
DEFAULTS = VECTORS["defaults"]
START_S = 1000.0
MUSCLES = ("right", "left")


@pytest.fixture(scope="module")
def run_in_cpp(tmp_path_factory: pytest.TempPathFactory) -> GateRun:
    skip_without_compiler()
    return compile_gate(tmp_path_factory.mktemp("gate"))


def skip_without_compiler() -> None:
    if not has_compiler():
        pytest.skip(f"no C++ compiler: {COMPILER} is not installed; CXX names another")


@pytest.fixture(scope="module", params=["python", pytest.param("c++", marks=pytest.mark.slow)])
def run(request: pytest.FixtureRequest) -> GateRun:
    answer: GateRun = run_in_python if request.param == "python" else request.getfixturevalue("run_in_cpp")
    return answer


@pytest.mark.parametrize("scenario", VECTORS["scenarios"], ids=lambda scenario: scenario["name"])
def test_gate_agrees_with_vectors(run: GateRun, scenario: dict[str, Any]) -> None:
    commands, expected = commands_of(scenario)
    answers = run(DEFAULTS["muscles"], DEFAULTS["settings"] | scenario.get("settings", {}), commands)
    for step, expectation in expected.items():
        assert_answer(answers[step], expectation, f"after step {step + 1}")


def commands_of(scenario: dict[str, Any]) -> tuple[list[Command], dict[int, dict[str, Any]]]:
    """Expand a scenario into commands, and what is expected after which step."""
    commands: list[Command] = []
    expected: dict[int, dict[str, Any]] = {}
    now, steps = START_S, 0
    for given in scenario["phases"]:
        phase = DEFAULTS["phase"] | given
        for step in range(phase["steps"]):
            now += float(phase.get("clock", phase["period"]))
            if (message := turn(phase["message"], step)) is not None:
                timestamp = phase.get("timestamp", now - turn(phase["delay"], step))
                commands.append(Receive(message_of(message, timestamp), now))
            commands.append(Update(now, float(phase["period"])))
        steps += phase["steps"]
        if "expect" in phase:
            expected[steps - 1] = phase["expect"]
    return commands, expected


def turn(value: Any, step: int) -> Any:
    return value[step % len(value)] if isinstance(value, list) else value


def message_of(overrides: dict[str, Any], timestamp: float) -> Message:
    values = DEFAULTS["message"] | overrides
    values["activation"] = [float(value) for value in values["activation"]]
    return Message(timestamp, **values | {"age": float(values["age"])})


def assert_answer(answer: Answer, expectation: dict[str, Any], when: str) -> None:
    assert expectation.keys() <= set(Answer._fields)
    for name, value in expectation.items():
        found = getattr(answer, name)
        expected = value if name == "reason" else pytest.approx(value, abs=VECTORS["tolerance"])
        assert found == expected, f"{name} {when}"


def test_vectors_cover_every_status_and_reason() -> None:
    text = json.dumps(VECTORS)
    statuses = {int(status) for status in re.findall(r'"status": (\d+)', text)}
    message = (ROOT / "msg" / "MuscleActivation.msg").read_text()
    assert {int(value) for value in re.findall(r"(?m)^uint8 [A-Z_]+=(\d+)", message)} < statuses
    reasons = [value for name, value in vars(activation_gate).items() if name.isupper() and isinstance(value, str)]
    assert len(reasons) > 5
    assert all(f'"reason": "{reason}"' in text for reason in reasons)


def test_vectors_choose_every_setting() -> None:
    chosen = {name for scenario in VECTORS["scenarios"] for name in scenario.get("settings", {})}
    assert chosen | {"share_ok"} == {setting.name for setting in fields(GateSettings)}


FAULTS: tuple[dict[str, Any], ...] = (
    {"status": 1},
    {"status": 3, "activation": (math.nan, math.nan)},
    {"status": 4},
    {"status": 77},
    {"status": 2},
    {"status": 2, "missing_sensors": ("a", "b", "c")},
    {"activation": (math.nan, 0.2)},
    {"activation": (0.2, math.inf)},
    {"activation": (-0.5, 0.2)},
    {"activation": (0.2, 1e20)},
    {"activation": ()},
    {"activation": (0.2,)},
    {"muscle_names": ("left", "right")},
    {"muscle_names": ()},
    {"age": 0.3},
    {"age": -0.3},
    {"age": math.nan},
)
PERIODS_S = (0.01, 0.01, 0.002, 0.03, 0.0, -1.0, math.nan, 0.12)
SETTINGS: dict[str, object] = {"recovery": 0.06, "fade_in": 0.1, "fade_out": 0.15, "slew": 6.0, "max_assistance": 0.8}


def random_run(seed: int) -> tuple[list[Command], list[bool]]:
    """Draw messages, good and bad in turns, and control steps; say which message is good, by command."""
    choose = random.Random(seed)
    now, commands, is_good = START_S, [], []
    while len(commands) < 1200:
        kind = choose.choice(("good", "good", "bad", "mixed", "silent"))
        period = 0.01 if choose.random() < 0.5 else None
        for _ in range(choose.randint(1, 60)):
            elapsed = period or choose.choice(PERIODS_S)
            now += max(elapsed, 0.0) if math.isfinite(elapsed) else 0.005
            if kind != "silent":
                good = kind == "good" or (kind == "mixed" and choose.random() < 0.7)
                fields_ = {"activation": (choose.uniform(0, 1.5), choose.uniform(0, 0.3))}
                fields_ |= {} if good else choose.choice(FAULTS)
                commands.append(Receive(Message(now - 0.04, **fields_), now))
                is_good.append(good)
            commands.append(Update(now, elapsed))
            is_good.append(False)
    return commands, is_good


def updates_of(commands: list[Command], answers: list[Answer]) -> Iterator[tuple[Update, Answer]]:
    return zip((command for command in commands if isinstance(command, Update)), answers, strict=True)


@pytest.mark.parametrize("seed", range(15))
def test_gate_is_bounded_and_limited_in_random_runs(run: GateRun, seed: int) -> None:
    commands, _ = random_run(seed)
    answers = run(MUSCLES, SETTINGS, commands)
    steps = list(updates_of(commands, answers))
    for (_, last), (update, answer) in pairwise(steps):
        rise = 6.0 * update.period if update.period > 0 else 0.0
        fall = max(6.0, 0.8 / 0.15) * (update.period if update.period > 0 else 0.001)
        for before, after in zip(last.assistance, answer.assistance, strict=True):
            assert 0.0 <= after <= 0.8
            assert -fall - 1e-9 <= after - before <= rise + 1e-9
            assert after <= before or answer.share > 0


@pytest.mark.parametrize("seed", range(15))
def test_gate_is_zero_within_fade_out_of_last_good_message(run: GateRun, seed: int) -> None:
    """Time by the smaller of two clocks, as a period that is nonsense counts little."""
    commands, is_good = random_run(seed)
    answers = iter(run(MUSCLES, SETTINGS, commands))
    since_good, was_zero = math.inf, 0
    for command, good in zip(commands, is_good, strict=True):
        if isinstance(command, Receive):
            since_good = 0.0 if good else since_good
        else:
            since_good += command.period if command.period > 0 else 0.001
            answer = next(answers)
            if since_good > 0.15 + 0.15 + 0.03:  # age, fade out, one step
                assert answer.assistance == [0.0, 0.0]
                was_zero += 1
    assert was_zero


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_implementations_agree_in_random_runs(run_in_cpp: GateRun, seed: int) -> None:
    commands, _ = random_run(100 + seed)
    in_python, in_cpp = run_in_python(MUSCLES, {}, commands), run_in_cpp(MUSCLES, {}, commands)
    assert [answer.reason for answer in in_python] == [answer.reason for answer in in_cpp]
    for one, other in zip(in_python, in_cpp, strict=True):
        assert [*one.assistance, one.share, one.gain] == pytest.approx([*other.assistance, other.share, other.gain])


@pytest.mark.parametrize("refusal", VECTORS["refusals"], ids=lambda refusal: refusal["sentence"][:60])
def test_gate_refuses_names_and_settings_in_one_sentence(run: GateRun, refusal: dict[str, Any]) -> None:
    settings = {name: float(value) if isinstance(value, str) else value for name, value in refusal["settings"].items()}
    with pytest.raises(ValueError, match=re.escape(refusal["sentence"]) + "$"):
        run(refusal.get("muscles", MUSCLES), settings, [])


def test_refusals_cover_every_setting() -> None:
    refused = {name for refusal in VECTORS["refusals"] for name in refusal["settings"]}
    assert refused == {setting.name for setting in fields(GateSettings)}


@pytest.mark.parametrize("name", sorted(activation_gate.HIGHEST))
def test_highest_value_is_allowed(run: GateRun, name: str) -> None:
    assert run(MUSCLES, {name: activation_gate.HIGHEST[name]}, [Update(START_S, 0.01)])


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"share_ok": "1"}, "share_ok is '1', not a number; choose 0 to 1"),
        ({"max_age": None}, "max_age is None, not a number; choose more than 0, at most 1"),
        ({"slew": True}, "slew is True, not a number"),
        ({"max_missing": 1.5}, "max_missing is 1.5, not a whole number; choose 0 to 100"),
        ({"max_missing": -1}, "max_missing is -1; choose 0 to 100"),
        ({"required_sensors": "right_thigh"}, "required_sensors is the text 'right_thigh'; list them"),
        ({"required_sensors": [3]}, "required_sensors holds 3, which is not a text; give names"),
        ({"required_sensors": None}, "required_sensors holds None, which is not a text; give names"),
    ],
)
def test_settings_of_a_wrong_type_are_refused(settings: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"GateSettings: {re.escape(sentence)}"):
        GateSettings(**settings)


@pytest.mark.parametrize("muscles", ["vastus", (), None, 3, ["right", 4], ["right", None]])
def test_gate_refuses_muscles_that_are_no_list_of_names(muscles: Any) -> None:
    with pytest.raises(ValueError, match=r"^ActivationGate: .*(name the muscles in a list|is not a text; give names)"):
        ActivationGate(muscles)


def test_gate_takes_numbers_and_names_of_numpy() -> None:
    settings = GateSettings(max_age=np.float32(0.2), max_missing=np.int64(1), required_sensors={"foot"})  # type: ignore[arg-type]
    assert ActivationGate(np.array(MUSCLES), settings).update(START_S, 0.01) == [0.0, 0.0]  # type: ignore[arg-type]


def test_update_returns_list_of_its_own() -> None:
    gate = ActivationGate(MUSCLES)
    gate.update(START_S, 0.01)[0] = 7.0
    assert gate.update(START_S, 0.01) == [0.0, 0.0]


@pytest.mark.slow
def test_header_refuses_fast_math() -> None:
    skip_without_compiler()
    header = ROOT / "include" / "imu_emg_estimator" / "activation_gate.hpp"
    command = [COMPILER, "-std=c++17", "-ffast-math", "-fsyntax-only", "-x", "c++", header]
    done = subprocess.run(command, capture_output=True, text=True)
    assert "compile without -ffast-math" in done.stderr


def test_gate_needs_neither_ros_nor_numpy() -> None:
    code = "import sys; sys.modules.update(rclpy=None, numpy=None); import imu_emg_estimator.activation_gate"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)
