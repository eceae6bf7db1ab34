"""One self-contained HTML page: texts, tables and charts, without scripts and without anything from elsewhere.

Builders of content give texts, which are escaped here, and charts, which ``svg_charts`` has escaped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import Protocol

from imu_emg_estimator import __version__
from imu_emg_estimator.report.page_style import STYLE

GENERATOR = '<meta name="generator" content="imu_emg_estimator">'  # by it a report is told from other pages
GOOD, DOUBTED, BAD = "good", "doubted", "bad"  # classes of a cell or of the headline


class Block(Protocol):
    """A part of a section."""

    def html(self) -> str: ...


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str

    def html(self) -> str:
        """Write it."""
        return f"<p>{escape(self.text)}</p>"


@dataclass(frozen=True)
class Items:
    """A list of sentences."""

    texts: Sequence[str]

    def html(self) -> str:
        """Write it."""
        return f"<ul>{''.join(f'<li>{escape(text)}</li>' for text in self.texts)}</ul>"


@dataclass(frozen=True)
class Command:
    """A command line to type."""

    text: str

    def html(self) -> str:
        """Write it."""
        return f"<pre>{escape(self.text)}</pre>"


@dataclass(frozen=True)
class Facts:
    """Pairs of a name and a value; those without a value are left out."""

    pairs: Sequence[tuple[str, str]]

    def html(self) -> str:
        """Write it."""
        rows = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in self.pairs if value)
        return f"<dl>{''.join(rows)}</dl>"


@dataclass(frozen=True)
class Cell:
    """A cell of a table; ``mood`` is "", or ``GOOD``, ``DOUBTED`` or ``BAD``, which also stand in the text."""

    text: str
    mood: str = ""


@dataclass(frozen=True)
class Table:
    """A table; on a narrow screen each row becomes a card, whose values are named by the header."""

    header: Sequence[str]
    rows: Sequence[Sequence[str | Cell]]

    def html(self) -> str:
        """Write it."""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.header)
        body = "".join(f"<tr>{self._cells(row)}</tr>" for row in self.rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def _cells(self, row: Sequence[str | Cell]) -> str:
        return "".join(_cell(name, cell) for name, cell in zip(self.header, row, strict=True))


def _cell(name: str, cell: str | Cell) -> str:
    text, mood = (cell.text, cell.mood) if isinstance(cell, Cell) else (cell, "")
    return f'<td data-name="{escape(name)}"{_class(mood)}>{escape(text)}</td>'


def _class(mood: str) -> str:
    return f' class="{mood}"' if mood else ""


@dataclass(frozen=True)
class Charts:
    """Charts beside each other where there is room, and what is to be seen.

    Attributes:
        svgs: as ``svg_charts`` writes them.
    """

    svgs: Sequence[str]
    caption: str

    def html(self) -> str:
        """Write it."""
        return (
            f'<figure><div class="charts">{"".join(self.svgs)}</div><figcaption>{escape(self.caption)}</figcaption>'
            "</figure>"
        )


@dataclass(frozen=True)
class Section:
    """A heading and what stands below; without blocks it is left out."""

    heading: str
    blocks: Sequence[Block]

    def html(self) -> str:
        """Write it."""
        return f"<section><h2>{escape(self.heading)}</h2>{''.join(block.html() for block in self.blocks)}</section>"


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: what it is about.
        headline: what came of it, in a sentence or two.
        mood: of the headline: ``GOOD``, ``DOUBTED`` or ``BAD``.
        facts: whose, when, from what.
        sections: the rest.
        command: that wrote it; empty = not known.
    """

    title: str
    headline: str
    mood: str
    facts: Facts
    sections: Sequence[Section]
    command: str = field(default="")

    def html(self) -> str:
        """Write the page."""
        sections = "".join(section.html() for section in self.sections if section.blocks)
        command = f" by <code>{escape(self.command)}</code>" if self.command else ""
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR}\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style></head>\n"
            f'<body><main><header><h1>{escape(self.title)}</h1><p class="headline {self.mood}">'
            f"{escape(self.headline)}</p>{self.facts.html()}</header>\n{sections}\n"
            f"<footer><p>Written{command} with imu_emg_estimator {__version__}. A research tool, not a medical "
            "device.</p></footer></main></body></html>\n"
        )


def number(value: float | None, digits: int = 2) -> str:
    """Format a figure; what is not known or not finite is a dash."""
    return f"{value:.{digits}f}" if value is not None and abs(value) < float("inf") else "–"


def percent(share: float) -> str:
    """Format a share."""
    return f"{number(100 * share, 0)} %"


def change(before: float | None, after: float | None, digits: int = 2) -> str:
    """Format a figure before and after."""
    return f"{number(before, digits)} → {number(after, digits)}"
