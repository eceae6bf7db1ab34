"""Frames are decompressed up to a largest size, and not beyond."""

from pathlib import Path

import lz4.frame
import pytest

from imu_emg_estimator.bags.decompression import LZ4, ZSTD, compression_of, decompressed, zstd
from imu_emg_estimator.bags.read_limits import BagLimits, Meter

CONTENT = bytes(range(256)) * 20_000  # 5 MB: more than one piece
FRAMES = {ZSTD: zstd.compress(CONTENT), LZ4: lz4.frame.compress(CONTENT)}


def meter(free: int = 100_000_000) -> Meter:
    return Meter(Path("bag"), BagLimits(expansion=0.0, free_expansion=free), 0)


@pytest.mark.parametrize("kind", [ZSTD, LZ4])
def test_frame_is_decompressed_up_to_its_largest_size(kind: str) -> None:
    assert compression_of(FRAMES[kind]) == kind
    assert decompressed(FRAMES[kind], kind, len(CONTENT), meter()) == CONTENT
    with pytest.raises(ValueError, match=f"holds more than {len(CONTENT) - 1} bytes"):
        decompressed(FRAMES[kind], kind, len(CONTENT) - 1, meter())


@pytest.mark.parametrize("kind", [ZSTD, LZ4])
def test_frame_that_is_cut_short_is_refused(kind: str) -> None:
    with pytest.raises(ValueError, match=f"a {kind} frame is cut short"):
        decompressed(FRAMES[kind][:-8], kind, len(CONTENT), meter())


def test_unknown_compression_is_refused() -> None:
    assert compression_of(b"SQLite format 3") is None
    with pytest.raises(ValueError, match="compression 'bz2' is not known"):
        decompressed(b"", "bz2", 10, meter())
