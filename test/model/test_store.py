"""The store gives back a wearer's newest calibration of the right model, and says what it passed over."""

from dataclasses import replace
from pathlib import Path

import pytest
from helpers import BundleFactory, refusal

from imu_emg_estimator.model.bundle import Bundle, Calibration
from imu_emg_estimator.model.store import check_subject, latest_calibration, store_calibration


def calibrated(base: Bundle, time: str, subject: str = "anna") -> Bundle:
    calibration = Calibration(f"{subject}-{time}", subject, "head", "bag", 30.0, time)
    return replace(base, parent_id=base.model_id, calibration=calibration)


def test_newest_calibration_of_the_wearer(bundle: Bundle, tmp_path: Path) -> None:
    for time in ("20250102T000000", "20251231T235959", "20250601T120000"):
        store_calibration(tmp_path, calibrated(bundle, time))
    store_calibration(tmp_path, calibrated(bundle, "20270101T000000", subject="bert"))
    found, remarks = latest_calibration(tmp_path, "anna", bundle)
    assert found is not None
    assert found.calibration_id == "anna-20251231T235959"
    assert remarks == []


def test_storing_gives_the_place(bundle: Bundle, tmp_path: Path) -> None:
    own = calibrated(bundle, "20250102T000000")
    path = store_calibration(tmp_path / "new", own)
    assert path == tmp_path / "new" / "anna" / "anna-20250102T000000.safetensors"
    assert Bundle.load(path).model_id == own.model_id


def test_nobody_has_one_at_first(bundle: Bundle, tmp_path: Path) -> None:
    assert latest_calibration(tmp_path / "none", "anna", bundle) == (None, [])


def test_calibration_of_another_model_is_passed_over(
    bundle: Bundle, make_bundle: BundleFactory, tmp_path: Path
) -> None:
    store_calibration(tmp_path, calibrated(bundle, "20250102T000000"))
    other = store_calibration(tmp_path, calibrated(make_bundle(seed=1), "20260102T000000"))
    found, remarks = latest_calibration(tmp_path, "anna", bundle)
    assert found is not None
    assert found.calibration_id == "anna-20250102T000000"
    assert len(remarks) == 1
    assert str(other) in remarks[0]
    assert bundle.model_id in remarks[0]


def test_spoilt_files_are_passed_over(bundle: Bundle, tmp_path: Path) -> None:
    good = store_calibration(tmp_path, calibrated(bundle, "20250102T000000"))
    truncated = good.with_name("anna-20260101T000000.safetensors")
    truncated.write_bytes(good.read_bytes()[:1000])
    folder = good.with_name("anna-20260102T000000.safetensors")
    folder.mkdir()
    uncalibrated = good.with_name("anna-20260103T000000.safetensors")
    replace(bundle, parent_id=bundle.model_id).save(uncalibrated)
    found, remarks = latest_calibration(tmp_path, "anna", bundle)
    assert found is not None
    assert found.calibration_id == "anna-20250102T000000"
    assert [path for path in (truncated, folder, uncalibrated) if not any(str(path) in text for text in remarks)] == []


@pytest.mark.parametrize(
    "subject", ["", ".", "..", "../anna", "a/b", "a\\b", "/etc", "anna\n", "a b", "-rf", "ännä", "a\0", "x" * 65]
)
def test_name_that_is_no_file_name_is_refused(bundle: Bundle, tmp_path: Path, subject: str) -> None:
    with refusal("subject"):
        check_subject(subject)
    with refusal("subject"):
        latest_calibration(tmp_path, subject, bundle)
    with refusal("subject"):
        store_calibration(tmp_path, calibrated(bundle, "20250102T000000", subject))
    assert list(tmp_path.rglob("*.safetensors")) == []


@pytest.mark.parametrize("subject", ["9", "anna", "Wearer_07-b", "x" * 64])
def test_plain_names_are_taken(subject: str) -> None:
    assert check_subject(subject) == subject


@pytest.mark.parametrize("time", ["../../../elsewhere", "x\0", "x" * 200])
def test_calibration_cannot_name_a_place_elsewhere(bundle: Bundle, tmp_path: Path, time: str) -> None:
    with refusal("calibration"):
        store_calibration(tmp_path / "store", calibrated(bundle, time))
    assert list(tmp_path.iterdir()) == []


def test_only_calibrated_bundles_are_stored(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="calibrated"):
        store_calibration(tmp_path, bundle)
