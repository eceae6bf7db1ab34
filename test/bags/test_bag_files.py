"""Files of a bag: only those below the allowed directories, and why one cannot be read, in the system's words."""

import os
import subprocess
import threading
import tracemalloc
from pathlib import Path

import pytest
from fixtures.factories import RecordingFactory, refusal

from imu_emg_estimator.bags import read_bag, write_bag
from imu_emg_estimator.bags.bag_files import CHUNK_BYTES, BagFiles, find_files, hash_of, within
from imu_emg_estimator.bags.read_limits import BagLimits
from imu_emg_estimator.datasets.hugadb import RIG
from imu_emg_estimator.errors import InputError


@pytest.fixture
def places(tmp_path: Path) -> tuple[Path, Path]:
    """A directory that bags may be read from, and one beside it."""
    allowed, other = tmp_path / "bags", tmp_path / "bags_of_others"
    allowed.mkdir()
    other.mkdir()
    return allowed, other


def test_within_accepts_paths_below_a_directory(places: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    allowed, _ = places
    (allowed / "anna").mkdir()
    (allowed / "link").symlink_to(allowed / "anna")
    check = within([allowed])
    assert check(allowed / "anna" / "walk") == allowed / "anna" / "walk"
    assert check(allowed / "link" / "walk") == allowed / "anna" / "walk"
    assert check(allowed / "anna" / ".." / "walk") == allowed / "walk"
    monkeypatch.chdir(allowed)
    assert check(Path("anna")) == allowed / "anna"


def test_within_refuses_paths_elsewhere(places: tuple[Path, Path]) -> None:
    """Nor does the sentence tell whether there is something."""
    allowed, other = places
    (other / "secret").touch()
    (allowed / "out").symlink_to(other)
    (allowed / "loop").symlink_to(allowed / "loop")
    check = within([allowed])
    outside = [
        other / "secret", other / "nothing", Path("/etc/passwd"), allowed / ".." / other.name / "secret",
        allowed / "out" / "secret", allowed / "out" / "nothing", allowed / "loop", allowed / "nul\0",
    ]  # fmt: skip
    for path in outside:
        with pytest.raises(InputError) as caught:
            check(path)
        expected = (
            f"bag {path} lies outside the directories that bags are read from ({allowed}); move it there, "
            "or have its own named among them (the node's parameter 'bag_directories')"
        )
        assert str(caught.value) == expected


def test_within_no_directory_refuses_everything(places: tuple[Path, Path]) -> None:
    with refusal("lies outside the directories that bags are read from (none)"):
        within([])(places[0])
    with refusal(places[0] / "nowhere", "does not exist"):
        within([places[0] / "nowhere"])


def test_read_bag_refuses_links_out_of_the_allowed_directories(
    places: tuple[Path, Path], make_recording: RecordingFactory
) -> None:
    allowed, other = places
    recording = make_recording([("walking", 5.0)])
    write_bag(recording, allowed / "walk")
    write_bag(recording, other / "walk")
    check = within([allowed])
    assert len(read_bag(allowed / "walk", RIG, check=check)) == len(recording)
    with refusal(other / "walk", "lies outside"):
        read_bag(other / "walk", RIG, check=check)

    (allowed / "walk" / "walk.mcap").unlink()
    (allowed / "walk" / "walk.mcap").symlink_to(other / "walk" / "walk.mcap")
    with refusal(allowed / "walk" / "walk.mcap", "lies outside"):
        read_bag(allowed / "walk", RIG, check=check)
    assert len(read_bag(allowed / "walk", RIG)) == len(recording)


@pytest.mark.parametrize(
    ("storage", "answers", "said"), [("mcap", 1, "lies outside"), ("sqlite3", 3, "another file was put in its place")]
)
def test_read_bag_refuses_a_folder_that_is_exchanged_after_the_check(
    storage: str, answers: int, said: str, places: tuple[Path, Path], make_recording: RecordingFactory
) -> None:
    """After so many answers that the file lies where it may be read."""
    allowed, other = places
    for place in places:
        write_bag(make_recording([("walking", 5.0)]), place / "walk", storage)
    check, answered = within([allowed]), []

    def exchanging(path: Path) -> Path:
        place = check(path)
        answered.extend([path] if path.suffix in (".mcap", ".db3") else [])
        if len(answered) == answers and not (allowed / "walk").is_symlink():
            (allowed / "walk").rename(allowed / "moved")
            (allowed / "walk").symlink_to(other / "walk")
        return place

    with refusal(said):
        read_bag(allowed / "walk", RIG, check=exchanging)


def test_find_files_does_not_follow_a_link_to_metadata_elsewhere(places: tuple[Path, Path]) -> None:
    """Whose names would be told in a sentence."""
    allowed, other = places
    (other / "notes.yaml").write_text("relative_file_paths:\n  - secret.mcap\n")
    (allowed / "walk").mkdir()
    (allowed / "walk" / "metadata.yaml").symlink_to(other / "notes.yaml")
    with refusal("neither a readable metadata.yaml nor"):
        find_files(allowed / "walk", BagLimits(), within([allowed]))


def test_hash_leaves_out_links_to_files_elsewhere(places: tuple[Path, Path]) -> None:
    """Whose content a stored hash would betray."""
    allowed, other = places
    (other / "secret").write_text("1234")
    (allowed / "walk.mcap").touch()
    alone = hash_of(allowed)
    (allowed / "notes").symlink_to(other / "secret")
    assert hash_of(allowed) != alone
    assert hash_of(allowed, check=within([allowed])) == alone


def test_read_bag_ignores_folders_in_metadata(places: tuple[Path, Path], make_recording: RecordingFactory) -> None:
    allowed, other = places
    write_bag(make_recording([("walking", 5.0)]), other / "walk")
    (allowed / "walk").mkdir()
    metadata = (other / "walk" / "metadata.yaml").read_text()
    (allowed / "walk" / "metadata.yaml").write_text(metadata.replace("walk.mcap", f"{other}/walk/walk.mcap"))
    with refusal("names walk.mcap, which is not there"):
        read_bag(allowed / "walk", RIG)


def test_find_files_gives_the_reason_of_the_system(tmp_path: Path) -> None:
    def broken_disk(path: Path) -> Path:
        raise OSError(5, "Input/output error", str(path))

    with pytest.raises(InputError, match=r"bag .* cannot be read \(Input/output error\)"):
        find_files(tmp_path, BagLimits(), broken_disk)


def folder_of(path: Path, *names: str, listed: str | None = None) -> BagFiles:
    """Return what is found in a folder of empty files with these names, and a metadata.yaml that lists some."""
    path.mkdir()
    for name in names:
        (path / name).touch()
    if listed is not None:
        metadata = f"rosbag2_bagfile_information:\n  version: 5\n  relative_file_paths: {listed}\n"
        (path / "metadata.yaml").write_text(metadata)
    return find_files(path, BagLimits())


def test_find_files_tells_of_files_that_metadata_does_not_name(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "bag", "a.mcap", "b.mcap", "c.txt", listed="[a.mcap]")
    assert [path.name for path in files.paths] == ["a.mcap"]
    (note,) = files.notes
    assert "1 of 2 files were not read, for metadata.yaml does not name them: b.mcap" in note


@pytest.mark.parametrize("listed", ["[a.mcap]", "[a.mcap.zstd]"])
def test_find_files_counts_a_file_that_also_lies_there_compressed_as_named(listed: str, tmp_path: Path) -> None:
    assert folder_of(tmp_path / "bag", "a.mcap", "a.mcap.zstd", listed=listed).notes == []


def test_find_files_without_metadata_takes_a_file_once(tmp_path: Path) -> None:
    files = folder_of(tmp_path / "bag", "a_0.mcap", "a_0.mcap.zstd", "a_1.mcap.zstd", "notes.txt")
    assert [path.name for path in files.paths] == ["a_0.mcap", "a_1.mcap.zstd"]


@pytest.mark.parametrize("listed", ["[..]", "['']", "[a.mcap, ..]"])
def test_find_files_takes_all_where_metadata_names_no_file(listed: str, tmp_path: Path) -> None:
    files = folder_of(tmp_path / "bag", "a.mcap", "b.mcap", listed=listed)
    assert [path.name for path in files.paths] == ["a.mcap", "b.mcap"]


def test_hash_of_file_equals_coreutils(tmp_path: Path) -> None:
    path = tmp_path / "a.mcap"
    path.write_bytes(os.urandom(CHUNK_BYTES * 2 + 5))
    assert hash_of(path) == coreutils(f"sha256sum {path}")


def test_hash_of_folder_equals_coreutils_and_changes_with_names(tmp_path: Path) -> None:
    for name, content in (("b.mcap", b"2"), ("a.mcap", b"1"), ("B", b"3"), (".hidden", b"4")):
        (tmp_path / name).write_bytes(content)
    found = hash_of(tmp_path)
    assert found == coreutils(f"cd {tmp_path}; LC_ALL=C; sha256sum * | sha256sum")
    (tmp_path / "a.mcap").rename(tmp_path / "c.mcap")
    assert hash_of(tmp_path) != found
    (tmp_path / "c.mcap").rename(tmp_path / "a.mcap")
    assert hash_of(tmp_path) == found
    (tmp_path / "a.mcap").write_bytes(b"5")
    assert hash_of(tmp_path) != found


def coreutils(command: str) -> str:
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True).stdout.split()[0]


def test_hash_of_reports_progress_in_bounded_memory(tmp_path: Path) -> None:
    path, reported = tmp_path / "a", []
    with path.open("wb") as file:
        file.truncate(32 << 20)
    tracemalloc.start()
    hash_of(path, lambda done, total: reported.append((done, total)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 << 20
    assert (reported[0], reported[-1]) == ((1, 32), (32, 32))


def test_hash_of_names_missing_file(tmp_path: Path) -> None:
    with refusal(tmp_path / "none"):
        hash_of(tmp_path / "none")


def test_hash_of_ignores_pipes_in_folder(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"1")
    found = hash_of(tmp_path)
    os.mkfifo(tmp_path / "pipe")
    thread = threading.Thread(target=hash_of, args=(tmp_path,), daemon=True)
    thread.start()
    thread.join(10)
    assert not thread.is_alive()
    assert hash_of(tmp_path) == found
