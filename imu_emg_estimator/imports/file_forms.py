"""Which form a file has, by its first bytes and not by its name, and the reader of each form."""

from __future__ import annotations

import gzip
import re
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.bag_channels import read_bag_channels
from imu_emg_estimator.imports.c3d_channels import read_c3d
from imu_emg_estimator.imports.channels import TOO_DENSE, Take, checked_take, largest_expansion
from imu_emg_estimator.imports.edf_channels import read_edf
from imu_emg_estimator.imports.excel_channels import read_excel
from imu_emg_estimator.imports.mat_channels import read_mat
from imu_emg_estimator.imports.myo_text import MYO_ROW, read_myo
from imu_emg_estimator.imports.parquet_channels import read_parquet
from imu_emg_estimator.imports.table_channels import read_csv
from imu_emg_estimator.imports.xdf_channels import read_xdf

START_BYTES = 4096
MIB = 1 << 20
MAX_FILE_BYTES = 4096 * MIB


@dataclass(frozen=True)
class Form:
    """A form of files.

    Attributes:
        start: regular expression of a file's first bytes, by which it is told.
        read: reads a file.
        name: as messages have it.
        remedy: for a file that the form's library cannot read; '' = whatever is wrong with a file is not the library's.
    """

    start: bytes
    read: Callable[[Path], Take]
    name: str = ""
    remedy: str = ""


# Storage, or what zstd or lz4 make of it.
BAG = Form(rb"\x89MCAP0\r\n|SQLite format 3\x00|\x28\xb5\x2f\xfd|\x04\x22\x4d\x18", read_bag_channels)
FORMS = (
    BAG,
    Form(rb"MATLAB (5\.0|7\.3)|\x89HDF\r\n", read_mat, "MATLAB", "save it again, as v7 or v7.3"),
    Form(rb"PAR1", read_parquet),
    Form(rb"XDF:", read_xdf, "XDF", "record it again"),
    # The block where parameters begin, nearly always 2, then 0x50; no text begins with such a byte.
    Form(rb"[\x02-\x08]\x50", read_c3d, "C3D", "export it again"),
    Form(rb"0 {7}", read_edf, "EDF", "export it again"),
    Form(rb"\xffBIOSEMI", read_edf, "BDF", "export it again"),
    Form(rb"PK\x03\x04", read_excel, "Excel", "save it again as .xlsx"),
    Form(MYO_ROW, read_myo),
    Form(rb"", read_csv),
)
GZIP = b"\x1f\x8b"
REFUSED = (
    (rb"\x93NUMPY", "a NumPy array, which names no channel and no rate; save it as CSV or MAT with names"),
    (rb"\x80[\x02-\x05]", "a Python pickle, which may run code when it is read; save it as CSV or MAT"),
    (rb"\xd0\xcf\x11\xe0", "an old Excel file; save it as .xlsx"),
    (rb"%PDF", "a PDF; export the numbers"),
)


def read_take(path: Path) -> Take:
    """Read a file of any form.

    Raises:
        InputError: one sentence that names the file, what is wrong with it, and what to do.
    """
    path = Path(path)
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise InputError(f"{path} is neither a file nor a folder; give the exported files")
    try:
        with _uncompressed(path) as plain:
            take = _read_plain(plain, path)
    except OSError as error:
        reason = " ".join(str(error.strerror or error).split())
        raise InputError(f"{path} cannot be read ({reason}); check the file") from None
    return checked_take(replace(take, source=path))


def _read_plain(plain: Path, path: Path) -> Take:
    """Read an uncompressed file; messages name the file that was given."""
    form = _form_of(plain, path)
    try:
        return form.read(plain)
    except InputError as error:
        raise InputError(str(error).replace(str(plain), str(path))) from None
    except MemoryError:
        raise
    except Exception as error:  # libraries raise anything
        if not form.remedy:
            raise
        reason = " ".join(str(error).replace(f"{plain}: ", "").split())
        if "bad_alloc" in reason:  # what C++ libraries call it
            raise MemoryError from None
        raise InputError(f"{path} is not a readable {form.name} file ({reason}); {form.remedy}") from None


def _form_of(plain: Path, path: Path) -> Form:
    """Return the form of an uncompressed file; raise InputError, naming ``path``, where it is no form that is read."""
    if plain.is_dir():
        return BAG
    with plain.open("rb") as file:
        start = file.read(START_BYTES)
    if not start.strip():
        raise InputError(f"{path} is empty; export it again")
    for pattern, what in REFUSED:
        if re.match(pattern, start):
            raise InputError(f"{path} is {what}")
    return next(form for form in FORMS if re.match(form.start, start))


@contextmanager
def _uncompressed(path: Path) -> Iterator[Path]:
    """Yield the file, or a temporary one of what a gzip file holds."""
    if path.is_dir():  # a bag's, whose reader has limits of its own
        yield path
        return
    if path.stat().st_size > MAX_FILE_BYTES:
        raise InputError(f"{path} is larger than {MAX_FILE_BYTES // MIB} MiB; split it")
    with path.open("rb") as file:
        is_gzip = file.read(2) == GZIP
    if not is_gzip:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="imu-emg-") as folder:
        plain = Path(folder) / path.name.removesuffix(".gz")
        _expand(path, plain)
        yield plain


def _expand(path: Path, plain: Path) -> None:
    allowed = largest_expansion(path)
    try:
        with gzip.open(path) as source, plain.open("wb") as target:
            while block := source.read(MIB):
                allowed -= len(block)
                if allowed < 0:
                    raise InputError(f"{path} {TOO_DENSE}; compress the export again")
                target.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{path} is cut off or damaged; copy it again") from None
