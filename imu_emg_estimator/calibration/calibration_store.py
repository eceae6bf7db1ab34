"""Calibration store: every subject's own bundles in a directory, and which of them is in use.

Each subject has a folder, see ``subject_folder``. A file is written whole or not at all, so what is there is sound
after a crash or on a full disk, and readers never wait. What is damaged all the same (a bad disk, a careless hand) is
passed over with a sentence, a remark, never with an exception: a node that asks for a subject's calibration always
starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from imu_emg_estimator.calibration.subject_folder import (
    CALIBRATION_ID,
    Choices,
    Model,
    SubjectFolder,
    id_of,
    without_calibration,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.utils.progress import CountProgress

SUBJECT = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")


@dataclass(frozen=True)
class Stored:
    """A sound calibration in the store.

    Attributes:
        path: its file.
        calibration: where it comes from.
        model_id: identity of the adapted bundle.
        parent_id: identity of the base model that it was made from, and belongs to.
        rig: name of its rig.
        in_use: whether the next start with its base model takes it.
    """

    path: Path
    calibration: Calibration
    model_id: str
    parent_id: str
    rig: str
    in_use: bool


@dataclass(frozen=True)
class KnownModel:
    """A base model, as far as its calibrations tell; see ``subject_folder.Model``."""

    model_id: str
    rig: Rig


def check_subject(subject: str) -> str:
    """Return the subject's name if it can be part of a file name; else raise InputError."""
    if not SUBJECT.fullmatch(subject):
        raise InputError(f"subject {subject[:80]!r} is not a valid name; use 1 to 64 letters, digits, '-' and '_'")
    return subject


def check_calibration_id(calibration_id: str) -> str:
    """Return the identity of a calibration if it can be part of a file name; else raise InputError."""
    if not CALIBRATION_ID.fullmatch(calibration_id):
        raise InputError(
            f"{calibration_id[:80]!r} is not the id of a calibration; `imu-emg calibrations list` shows them"
        )
    return calibration_id


def calibration_path(directory: Path, bundle: Bundle) -> Path:
    """Return where a calibrated bundle is kept: ``<directory>/<subject>/<id>.safetensors``."""
    if bundle.calibration is None:
        raise ValueError("only calibrated bundles are stored")
    folder = _folder(directory, bundle.calibration.subject)
    if not CALIBRATION_ID.fullmatch(bundle.calibration.id):
        raise InputError(f"calibration {bundle.calibration.id[:80]!r} has an id that is no file name; calibrate again")
    return folder.file(bundle.calibration.id)


# reading


def current_calibration(directory: Path, subject: str, base: Model) -> tuple[Bundle | None, list[str]]:
    """Load the calibration of a subject that is in use with a base model: the chosen one, or the newest sound one.

    Returns:
        The bundle, or None for the base model itself; and a remark on everything that was passed over.

    Raises:
        InputError: the subject's name is not valid; nothing else is.
    """
    return _folder(directory, subject).in_use(base.model_id, base.rig)


def current_path(directory: Path, subject: str, base: Bundle) -> tuple[Path | None, list[str]]:
    """Return the file of the calibration that is in use; as ``current_calibration``."""
    bundle, remarks = current_calibration(directory, subject, base)
    return (calibration_path(directory, bundle) if bundle else None), remarks


def list_calibrations(
    directory: Path, subject: str | None = None, progress: CountProgress | None = None
) -> tuple[list[Stored], list[str]]:
    """List all sound calibrations, of one subject or of all, the oldest first; and remarks on everything else."""
    folders = {folder: folder.ids() for folder in _folders(directory, subject)}
    total = sum(map(len, folders.values()))
    stored: list[Stored] = []
    remarks: list[str] = []
    done = 0
    for folder, ids in folders.items():
        sound: list[Stored] = []
        for calibration_id in reversed(ids):
            try:
                sound.append(_stored(folder, folder.load(calibration_id)))
            except InputError as error:
                remarks.append(str(error))
            done += 1
            if progress:
                progress(done, total)
        choices, damage = folder.choices()
        used, replacements = _used(folder, sound, choices)
        stored += [replace(entry, in_use=entry.calibration.id in used) for entry in sound]
        remarks += damage + replacements
    return stored, remarks


def find_calibration(directory: Path, calibration_id: str, subject: str | None = None) -> tuple[str, Path]:
    """Return whose calibration it is, and its file.

    Raises:
        InputError: there is none of this id, or several subjects have one.
    """
    check_calibration_id(calibration_id)
    found = [folder for folder in _folders(directory, subject) if os.path.lexists(folder.file(calibration_id))]
    if not found:
        whose = f"subject '{subject}'" if subject else "anyone"
        raise InputError(
            f"{directory} holds no calibration '{calibration_id}' of {whose}; `imu-emg calibrations list` shows them"
        )
    if len(found) > 1:
        names = ", ".join(folder.subject for folder in found)
        raise InputError(f"several subjects have a calibration '{calibration_id}' ({names}); name one with --subject")
    return found[0].subject, found[0].file(calibration_id)


def model_of(directory: Path, subject: str, calibration_id: str) -> KnownModel:
    """Return the base model that a calibration was made from; raises InputError where it is damaged or not there."""
    bundle = _folder(directory, subject).load(calibration_id)
    return KnownModel(bundle.parent_id, bundle.rig)


