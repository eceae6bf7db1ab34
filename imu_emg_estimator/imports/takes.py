"""Which files belong together as one take, and which subject and condition their names and folders tell."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from imu_emg_estimator.errors import InputError

# Of files beside recordings that hold none.
OTHER_FILES = re.compile(
    r"\.(md|rst|json|ya?ml|xml|pdf|docx?|png|jpe?g|svg|html|py|m|r|ipynb|zip|log|mp4|avi)$", re.IGNORECASE
)
SUFFIXES = re.compile(
    r"(\.(csv|txt|tsv|dat|gz|mat|xdf|xdfz|c3d|edf|bdf|xlsx|xlsm|parquet|mcap|db3|zstd|lz4|h5|npy|npz))+$", re.I
)
# Words in a file's name that tell it from the other file of its take.
KIND = re.compile(
    r"(?i)(?:^|(?<=[^a-z0-9]))(s?emg|imus?|accel|acc|gyro|gyr|xsens|movella|delsys|trigno|motion)(?=$|[^a-z0-9])"
)
FIELD = re.compile(r"\{(\w*)\}|\*")
UNNAMED = "take"


@dataclass(frozen=True)
class TakeFiles:
    """Files of one take of one subject.

    Attributes:
        files: in the order of their names.
        name: of the take, unique for a subject.
        subject: who was recorded.
        condition: the lab's own word for what was done; '' = not known.
    """

    files: tuple[Path, ...]
    name: str
    subject: str
    condition: str = ""


def find_takes(
    paths: Sequence[Path], subject: str = "", pattern: str = "", condition: str = "", together: bool = False
) -> tuple[list[TakeFiles], list[Path]]:
    """Return the takes of files and folders, and the files whose names do not fit the pattern.

    Args:
        paths: files and folders; folders are searched through.
        subject: of all of them; '' = from the pattern, else the folder within a given one.
        pattern: of paths below a given folder, without suffix, as ``{subject}_{load}_{set}`` or
            ``{subject}/{condition}/*``.
        condition: of all of them; '' = from the pattern.
        together: whether all files are one take.

    Raises:
        InputError: nothing is there, or the subject of a file is not known.
    """
    found = [(root, file) for path in paths for root, file in _files(Path(path))]
    if not found:
        raise InputError(f"{', '.join(map(str, paths))} holds no file of data; give the exported files or their folder")
    groups: dict[tuple[Path, str], list[tuple[Path, Path]]] = {}
    for root, file in found:
        key = (Path(), UNNAMED) if together else (file.parent, _take_name(file))
        groups.setdefault(key, []).append((root, file))
    expression = _expression(pattern) if pattern else None
    takes: list[TakeFiles] = []
    unfit: list[Path] = []
    for (_, name), members in sorted(groups.items()):
        for files in [members] if together or _differ_in_kind(members) else [[member] for member in members]:
            own = name if len(files) > 1 else _stem(files[0][1])
            take = _described(files, own, expression, subject, condition)
            takes.append(take) if take else unfit.extend(file for _, file in files)
    if not takes:
        raise InputError(f"no file fits --names '{pattern}', such as {unfit[0]}; correct the pattern")
    return _distinct(takes), unfit


def _files(path: Path) -> list[tuple[Path, Path]]:
    """Return (folder that paths are told from, file) of a file, of a bag's folder, or of all files in a folder."""
    if not path.exists():
        raise InputError(f"{path} does not exist; give the exported files or their folder")
    if not path.is_dir() or (path / "metadata.yaml").is_file():
        return [(path.parent, path)]
    files = []
    for child in sorted(path.iterdir()):
        if child.name.startswith(".") or OTHER_FILES.search(child.name):
            continue
        files += [(path, file) for _, file in _files(child)]
    return files


def _stem(file: Path) -> str:
    return SUFFIXES.sub("", file.name)


def _take_name(file: Path) -> str:
    """Return a file's name without the words that tell IMU from EMG."""
    return re.sub(r"[_\-. ]{2,}", "_", KIND.sub("", _stem(file))).strip("_-. ") or UNNAMED


def _differ_in_kind(members: Sequence[tuple[Path, Path]]) -> bool:
    """Whether files of one name are told apart by words of kinds, each by its own."""
    kinds = [tuple(word.lower() for word in KIND.findall(_stem(file))) for _, file in members]
    return len(members) > 1 and len(set(kinds)) == len(kinds) and all(kinds)


def _expression(pattern: str) -> re.Pattern[str]:
    """Turn a pattern with ``{field}`` and ``*`` into a regular expression; a field may not hold a '/'."""
    fields = [name for name in FIELD.findall(pattern) if name]
    if len(set(fields)) < len(fields) or not all(name.isidentifier() for name in fields):
        raise InputError(f"--names '{pattern}' names a field twice, or not by a word; correct it")
    position, parts = 0, []
    for found in FIELD.finditer(pattern):
        parts.append(re.escape(pattern[position : found.start()]))
        parts.append(f"(?P<{found[1]}>[^/]+?)" if found[1] else "[^/]*")
        position = found.end()
    return re.compile("".join([*parts, re.escape(pattern[position:])]))


def _described(
    files: Sequence[tuple[Path, Path]], name: str, expression: re.Pattern[str] | None, subject: str, condition: str
) -> TakeFiles | None:
    """Return a take with its subject and condition; None where its name does not fit the expression."""
    root, first = files[0]
    folders = first.parent.relative_to(root).parts
    fields: dict[str, str] = {}
    if expression:
        fits = expression.fullmatch("/".join((*folders, name)))
        if fits is None:
            return None
        fields = fits.groupdict()
    who = subject or fields.get("subject", "") or (folders[0] if folders else "")
    if not who:
        raise InputError(
            f"whose recording {first} is does not show; give --subject NAME, or --names '{{subject}}_*' for names such "
            "as anna_curl_1.csv, or put the files into a folder for each subject"
        )
    rest = folders[1:] if folders and folders[0] == who else folders
    files_only = tuple(file for _, file in files)
    return TakeFiles(files_only, _plain("_".join((*rest, name))), _plain(who), condition or fields.get("condition", ""))


def _plain(name: str) -> str:
    return re.sub(r"[^\w.+-]+", "_", name).strip("._") or UNNAMED


def _distinct(takes: Sequence[TakeFiles]) -> list[TakeFiles]:
    """Number the takes of a subject that have one name."""
    seen: dict[tuple[str, str], int] = {}
    result = []
    for take in takes:
        key = (take.subject, take.name)
        seen[key] = seen.get(key, 0) + 1
        result.append(take if seen[key] == 1 else replace(take, name=f"{take.name}_{seen[key]}"))
    return result
