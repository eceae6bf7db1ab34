"""One self-contained HTML page: texts, tables and charts, without scripts and without anything from elsewhere.

Builders of content give texts, which are escaped here, and charts, which ``svg_charts`` has escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import NewType

from imu_emg_estimator import __version__
from imu_emg_estimator.report.page_style import STYLE

GENERATOR = '<meta name="generator" content="imu_emg_estimator">'  # by it a report is told from other pages
GOOD, DOUBTED, BAD = "good", "doubted", "bad"  # classes of a cell or of the headline

Block = NewType("Block", str)  # a part of a section, as HTML


def text(content: str) -> Block:
    """Write a paragraph."""
    return Block(f"<p>{escape(content)}</p>")


def items(texts: Sequence[str]) -> Block:
    """Write a list of sentences."""
    return Block(f"<ul>{''.join(f'<li>{escape(content)}</li>' for content in texts)}</ul>")


def command(line: str) -> Block:
    """Write a command line to type."""
    return Block(f"<pre>{escape(line)}</pre>")


@dataclass(frozen=True)
class Cell:
    """A cell of a table; ``mood`` is "", or ``GOOD``, ``DOUBTED`` or ``BAD``, which also stand in the text."""

    text: str
    mood: str = ""


def table(header: Sequence[str], rows: Sequence[Sequence[str | Cell]]) -> Block:
    """Write a table; on a narrow screen each row becomes a card, whose values are named by the header."""
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in header)
    cells = ("".join(_cell(name, cell) for name, cell in zip(header, row, strict=True)) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return Block(f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _cell(name: str, cell: str | Cell) -> str:
    own = cell if isinstance(cell, Cell) else Cell(cell)
    mood = f' class="{own.mood}"' if own.mood else ""
    return f'<td data-name="{escape(name)}"{mood}>{escape(own.text)}</td>'


def charts(svgs: Sequence[str], caption: str) -> Block:
    """Write charts of ``svg_charts``, beside each other where there is room, and what is to be seen."""
    return Block(
        f'<figure><div class="charts">{"".join(svgs)}</div><figcaption>{escape(caption)}</figcaption></figure>'
    )


@dataclass(frozen=True)
class Page:
    """A report.

    Attributes:
        title: what it is about.
        headline: what came of it, in a sentence or two.
        mood: of the headline: ``GOOD``, ``DOUBTED`` or ``BAD``.
        facts: whose, when, from what; those without a value are left out.
        sections: the rest, by heading; those without blocks are left out.
    """

    title: str
    headline: str
    mood: str
    facts: Sequence[tuple[str, str]]
    sections: Mapping[str, Sequence[Block]]

    def html(self, command: str = "") -> str:
        """Write the page; ``command`` is that which was given for it."""
        facts = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in self.facts if value)
        sections = "".join(
            f"<section><h2>{escape(heading)}</h2>{''.join(blocks)}</section>"
            for heading, blocks in self.sections.items()
            if blocks
        )
        by = f" by <code>{escape(command)}</code>" if command else ""
        return (
            f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8">{GENERATOR}\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{escape(self.title)}</title>\n<style>{STYLE}</style></head>\n"
            f'<body><main><header><h1>{escape(self.title)}</h1><p class="headline {self.mood}">'
            f"{escape(self.headline)}</p><dl>{facts}</dl></header>\n{sections}\n"
            f"<footer><p>Written{by} with imu_emg_estimator {__version__}. A research tool, not a medical "
            "device.</p></footer></main></body></html>\n"
        )


def number(value: float | None, digits: int = 2) -> str:
    """Format a figure; what is not known or not finite is a dash."""
    return f"{value:.{digits}f}" if value is not None and abs(value) < float("inf") else "–"


def percent(share: float) -> str:
    """Format a share."""
    return f"{number(100 * share, 0)} %"


def change(before: float | None, after: float | None) -> str:
    """Format a figure before and after."""
    return f"{number(before)} → {number(after)}"