def models_of(directory: Path, subject: str) -> list[KnownModel]:
    """Return the base models that the sound calibrations of a subject were made from, that of the newest first."""
    models: dict[str, KnownModel] = {}
    for calibration_id in _folder(directory, subject).ids():
        with suppress(InputError):
            model = model_of(directory, subject, calibration_id)
            models.setdefault(model.model_id, model)
    return list(models.values())


def used_after_removal(directory: Path, subject: str, calibration_id: str) -> dict[str, str]:
    """Return, by base model with which a calibration is in use, the id that would be used without it; "" = the base."""
    folder = _folder(directory, subject)
    models = {model for model, chosen in folder.choices()[0].items() if chosen[-1] == calibration_id}
    with suppress(InputError):  # a damaged one can be chosen, but not used
        model_id = folder.load(calibration_id).parent_id
        if id_of(folder.in_use(model_id)[0]) == calibration_id:
            models.add(model_id)
    return {model: id_of(folder.in_use(model, without=calibration_id)[0]) for model in sorted(models)}


# writing


def store_calibration(directory: Path, bundle: Bundle) -> Path:
    """Write a calibrated bundle to its place, whole or not at all, and make it the one in use.

    Raises:
        InputError: it cannot be written; what was in use stays so.
    """
    folder = SubjectFolder(calibration_path(directory, bundle).parent)
    with folder.held():
        return folder.add(bundle)


def use_calibration(directory: Path, subject: str, calibration_id: str, base: Model) -> Bundle:
    """Choose a stored calibration for the base model that it was made from.

    Raises:
        InputError: there is none of this id, it is damaged, or it belongs to another model or rig.
    """
    find_calibration(directory, calibration_id, subject)
    folder = _folder(directory, subject)
    with folder.held():
        bundle = folder.load(calibration_id, base.model_id, base.rig)
        folder.write(folder.with_choice(base.model_id, base.rig, calibration_id))
    return bundle


def reset_calibration(directory: Path, subject: str, base: Model) -> None:
    """Choose the base model itself; calibrations are kept."""
    folder = _folder(directory, subject)
    if os.path.isdir(folder.path):
        with folder.held():
            folder.write(folder.with_choice(base.model_id, base.rig, None))


def undo_choice(directory: Path, subject: str, base: Model) -> tuple[Bundle | None, list[str]]:
    """Go back to what was in use before the last choice, or before that, if it is not there any more.

    Returns:
        As ``current_calibration``.

    Raises:
        InputError: there is nothing to go back to.
    """
    folder = _folder(directory, subject)
    if not os.path.isdir(folder.path):
        raise _nothing_before(subject)
    with folder.held():
        choices, _ = folder.choices()
        before = choices.get(base.model_id, [])[:-1]
        while before and before[-1] is not None and not folder.is_sound(before[-1], base):
            before.pop()
        if not before:
            raise _nothing_before(subject)
        folder.write(choices | {base.model_id: before})
    return current_calibration(directory, subject, base)


def remove_calibration(directory: Path, subject: str, calibration_id: str) -> None:
    """Remove a calibration for good; ``used_after_removal`` says what will be used then.

    Raises:
        InputError: there is none of this id, or it cannot be removed.
    """
    find_calibration(directory, calibration_id, subject)
    folder = _folder(directory, subject)
    with folder.held():
        kept = without_calibration(folder.choices()[0], calibration_id)
        try:
            folder.write(kept)
        except InputError:  # a full disk, and removing makes room
            folder.unlink(calibration_id)
            folder.write(kept)
        else:
            folder.unlink(calibration_id)


def _folder(directory: Path, subject: str) -> SubjectFolder:
    return SubjectFolder(Path(directory) / check_subject(subject))


def _folders(directory: Path, subject: str | None) -> list[SubjectFolder]:
    if subject is not None:
        return [_folder(directory, subject)]
    try:
        return [SubjectFolder(path) for path in sorted(Path(directory).iterdir()) if SUBJECT.fullmatch(path.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"{directory} cannot be read ({error.strerror}); check whose it is") from None


def _used(folder: SubjectFolder, sound: Sequence[Stored], choices: Choices) -> tuple[set[str], list[str]]:
    """Find which of a subject's sound calibrations, the oldest first, are in use, as ``SubjectFolder.in_use`` does."""
    used, remarks = set(), []
    newest = {entry.parent_id: entry.calibration.id for entry in sound}
    for model_id in dict.fromkeys([*newest, *choices]):
        chosen = choices.get(model_id, [""])[-1]
        if chosen is not None:
            there = any((entry.calibration.id, entry.parent_id) == (chosen, model_id) for entry in sound)
            used.add(chosen if there else newest.get(model_id, ""))
            remarks += [] if there else folder.replacement_remarks(chosen, newest.get(model_id, ""))
    return used, remarks


def _stored(folder: SubjectFolder, bundle: Bundle) -> Stored:
    assert bundle.calibration is not None  # it came from ``SubjectFolder.load``
    return Stored(
        path=folder.file(bundle.calibration_id),
        calibration=bundle.calibration,
        model_id=bundle.model_id,
        parent_id=bundle.parent_id,
        rig=bundle.rig.name,
        in_use=False,
    )


def _nothing_before(subject: str) -> InputError:
    return InputError(
        f"nothing was in use before for subject '{subject}' with this model; `imu-emg calibrations list` shows what "
        "can be used"
    )
