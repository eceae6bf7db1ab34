"""Checkpoints of trainings: after a kill the same command goes on, and ends in the same weights.

Same weights to the bit on a CPU; some operations of a GPU are not reproducible. A fingerprint of the recordings tells
whether the data are those that it was begun with.
"""

from __future__ import annotations

import hashlib
import io
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.training.distributed_training import gathered, rank
from imu_emg_estimator.utils.atomic_files import write_atomically
from imu_emg_estimator.utils.json_values import json_compatible, to_json

EVERY_STEPS = 50
CONDITIONS = "conditions.json"
DATA = "data"  # the condition that is a fingerprint, which says nothing to a reader


class Stateful(Protocol):
    """A model, an optimiser or a schedule."""

    def state_dict(self) -> dict[str, Any]: ...
    def load_state_dict(self, state: dict[str, Any], /) -> Any: ...


@dataclass(frozen=True)
class Checkpoint:
    """State of one training in a file, with everything that its further steps depend on.

    Attributes:
        path: the file.
        every: steps from one state to the next; that of the last step is always kept.
    """

    path: Path
    every: int = EVERY_STEPS

    def keep(
        self, step: int, last: int, parts: Mapping[str, Stateful], generators: Sequence[np.random.Generator]
    ) -> None:
        """Write the state after a step, if it is due; several processes call this together."""
        if step % self.every and step != last:
            return
        states = {
            "step": step,
            "parts": {name: part.state_dict() for name, part in parts.items()},
            "generators": json.dumps([generator.bit_generator.state for generator in generators]),
            "random": [gathered(state) for state in _random_states()],
        }
        if rank() == 0:
            payload = io.BytesIO()
            torch.save(states, payload)
            write_atomically(self.path, payload.getvalue())

    def restore(self, parts: Mapping[str, Stateful], generators: Sequence[np.random.Generator]) -> int:
        """Restore what was kept; return the steps done, 0 where there is nothing yet.

        Raises:
            InputError: the file cannot be read.
        """
        if not self.path.is_file():
            return 0
        try:
            states = torch.load(self.path, map_location="cpu", weights_only=True)  # unpickles no code
            for name, part in parts.items():
                part.load_state_dict(states["parts"][name])
            for generator, state in zip(generators, json.loads(states["generators"]), strict=True):
                generator.bit_generator.state = state
            _set_random_states([of_ranks[rank()] for of_ranks in states["random"]])
            return int(states["step"])
        except Exception:  # torch raises whatever comes to its mind
            raise InputError(f"checkpoint {self.path} cannot be read; delete it to begin this training anew") from None


def _random_states() -> list[torch.Tensor]:
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state()] if torch.cuda.is_available() else [])]


def _set_random_states(states: Sequence[torch.Tensor]) -> None:
    torch.set_rng_state(states[0])
    if torch.cuda.is_available():
        torch.cuda.set_rng_state(states[1])


@dataclass(frozen=True)
class CheckpointFolder:
    """Checkpoints of all trainings of one command."""

    path: Path

    @staticmethod
    def begin(path: Path, conditions: Mapping[str, Any]) -> CheckpointFolder:
        """Begin, or go on under the same conditions.

        Args:
            conditions: all that the weights depend on, by the words that an error names them with.

        Raises:
            InputError: the folder holds trainings under other conditions.
        """
        file = path / CONDITIONS
        expected = json_compatible(conditions)
        if not file.is_file():
            if rank() == 0:
                write_atomically(file, to_json(expected))
            return CheckpointFolder(path)
        try:
            found = dict(json.loads(file.read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            found = {}
        for name, value in expected.items():
            if found.get(name) != value:
                other = "other data" if name == DATA else f"{name} {found.get(name)}, not {value}"
                raise InputError(
                    f"{path} holds a training that was begun with {other}; give the same, or delete that folder to "
                    "begin anew"
                )
        return CheckpointFolder(path)

    def of(self, training: str) -> Checkpoint:
        """Return the checkpoint of one of the trainings."""
        return Checkpoint(self.path / f"{training}.pt")

    def remove(self) -> None:
        """Remove all checkpoints: the result is written."""
        shutil.rmtree(self.path, ignore_errors=True)


def fingerprint(recordings: Sequence[Recording]) -> str:
    """Hash everything in the recordings that a result can depend on."""
    digest = hashlib.blake2b(digest_size=16)
    for recording in recordings:
        words = [recording.name, recording.subject, recording.rig.to_dict(), recording.start, recording.envelope_unit]
        arrays = (recording.imu, recording.envelope, recording.muscle_weight, recording.condition)
        layout = [[array.dtype.str, array.shape] for array in arrays]
        digest.update(json.dumps([words, layout]).encode())
        for array in arrays:
            digest.update(array.tobytes())
    return digest.hexdigest()
