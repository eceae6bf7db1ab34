"""zstd and lz4, decompressed within limits: no memory is allocated merely because a frame claims to need it."""

from __future__ import annotations

import io
import sys
from typing import Any, BinaryIO, Protocol

import lz4.frame  # type: ignore[import-untyped, unused-ignore]

from imu_emg_estimator.bags.read_limits import MIB, Meter

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

ZSTD, LZ4 = "zstd", "lz4"
MAGIC = {b"\x28\xb5\x2f\xfd": ZSTD, b"\x04\x22\x4d\x18": LZ4}
WINDOW = {int(zstd.DecompressionParameter.window_log_max): 27}  # 128 MiB, what the zstd command allows, too
PIECE_BYTES = MIB  # that are asked of a decompressor at once


class _Decompressor(Protocol):
    eof: bool
    needs_input: bool

    def decompress(self, data: bytes | memoryview, max_length: int) -> bytes: ...


def compression_of(head: bytes | memoryview) -> str | None:
    """``zstd`` or ``lz4``, from the first bytes of a frame; None = not compressed, as CDR and databases are."""
    return MAGIC.get(bytes(head[:4]))


def decompressed(data: bytes | memoryview, kind: str, largest: int, meter: Meter) -> bytes:
    """Decompress one frame.

    Raises:
        ValueError: the frame is corrupt, cut short, of an unknown kind, or holds more than ``largest`` bytes.
        BagUnreadable: the whole bag expands too far.
    """
    decompressor, output = _decompressor(kind), bytearray()
    while not decompressor.eof:
        piece = decompressor.decompress(data, min(PIECE_BYTES, largest + 1 - len(output)))
        data = b""
        output += piece
        meter.expand(len(piece))
        if len(output) > largest:
            raise ValueError(f"a {kind} frame holds more than {largest} bytes")
        if not piece and decompressor.needs_input and not decompressor.eof:
            raise ValueError(f"a {kind} frame is cut short")
    return bytes(output)


def decompressing(file: BinaryIO, kind: str, meter: Meter) -> BinaryIO:
    """Open the content of a compressed file, to be read forwards only; EOFError where it is cut short."""
    if kind == ZSTD:
        stream: Any = zstd.ZstdFile(file, options=WINDOW)
    else:
        stream = lz4.frame.LZ4FrameFile(file, "rb")
    return io.BufferedReader(_Metered(stream, meter), PIECE_BYTES)


class _Metered(io.RawIOBase):
    """Reports every byte that is read to the meter. It is not seekable, so that nobody reads it twice."""

    def __init__(self, stream: BinaryIO, meter: Meter) -> None:
        self._stream, self._meter = stream, meter

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._stream.read(len(buffer))
        self._meter.expand(len(piece))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._stream.close()
        super().close()


def _decompressor(kind: str) -> _Decompressor:
    if kind == ZSTD:
        zstd_decompressor: _Decompressor = zstd.ZstdDecompressor(options=WINDOW)
        return zstd_decompressor
    if kind == LZ4:
        lz4_decompressor: _Decompressor = lz4.frame.LZ4FrameDecompressor()
        return lz4_decompressor
    raise ValueError(f"compression '{kind}' is not known")
