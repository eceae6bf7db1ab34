"""Calibration store: every subject's own bundles in a directory, and which of them is in use.

::

    <directory>/<subject>/<id>.safetensors   a calibration; never changed once it is written
    <directory>/<subject>/current            which one is in use, see ``choices``
    <directory>/<subject>/.lock              held by the one process that is writing

A file is written whole or not at all, so what is there is sound after a crash or on a full disk, and who reads waits
for nobody. What is damaged all the same (a bad disk, a careless hand) is passed over with a sentence, never with an
exception: a node that asks for a subject's calibration always starts.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

from imu_emg_estimator.calibration.store_choices import (
    CALIBRATION_ID,
    CURRENT,
    Choices,
    read_choices,
    to_bytes,
    with_choice,
    without_calibration,
)
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.rig import Rig
from imu_emg_estimator.utils.atomic_files import TEMPORARY, flush_folder, locked, write_atomically, write_together

SUFFIX = ".safetensors"
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


def check_subject(subject: str) -> str:
    """The subject's name if it can be part of a file name; else InputError."""
    if not SUBJECT.fullmatch(subject):
        raise InputError(f"subject {subject[:80]!r} is not a valid name; use 1 to 64 letters, digits, '-' and '_'")
    return subject


def check_calibration_id(calibration_id: str) -> str:
    """The identity of a calibration if it can be part of a file name; else InputError."""
    if not CALIBRATION_ID.fullmatch(calibration_id):
        raise InputError(
            f"{calibration_id[:80]!r} is not the id of a calibration; `imu-emg calibrations list` shows them"
        )
    return calibration_id


def calibration_path(directory: Path, bundle: Bundle) -> Path:
    """Where a calibrated bundle is kept: ``<directory>/<subject>/<id>.safetensors``."""
    if bundle.calibration is None:
        raise ValueError("only calibrated bundles are stored")
    folder = Path(directory) / check_subject(bundle.calibration.subject)
    if not CALIBRATION_ID.fullmatch(bundle.calibration.id):
        raise InputError(f"calibration {bundle.calibration.id[:80]!r} has an id that is no file name; calibrate again")
    return _file(folder, bundle.calibration.id)


# reading


def current_calibration(directory: Path, subject: str, base: Bundle) -> tuple[Bundle | None, list[str]]:
    """The subject's calibration that is in use with a base model: the chosen one, or else the newest sound one.

    Returns:
        The bundle, or None for the base model itself; and a sentence for everything that was passed over.

    Raises:
        InputError: the subject's name is not valid; nothing else is.
    """
    return _in_use(_folder(directory, subject), base.model_id, base.rig)


def current_path(directory: Path, subject: str, base: Bundle) -> tuple[Path | None, list[str]]:
    """Find the file of the subject's calibration that is in use; as ``current_calibration``."""
    bundle, remarks = current_calibration(directory, subject, base)
    return (calibration_path(directory, bundle) if bundle else None), remarks


def list_calibrations(
    directory: Path, subject: str | None = None, progress: Callable[[int, int], None] | None = None
) -> tuple[list[Stored], list[str]]:
    """All sound calibrations, of one subject or of all, the oldest first; and a sentence for everything else."""
    folders = {folder: _calibration_ids(folder) for folder in _folders(directory, subject)}
    total = sum(map(len, folders.values()))
    stored: list[Stored] = []
    remarks: list[str] = []
    done = 0
    for folder, ids in folders.items():
        sound: list[Stored] = []
        for calibration_id in reversed(ids):
            try:
                sound.append(_stored(folder, _load(folder, calibration_id)))
            except InputError as error:
                remarks.append(str(error))
            done += 1
            if progress:
                progress(done, total)
        choices, told = _choices(folder)
        used, not_used = _used(folder, sound, choices)
        stored += [replace(entry, in_use=entry.calibration.id in used) for entry in sound]
        remarks += told + not_used
    return stored, remarks


def find_calibration(directory: Path, calibration_id: str, subject: str | None = None) -> tuple[str, Path]:
    """Whose calibration it is, and its file.

    Raises:
        InputError: there is none of this id, or several subjects have one.
    """
    check_calibration_id(calibration_id)
    found = [folder for folder in _folders(directory, subject) if os.path.lexists(_file(folder, calibration_id))]
    if not found:
        whose = f"subject '{subject}'" if subject else "anyone"
        raise InputError(
            f"{directory} holds no calibration '{calibration_id}' of {whose}; `imu-emg calibrations list` shows them"
        )
    if len(found) > 1:
        names = ", ".join(folder.name for folder in found)
        raise InputError(f"several subjects have a calibration '{calibration_id}' ({names}); name one with --subject")
    return found[0].name, _file(found[0], calibration_id)


