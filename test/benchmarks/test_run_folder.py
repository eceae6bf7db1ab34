"""A run goes on where it was stopped, and takes nothing stale."""

from dataclasses import replace
from pathlib import Path

from benchmarks.latency.measured_piece import Piece, code_fingerprint
from benchmarks.run_folder import RunFolder

PIECE = Piece("age", "ours", 0, {"rate": 200.0})


def test_outcome_is_kept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "code")
    assert folder.outcome(PIECE) is None
    folder.write(PIECE, 1.0, {"cpu": 0.5, "age": float("nan")})
    assert RunFolder(tmp_path, "code").outcome(PIECE) == {"cpu": 0.5, "age": None}


def test_other_settings_code_or_repeat_are_another_piece(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "code")
    folder.write(PIECE, 1.0, {"cpu": 0.5})
    assert folder.outcome(replace(PIECE, settings={"rate": 100.0})) is None
    assert folder.outcome(replace(PIECE, repeat=1)) is None
    assert RunFolder(tmp_path, "other").outcome(PIECE) is None


def test_file_that_was_cut_short_is_measured_again(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path, "code")
    folder.write(PIECE, 1.0, {"cpu": 0.5})
    file = next((tmp_path / "jobs").iterdir())
    file.write_text(file.read_text()[:40])
    assert folder.outcome(PIECE) is None


def test_fingerprint_is_that_of_the_code() -> None:
    assert code_fingerprint() == code_fingerprint()
