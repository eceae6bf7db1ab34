"""The committed reference pages are those that the schema of parameters and the parser generate."""

import argparse

import pytest
from fixtures.markdown_pages import ROOT

from scripts import generate_reference, python_reference, readme_table, reliability_tables

PAGES = generate_reference.pages()


@pytest.mark.parametrize("name", PAGES)
def test_reference_page_is_up_to_date(name: str) -> None:
    assert (ROOT / "docs" / name).read_text(encoding="utf-8") == PAGES[name], "run: make reference"


def test_command_line_page_has_every_option() -> None:
    parser = argparse.ArgumentParser(prog="imu-emg")
    command = parser.add_subparsers().add_parser("walk", help="walk for a while")
    command.add_argument("place", nargs="?", help="where")
    command.add_argument(
        "--steps", type=int, default=3, required=True, metavar="N", help="how many (default: %(default)s)"
    )
    command.add_argument("--shoes", choices=("on", "off"), help="of <anna>")
    command.add_argument("--back", action="store_true", help="and back")
    command.add_argument("--secret", help=argparse.SUPPRESS)
    page = generate_reference.command_line_page(parser)
    assert page.split("## walk\n\n")[1] == (
        "Walk for a while.\n\n- `[place]`: where\n- `--steps N` (required): how many (default: 3)\n"
        "- `--shoes on|off`: of \\<anna>\n- `--back`: and back\n"
    )


def test_readme_table_has_the_figures_of_the_report() -> None:
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    assert readme_table.with_table(page) == page, "run: scripts/run-in-env python scripts/readme_table.py"


def test_reliability_page_has_the_figures_of_the_report_and_all_faults() -> None:
    page = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
    assert reliability_tables.with_tables(page) == page, "run: make reference"


def test_command_line_page_describes_shared_options_once() -> None:
    parser = argparse.ArgumentParser(prog="imu-emg")
    subparsers = parser.add_subparsers()
    for name in ("walk", "run", "sit"):
        command = subparsers.add_parser(name, help=name)
        command.add_argument("--pace", metavar="N", help="steps a minute")
        command.add_argument(f"--{name}", action="store_true", help="do it")
    page = generate_reference.command_line_page(parser)
    assert page.count("steps a minute") == 1
    assert page.count("- [shared](#shared-options): `--pace`") == 3
    assert "## run\n\nRun.\n\n- `--run`: do it\n- [shared]" in page


def test_python_page_makes_lists_of_sections() -> None:
    def walk(steps: int, pace: object = object()) -> bool:
        """Walk on ``here``.

        Args:
            steps: how many,
                if any.
            pace, gait: how.

        Returns:
            Whether it went well.

        Raises:
            InputError: if
                not.
        """
        return bool(steps)

    lines = "\n".join(python_reference._described("walk", walk, "###"))
    assert lines == (
        "### walk\n\n```text\nwalk(steps, pace=...)\n```\n\nWalk on `here`.\n\nArgs:\n\n"
        "- `steps`: how many, if any.\n- `pace`, `gait`: how.\n\nReturns: Whether it went well.\n\n"
        "Raises:\n\n- `InputError`: if not.\n\n"
    )