def used_after_removal(directory: Path, subject: str, calibration_id: str) -> dict[str, str]:
    """By base model with which a calibration is in use, the id of what would be used without it; "" = the base."""
    folder = _folder(directory, subject)
    models = {model for model, chosen in _choices(folder)[0].items() if chosen[-1] == calibration_id}
    with suppress(InputError):  # a damaged one can be chosen, but not used
        model_id = _load(folder, calibration_id).parent_id
        if _id_of(_in_use(folder, model_id)[0]) == calibration_id:
            models.add(model_id)
    return {model: _id_of(_in_use(folder, model, without=calibration_id)[0]) for model in sorted(models)}


# writing


def store_calibration(directory: Path, bundle: Bundle) -> Path:
    """Write a calibrated bundle to its place, whole or not at all, and make it the one in use.

    Raises:
        InputError: it cannot be written; what was in use stays so.
    """
    path = calibration_path(directory, bundle)
    with _held(path.parent):
        if os.path.lexists(path):
            raise InputError(f"calibration {path} is there already; calibrate again for one with an id of its own")
        choices = _with_choice(path.parent, bundle.parent_id, bundle.rig, bundle.calibration_id)
        write_together([(path, bundle.to_bytes()), (path.parent / CURRENT, to_bytes(choices))])
    return path


def use_calibration(directory: Path, subject: str, calibration_id: str, base: Bundle) -> Bundle:
    """Choose a stored calibration for the base model that it was made from.

    Raises:
        InputError: there is none of this id, it is damaged, or it belongs to another model or rig.
    """
    find_calibration(directory, calibration_id, subject)
    folder = _folder(directory, subject)
    with _held(folder):
        bundle = _load(folder, calibration_id, base.model_id, base.rig)
        _write(folder, _with_choice(folder, base.model_id, base.rig, calibration_id))
    return bundle


def reset_calibration(directory: Path, subject: str, base: Bundle) -> None:
    """Choose the base model itself; calibrations are kept."""
    folder = _folder(directory, subject)
    if os.path.isdir(folder):
        with _held(folder):
            _write(folder, _with_choice(folder, base.model_id, base.rig, None))


def undo_choice(directory: Path, subject: str, base: Bundle) -> tuple[Bundle | None, list[str]]:
    """Go back to what was in use before the last choice, or before that, if it is not there any more.

    Returns:
        As ``current_calibration``.

    Raises:
        InputError: there is nothing to go back to.
    """
    folder = _folder(directory, subject)
    if not os.path.isdir(folder):
        raise _nothing_before(subject)
    with _held(folder):
        choices, _ = _choices(folder)
        before = choices.get(base.model_id, [])[:-1]
        while before and before[-1] is not None and not _is_sound(folder, before[-1], base):
            before.pop()
        if not before:
            raise _nothing_before(subject)
        _write(folder, choices | {base.model_id: before})
    return current_calibration(directory, subject, base)


def remove_calibration(directory: Path, subject: str, calibration_id: str) -> None:
    """Remove a calibration for good; ``used_after_removal`` tells what will be used then.

    Raises:
        InputError: there is none of this id, or it cannot be removed.
    """
    _, path = find_calibration(directory, calibration_id, subject)
    with _held(path.parent):
        kept = without_calibration(_choices(path.parent)[0], calibration_id)
        try:
            _write(path.parent, kept)
        except InputError:  # a full disk, and removing makes room
            _unlink(path)
            _write(path.parent, kept)
        else:
            _unlink(path)


# one subject's folder


def _folder(directory: Path, subject: str) -> Path:
    return Path(directory) / check_subject(subject)


def _folders(directory: Path, subject: str | None) -> list[Path]:
    if subject is not None:
        return [_folder(directory, subject)]
    try:
        return [folder for folder in sorted(Path(directory).iterdir()) if SUBJECT.fullmatch(folder.name)]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise InputError(f"{directory} cannot be read ({error.strerror}); check whose it is") from None


def _file(folder: Path, calibration_id: str) -> Path:
    return folder / f"{calibration_id}{SUFFIX}"


def _calibration_ids(folder: Path) -> list[str]:
    """Ids of all calibrations in a folder, the newest first; they begin with the time at which they were made."""
    ids = [name.removesuffix(SUFFIX) for name in _names(folder) if name.endswith(SUFFIX)]
    return sorted((name for name in ids if CALIBRATION_ID.fullmatch(name)), reverse=True)


def _names(folder: Path) -> list[str]:
    try:
        return os.listdir(folder)
    except OSError:  # not there, or not a folder
        return []


