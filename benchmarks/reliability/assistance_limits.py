"""``python -m benchmarks assistance``: see whether any input makes the assistance leave its limits.

The checks know the settings, the inputs and which of them are good, and share no code with what they check.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, field
from random import Random

from benchmarks.reliability.assistance_stories import Step, random_settings, random_story
from imu_emg_estimator.assistance.assistance_controller import AssistanceController
from imu_emg_estimator.assistance.assistance_settings import ZERO_WITHIN_S, AssistanceSettings
from imu_emg_estimator.cli.argument_types import positive_integer
from imu_emg_estimator.cli.shared_options import add_json_option, write_json
from imu_emg_estimator.utils.progress import ProgressBar

STEPS_A_STORY = 2000
TOLERANCE = 1e-9  # of a torque [Nm] and of times [s], for rounding
LONGEST_GROWTH_S, SHORTEST_FALL_S = 0.05, 0.001  # what a control step may count, however long or short it claims to be


@dataclass
class LimitFigures:
    """What the checks found.

    Attributes:
        messages: activations, dead man's switch and joint states.
        with_torque: control steps in which some joint had torque.
        longest_to_zero: s from a loss of trust to the last step with torque.
        violations: the first of each kind and story, for people.
    """

    stories: int = 0
    messages: int = 0
    steps: int = 0
    with_torque: int = 0
    longest_to_zero: float = 0.0
    violations: list[str] = field(default_factory=list)


class LimitCheck:
    """Compares every control step of one story with what is allowed."""

    def __init__(self, settings: AssistanceSettings, figures: LimitFigures, story: str) -> None:
        self._settings, self._figures, self._story = settings, figures, story
        self._torques = [0.0] * len(settings.joints)
        tables = [joint.name for joint in settings.joints if joint.angle_range]
        self._angles = dict.fromkeys(tables, math.inf)  # s since a good one
        self._activation = self._deadman = self._bad = math.inf  # s since a good one, a true, and since a loss
        self._steps = 0

    def note(self, step: Step) -> None:
        """Take what reaches the assistance before a step."""
        for _, is_good in step.activations:
            if is_good:
                self._activation = 0.0
            else:
                self._bad = 0.0
        for is_held in step.deadman:
            if is_held:
                self._deadman = 0.0
            elif self._settings.deadman:
                self._bad = 0.0
        for names, _, _, is_good in step.angles:
            if is_good:
                self._angles |= dict.fromkeys(names, 0.0)

    def judge(self, torques: list[float], period: float) -> None:
        """Compare the torques of a step [Nm] with those before."""
        elapsed = period if period > 0.0 else SHORTEST_FALL_S
        growth = min(period, LONGEST_GROWTH_S) if period > 0.0 else 0.0
        self._pass(elapsed)
        for joint, last, torque in zip(self._settings.joints, self._torques, torques, strict=True):
            fall = max(joint.max_torque_rate, joint.max_torque / self._settings.trust.fade_out) * elapsed
            rise = joint.max_torque_rate * growth
            if not abs(torque) <= joint.max_torque:  # nor NaN
                self._complain(f"{joint.name}: torque {torque} of {joint.max_torque}")
            if last * torque >= 0.0:
                within = -fall - TOLERANCE <= abs(torque) - abs(last) <= rise + TOLERANCE
            else:
                within = abs(torque) <= rise + TOLERANCE and abs(last) + abs(torque) <= fall + rise + TOLERANCE
            if not within:
                self._complain(f"{joint.name}: {last} to {torque} in {period} s")
        self._judge_zero(torques)
        self._torques = torques

    def _judge_zero(self, torques: list[float]) -> None:
        lost = max(self._silence(), self._bad if self._bad < self._settings.trust.recovery else 0.0)
        if any(torques):
            self._figures.with_torque += 1
            if lost < math.inf:
                self._figures.longest_to_zero = max(self._figures.longest_to_zero, self._excess(lost))
            if lost > ZERO_WITHIN_S + TOLERANCE:
                self._complain(f"torque {torques} {lost} s after the loss of trust")

    def _excess(self, lost: float) -> float:
        """Return the s since the loss, if it is one: input that is merely not newer than the last step is none."""
        return lost if lost > 2.0 / self._settings.rate else 0.0

    def _silence(self) -> float:
        return max(self._activation, self._deadman if self._settings.deadman else 0.0, *self._angles.values(), 0.0)

    def _pass(self, elapsed: float) -> None:
        self._activation += elapsed
        self._deadman += elapsed
        self._bad += elapsed
        for name in self._angles:
            self._angles[name] += elapsed
        self._steps += 1

    def _complain(self, text: str) -> None:
        self._figures.violations.append(f"{self._story}, step {self._steps}: {text}")


def run_story(seed: int, figures: LimitFigures, steps: int = STEPS_A_STORY) -> None:
    """Draw settings and a story, run them, and add what was found to the figures."""
    random = Random(seed)
    settings = random_settings(random)
    controller, check = AssistanceController(settings), LimitCheck(settings, figures, f"story {seed}")
    controller.start()
    for step in random_story(random, settings, steps):
        check.note(step)
        for message, _ in step.activations:
            controller.receive_activation(message, step.now)
        for is_held in step.deadman:
            controller.receive_deadman(is_held, step.now)
        for names, positions, timestamp, _ in step.angles:
            controller.receive_angles(names, positions, timestamp, step.now)
        check.judge(controller.update(step.now, step.period), step.period)
        figures.messages += len(step.activations) + len(step.deadman) + len(step.angles)
    figures.steps += steps
    figures.stories += 1


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options of the command."""
    parser.add_argument(
        "--messages", type=positive_integer, default=1_000_000, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument("--seed", type=int, default=0, help="of the first story (default: 0)")
    add_json_option(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run stories until so many messages have come; exit status 1 if a limit was left."""
    figures, progress, start = LimitFigures(), ProgressBar("messages"), time.monotonic()
    while figures.messages < arguments.messages:
        run_story(arguments.seed + figures.stories, figures)
        progress(min(figures.messages, arguments.messages), arguments.messages)
    for violation in figures.violations[:20]:
        print(violation)
    print(
        f"{figures.messages:,} messages, {figures.steps:,} control steps of {figures.stories:,} random settings in "
        f"{time.monotonic() - start:.0f} s: {len(figures.violations)} steps beyond a limit; torque in "
        f"{100 * figures.with_torque / figures.steps:.0f} % of the steps; zero at most {figures.longest_to_zero:.3f} s "
        "after a loss of trust"
    )
    write_json(arguments.json, figures.__dict__)
    return int(bool(figures.violations))
