"""The guided calibration, step by step: check the sensors, record, calibrate, show the result, keep or undo."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from imu_emg_estimator.calibration.calibration_store import check_subject
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide import calibration_outcome
from imu_emg_estimator.guide.calibration_outcome import Outcome
from imu_emg_estimator.guide.console import Console, Panel, Quit, bar
from imu_emg_estimator.guide.limb_check import MOVED_SIDE, check_limb, paired_limb
from imu_emg_estimator.guide.live_samples import CaptureProgress, LiveSamples, RecordedBag, Sensors
from imu_emg_estimator.guide.movements import RECORDING_DURATION_S, movement_at, plans_of, pose_of
from imu_emg_estimator.guide.sensor_problems import Problem, display_name
from imu_emg_estimator.guide.standing_check import check_standing, standing_directions
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.utils.json_values import json_compatible
from imu_emg_estimator.utils.progress import Progress

STEPS = 5
CHECK, RECORD, CALIBRATE, JUDGE, KEEP = range(1, STEPS + 1)
NEXT, AGAIN, SKIP, UNDO = "", "t", "s", "u"
RE_RECORD = "r"
LETTERS = (NEXT, "s", "r", *"abcdefghijklmnoptuvwxyz")  # q quits
PHASES = {
    "starting": "starting",
    "reading": "reading the recording",
    "checking": "checking sensors and electrodes",
    "judging": "comparing on parts that were set aside",
    "adapting": "adapting to the subject",
    "storing": "storing",
    "done": "done",
}


class Calibrator(Protocol):
    """Turns a recording into a calibration.

    Attributes:
        where: where the calibration runs, for people.
    """

    @property
    def where(self) -> str: ...

    def calibrate(self, bag: Path, subject: str, on_progress: Callable[[Progress], None]) -> Outcome:
        """Calibrate, then store and use the result if it is better; raise InputError where that is not possible."""

    def undo(self, subject: str) -> str:
        """Go back to the calibration that was in use before; return its id, empty = the base model."""

    def undo_command(self, subject: str) -> str:
        """Return the command that does the same later."""

    def after(self, subject: str) -> str:
        """Say in a sentence when the result is used."""


@dataclass(frozen=True)
class GuideSettings:
    """Settings of the guide.

    Attributes:
        subject: suggested name of the subject.
        folder: for the recordings.
        seconds: duration of the recording.
        pose_seconds, step_seconds: durations of the two checks.
        bag: an existing recording; None = check and record.
    """

    subject: str
    folder: Path
    seconds: float = RECORDING_DURATION_S
    pose_seconds: float = 4.0
    step_seconds: float = 8.0
    bag: Path | None = None


class Guide:
    """Takes the user through a calibration.

    Attributes:
        report: what happened, for JSON.
    """

    def __init__(
        self, console: Console, bundle: Bundle, sensors: Sensors, calibrator: Calibrator, settings: GuideSettings
    ) -> None:
        self._console, self._bundle, self._rig = console, bundle, bundle.rig
        self._sensors, self._calibrator, self._settings = sensors, calibrator, settings
        self._subject, self._bag = settings.subject, settings.bag
        self._movements: Sequence[str] = ()
        self.report: dict[str, Any] = {"success": False, "kept": False, "ended": "", "checks": [], "recordings": []}

    def run(self) -> bool:
        """Go through all steps; return whether a new calibration is in use."""
        try:
            self._steps()
            self.report["ended"] = "finished"
        except Quit:
            self.report["ended"] = "quit"
            self._console.say("Stopped at your request.")
            self._say_what_is_kept()
        except KeyboardInterrupt:
            self.report["ended"] = "interrupted"
            self._console.say()
            self._console.say("Interrupted.")
            self._say_what_is_kept()
            raise
        return bool(self.report["kept"])

    def _steps(self) -> None:
        self._welcome()
        if self._bag is None:
            self._check_sensors()
            self._record()
        while True:
            assert self._bag is not None
            outcome = self._calibrate(self._bag)
            self._judge(outcome)
            if not self._keep(outcome):
                return
            self._record()

    def _welcome(self) -> None:
        console, rig = self._console, self._rig
        console.say("This guide takes you through a calibration, in about four minutes.")
        console.say(
            f"The subject needs {len(rig.sensors)} motion sensors, EMG electrodes on {len(rig.muscles)} muscles "
            f"({', '.join(map(display_name, rig.muscle_names))}), and room to move."
        )
        console.say("Press Enter alone for the suggested answer to any question. 'q' quits; nothing is lost.")
        console.say()
        self._subject = console.ask_text("Name of the subject (letters and digits)", self._subject, check_subject)
        self.report["subject"] = self._subject

    # step 1

    def _check_sensors(self) -> None:
        console, standing = self._console, standing_directions(self._bundle.distribution, self._rig)
        console.step(CHECK, STEPS, "check the sensors")
        console.say(f"Ask the subject to {pose_of(self._rig)}.")
        if standing is None:
            console.say(
                "(This model does not know how its training subjects held it: how sensors are turned goes unchecked.)"
            )
        self._check("pose", self._settings.pose_seconds, lambda samples: check_standing(samples, self._rig, standing))
        if limb := paired_limb(self._rig):
            console.say()
            console.say(
                f"Now ask the subject to {limb.ask.format(side=MOVED_SIDE.upper())}, again and again, for "
                f"{self._settings.step_seconds:.0f} seconds. {limb.other_stays}"
            )
            self._check("step", self._settings.step_seconds, lambda samples: check_limb(samples, self._rig, limb))

    def _check(self, name: str, seconds: float, find: Callable[[LiveSamples], list[Problem]]) -> None:
        """Check until there is no problem, or the user continues anyway."""
        console = self._console
        console.ask([(NEXT, "check now")])
        while True:
            samples = self._sensors.listen(seconds, partial(_show_check, console.panel()))
            problems = find(samples)
            self._note_check(name, samples, problems)
            if not problems:
                console.bullet(_success_text(name, samples), "✓")
                return
            for problem in problems:
                console.bullet(problem.text, "✗")
            if console.ask([(AGAIN, "fixed: check again"), (SKIP, "continue anyway")], SKIP) == SKIP:
                return

    def _note_check(self, name: str, samples: LiveSamples, problems: list[Problem]) -> None:
        rates = {name: sensor.rate for name, sensor in zip(self._rig.sensor_names, samples.sensors, strict=True)}
        self.report["checks"].append(
            {
                "check": name,
                "rates_hz": rates,
                "emg_messages": samples.emg_messages,
                "problems": list(map(asdict, problems)),
            }
        )

    # step 2

    def _record(self) -> None:
        console, seconds = self._console, self._settings.seconds
        console.step(RECORD, STEPS, f"record {seconds:.0f} seconds")
        if not self._movements:
            console.say("What will the device be used for? The recording should cover all of it.")
            plans = plans_of(self._rig)
            purposes = dict(zip(LETTERS, plans, strict=False))
            self._movements = plans[purposes[console.ask(list(purposes.items()))]]
        share = seconds / len(self._movements)
        plan = ", then ".join(f"{movement} ({share:.0f} s)" for movement in self._movements)
        console.say(f"{plan}. The screen says when to change. Standing still does not help.")
        while True:
            console.ask([(NEXT, "record now")])
            try:
                recorded = self._sensors.record(
                    self._new_bag(), seconds, partial(_show_recording, console.panel(), self._movements)
                )
            except InputError as error:
                console.bullet(str(error), "✗")
                if console.unattended:
                    raise
                console.ask([(AGAIN, "try again")])
                continue
            self._bag = recorded.path
            self._note_recording(recorded)
            return

    def _new_bag(self) -> Path:
        stem = f"{self._subject}-{time.strftime('%Y%m%dT%H%M%S')}"
        names = [stem, *(f"{stem}-{number}" for number in range(2, 100))]
        return next(self._settings.folder / name for name in names if not (self._settings.folder / name).exists())

    def _note_recording(self, recorded: RecordedBag) -> None:
        console = self._console
        console.bullet(f"recorded {recorded.seconds:.0f} s: {recorded.path}", "✓")
        if lost := sum(recorded.lost.values()):
            console.bullet(f"{lost} messages were lost: this computer, or the network, is busy", "✗")
        self.report["recordings"].append(recorded.to_dict())

    # steps 3 to 5

    def _calibrate(self, bag: Path) -> Outcome:
        console = self._console
        console.step(CALIBRATE, STEPS, "calibrate")
        console.say(f"The model learns from the recording ({self._calibrator.where}). The subject may rest.")
        panel = console.panel()
        try:
            outcome = self._calibrator.calibrate(
                bag, self._subject, lambda progress: panel.show([_progress_line(progress)], progress.fraction >= 1.0)
            )
        except InputError as error:
            outcome = Outcome(False, str(error))
        self.report |= {"success": outcome.success, "outcome": json_compatible(outcome), "kept": outcome.success}
        return outcome

    def _judge(self, outcome: Outcome) -> None:
        console = self._console
        console.step(JUDGE, STEPS, "how good is the calibration?")
        console.say(calibration_outcome.summary(outcome))
        if outcome.muscles:
            console.say(
                "How well the estimates follow each muscle, on parts that were not learned from (1 = perfectly):"
            )
            console.say()
            for line in calibration_outcome.picture(outcome):
                console.line(line)
        console.say()
        console.bullet(outcome.message)
        for finding in outcome.findings:
            console.bullet(finding)

    def _keep(self, outcome: Outcome) -> bool:
        """Keep or undo the calibration; return whether to record again."""
        console = self._console
        console.step(KEEP, STEPS, "keep it?" if outcome.success else "what now?")
        if not outcome.success:
            console.say("Nothing was changed: the device works as before.")
            choices = [(NEXT, "finish"), (RE_RECORD, "fix what is named above, and record again")]
            return console.ask(choices) == RE_RECORD
        console.say(f"The calibration is stored and in use. {self._calibrator.after(self._subject)}")
        answer = console.ask([(NEXT, "keep it"), (UNDO, "undo it"), (RE_RECORD, "undo it, and record again")])
        if answer in (UNDO, RE_RECORD):
            before = self._calibrator.undo(self._subject)
            self.report |= {"kept": False, "undone": outcome.calibration_id}
            console.bullet(
                f"in use again: {f'calibration {before}' if before else 'the model without calibration'}", "✓"
            )
        else:
            console.bullet(f"kept as {outcome.calibration_id}", "✓")
            console.say(f"Changed your mind? {self._calibrator.undo_command(self._subject)}")
        return answer == RE_RECORD

    def _say_what_is_kept(self) -> None:
        console = self._console
        if self.report["kept"]:
            console.say(
                f"The calibration is stored and in use. To undo it: {self._calibrator.undo_command(self._subject)}"
            )
            return
        console.say("Nothing was changed: the device works as before.")
        if self._bag is not None:
            console.say("The recording is kept. To continue with it:")
            console.line(f"  imu-emg calibrate --guide --subject {self._subject} --bag {self._bag}")


def _success_text(name: str, samples: LiveSamples) -> str:
    rates = [sensor.rate for sensor in samples.sensors]
    what = {"pose": "sit the right way round", "step": "are on the right sides"}[name]
    return (
        f"All {len(rates)} sensors send at {min(rates):.0f} Hz or more and {what}; EMG arrives on {samples.emg_topic}."
    )


def _show_check(panel: Panel, live: CaptureProgress) -> None:
    _show(panel, live, "checking")


def _show_recording(panel: Panel, movements: Sequence[str], live: CaptureProgress) -> None:
    now = movement_at(movements, live.elapsed, live.total)
    rates = [f"    {name:<28}{rate:6.0f} Hz{'' if rate else '   SILENT'}" for name, rate in live.rates.items()]
    emg = {None: "", True: "EMG arrives", False: "NO EMG YET"}[live.emg]
    _show(panel, live, "recording", f"   {now}", [f"    {emg}", *rates])


def _show(panel: Panel, live: CaptureProgress, title: str, now: str = "", below: Sequence[str] = ()) -> None:
    left = max(0.0, live.total - live.elapsed)
    line = f"  {title} [{bar(live.elapsed / live.total)}] {left:3.0f} s left{now}"
    panel.show([line, *below], live.elapsed >= live.total)


def _progress_line(progress: Progress) -> str:
    left = "" if math.isnan(progress.seconds_left) else f", about {progress.seconds_left:.0f} s left"
    return f"  [{bar(progress.fraction)}] {progress.fraction:4.0%}  {PHASES.get(progress.phase, progress.phase)}{left}"
