"""One subject's folder of the calibration store: its calibrations, and which of them is in use.

::

    <folder>/<id>.safetensors   a calibration; never changed once it is written
    <folder>/current            which one is in use
    <folder>/.lock              held by the one process that is writing

``current`` is JSON. By base model it holds the calibrations that were chosen, in order of time, null standing for the
base model itself. The last one is in use; those before it are what "undo" goes back to.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.utils.atomic_files import TEMPORARY, flush_folder, locked, write_atomically, write_together

SUFFIX = ".safetensors"
CURRENT = "current"
CALIBRATION_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
MAX_FILE_BYTES = 1 << 20
MAX_REMEMBERED = 20  # choices of one base model

Choices = dict[str, list[str | None]]


class Model(Protocol):
    """What tells a base model from others: a bundle, or what its calibrations say of it."""

    @property
    def model_id(self) -> str: ...

    @property
    def rig(self) -> Rig: ...


@dataclass(frozen=True)
class SubjectFolder:
    """A subject's folder, which need not be there.

    What is damaged in it is passed over with a sentence, a remark, never with an exception.
    """

    path: Path

    @property
    def subject(self) -> str:
        """Name of the subject."""
        return self.path.name

    def file(self, calibration_id: str) -> Path:
        """Return the file of a calibration."""
        return self.path / f"{calibration_id}{SUFFIX}"

    def ids(self) -> list[str]:
        """Return the ids of all calibrations, the newest first; they begin with the time at which they were made."""
        ids = [name.removesuffix(SUFFIX) for name in self._names() if name.endswith(SUFFIX)]
        return sorted((name for name in ids if CALIBRATION_ID.fullmatch(name)), reverse=True)

    def load(self, calibration_id: str, model_id: str | None = None, rig: Rig | None = None) -> Bundle:
        """Read a calibration; raises InputError if it is not sound, or not of this base model and rig."""
        path = self.file(calibration_id)
        bundle = Bundle.load(path)
        if bundle.calibration is None:
            raise InputError(f"bundle {path} is no calibration; remove it")
        if (bundle.calibration.subject, bundle.calibration.id) != (self.subject, calibration_id):
            raise InputError(
                f"calibration {path} is calibration {bundle.calibration.id[:80]!r} of subject "
                f"{bundle.calibration.subject[:80]!r}: it was moved or renamed; put it back or remove it"
            )
        if model_id is not None and bundle.parent_id != model_id:
            raise InputError(
                f"calibration {path} was made for model {bundle.parent_id}, not {model_id}, on rig "
                f"'{bundle.rig.name}'; calibrate again"
            )
        if rig is not None and bundle.rig != rig:
            raise InputError(
                f"calibration {path} was made for another rig ('{bundle.rig.name}') than that of the model "
                f"('{rig.name}'); calibrate again"
            )
        return bundle

    def is_sound(self, calibration_id: str, base: Model) -> bool:
        """Whether a calibration can be used with a base model."""
        try:
            self.load(calibration_id, base.model_id, base.rig)
        except InputError:
            return False
        return True

    def in_use(self, model_id: str, rig: Rig | None = None, without: str = "") -> tuple[Bundle | None, list[str]]:
        """Return what is in use with a base model, or would be without a calibration, and remarks; None = the base."""
        choices, remarks = self.choices()
        chosen = without_calibration(choices, without).get(model_id, [""])[-1]
        if chosen is None:
            return None, remarks
        ids = [calibration_id for calibration_id in self.ids() if calibration_id not in (without, chosen)]
        for calibration_id in [chosen, *ids] if chosen else ids:
            try:
                bundle = self.load(calibration_id, model_id, rig)
            except InputError as error:
                remarks.append(str(error))
                continue
            return bundle, remarks + self.replacement_remarks(chosen, calibration_id)
        return None, remarks + self.replacement_remarks(chosen, "")

    def replacement_remarks(self, chosen: str, used: str) -> list[str]:
        """Say that another calibration (empty = the base model) is used than the one that was chosen."""
        if chosen in ("", used):
            return []
        what = f"the newest sound one, {used}," if used else "the base model"
        return [
            f"calibration {chosen} of subject '{self.subject}' was chosen and cannot be used: {what} is used instead"
        ]

    def choices(self) -> tuple[Choices, list[str]]:
        """Return what was chosen; nothing, and a remark, where the file is damaged."""
        try:
            return read_choices(self.path), []
        except InputError as error:
            return {}, [f"{error}; the newest sound calibration is used until then"]

    def with_choice(self, model_id: str, rig: Rig, calibration_id: str | None) -> Choices:
        """Return the choices with one more; the first is preceded by what was in use without a choice."""
        choices, _ = self.choices()
        before: list[str | None] = []
        if model_id not in choices:
            before = [id_of(self.in_use(model_id, rig)[0]) or None]
        return with_choice(choices, model_id, [*before, calibration_id])

    # writing

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for writing; what a crash left unfinished in it is swept away first."""
        with locked(self.path):
            self._sweep()
            yield

    def add(self, bundle: Bundle) -> Path:
        """Write a calibration and choose it, both or neither; the folder is held."""
        path = self.file(bundle.calibration_id)
        if os.path.lexists(path):
            raise InputError(f"calibration {path} is there already; calibrate again for one with an id of its own")
        choices = self.with_choice(bundle.parent_id, bundle.rig, bundle.calibration_id)
        write_together([(path, bundle.to_bytes()), (self.path / CURRENT, choices_to_bytes(choices))])
        return path

    def write(self, choices: Choices) -> None:
        """Write the choices where they are new; the folder is held."""
        if choices != self.choices()[0]:
            write_atomically(self.path / CURRENT, choices_to_bytes(choices))

    def unlink(self, calibration_id: str) -> None:
        """Remove a calibration's file; the folder is held."""
        path = self.file(calibration_id)
        try:
            path.unlink()
            flush_folder(self.path)
        except OSError as error:
            raise InputError(f"{path} cannot be removed ({error.strerror}); check whose it is") from None

    def _names(self) -> Sequence[str]:
        try:
            return os.listdir(self.path)
        except OSError:  # not there, or not a folder
            return []

    def _sweep(self) -> None:
        """Remove unfinished files: none can be another process's, for who writes holds the folder."""
        for name in self._names():
            unfinished = TEMPORARY.fullmatch(name)
            if unfinished and (unfinished["target"] == CURRENT or unfinished["target"].endswith(SUFFIX)):
                with suppress(OSError):  # it does no harm
                    os.unlink(self.path / name)


