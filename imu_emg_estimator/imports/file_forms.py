"""Which form a file has, by its first bytes and not by its name, and the reader of each form."""

from __future__ import annotations

import gzip
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import import_module
from pathlib import Path

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.imports.bag_channels import is_bag
from imu_emg_estimator.imports.c3d_channels import is_c3d
from imu_emg_estimator.imports.channels import Take, checked_take
from imu_emg_estimator.imports.edf_channels import is_edf
from imu_emg_estimator.imports.excel_channels import ZIP
from imu_emg_estimator.imports.myo_text import is_myo

START_BYTES = 4096
MIB = 1 << 20
MAX_FILE_BYTES = 4096 * MIB
MAX_EXPANSION = 50.0  # of compressed files beyond 64 MiB; measured numbers compress to a fifth
FREE_EXPANSION_BYTES = 64 * MIB
PACKAGE = "imu_emg_estimator.imports"


@dataclass(frozen=True)
class Form:
    """A form of files: its name, how to tell it by its first bytes, and where its reader is."""

    name: str
    is_form: Callable[[bytes], bool]
    module: str
    function: str

    def read(self, path: Path) -> Take:
        """Read a file of this form."""
        reader: Callable[[Path], Take] = getattr(import_module(f"{PACKAGE}.{self.module}"), self.function)
        return reader(path)


FORMS = (
    Form(
        "MAT",
        lambda start: start.startswith((b"MATLAB 5.0", b"MATLAB 7.3", b"\x89HDF\r\n")),
        "mat_channels",
        "read_mat",
    ),
    Form("Parquet", lambda start: start.startswith(b"PAR1"), "parquet_channels", "read_parquet"),
    Form("XDF", lambda start: start.startswith(b"XDF:"), "xdf_channels", "read_xdf"),
    Form("C3D", is_c3d, "c3d_channels", "read_c3d"),
    Form("EDF", is_edf, "edf_channels", "read_edf"),
    Form("Excel", lambda start: start.startswith(ZIP), "excel_channels", "read_excel"),
    Form("Myo", is_myo, "myo_text", "read_myo"),
)
BAG = Form("bag", is_bag, "bag_channels", "read_bag_channels")
TEXT = Form("CSV", lambda start: True, "table_channels", "read_csv")
GZIP = b"\x1f\x8b"
REFUSED = (
    (b"\x93NUMPY", "a NumPy array, which names no channel and no rate; save it as CSV or MAT with names"),
    (b"\x80\x02", "a Python pickle, which may run code when it is read; save it as CSV or MAT"),
    (b"\x80\x03", "a Python pickle, which may run code when it is read; save it as CSV or MAT"),
    (b"\x80\x04", "a Python pickle, which may run code when it is read; save it as CSV or MAT"),
    (b"\x80\x05", "a Python pickle, which may run code when it is read; save it as CSV or MAT"),
    (b"\xd0\xcf\x11\xe0", "an old Excel file; save it as .xlsx"),
    (b"%PDF", "a PDF; export the numbers"),
)


def read_take(path: Path) -> Take:
    """Read a file of any form.

    Raises:
        InputError: one sentence that names the file, what is wrong with it, and what to do.
    """
    path = Path(path)
    try:
        with _uncompressed(path) as plain:
            take = _read_plain(plain, path)
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror or error}); check the file") from None
    return checked_take(replace(take, source=path))


def _read_plain(plain: Path, path: Path) -> Take:
    """Read an uncompressed file; messages name the file that was given."""
    try:
        return form_of(plain, path).read(plain)
    except InputError as error:
        raise InputError(str(error).replace(str(plain), str(path))) from None


def form_of(plain: Path, path: Path) -> Form:
    """Return the form of an uncompressed file; raise InputError, naming ``path``, where it is no form that is read."""
    if plain.is_dir():
        return BAG
    with plain.open("rb") as file:
        start = file.read(START_BYTES)
    if not start.strip():
        raise InputError(f"{path} is empty; export it again")
    for magic, what in REFUSED:
        if start.startswith(magic):
            raise InputError(f"{path} is {what}")
    return next((form for form in (BAG, *FORMS) if form.is_form(start)), TEXT)


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
    allowed = FREE_EXPANSION_BYTES + int(MAX_EXPANSION * path.stat().st_size)
    try:
        with gzip.open(path) as source, plain.open("wb") as target:
            while block := source.read(MIB):
                allowed -= len(block)
                if allowed < 0:
                    raise InputError(f"{path} expands further than measured numbers do; compress the export again")
                target.write(block)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise InputError(f"{path} is cut off or damaged; copy it again") from None
