"""The check of retired words finds them in every spelling, and the project has none."""

from pathlib import Path

import pytest

from scripts import check_words

WORD = check_words.RetiredWord("wearers?", "subject", ("old/*",))


@pytest.mark.parametrize(
    "line", ["the wearer", "Wearers walk", "a_wearer_name", "WEARER = 1", "class WearerData", "NewWearer()"]
)
def test_retired_word_is_found(line: str) -> None:
    assert WORD.search(line)


@pytest.mark.parametrize("line", ["swearer", "wearersome", "the subject"])
def test_other_words_are_not_found(line: str) -> None:
    assert not WORD.search(line)


def test_findings_name_file_line_and_replacement(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("one\nthe wearer\n")
    (tmp_path / "old").mkdir()
    (tmp_path / "old" / "wearer.md").write_text("wearer\n")
    (tmp_path / "picture.png").write_bytes(b"\xff\xfe wearer")
    found = list(check_words.findings(["page.md", "old/wearer.md", "picture.png"], [WORD], tmp_path))
    assert found == ["page.md:2: 'wearer' is retired; write: subject"]


def test_every_entry_of_the_list_is_read() -> None:
    words = check_words.retired_words()
    assert {"wearers?", "hum", "surely better"} <= {word.pattern for word in words}
    assert all(word.instead for word in words)


@pytest.mark.slow
def test_project_has_no_retired_word() -> None:
    assert not list(check_words.findings(check_words.checked_files(), check_words.retired_words()))