def id_of(bundle: Bundle | None) -> str:
    """Return the id of a calibration; empty = the base model."""
    return bundle.calibration_id if bundle else ""


# the file ``current``


def read_choices(folder: Path) -> Choices:
    """Read the choices by base model, none of them empty; nothing where no choice was made yet.

    Raises:
        InputError: the file is damaged or cannot be read.
    """
    path = folder / CURRENT
    try:
        if not path.exists():
            return {}
        if not path.is_file() or path.stat().st_size > MAX_FILE_BYTES:
            raise ValueError
        content = json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); choose with `imu-emg calibrations use`") from None
    except (ValueError, RecursionError):
        content = None
    if not _are_choices(content):
        raise InputError(f"{path} is damaged; choose anew with `imu-emg calibrations use`")
    return {model: list(chosen) for model, chosen in content.items()}


def choices_to_bytes(choices: Choices) -> bytes:
    """Return the content of the file."""
    return (json.dumps(choices, indent=2) + "\n").encode()


def with_choice(choices: Choices, model_id: str, chosen: Iterable[str | None]) -> Choices:
    """Return the choices with more of them for one base model, the last being in use."""
    return choices | {model_id: _without_repetition([*choices.get(model_id, []), *chosen])[-MAX_REMEMBERED:]}


def without_calibration(choices: Choices, calibration_id: str) -> Choices:
    """Return the choices as if a calibration had never been chosen."""
    kept = {
        model: _without_repetition([choice for choice in chosen if choice != calibration_id])
        for model, chosen in choices.items()
    }
    return {model: chosen for model, chosen in kept.items() if chosen}


def _without_repetition(chosen: list[str | None]) -> list[str | None]:
    return [choice for index, choice in enumerate(chosen) if index == 0 or choice != chosen[index - 1]]


def _are_choices(content: object) -> bool:
    return isinstance(content, Mapping) and all(
        isinstance(chosen, list) and chosen and all(_is_choice(choice) for choice in chosen)
        for chosen in content.values()
    )


def _is_choice(choice: object) -> bool:
    return choice is None or (isinstance(choice, str) and CALIBRATION_ID.fullmatch(choice) is not None)
