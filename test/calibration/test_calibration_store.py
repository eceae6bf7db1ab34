"""The store gives back the calibration that was chosen, or the newest sound one, and says what it passed over."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fixtures.factories import BundleFactory, refusal

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
from imu_emg_estimator.calibration.store_choices import REMEMBERED
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.utils import atomic_files as files
from imu_emg_estimator.utils.atomic_files import locked

FIRST, SECOND, THIRD = "20250102T000000", "20250601T120000", "20251231T235959"


def calibrated(base: Bundle, time: str, subject: str = "anna") -> Bundle:
    calibration = Calibration(f"{subject}-{time}", subject, "head", "bag", 30.0, time)
    return replace(base, parent_id=base.model_id, calibration=calibration)


def current(directory: Path, base: Bundle, subject: str = "anna") -> str:
    """Id of the calibration in use; nothing may be passed over."""
    found, remarks = current_calibration(directory, subject, base)
    assert remarks == []
    return found.calibration_id if found else ""


@pytest.fixture
def three(bundle: Bundle, tmp_path: Path) -> Path:
    """A store with three calibrations of one subject, the third in use."""
    for time in (FIRST, SECOND, THIRD):
        store_calibration(tmp_path, calibrated(bundle, time))
    return tmp_path


# storing


def test_last_stored_is_in_use(bundle: Bundle, tmp_path: Path) -> None:
    """Also where the clock was wrong, as on a robot that has just been switched on."""
    for time in (FIRST, THIRD, SECOND):
        store_calibration(tmp_path, calibrated(bundle, time))
    store_calibration(tmp_path, calibrated(bundle, "20270101T000000", subject="bert"))
    assert current(tmp_path, bundle) == f"anna-{SECOND}"


def test_storing_gives_the_place(bundle: Bundle, tmp_path: Path) -> None:
    own = calibrated(bundle, FIRST)
    path = store_calibration(tmp_path / "new", own)
    assert path == tmp_path / "new" / "anna" / f"anna-{FIRST}.safetensors"
    assert Bundle.load(path).model_id == own.model_id


def test_calibration_is_never_written_over(bundle: Bundle, three: Path) -> None:
    before = (three / "anna" / f"anna-{FIRST}.safetensors").read_bytes()
    with refusal(f"anna-{FIRST}", "there already"):
        store_calibration(three, replace(calibrated(bundle, FIRST), name="other"))
    assert (three / "anna" / f"anna-{FIRST}.safetensors").read_bytes() == before
    assert current(three, bundle) == f"anna-{THIRD}"


def test_store_of_an_earlier_release_is_taken_over(bundle: Bundle, tmp_path: Path) -> None:
    """It knew no choices: the newest calibration was in use."""
    for time in (FIRST, THIRD, SECOND):
        own = calibrated(bundle, time)
        own.save(tmp_path / "anna" / f"{own.calibration_id}.safetensors")
    assert current(tmp_path, bundle) == f"anna-{THIRD}"
    store_calibration(tmp_path, calibrated(bundle, "20260101T000000"))
    assert current(tmp_path, bundle) == "anna-20260101T000000"
    undo_choice(tmp_path, "anna", bundle)
    assert current(tmp_path, bundle) == f"anna-{THIRD}"


def test_nobody_has_one_at_first(bundle: Bundle, tmp_path: Path) -> None:
    assert current_calibration(tmp_path / "none", "anna", bundle) == (None, [])
    assert list_calibrations(tmp_path / "none") == ([], [])
    reset_calibration(tmp_path / "none", "anna", bundle)
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_is_swept_away_at_the_next_store(bundle: Bundle, three: Path) -> None:
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


def test_choice_lasts(bundle: Bundle, three: Path) -> None:
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


def test_undo_passes_over_what_is_gone(bundle: Bundle, three: Path) -> None:
    (three / "anna" / f"anna-{SECOND}.safetensors").unlink()
    undo_choice(three, "anna", bundle)
    assert current(three, bundle) == f"anna-{FIRST}"


def test_choices_do_not_pile_up(bundle: Bundle, three: Path) -> None:
    for _ in range(REMEMBERED):
        use_calibration(three, "anna", f"anna-{FIRST}", bundle)
        use_calibration(three, "anna", f"anna-{FIRST}", bundle)
        use_calibration(three, "anna", f"anna-{SECOND}", bundle)
    chosen = json.loads((three / "anna" / "current").read_text())[bundle.model_id]
    assert chosen == [f"anna-{FIRST}", f"anna-{SECOND}"] * (REMEMBERED // 2)


def test_every_base_model_has_its_own_choice(bundle: Bundle, make_bundle: BundleFactory, three: Path) -> None:
    """A subject may come to two exoskeletons."""
    other = make_bundle(seed=1)
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    store_calibration(three, calibrated(other, "20260101T000000"))
    assert current(three, bundle) == f"anna-{FIRST}"
    assert current(three, other) == "anna-20260101T000000"
    reset_calibration(three, "anna", other)
    assert current(three, bundle) == f"anna-{FIRST}"
    assert current(three, other) == ""


def test_calibration_of_another_model_is_passed_over(
    bundle: Bundle, make_bundle: BundleFactory, tmp_path: Path
) -> None:
    own = calibrated(bundle, FIRST)
    own.save(tmp_path / "anna" / f"{own.calibration_id}.safetensors")
    other = store_calibration(tmp_path, calibrated(make_bundle(seed=1), THIRD))
    found, remarks = current_calibration(tmp_path, "anna", bundle)
    assert found is not None
    assert found.calibration_id == f"anna-{FIRST}"
    assert len(remarks) == 1
    assert str(other) in remarks[0]
    assert bundle.model_id in remarks[0]


def test_calibration_of_another_model_or_rig_is_refused(
    bundle: Bundle, make_bundle: BundleFactory, three: Path
) -> None:
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


def test_unknown_calibration_is_refused(bundle: Bundle, three: Path) -> None:
    with refusal("anna-2", "calibrations list"):
        use_calibration(three, "anna", "anna-2", bundle)
    with refusal("bert"):
        use_calibration(three, "bert", f"anna-{FIRST}", bundle)
    with refusal("anna-2"):
        remove_calibration(three, "anna", "anna-2")
    assert current(three, bundle) == f"anna-{THIRD}"


# damage


def test_spoilt_files_are_passed_over(bundle: Bundle, tmp_path: Path) -> None:
    good = tmp_path / "anna" / f"anna-{FIRST}.safetensors"
    calibrated(bundle, FIRST).save(good)
    truncated, folder, uncalibrated, renamed, pipe = (
        good.with_name(f"anna-2026010{day}T000000.safetensors") for day in range(1, 6)
    )
    truncated.write_bytes(good.read_bytes()[:1000])
    folder.mkdir()
    replace(bundle, parent_id=bundle.model_id).save(uncalibrated)
    renamed.write_bytes(good.read_bytes())
    os.mkfifo(pipe)
    spoilt = (truncated, folder, uncalibrated, renamed, pipe)
    found, remarks = current_calibration(tmp_path, "anna", bundle)
    assert found is not None
    assert found.calibration_id == f"anna-{FIRST}"
    assert [path for path in spoilt if not any(str(path) in text for text in remarks)] == []
    listed, remarks = list_calibrations(tmp_path)
    assert [entry.calibration.id for entry in listed] == [f"anna-{FIRST}"]
    assert listed[0].in_use
    assert [path for path in spoilt if not any(str(path) in text for text in remarks)] == []


@pytest.mark.parametrize(
    "spoil", [Path.unlink, lambda path: path.write_bytes(path.read_bytes()[:-1])], ids=["gone", "damaged"]
)
def test_newest_sound_one_stands_in_for_a_damaged_choice(
    bundle: Bundle, three: Path, spoil: Callable[[Path], None]
) -> None:
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    spoil(three / "anna" / f"anna-{FIRST}.safetensors")
    found, remarks = current_calibration(three, "anna", bundle)
    assert found is not None
    assert found.calibration_id == f"anna-{THIRD}"
    assert f"calibration anna-{FIRST}" in remarks[-1]
    assert f"anna-{THIRD}, is used instead" in remarks[-1]
    listed, told = list_calibrations(three)
    assert [entry.calibration.id for entry in listed if entry.in_use] == [f"anna-{THIRD}"]
    assert remarks[-1] in told


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\x00",
        b"{",
        b"[" * 100_000,
        b"[]",
        b"5",
        b'{"m": "anna-1"}',
        b'{"m": []}',
        b'{"m": [5]}',
        b'{"m": ["../../etc/passwd"]}',
        b'{"m": [""]}',
        b" " * (2 << 20),
    ],
    ids=lambda content: content[:12].decode(errors="replace"),
)
def test_damaged_pointer_falls_back_and_is_mended_by_the_next_choice(
    bundle: Bundle, three: Path, content: bytes
) -> None:
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    pointer = three / "anna" / "current"
    pointer.write_bytes(content)
    found, remarks = current_calibration(three, "anna", bundle)
    assert found is not None
    assert found.calibration_id == f"anna-{THIRD}"
    assert len(remarks) == 1
    assert str(pointer) in remarks[0]
    assert remarks == list_calibrations(three)[1]
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    assert current(three, bundle) == f"anna-{FIRST}"


def test_pointer_that_is_no_file_hinders_no_start(bundle: Bundle, three: Path) -> None:
    pointer = three / "anna" / "current"
    for make in (os.mkfifo, os.mkdir):
        pointer.unlink()
        make(pointer)
        found, remarks = current_calibration(three, "anna", bundle)
        assert found is not None
        assert str(pointer) in remarks[0]
        if make is os.mkdir:
            pointer.rmdir()


def test_store_that_is_no_folder_hinders_no_start(bundle: Bundle, tmp_path: Path) -> None:
    (tmp_path / "anna").touch()
    (tmp_path / "file").touch()
    assert current_calibration(tmp_path, "anna", bundle)[0] is None
    assert current_calibration(tmp_path / "file", "anna", bundle)[0] is None
    for directory in (tmp_path, tmp_path / "file"):
        with refusal(directory, "cannot be written"):
            store_calibration(directory, calibrated(bundle, FIRST))


# removing


def test_removal_goes_back_to_what_was_chosen_before(bundle: Bundle, three: Path) -> None:
    use_calibration(three, "anna", f"anna-{FIRST}", bundle)
    for gone, then in ((FIRST, f"anna-{THIRD}"), (THIRD, f"anna-{SECOND}"), (SECOND, "")):
        assert used_after_removal(three, "anna", f"anna-{gone}") == {bundle.model_id: then}
        remove_calibration(three, "anna", f"anna-{gone}")
        assert current(three, bundle) == then
    assert list_calibrations(three) == ([], [])


def test_removal_of_another_changes_nothing_in_use(bundle: Bundle, three: Path) -> None:
    assert used_after_removal(three, "anna", f"anna-{FIRST}") == {}
    remove_calibration(three, "anna", f"anna-{FIRST}")
    assert current(three, bundle) == f"anna-{THIRD}"
    undo_choice(three, "anna", bundle)
    undo_choice(three, "anna", bundle)  # the first is not there to go back to
    assert current(three, bundle) == ""


def test_damaged_calibration_can_be_removed(bundle: Bundle, three: Path) -> None:
    path = three / "anna" / f"anna-{THIRD}.safetensors"
    path.write_bytes(b"")
    assert used_after_removal(three, "anna", f"anna-{THIRD}") == {bundle.model_id: f"anna-{SECOND}"}
    remove_calibration(three, "anna", f"anna-{THIRD}")
    assert not path.exists()
    assert current(three, bundle) == f"anna-{SECOND}"


# listing


def test_list_tells_whose_and_which_is_in_use(bundle: Bundle, make_bundle: BundleFactory, three: Path) -> None:
    other = make_bundle(seed=1)
    use_calibration(three, "anna", f"anna-{SECOND}", bundle)
    store_calibration(three, calibrated(other, "20260101T000000"))
    store_calibration(three, calibrated(bundle, FIRST, subject="bert"))
    reset_calibration(three, "bert", bundle)
    told: list[tuple[int, int]] = []
    stored, remarks = list_calibrations(three, progress=lambda *done: told.append(done))
    assert remarks == []
    assert [(entry.calibration.id, entry.in_use) for entry in stored] == [
        (f"anna-{FIRST}", False),
        (f"anna-{SECOND}", True),
        (f"anna-{THIRD}", False),
        ("anna-20260101T000000", True),
        (f"bert-{FIRST}", False),
    ]
    assert told[-1] == (5, 5)
    assert {entry.parent_id for entry in stored} == {bundle.model_id, other.model_id}
    assert [entry.calibration.subject for entry in list_calibrations(three, "bert")[0]] == ["bert"]


def test_calibration_is_found_by_its_id(bundle: Bundle, three: Path) -> None:
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
def test_name_that_is_no_file_name_is_refused(bundle: Bundle, tmp_path: Path, subject: str) -> None:
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
def test_plain_names_are_taken(subject: str) -> None:
    assert check_subject(subject) == subject


@pytest.mark.parametrize("time", ["../../../elsewhere", "x\0", "x" * 200])
def test_calibration_cannot_name_a_place_elsewhere(bundle: Bundle, tmp_path: Path, time: str) -> None:
    with refusal("calibration"):
        store_calibration(tmp_path / "store", calibrated(bundle, time))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["../bert/bert-1", "/etc/passwd", "", ".", "current\0", "x" * 129, "a/b", ".lock"])
def test_id_cannot_name_a_place_elsewhere(bundle: Bundle, three: Path, name: str) -> None:
    with refusal("is not the id of a calibration"):
        use_calibration(three, "anna", name, bundle)
    with refusal("is not the id of a calibration"):
        remove_calibration(three, "anna", name)


def test_only_calibrated_bundles_are_stored(bundle: Bundle, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="calibrated"):
        store_calibration(tmp_path, bundle)


# several at once


def test_folder_that_is_held_is_waited_for_but_not_for_ever(
    bundle: Bundle, three: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(files, "PATIENCE", 0.05)
    with locked(three / "anna"):
        with refusal(three / "anna", "another process"):
            store_calibration(three, calibrated(bundle, "20260101T000000"))
        assert current(three, bundle) == f"anna-{THIRD}"  # reading waits for nobody
    store_calibration(three, calibrated(bundle, "20260101T000000"))
    assert current(three, bundle) == "anna-20260101T000000"


WRITER = """
import sys
from dataclasses import replace
from pathlib import Path
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.calibration_record import Calibration
from imu_emg_estimator.calibration.calibration_store import store_calibration
base = Bundle.load(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.read(1)
for index in range(4):
    calibration = Calibration(f"anna-{index}-{sys.argv[3]}", "anna", "head", "bag", 30.0, "now")
    store_calibration(Path(sys.argv[2]), replace(base, parent_id=base.model_id, calibration=calibration))
"""


def test_processes_that_store_at_once_lose_nothing(bundle: Bundle, tmp_path: Path) -> None:
    """Neither a calibration nor a choice."""
    bundle.save(tmp_path / "base.safetensors")
    store = tmp_path / "store"
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "base.safetensors"), str(store), str(number)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for number in range(3)
    ]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == b"ready\n"
    for writer in writers:
        writer.communicate(b"x", timeout=120)
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    stored, remarks = list_calibrations(store)
    assert remarks == []
    ids = {f"anna-{index}-{number}" for index in range(4) for number in range(3)}
    assert {entry.calibration.id for entry in stored} == ids
    chosen = json.loads((store / "anna" / "current").read_text())[bundle.model_id]
    assert chosen[0] is None  # before the first
    assert sorted(chosen[1:]) == sorted(ids)
    assert current(store, bundle) == chosen[-1]
