"""The store gives back the calibration that was chosen, or the newest sound one, and says what it passed over."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.factories import BundleFactory, refusal
from fixtures.timed_calibrations import FIRST, SECOND, THIRD, calibrated, current

from imu_emg_estimator.calibration.calibration_store import (
    check_subject,
    current_calibration,
    find_calibration,
    list_calibrations,
    remove_calibration,
    reset_calibration,
    store_calibration,
    undo_choice,
    use_calibration,
    used_after_removal,
)
from imu_emg_estimator.model.bundle import Bundle

# storing


def test_store_uses_last_stored(bundle: Bundle, tmp_path: Path) -> None:
    """Also where the clock was wrong, as on a robot that has just been switched on."""
    for time in (FIRST, THIRD, SECOND):
        store_calibration(tmp_path, calibrated(bundle, time))
    store_calibration(tmp_path, calibrated(bundle, "20270101T000000", subject="bert"))
    assert current(tmp_path, bundle) == f"anna-{SECOND}"


def test_store_returns_path(bundle: Bundle, tmp_path: Path) -> None:
    own = calibrated(bundle, FIRST)
    path = store_calibration(tmp_path / "new", own)
    assert path == tmp_path / "new" / "anna" / f"anna-{FIRST}.safetensors"
    assert Bundle.load(path).model_id == own.model_id


def test_store_refuses_to_overwrite(bundle: Bundle, three: Path) -> None:
    before = (three / "anna" / f"anna-{FIRST}.safetensors").read_bytes()
    with refusal(f"anna-{FIRST}", "there already"):
        store_calibration(three, replace(calibrated(bundle, FIRST), name="other"))
    assert (three / "anna" / f"anna-{FIRST}.safetensors").read_bytes() == before
    assert current(three, bundle) == f"anna-{THIRD}"


def test_store_without_choices_uses_newest(bundle: Bundle, tmp_path: Path) -> None:
    """It knew no choices: the newest calibration was in use."""
    for time in (FIRST, THIRD, SECOND):
        own = calibrated(bundle, time)
        own.save(tmp_path / "anna" / f"{own.calibration_id}.safetensors")
    assert current(tmp_path, bundle) == f"anna-{THIRD}"
    store_calibration(tmp_path, calibrated(bundle, "20260101T000000"))
    assert current(tmp_path, bundle) == "anna-20260101T000000"
    undo_choice(tmp_path, "anna", bundle)
    assert current(tmp_path, bundle) == f"anna-{THIRD}"


def test_empty_store_has_no_calibration(bundle: Bundle, tmp_path: Path) -> None:
    assert current_calibration(tmp_path / "none", "anna", bundle) == (None, [])
    assert list_calibrations(tmp_path / "none") == ([], [])
    reset_calibration(tmp_path / "none", "anna", bundle)
    assert list(tmp_path.iterdir()) == []


def test_store_removes_unfinished_files_of_a_crash(bundle: Bundle, three: Path) -> None:
    folder = three / "anna"
    unfinished = [folder / f".anna-{FIRST}.safetensors.abcd_123", folder / ".current.12345678"]
    others = [folder / ".notes.12345678", folder / "notes.txt"]
    for path in [*unfinished, *others]:
        path.write_bytes(b"half")
    assert current(three, bundle) == f"anna-{THIRD}"
    assert len(list_calibrations(three)[0]) == 3
    assert all(path.exists() for path in unfinished)  # reading changes nothing
    store_calibration(three, calibrated(bundle, "20260101T000000"))
    assert not any(path.exists() for path in unfinished)
    assert all(path.exists() for path in others)


# choosing


def test_use_persists(bundle: Bundle, three: Path) -> None:
    chosen = use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    assert chosen.calibration_id == f"anna-{FIRST}"
    assert current(three, bundle) == f"anna-{FIRST}"
    reset_calibration(three, "anna", bundle)
    assert current(three, bundle) == ""


def test_undo_goes_back_step_by_step(bundle: Bundle, three: Path) -> None:
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    reset_calibration(three, "anna", bundle)
    for expected in (f"anna-{FIRST}", f"anna-{THIRD}", f"anna-{SECOND}", f"anna-{FIRST}", ""):
        undone, remarks = undo_choice(three, "anna", bundle)
        assert (undone.calibration_id if undone else "") == expected
        assert remarks == []
        assert current(three, bundle) == expected
    with refusal("anna", "nothing was in use before"):
        undo_choice(three, "anna", bundle)
    with refusal("bert", "nothing was in use before"):
        undo_choice(three, "bert", bundle)


def test_undo_skips_removed_calibrations(bundle: Bundle, three: Path) -> None:
    (three / "anna" / f"anna-{SECOND}.safetensors").unlink()
    undo_choice(three, "anna", bundle)
    assert current(three, bundle) == f"anna-{FIRST}"


def test_choices_are_limited(bundle: Bundle, three: Path) -> None:
    for _ in range(20):
        use_calibration(three, "anna", f"anna-{FIRST}", bundle)
        use_calibration(three, "anna", f"anna-{FIRST}", bundle)
        use_calibration(three, "anna", f"anna-{SECOND}", bundle)
    chosen = json.loads((three / "anna" / "current").read_text())[bundle.model_id]
    assert chosen == [f"anna-{FIRST}", f"anna-{SECOND}"] * 10


def test_choices_are_kept_for_each_base_model(bundle: Bundle, make_bundle: BundleFactory, three: Path) -> None:
    """A subject may come to two exoskeletons."""
    other = make_bundle(seed=1)
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    store_calibration(three, calibrated(other, "20260101T000000"))
    assert current(three, bundle) == f"anna-{FIRST}"
    assert current(three, other) == "anna-20260101T000000"
    reset_calibration(three, "anna", other)
    assert current(three, bundle) == f"anna-{FIRST}"
    assert current(three, other) == ""


def test_current_skips_calibrations_of_other_models(bundle: Bundle, make_bundle: BundleFactory, tmp_path: Path) -> None:
    own = calibrated(bundle, FIRST)
    own.save(tmp_path / "anna" / f"{own.calibration_id}.safetensors")
    other = store_calibration(tmp_path, calibrated(make_bundle(seed=1), THIRD))
    found, remarks = current_calibration(tmp_path, "anna", bundle)
    assert found is not None
    assert found.calibration_id == f"anna-{FIRST}"
    assert len(remarks) == 1
    assert str(other) in remarks[0]
    assert bundle.model_id in remarks[0]


def test_use_refuses_other_model_or_rig(bundle: Bundle, make_bundle: BundleFactory, three: Path) -> None:
    other = make_bundle(seed=1)
    with refusal(f"anna-{FIRST}", bundle.model_id, other.model_id):
        use_calibration(three, "anna", f"anna-{FIRST}", other)
    camera = replace(bundle, rig=replace(bundle.rig, name="camera"))
    disguised = replace(calibrated(bundle, "20260101T000000"), parent_id=camera.model_id)
    store_calibration(three, disguised)
    with refusal("anna-20260101T000000", f"'{bundle.rig.name}'", "'camera'"):
        use_calibration(three, "anna", "anna-20260101T000000", camera)
    found, remarks = current_calibration(three, "anna", camera)
    assert found is None
    assert any("'camera'" in remark for remark in remarks)
    assert any("the base model is used instead" in remark for remark in remarks)


def test_use_and_remove_refuse_unknown_calibration(bundle: Bundle, three: Path) -> None:
    with refusal("anna-2", "calibrations list"):
        use_calibration(three, "anna", "anna-2", bundle)
    with refusal("bert"):
        use_calibration(three, "bert", f"anna-{FIRST}", bundle)
    with refusal("anna-2"):
        remove_calibration(three, "anna", "anna-2")
    assert current(three, bundle) == f"anna-{THIRD}"


# removing


def test_remove_returns_to_earlier_choice(bundle: Bundle, three: Path) -> None:
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    for gone, then in ((FIRST, f"anna-{THIRD}"), (THIRD, f"anna-{SECOND}"), (SECOND, "")):
        assert used_after_removal(three, "anna", f"anna-{gone}") == {bundle.model_id: then}
        remove_calibration(three, "anna", f"anna-{gone}")
        assert current(three, bundle) == then
    assert list_calibrations(three) == ([], [])


def test_remove_of_unused_calibration_keeps_choice(bundle: Bundle, three: Path) -> None:
    assert used_after_removal(three, "anna", f"anna-{FIRST}") == {}
    remove_calibration(three, "anna", f"anna-{FIRST}")
    assert current(three, bundle) == f"anna-{THIRD}"
    undo_choice(three, "anna", bundle)
    undo_choice(three, "anna", bundle)  # the first is not there to go back to
    assert current(three, bundle) == ""


def test_remove_accepts_damaged_calibration(bundle: Bundle, three: Path) -> None:
    path = three / "anna" / f"anna-{THIRD}.safetensors"
    path.write_bytes(b"")
    assert used_after_removal(three, "anna", f"anna-{THIRD}") == {bundle.model_id: f"anna-{SECOND}"}
    remove_calibration(three, "anna", f"anna-{THIRD}")
    assert not path.exists()
    assert current(three, bundle) == f"anna-{SECOND}"


# listing


def test_list_shows_subject_and_use(bundle: Bundle, make_bundle: BundleFactory, three: Path) -> None:
    other = make_bundle(seed=1)
    use_calibration(three, "anna", f"anna-{SECOND}", bundle)
    store_calibration(three, calibrated(other, "20260101T000000"))
    store_calibration(three, calibrated(bundle, FIRST, subject="bert"))
    reset_calibration(three, "bert", bundle)
    reported: list[tuple[int, int]] = []
    stored, remarks = list_calibrations(three, progress=lambda *done: reported.append(done))
    assert remarks == []
    assert [(entry.calibration.id, entry.in_use) for entry in stored] == [
        (f"anna-{FIRST}", False),
        (f"anna-{SECOND}", True),
        (f"anna-{THIRD}", False),
        ("anna-20260101T000000", True),
        (f"bert-{FIRST}", False),
    ]
    assert reported[-1] == (5, 5)
    assert {entry.parent_id for entry in stored} == {bundle.model_id, other.model_id}
    assert [entry.calibration.subject for entry in list_calibrations(three, "bert")[0]] == ["bert"]


def test_find_by_id(bundle: Bundle, three: Path) -> None:
    path = three / "anna" / f"anna-{FIRST}.safetensors"
    assert find_calibration(three, f"anna-{FIRST}") == ("anna", path)
    with refusal("bert"):
        find_calibration(three, f"anna-{FIRST}", "bert")
    (three / "bert").mkdir()
    (three / "bert" / path.name).write_bytes(path.read_bytes())
    with refusal("anna, bert", "--subject"):
        find_calibration(three, f"anna-{FIRST}")
    assert find_calibration(three, f"anna-{FIRST}", "anna")[0] == "anna"


# names


@pytest.mark.parametrize(
    "subject", ["", ".", "..", "../anna", "a/b", "a\\b", "/etc", "anna\n", "a b", "-rf", "ännä", "a\0", "x" * 65]
)
def test_store_refuses_subject_that_is_no_file_name(bundle: Bundle, tmp_path: Path, subject: str) -> None:
    for call in (
        lambda: check_subject(subject),
        lambda: current_calibration(tmp_path, subject, bundle),
        lambda: store_calibration(tmp_path, calibrated(bundle, FIRST, subject)),
        lambda: use_calibration(tmp_path, subject, "anna-1", bundle),
        lambda: reset_calibration(tmp_path, subject, bundle),
        lambda: undo_choice(tmp_path, subject, bundle),
        lambda: remove_calibration(tmp_path, subject, "anna-1"),
        lambda: list_calibrations(tmp_path, subject),
    ):
        with refusal("subject"):
            call()
    assert list(tmp_path.rglob("*.safetensors")) == []


@pytest.mark.parametrize("subject", ["9", "anna", "Subject_07-b", "x" * 64])
def test_check_subject_accepts_plain_names(subject: str) -> None:
    assert check_subject(subject) == subject


@pytest.mark.parametrize("time", ["../../../elsewhere", "x\0", "x" * 200])
def test_store_refuses_id_that_leads_elsewhere(bundle: Bundle, tmp_path: Path, time: str) -> None:
    with refusal("calibration"):
        store_calibration(tmp_path / "store", calibrated(bundle, time))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../bert/bert-1", "/etc/passwd", "", ".", "current\0", "x" * 129, "a/b", ".lock"])
def test_use_and_remove_refuse_id_that_leads_elsewhere(bundle: Bundle, three: Path, name: str) -> None:
    with refusal("is not the id of a calibration"):
        use_calibration(three, "anna", name, bundle)
    with refusal("is not the id of a calibration"):
        remove_calibration(three, "anna", name)


def test_store_refuses_uncalibrated_bundle(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="calibrated"):
        store_calibration(tmp_path, bundle)
