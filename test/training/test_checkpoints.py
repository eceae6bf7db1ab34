"""A training that was killed goes on from its checkpoint to the same weights, and never under other conditions."""

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from fixtures.factories import RecordingFactory, refusal
from fixtures.killed_training import train

from imu_emg_estimator.recording import UNLABELLED, Recording
from imu_emg_estimator.training.checkpoints import Checkpoint, CheckpointFolder

TEST = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def subjects(make_recording: RecordingFactory) -> list[Recording]:
    return [make_recording([("walking", 8.0)], subject=str(seed), seed=seed) for seed in (1, 2)]


class Interrupted(Exception):
    pass


def interrupt(step: int, _: int, __: float) -> None:
    if step == 5:
        raise Interrupted


@pytest.mark.parametrize("labelled", [True, False])
def test_interrupted_training_ends_in_same_weights(subjects: list[Recording], tmp_path: Path, labelled: bool) -> None:
    """In episodes and plainly."""
    if not labelled:
        subjects = [replace(own, condition=np.full(len(own), UNLABELLED)) for own in subjects]
    checkpoint = Checkpoint(tmp_path / "a.pt", every=2)
    with pytest.raises(Interrupted):
        train(subjects, checkpoint, interrupt)
    done: list[int] = []
    resumed = train(subjects, checkpoint, lambda step, *_: done.append(step))
    assert done == [5, 6, 7]
    assert resumed.content_hash == train(subjects).content_hash
    assert train(subjects, checkpoint, lambda *_: pytest.fail("it was done")).content_hash == resumed.content_hash


@pytest.mark.slow
def test_killed_training_ends_in_same_weights(subjects: list[Recording], tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(TEST), *sys.path])}
    command = [sys.executable, "-m", "fixtures.killed_training", str(tmp_path)]
    hashes = []
    for killed_at in ("5", "0"):
        found = subprocess.run([*command, killed_at], env=environment, cwd=TEST, capture_output=True, text=True)
        assert found.returncode == (-signal.SIGKILL if killed_at == "5" else 0), found.stderr
        hashes.append(found.stdout.strip())
    whole = subprocess.run([*command[:-1], str(tmp_path / "b"), "0"], env=environment, capture_output=True, text=True)
    assert hashes == ["", whole.stdout.strip()]


def test_checkpoint_that_cannot_be_read_is_named(subjects: list[Recording], tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "a.pt")
    for content in (b"", b"PK\x03\x04", b"cos\nsystem\n(S'touch hacked'\ntR."):
        checkpoint.path.write_bytes(content)
        with refusal("a.pt", "delete it"):
            train(subjects, checkpoint)


def test_checkpoint_with_code_is_refused_and_not_run(subjects: list[Recording], tmp_path: Path) -> None:
    class Hostile:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.mkdir, (str(tmp_path / "hacked"),)

    checkpoint = Checkpoint(tmp_path / "a.pt")
    torch.save({"step": 1, "parts": Hostile()}, checkpoint.path)
    with refusal("a.pt"):
        train(subjects, checkpoint)
    assert not (tmp_path / "hacked").exists()


def test_folder_refuses_other_conditions(tmp_path: Path) -> None:
    conditions = {"data": "abc", "--steps": 500}
    folder = CheckpointFolder.begin(tmp_path / "a", conditions)
    assert CheckpointFolder.begin(tmp_path / "a", conditions) == folder
    with refusal("--steps 500, not 600", "delete"):
        CheckpointFolder.begin(tmp_path / "a", conditions | {"--steps": 600})
    with refusal("begun with other data"):
        CheckpointFolder.begin(tmp_path / "a", conditions | {"data": "def"})
    (tmp_path / "a" / "conditions.json").write_text("[")
    with refusal(str(tmp_path)):
        CheckpointFolder.begin(tmp_path / "a", conditions)
    folder.remove()
    assert not (tmp_path / "a").exists()