def _load(folder: Path, calibration_id: str, model_id: str | None = None, rig: Rig | None = None) -> Bundle:
    """A calibration from its file; raises InputError if it is not sound, or not of this base model and rig."""
    path = _file(folder, calibration_id)
    bundle = Bundle.load(path)
    if bundle.calibration is None:
        raise InputError(f"bundle {path} is no calibration; remove it")
    if (bundle.calibration.subject, bundle.calibration.id) != (folder.name, calibration_id):
        raise InputError(
            f"calibration {path} is calibration {bundle.calibration.id[:80]!r} of subject "
            f"{bundle.calibration.subject[:80]!r}: it was moved or renamed; put it back or remove it"
        )
    if model_id is not None and bundle.parent_id != model_id:
        raise InputError(
            f"calibration {path} was made for model {bundle.parent_id}, not {model_id}, on rig '{bundle.rig.name}'; "
            "calibrate again"
        )
    if rig is not None and bundle.rig != rig:
        raise InputError(
            f"calibration {path} was made for another rig ('{bundle.rig.name}') than that of the model ('{rig.name}'); "
            "calibrate again"
        )
    return bundle


def _is_sound(folder: Path, calibration_id: str, base: Bundle) -> bool:
    try:
        _load(folder, calibration_id, base.model_id, base.rig)
    except InputError:
        return False
    return True


def _in_use(folder: Path, model_id: str, rig: Rig | None = None, without: str = "") -> tuple[Bundle | None, list[str]]:
    """What is in use with a base model, or would be without one of the calibrations; None = the base model."""
    choices, remarks = _choices(folder)
    chosen = without_calibration(choices, without).get(model_id, [""])[-1]
    if chosen is None:
        return None, remarks
    ids = [calibration_id for calibration_id in _calibration_ids(folder) if calibration_id not in (without, chosen)]
    for calibration_id in [chosen, *ids] if chosen else ids:
        try:
            bundle = _load(folder, calibration_id, model_id, rig)
        except InputError as error:
            remarks.append(str(error))
            continue
        return bundle, remarks + _instead(folder, chosen, calibration_id)
    return None, remarks + _instead(folder, chosen, "")


def _instead(folder: Path, chosen: str, used: str) -> list[str]:
    if chosen in ("", used):
        return []
    what = f"the newest sound one, {used}," if used else "the base model"
    return [f"calibration {chosen} of subject '{folder.name}' was chosen and cannot be used: {what} is used instead"]


def _used(folder: Path, sound: Sequence[Stored], choices: Choices) -> tuple[set[str], list[str]]:
    """Which of a subject's sound calibrations, the oldest first, are in use, as ``_in_use`` finds it."""
    used, remarks = set(), []
    newest = {entry.parent_id: entry.calibration.id for entry in sound}
    for model_id in dict.fromkeys([*newest, *choices]):
        chosen = choices.get(model_id, [""])[-1]
        if chosen is not None:
            there = any((entry.calibration.id, entry.parent_id) == (chosen, model_id) for entry in sound)
            used.add(chosen if there else newest.get(model_id, ""))
            remarks += [] if there else _instead(folder, chosen, newest.get(model_id, ""))
    return used, remarks


def _stored(folder: Path, bundle: Bundle) -> Stored:
    assert bundle.calibration is not None  # it came from ``_load``
    return Stored(
        path=_file(folder, bundle.calibration_id),
        calibration=bundle.calibration,
        model_id=bundle.model_id,
        parent_id=bundle.parent_id,
        rig=bundle.rig.name,
        in_use=False,
    )


def _id_of(bundle: Bundle | None) -> str:
    return bundle.calibration_id if bundle else ""


# choices


def _choices(folder: Path) -> tuple[Choices, list[str]]:
    """What was chosen; nothing, and a sentence, where the file is damaged."""
    try:
        return read_choices(folder), []
    except InputError as error:
        return {}, [f"{error}; the newest sound calibration is used until then"]


def _with_choice(folder: Path, model_id: str, rig: Rig, calibration_id: str | None) -> Choices:
    """The choices with one more; the first of a base model is preceded by what was in use without a choice."""
    choices, _ = _choices(folder)
    before: list[str | None] = []
    if model_id not in choices:
        before = [_id_of(_in_use(folder, model_id, rig)[0]) or None]
    return with_choice(choices, model_id, [*before, calibration_id])


def _write(folder: Path, choices: Choices) -> None:
    if choices != _choices(folder)[0]:
        write_atomically(folder / CURRENT, to_bytes(choices))


def _unlink(path: Path) -> None:
    try:
        path.unlink()
        flush_folder(path.parent)
    except OSError as error:
        raise InputError(f"{path} cannot be removed ({error.strerror}); check whose it is") from None


def _nothing_before(subject: str) -> InputError:
    return InputError(
        f"nothing was in use before for subject '{subject}' with this model; `imu-emg calibrations list` shows what "
        "can be used"
    )


# one writer at a time


@contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Hold a subject's folder for writing; what a crash left unfinished in it is swept away first."""
    with locked(folder):
        _sweep(folder)
        yield


def _sweep(folder: Path) -> None:
    """Remove unfinished files: none can be another process's, for who writes holds the folder."""
    for name in _names(folder):
        unfinished = TEMPORARY.fullmatch(name)
        if unfinished and (unfinished["target"] == CURRENT or unfinished["target"].endswith(SUFFIX)):
            with suppress(OSError):  # it hinders nobody
                os.unlink(folder / name)
