"""Links of the documentation lead to files and headings that exist; the site builds in strict mode."""

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from fixtures.markdown_pages import ROOT, anchors, links, page_name, pages

from scripts.set_repository_url import repository_url

README_WORDS = 700
IN_REPOSITORY = tuple(f"{repository_url()}/{kind}/main/" for kind in ("blob", "tree"))


@pytest.mark.parametrize("page", pages(), ids=page_name)
def test_links_lead_somewhere(page: Path) -> None:
    broken = [link for link in links(page) if not is_sound(link, page)]
    assert not broken


def is_sound(link: str, page: Path) -> bool:
    for address in IN_REPOSITORY:
        if link.startswith(address):
            return (ROOT / link.removeprefix(address).partition("#")[0]).exists()
    if "://" in link or link.startswith("mailto:"):
        return True
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if page.parent == ROOT / "docs" and target.parent not in (page.parent, page.parent / "img"):
        return False  # the site holds docs/ alone
    return target.exists() and (not anchor or anchor in anchors(target))


def test_every_page_is_in_the_navigation() -> None:
    text = (ROOT / "mkdocs.yml").read_text(encoding="utf-8")
    navigation = yaml.safe_load(text[text.index("\nnav:") :])["nav"]
    assert sorted(page_files(navigation)) == sorted(page.name for page in (ROOT / "docs").glob("*.md"))


def page_files(entry: object) -> list[str]:
    if isinstance(entry, str):
        return [entry]
    entries = entry.values() if isinstance(entry, dict) else entry
    assert isinstance(entries, (list, type({}.values())))
    return [name for part in entries for name in page_files(part)]


@pytest.mark.parametrize("name", ["architecture.md", "extending.md"])
def test_modules_that_a_page_names_exist(name: str) -> None:
    package = ROOT / "imu_emg_estimator"
    folders = "|".join(folder.name for folder in package.iterdir() if (folder / "__init__.py").is_file())
    named = set(re.findall(rf"(?<![\w/])(?:{folders})/\w+", (ROOT / "docs" / name).read_text(encoding="utf-8")))
    assert named
    assert sorted(module for module in named if not (package / f"{module}.py").is_file()) == []


def test_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= README_WORDS


@pytest.mark.slow
@pytest.mark.skipif(find_spec("zensical") is None, reason="zensical is not installed (it needs Python 3.11)")
def test_site_builds_strictly(tmp_path: Path) -> None:
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    shutil.copytree(ROOT / "docs", tmp_path / "docs")
    build = subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"], cwd=tmp_path, capture_output=True, text=True
    )
    assert build.returncode == 0, build.stdout + build.stderr
    assert (tmp_path / "site" / "quick_start" / "index.html").is_file()
