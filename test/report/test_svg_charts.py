"""Charts: curves where the figures are, axes that say what and in which unit, gaps where nothing is known."""

import re

import pytest
from fixtures.html_pages import ReadPage

from imu_emg_estimator.model.envelope_curves import MuscleCurves
from imu_emg_estimator.report.svg_charts import BOTTOM, HEIGHT, LEFT, TOP, WIDTH, dot_chart, envelope_chart

NAN = float("nan")


def points(svg: str, kind: str) -> list[tuple[float, float]]:
    """Points of the first path of a kind that is not the legend's."""
    paths = [path for path in re.findall(rf'<path class="{kind}" d="([^"]*)"', svg) if "h18" not in path]
    return [(float(x), float(y)) for x, y in re.findall(r"[ML]([\d.]+) ([\d.]+)", paths[0])]


def chart(**change: tuple[float, ...]) -> str:
    values = {"measured": (0.0, 4.0, 2.0), "estimate": (1.0, 3.0, 2.0), "half_width": (0.5, 0.5, 0.5)}
    return envelope_chart("right biceps", MuscleCurves(**(values | change)), 10.0, 2.0, "mV", 0.9)


def test_envelope_chart_draws_values_in_proportion() -> None:
    (first, second, third) = points(chart(), "measured")
    assert first == (LEFT, HEIGHT - BOTTOM)
    assert second[1] == pytest.approx(TOP, abs=0.1)  # the highest
    assert third[1] == pytest.approx((TOP + HEIGHT - BOTTOM) / 2, abs=0.1)  # half of it
    assert second[0] - first[0] == pytest.approx(third[0] - second[0], abs=0.2)


def test_envelope_chart_names_curves_units_and_time() -> None:
    text = ReadPage(chart(before=(1.0, 1.0, 1.0))).text
    for part in (
        "right biceps [mV]",
        "measured",
        "before",
        "after",
        "90 % interval",
        "time in the recording [s]",
        "11",
    ):
        assert part in text
    alone = ReadPage(chart(measured=(), half_width=())).text
    assert "estimated" in alone
    assert not {"measured", "before", "interval"} & set(alone.split())


def test_envelope_chart_breaks_curves_at_gaps() -> None:
    svg = chart(measured=(1.0, NAN, 2.0), half_width=(0.5, NAN, 0.5))
    path = next(own for own in re.findall(r'class="measured" d="([^"]*)"', svg) if "h18" not in own)
    assert path.count("M") == 2
    assert "nan" not in svg
    assert len([own for own in re.findall(r'class="band" d="([^"]*)"', svg) if "h18" not in own]) == 2


def test_envelope_chart_stays_within_its_frame_for_far_wider_intervals() -> None:
    svg = chart(half_width=(900.0, 900.0, 900.0))
    assert all(TOP <= y <= HEIGHT - BOTTOM and LEFT <= x <= WIDTH for x, y in points(svg, "band"))
    assert points(svg, "measured")[1][1] < HEIGHT - BOTTOM - 50  # the curve is not flattened


@pytest.mark.parametrize("value", [NAN, 0.0])
def test_envelope_chart_of_nothing_is_a_chart(value: float) -> None:
    ReadPage(chart(measured=(value,) * 3, estimate=(value,) * 3, half_width=(value,) * 3))


def test_dot_chart_places_figures_and_leaves_out_unknown_ones() -> None:
    svg = dot_chart("r", [("anna", 0.5, 1.0), ("bob", NAN, 0.0)], "r", ("none", "30 s"))
    dots = [float(x) for x in re.findall(r'<circle class="estimate" cx="([\d.]+)" cy="\d+\.\d', svg)]
    rings = re.findall(r'<circle class="before" cx="([\d.]+)" cy="\d+\.\d', svg)
    assert len(rings) == 1
    assert float(rings[0]) == pytest.approx(sum(dots) / 2, abs=0.1)
    assert {"anna", "bob"} <= set(ReadPage(svg).text.split())
