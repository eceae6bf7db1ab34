"""The page writer: whatever it is given, a page is whole, small, needs nothing else, and says what it was given."""

import pytest
from fixtures.html_pages import read_page

from imu_emg_estimator.report import html_page as html
from imu_emg_estimator.report.html_page import GOOD, Cell, Page, change, number, percent

HOSTILE = "<script>alert('&\"')</script><img src=https://example.org/x onerror=x>"


def page_of(text: str) -> Page:
    """A page that has a text in every place."""
    table = html.table((text, "b"), [(text, Cell(text, GOOD))])
    blocks = [html.text(text), html.items([text]), html.command(text), table, html.charts([], text)]
    return Page(text, text, GOOD, [(text, text)], {text: blocks})


def test_page_escapes_hostile_text_in_every_place() -> None:
    page = page_of(HOSTILE).html(HOSTILE)
    read = read_page(page)
    assert "<script" not in page
    assert "<img" not in page
    assert read.text.count(HOSTILE) == 14  # title, headings, paragraphs, pairs, cells, caption, command
    assert read.named("td")[0]["data-name"] == HOSTILE


def test_page_leaves_out_empty_sections_and_facts() -> None:
    page = Page("a", "b", GOOD, [("known", "1"), ("unknown", "")], {"nothing": []}).html()
    assert "unknown" not in page
    assert "<section" not in page


@pytest.mark.parametrize("value", [None, float("nan"), float("inf"), -float("inf")])
def test_number_is_a_dash_where_there_is_none(value: float | None) -> None:
    assert number(value) == "–"
    assert change(value, 0.5) == "– → 0.50"


def test_percent_rounds() -> None:
    assert percent(0.896) == "90 %"
