"""Which files make up a bag, in which order, which may be read, and their hash; metadata.yaml is a hint only."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import BinaryIO

from imu_emg_estimator.bags.read_limits import GIB, MIB, BagLimits
from imu_emg_estimator.errors import BagUnreadable, InputError

METADATA = "metadata.yaml"
MAX_METADATA_BYTES = 4 * MIB
KEY = re.compile(r"\s*relative_file_paths\s*:(.*)")
ITEM = re.compile(r"\s*-\s+(.*\S)")
STORAGE = re.compile(r"\.(mcap|db3)(\.(zstd|zst|lz4))?$")

Check = Callable[[Path], Path]
CHUNK_BYTES = 1 << 20  # read at a time
DESCRIPTORS = "/proc/self/fd"


@dataclass
class BagFiles:
    """The files of a bag.

    Attributes:
        paths: in the order of recording.
        size: of all of them together [bytes].
        notes: what is unusual about them, and how it was handled; one sentence each.
    """

    paths: list[Path]
    size: int = 0
    notes: list[str] = field(default_factory=list)


def bag_name(path: Path) -> str:
    """Name of a bag: of its folder, or of its file without the endings that say how it is stored."""
    return path.name if path.is_dir() else STORAGE.sub("", path.name)


def is_storage(name: str) -> bool:
    """Whether a file of this name looks like a bag on its own."""
    return STORAGE.search(name) is not None


def unreadable(path: Path, reason: object) -> BagUnreadable:
    """Error for a bag whose bytes make no sense."""
    text = " ".join(str(reason).split())[:300] or type(reason).__name__
    return BagUnreadable(f"bag {path} cannot be read ({text}); check that it is a whole rosbag2, or record it again")


def find_files(path: Path, limits: BagLimits, check: Check | None = None) -> BagFiles:
    """Find the files of a bag: in a folder those that metadata.yaml names, else all that look like storage, by number.

    Args:
        check: returns where a file really lies; raises InputError if it may not be read.

    Raises:
        BagUnreadable: no file is found, one is missing or not a regular file, or together they are too large.
    """
    try:
        if check:
            check(path)
        if path.is_dir():
            found = _in_folder(path, limits, check)
        elif path.exists():
            found = BagFiles([path])
        else:
            raise BagUnreadable(f"bag {path} does not exist; give a rosbag2 folder, .mcap or .db3 file")
        found.paths = [check(file) if check else file for file in found.paths]
        for file in found.paths:
            status = file.stat()
            if not stat.S_ISREG(status.st_mode):
                raise BagUnreadable(f"{file} of bag {path} is not a regular file; copy the bag to a disk")
            found.size += status.st_size
    except InputError:
        raise
    except (OSError, ValueError) as error:
        raise unreadable(path, getattr(error, "strerror", None) or error) from None
    if found.size > limits.size:
        raise BagUnreadable(f"bag {path} is larger than {limits.size / GIB:g} GiB; cut out what is needed")
    return found


def open_regular(path: Path, check: Check | None = None) -> BinaryIO:
    """Open a file for reading; never a pipe or device, which could block, nor a link that was put there meanwhile.

    Args:
        check: is asked about the file that was opened, whatever folder was renamed or linked meanwhile.
    """
    descriptor = os.open(path.resolve(), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    file = os.fdopen(descriptor, "rb")
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise OSError(f"{path} is not a regular file")
        if check:
            check(Path(os.readlink(f"{DESCRIPTORS}/{descriptor}")))
    except BaseException:
        file.close()
        raise
    return file


def open_count(file: BinaryIO) -> int:
    """Count the descriptors that this process holds of a file: whether a library has opened the very same one."""
    own = os.fstat(file.fileno())
    with os.scandir(DESCRIPTORS) as entries:
        return sum(_is_same(entry.path, own) for entry in entries)


def _is_same(path: str, own: os.stat_result) -> bool:
    try:
        return os.path.samestat(os.stat(path), own)
    except OSError:  # closed meanwhile, as that of the listing itself
        return False


def within(directories: Sequence[Path]) -> Check:
    """Make a check that accepts what lies below one of the directories, after every ``..`` and link is followed.

    Returns:
        A function that returns where a path really lies, and raises InputError where that is elsewhere. The error does
        not depend on whether the file exists, so that nobody can explore the disk with it.

    Raises:
        InputError: one of the directories does not exist.
    """
    roots = [_root(Path(directory)) for directory in directories]

    def check(path: Path) -> Path:
        try:
            place = Path(path).absolute().resolve()
        except (OSError, ValueError, RuntimeError):  # a loop of links, a name with a zero in it
            place = None
        if place is None or not any(place.is_relative_to(root) for root in roots):
            allowed = ", ".join(map(str, directories)) or "none"
            raise InputError(
                f"bag {path} lies outside the directories that bags are read from ({allowed}); move it there, "
                "or have its own named among them (the node's parameter 'bag_directories')"
            )
        return place

    return check


def _in_folder(path: Path, limits: BagLimits, check: Check | None) -> BagFiles:
    with os.scandir(path) as entries:
        names = set()
        for entry in entries:
            names.add(entry.name)
            if len(names) > limits.files:
                raise BagUnreadable(f"folder {path} holds more than {limits.files} files; give a bag's own folder")
    notes: list[str] = []
    listed = _listed_names(path / METADATA, notes, check) if METADATA in names else None
    if listed is None:
        if METADATA not in names:
            notes.append(f"{METADATA} is missing: the recorder was stopped hard, or the files were copied without it")
        listed = _storage_names(names)
        if not listed:
            raise BagUnreadable(
                f"folder {path} is not a rosbag2: it holds neither a readable {METADATA} nor an .mcap or .db3 file; "
                "give a bag's own folder"
            )
    missing = next((name for name in listed if name not in names), None)
    if missing is not None:
        raise BagUnreadable(
            f"bag {path} is incomplete: {METADATA} names {missing[:200]}, which is not there; "
            f"copy it again, or remove {METADATA} to read what is there"
        )
    if unnamed := [name for name in _storage_names(names) if not _is_named(name, listed)]:
        notes.append(
            f"{len(unnamed)} of {len(unnamed) + len(listed)} files were not read, for {METADATA} does not name them: "
            f"{', '.join(unnamed)[:200]}; remove {METADATA} to read all"
        )
    return BagFiles([path / name for name in listed], notes=notes)


def _is_named(name: str, listed: Sequence[str]) -> bool:
    """Return whether a file is listed, be it by the name that it has when it is compressed."""
    return any(name in (entry, entry.rsplit(".", 1)[0]) or name.rsplit(".", 1)[0] == entry for entry in listed)


def _storage_names(names: Collection[str]) -> list[str]:
    """Storage files in the order of their numbers; one that also lies there decompressed counts once."""
    storage = [name for name in names if STORAGE.search(name)]
    uncompressed = {name for name in storage if name.endswith((".mcap", ".db3"))}
    once = [name for name in storage if name in uncompressed or name.rsplit(".", 1)[0] not in uncompressed]
    return sorted(once, key=lambda name: [int(part) if part.isdecimal() else part for part in re.split(r"(\d+)", name)])


def _listed_names(path: Path, notes: list[str], check: Check | None) -> list[str] | None:
    """Files that metadata.yaml names; None, with a note, where it cannot be used."""
    try:
        with open_regular(path, check) as file:
            text = file.read(MAX_METADATA_BYTES + 1)
        if len(text) > MAX_METADATA_BYTES:
            raise ValueError(f"larger than {MAX_METADATA_BYTES >> 20} MiB")
        names = _relative_file_paths(text.decode())
    except (OSError, ValueError):
        names = []
    if names:
        return names
    notes.append(f"{METADATA} names no files and was ignored: the files in the folder were read")
    return None


def _relative_file_paths(text: str) -> list[str]:
    """Read the list of that name, as rosbag2 and others write it, line by line or in brackets.

    Not with a YAML parser: deep nesting keeps one busy for minutes. Of paths, which old versions wrote, only the name
    counts: a bag's files lie in its own folder.
    """
    lines = iter(text.splitlines())
    first = next((match for match in map(KEY.match, lines) if match), None)
    if first is None:
        return []
    entries = [entry for entry in first[1].strip("[] ").split(",") if entry.strip()]
    for item in map(ITEM.match, lines):
        if item is None:
            break
        entries.append(item[1])
    names = [PurePath(entry.strip().strip("\"'").replace("\\", "/")).name for entry in entries]
    if not all(names) or ".." in names:
        raise ValueError("a file without a name")
    return list(dict.fromkeys(names))


def _root(directory: Path) -> Path:
    root = directory.expanduser().absolute().resolve()
    if not root.is_dir():
        raise InputError(f"directory {directory}, which bags may be read from, does not exist; make it or correct it")
    return root


def hash_of(path: Path, progress: Callable[[int, int], None] | None = None, check: Check | None = None) -> str:
    """Return the SHA-256 of a file, or of the names and contents of the files in a folder; in bounded memory.

    It equals that of coreutils: ``sha256sum FILE``, or in the folder ``LC_ALL=C; sha256sum * | sha256sum``.

    Args:
        progress: called with MiB done and MiB in all.
        check: of which files may be read; those in a folder that it refuses are left out.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if not path.is_dir():
            return _digest(path, _Counter(path.stat().st_size, progress), check)
        entries = [entry for entry in sorted(path.iterdir()) if not entry.name.startswith(".")]
        files = [file for file in entries if _is_allowed(file, check) and file.is_file()]
        count = _Counter(sum(file.stat().st_size for file in files), progress)
        lines = "".join(f"{_digest(file, count, check)}  {file.name}\n" for file in files)
        return hashlib.sha256(os.fsencode(lines)).hexdigest()
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); give a file, or a folder of files") from None


class _Counter:
    """Reports how many bytes of a total are done."""

    def __init__(self, total: int, progress: Callable[[int, int], None] | None) -> None:
        self._done, self._total, self._progress = 0, total, progress

    def add(self, count: int) -> None:
        self._done += count
        if self._progress:
            self._progress(self._done >> 20, self._total >> 20)


def _is_allowed(file: Path, check: Check | None) -> bool:
    try:
        return check is None or bool(check(file))
    except InputError:
        return False


def _digest(file: Path, count: _Counter, check: Check | None) -> str:
    digest = hashlib.sha256()
    with open_regular(file, check) as stream:
        while chunk := stream.read(CHUNK_BYTES):
            digest.update(chunk)
            count.add(len(chunk))
    return digest.hexdigest()
