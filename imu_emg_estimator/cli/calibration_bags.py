"""The bags of a calibration: as they are given, or made of exported files on the way."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from imu_emg_estimator.bags.bag_files import is_storage
from imu_emg_estimator.errors import InputError

if TYPE_CHECKING:
    from imu_emg_estimator.rig import Rig


@contextmanager
def bags_of(paths: Sequence[Path], rig: Rig, subject: str, mapping: Path | None) -> Iterator[tuple[Path, ...]]:
    """Yield bags; exported files among the paths become bags in a folder that is removed afterwards.

    Args:
        rig: of the bundle.
        mapping: which channel of the files is what; None = by their names.

    Raises:
        InputError: a file is not as it should be, or its channels do not fit the rig.
    """
    files = [path for path in paths if path.is_file() and not is_storage(path.name)]
    if not files:
        if mapping:
            raise InputError(f"--mapping {mapping} is for exported files, and --bag names bags only; remove it")
        yield tuple(paths)
        return
    with tempfile.TemporaryDirectory(prefix="imu-emg-") as folder:
        yield (*(path for path in paths if path not in files), *_made(files, rig, subject, mapping, Path(folder)))


def _made(files: Sequence[Path], rig: Rig, subject: str, mapping: Path | None, folder: Path) -> list[Path]:
    from imu_emg_estimator.imports.bag_output import write_bags
    from imu_emg_estimator.imports.import_files import read_all_takes, settle_mapping
    from imu_emg_estimator.imports.mapping_file import read_mapping
    from imu_emg_estimator.imports.takes import find_takes

    takes = read_all_takes(find_takes(files, subject)[0])
    where = f"mapping {mapping}" if mapping else "the proposal"
    settled = settle_mapping(takes, rig, read_mapping(mapping) if mapping else None, where)
    for note in (*(note for take in takes for note in take.take.notes), *settled.notes):
        print(f"note: {note}", file=sys.stderr)
    return write_bags(takes, settled, folder, rig)
