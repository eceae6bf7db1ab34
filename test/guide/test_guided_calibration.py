"""The guide as a whole, with sensors and a calibrator that are made up: every way through it."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.guided_subject import stands, steps

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.guide.calibration_outcome import MuscleOutcome, Outcome
from imu_emg_estimator.guide.console import Console
from imu_emg_estimator.guide.guided_calibration import Guide, GuideSettings
from imu_emg_estimator.guide.live_samples import CaptureProgress, LiveSamples, OnProgress, RecordedBag
from imu_emg_estimator.guide.movements import MOVEMENTS, RUN, STAIRS, WALK, movement_at
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.rig import Movement
from imu_emg_estimator.utils.json_values import to_json
from imu_emg_estimator.utils.progress import Progress

BETTER = Outcome(
    True,
    "adapted; EMG delay 0.20 s (given)",
    "anna-1",
    {"vastus_lateralis_right": MuscleOutcome("adapted", 0.52, 0.71)},
    ("left foot: loose",),
)
NOT_BETTER = Outcome(False, "the EMG hardly follows the movement: check the electrodes")


class MadeUpSensors:
    """Plays what it is given, one look after the other."""

    def __init__(self, looks: Sequence[LiveSamples], refusals: int = 0, interrupted: bool = False) -> None:
        self.looks, self.refusals, self.interrupted = list(looks), refusals, interrupted
        self.recordings: list[Path] = []

    def listen(self, seconds: float, on_progress: OnProgress) -> LiveSamples:
        on_progress(CaptureProgress(seconds, seconds, {"left foot": 60.0}, True))
        return self.looks.pop(0)

    def record(self, path: Path, seconds: float, on_progress: OnProgress) -> RecordedBag:
        if self.interrupted:
            raise KeyboardInterrupt
        if self.refusals:
            self.refusals -= 1
            raise InputError("no message came")
        on_progress(CaptureProgress(1.0, seconds, {"left foot": 60.0, "right foot": 0.0}, False))
        path.mkdir(parents=True)
        self.recordings.append(path)
        return RecordedBag(path, seconds, {"/imu": 100}, {"/imu": 3})


class MadeUpCalibrator:
    """Gives the answers of a list."""

    where = "in a test"

    def __init__(self, outcomes: Sequence[Outcome | BaseException]) -> None:
        self.outcomes = list(outcomes)
        self.calls: list[tuple[Path, str]] = []
        self.undone: list[str] = []

    def calibrate(self, bag: Path, subject: str, on_progress: Callable[[Progress], None]) -> Outcome:
        self.calls.append((bag, subject))
        on_progress(Progress("adapting", 0.5, 3.0, 0.1))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def undo_command(self, subject: str) -> str:
        return f"undo it of {subject}"

    def undo(self, subject: str) -> str:
        self.undone.append(subject)
        return "anna-0"

    def after(self, subject: str) -> str:
        return "At once."


class Session:
    """A guide with its answers typed in advance; '' = Enter."""

    def __init__(
        self,
        bundle: Bundle,
        folder: Path,
        answers: Sequence[str] = (),
        outcomes: Sequence[Outcome | BaseException] = (BETTER,),
        looks: Sequence[LiveSamples] = (),
        yes: bool = False,
        sensors: MadeUpSensors | None = None,
        bag: Path | None = None,
    ) -> None:
        rig = bundle.rig
        self.sink = io.StringIO()
        self.sensors = sensors or MadeUpSensors(looks or [stands(rig), steps(rig)])
        self.calibrator = MadeUpCalibrator(outcomes)
        console = Console(yes, io.StringIO("".join(f"{answer}\n" for answer in answers)), self.sink)
        settings = GuideSettings("subject", folder, bag=bag)
        self.guide = Guide(console, bundle, self.sensors, self.calibrator, settings)

    def run(self) -> bool:
        return self.guide.run()

    @property
    def said(self) -> str:
        return " ".join(self.sink.getvalue().split())


def test_guide_with_enter_alone_keeps_calibration(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, [""] * 6)
    assert session.run()
    assert [subject for _, subject in session.calibrator.calls] == ["subject"]
    assert session.calibrator.calls[0][0] == session.sensors.recordings[0]
    assert session.sensors.recordings[0].parent == tmp_path
    assert session.calibrator.undone == []
    assert "0.52" in session.said
    assert "0.71 clearly better" in session.said
    assert "left foot: loose" in session.said
    assert "recording [" in session.said
    assert "3 messages were lost" in session.said
    report = json.loads(to_json(session.guide.report))
    assert report["recordings"][0]["path"] == str(session.sensors.recordings[0])
    assert (report["success"], report["kept"], report["ended"]) == (True, True, "finished")
    assert [check["problems"] for check in report["checks"]] == [[], []]
    assert report["outcome"]["muscles"]["vastus_lateralis_right"]["after"] == 0.71
    assert "EMG delay 0.20 s (given)" in session.said


def test_guide_unattended_keeps_calibration(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, yes=True)
    assert session.run()


def test_guide_checks_again_after_fix(bundle: Bundle, tmp_path: Path) -> None:
    rig = bundle.rig
    looks = [stands(rig, moving=["left_shank"]), stands(rig), steps(rig, "left"), steps(rig)]
    session = Session(bundle, tmp_path, [""] * 8, looks=looks)
    assert session.run()
    assert "left shank sensor moves although" in session.said
    assert "left and right are exchanged" in session.said
    kinds = [[problem["kind"] for problem in check["problems"]] for check in session.guide.report["checks"]]
    assert kinds == [["loose"], [], ["sides_exchanged"], []]


@pytest.mark.parametrize("yes", [False, True])
def test_guide_continues_despite_problem(bundle: Bundle, tmp_path: Path, yes: bool) -> None:
    rig = bundle.rig
    looks = [stands(rig, moving=["left_shank"]), steps(rig, "left")]
    assert Session(bundle, tmp_path, ["", "", "s", "", "s", "", "", ""], looks=looks, yes=yes).run()


def test_guide_refuses_invalid_subject_name(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, ["../anna", "anna", *[""] * 5])
    assert session.run()
    assert [subject for _, subject in session.calibrator.calls] == ["anna"]
    assert "'../anna' is not a valid name" in session.said


def test_guide_asks_again_after_unknown_answer(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, ["", "yes please", *[""] * 5])
    assert session.run()
    assert "'yes please' is not one of the choices" in session.said


def test_guide_shares_recording_among_movements(bundle: Bundle, tmp_path: Path) -> None:
    """And who records again is not asked again what it is for."""
    answers = ["", "", "", "r", "", "r", "", ""]
    session = Session(bundle, tmp_path, answers, outcomes=[NOT_BETTER, BETTER])
    assert session.run()
    assert session.said.count("[r] walking, stairs and running") == 1
    assert session.said.count("(20 s), then Go up and down the stairs (20 s), then Run at an easy pace (20 s)") == 2
    shown = [
        movement_at(MOVEMENTS["walking, stairs and running"], elapsed, 60.0) for elapsed in (19.0, 21.0, 41.0, 60.0)
    ]
    assert shown == [WALK, STAIRS, RUN, RUN]


def test_guide_takes_pose_and_movements_from_the_rig(bundle: Bundle, tmp_path: Path) -> None:
    movements = (Movement("curl", "Curl the dumbbell slowly"), Movement("reach"))
    lab = replace(bundle.rig, movements=movements, pose="sit with the forearm on the table.")
    session = Session(replace(bundle, rig=lab), tmp_path, [""] * 6)
    assert session.run()
    assert "Ask the subject to sit with the forearm on the table." in session.said
    assert "[Enter] curl, reach [s] curl [r] reach" in session.said
    assert "Curl the dumbbell slowly (30 s), then Do: reach (30 s)" in session.said
    assert "walk" not in session.said.lower()


def test_guide_undoes_calibration(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, ["", "", "", "", "", "u"])
    assert not session.run()
    assert session.calibrator.undone == ["subject"]
    assert "in use again: calibration anna-0" in session.said
    assert (session.guide.report["kept"], session.guide.report["undone"]) == (False, "anna-1")


def test_guide_undoes_and_records_again(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(
        bundle, tmp_path, ["", "", "", "", "", "r", "", ""], outcomes=[BETTER, replace(BETTER, calibration_id="b")]
    )
    assert session.run()
    assert len(set(session.sensors.recordings)) == 2
    assert session.guide.report["kept"] is True


def test_guide_changes_nothing_without_improvement(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, [""] * 6, outcomes=[NOT_BETTER])
    assert not session.run()
    assert session.calibrator.undone == []
    assert "Nothing was changed" in session.said
    assert "check the electrodes" in session.said


def test_guide_records_again_without_improvement(bundle: Bundle, tmp_path: Path) -> None:
    assert Session(bundle, tmp_path, ["", "", "", "", "", "r", "", ""], outcomes=[NOT_BETTER, BETTER]).run()


def test_guide_reports_failed_calibration(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, [""] * 6, outcomes=[InputError("the disk is full; free space")])
    assert not session.run()
    assert "the disk is full" in session.said


def test_guide_retries_failed_recording(bundle: Bundle, tmp_path: Path) -> None:
    sensors = MadeUpSensors([stands(bundle.rig), steps(bundle.rig)], refusals=1)
    assert Session(bundle, tmp_path, [""] * 8, sensors=sensors).run()


def test_guide_unattended_raises_failed_recording(bundle: Bundle, tmp_path: Path) -> None:
    sensors = MadeUpSensors([stands(bundle.rig), steps(bundle.rig)], refusals=1)
    with pytest.raises(InputError, match="no message came"):
        Session(bundle, tmp_path, yes=True, sensors=sensors).run()


# q and Ctrl-C


@pytest.mark.parametrize("answered", range(5))
def test_guide_quit_before_calibration_changes_nothing(bundle: Bundle, tmp_path: Path, answered: int) -> None:
    session = Session(bundle, tmp_path, [*[""] * answered, "q"])
    assert not session.run()
    assert session.calibrator.calls == []
    assert "Nothing was changed" in session.said
    assert session.guide.report["ended"] == "quit"


def test_guide_quits_at_end_of_input(bundle: Bundle, tmp_path: Path) -> None:
    assert not Session(bundle, tmp_path, ["", ""]).run()


def test_guide_quit_at_last_question_keeps_calibration(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, ["", "", "", "", "", "q"])
    assert session.run()
    assert session.calibrator.undone == []
    assert "undo it of subject" in session.said


def test_guide_quit_after_recording_says_how_to_continue(bundle: Bundle, tmp_path: Path) -> None:
    session = Session(bundle, tmp_path, ["", "", "", "", "", "q"], outcomes=[NOT_BETTER])
    assert not session.run()
    assert f"--bag {session.sensors.recordings[0]}" in session.sink.getvalue()


def test_guide_interrupted_changes_nothing(bundle: Bundle, tmp_path: Path) -> None:
    looks = [stands(bundle.rig), steps(bundle.rig)]
    while_recording = Session(bundle, tmp_path, [""] * 6, sensors=MadeUpSensors(looks, interrupted=True))
    while_calibrating = Session(bundle, tmp_path, [""] * 6, outcomes=[KeyboardInterrupt()])
    for session in (while_recording, while_calibrating):
        with pytest.raises(KeyboardInterrupt):
            session.run()
        assert "Nothing was changed" in session.said
        assert session.guide.report["ended"] == "interrupted"
    assert "The recording is kept" in while_calibrating.said


def test_guide_continues_with_given_bag(bundle: Bundle, tmp_path: Path) -> None:
    bag = tmp_path / "there"
    session = Session(bundle, tmp_path, [""] * 2, bag=bag)
    assert session.run()
    assert session.calibrator.calls == [(bag, "subject")]
    assert session.sensors.recordings == []


def test_guide_skips_step_check_on_one_leg(bundle: Bundle, tmp_path: Path, make_bundle: Callable[..., Bundle]) -> None:
    rig = replace(bundle.rig, sensors=bundle.rig.sensors[:3], muscles=bundle.rig.muscles[:1])
    session = Session(make_bundle(rig=rig), tmp_path, [""] * 5, looks=[stands(rig)])
    assert session.run()
    assert len(session.guide.report["checks"]) == 1
