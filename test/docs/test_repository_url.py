"""One command sets the repository's address wherever it is named."""

import subprocess
from pathlib import Path

import pytest
from fixtures.markdown_pages import ROOT

from scripts.set_repository_url import replace_url, repository_url

NAMING = ("README.md", "mkdocs.yml", "CITATION.cff", "package.xml", "SECURITY.md", ".github/ISSUE_TEMPLATE/config.yml")


@pytest.mark.parametrize("name", NAMING)
def test_file_names_the_address_of_pyproject(name: str) -> None:
    assert repository_url() in (ROOT / name).read_text(encoding="utf-8")


def test_replace_url_changes_tracked_text_only(tmp_path: Path) -> None:
    old, new = "https://example.org/old/name", "https://example.org/new/name"
    (tmp_path / "pyproject.toml").write_text(f'[project.urls]\nRepository = "{old}"\nIssues = "{old}/issues"\n')
    (tmp_path / "untracked.md").write_text(old)
    (tmp_path / "picture.png").write_bytes(b"\x00" + old.encode())
    for command in (["init", "--quiet"], ["add", "pyproject.toml", "picture.png"]):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    assert replace_url(repository_url(tmp_path), new, tmp_path) == ["pyproject.toml"]
    assert repository_url(tmp_path) == new
    assert f"{new}/issues" in (tmp_path / "pyproject.toml").read_text()
    assert (tmp_path / "untracked.md").read_text() == old


@pytest.mark.parametrize("arguments", [[], ["nonsense"], ["https://example.org/only-one"]])
def test_set_repository_url_refuses_what_is_no_repository(arguments: list[str]) -> None:
    command = ["python3", ROOT / "scripts" / "set_repository_url.py", *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.startswith("usage: make urls REPOSITORY_URL=")
