"""Charts as inline SVG, sharp on screens and on paper: envelopes over time, and figures as dots.

Colours are classes of ``page_style``. A chart is as wide as a phone, so that its letters are never smaller than there.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from html import escape

from imu_emg_estimator.model.envelope_curves import MuscleCurves

WIDTH, HEIGHT = 360, 200  # units; one is a CSS pixel on a phone
LEFT, RIGHT, TOP, BOTTOM = 40, 8, 40, 32  # margins
TICKS = 4
ROW_HEIGHT = 20
BEFORE, ESTIMATE, MEASURED = "before", "estimate", "measured"
Scale = Callable[[float], float]  # from values to places on the page


def envelope_chart(title: str, curves: MuscleCurves, start: float, rate: float, unit: str, level: float) -> str:
    """Draw measured and estimated envelope of a muscle over time, with the interval around the estimate.

    Args:
        start: instant of the first sample [s].
        rate: of the curves [Hz].
        unit: of the envelopes.
        level: of the interval.
    """
    upper, lower = _interval(curves)
    top = _highest([*curves.measured, *curves.estimate, *curves.before], upper)
    samples = len(curves.estimate) or len(curves.measured)
    across, up = _scale(start, start + samples / rate, LEFT, WIDTH - RIGHT), _scale(0.0, top, HEIGHT - BOTTOM, TOP)
    x = [across(start + index / rate) for index in range(samples)]
    parts = [*_time_axis(start, samples / rate, across), *_value_axis(top, up)]
    parts += [f'<path class="band" d="{path}"/>' for path in _bands(x, list(map(up, lower)), list(map(up, upper)))]
    for kind, values in ((BEFORE, curves.before), (MEASURED, curves.measured), (ESTIMATE, curves.estimate)):
        if values:
            parts.append(f'<path class="{kind}" d="{_line(x, [up(value) for value in values])}"/>')
    now = "after" if curves.before else "estimated"
    legend = {MEASURED: "measured" if curves.measured else "", BEFORE: "before" if curves.before else "", ESTIMATE: now}
    band = f"{100 * level:.0f} % interval" if curves.half_width else ""
    return _svg(HEIGHT, f"{title} [{unit}]" if unit else title, [*_legend(legend, band), *parts])


def dot_chart(title: str, rows: Sequence[tuple[str, float, float]], axis: str, words: tuple[str, str]) -> str:
    """Draw two figures in each row, as a ring and a dot with a line between; what is not finite is left out.

    Args:
        rows: name, figure of the ring, figure of the dot.
        axis: what the figures are.
        words: what ring and dot stand for.
    """
    known = [value for _, *values in rows for value in values if math.isfinite(value)]
    low, high = min([0.0, *known]), max([1.0, *known])
    height, left = TOP + ROW_HEIGHT * len(rows) + BOTTOM, 130
    across, bottom = _scale(low, high, left + 4, WIDTH - 14), height - BOTTOM
    parts = []
    for tick in _ticks(low, high):
        x = f"{across(tick):.1f}"
        parts.append(f'<line class="grid" x1="{x}" y1="{TOP - 4}" x2="{x}" y2="{bottom}"/>')
        parts.append(_label(across(tick), bottom + 13, f"{tick:.4g}", "middle"))
    parts.append(_label((left + WIDTH) / 2, height - 4, axis, "middle"))
    for index, (name, before, after) in enumerate(rows):
        y = TOP + ROW_HEIGHT * (index + 0.5)
        parts.append(f'<text x="{left - 8}" y="{y + 4:.1f}" text-anchor="end">{escape(_short(name))}</text>')
        if math.isfinite(before) and math.isfinite(after):
            parts.append(f'<line class="grid" x1="{across(before):.1f}" y1="{y}" x2="{across(after):.1f}" y2="{y}"/>')
        for kind, value in ((BEFORE, before), (ESTIMATE, after)):
            if math.isfinite(value):
                parts.append(f'<circle class="{kind}" cx="{across(value):.1f}" cy="{y}" r="4"/>')
    return _svg(height, title, [*_dot_legend(words), *parts])


def _svg(height: float, title: str, parts: Iterable[str]) -> str:
    head = f'<text class="title" x="0" y="13">{escape(title)}</text>'
    return f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(title)}">{head}{"".join(parts)}</svg>'


def _legend(words: Mapping[str, str], band: str) -> Iterator[str]:
    x = float(LEFT)
    for kind, word in words.items():
        if word:
            yield f'<path class="{kind}" d="M{x} 26h18"/><text class="{kind}" x="{x + 22}" y="30">{word}</text>'
            x += 34 + 6.2 * len(word)
    if band:
        yield f'<path class="band" d="M{x} 20h18v12h-18z"/><text class="estimate" x="{x + 22}" y="30">{band}</text>'


def _dot_legend(words: tuple[str, str]) -> Iterator[str]:
    x = 10.0
    for kind, word in zip((BEFORE, ESTIMATE), words, strict=True):
        if word:
            yield f'<circle class="{kind}" cx="{x}" cy="26" r="4"/>'
            yield f'<text class="{kind}" x="{x + 9}" y="30">{escape(word)}</text>'
            x += 30 + 6.2 * len(word)


def _time_axis(start: float, seconds: float, across: Scale) -> Iterator[str]:
    y = HEIGHT - BOTTOM
    for tick in _ticks(start, start + seconds):
        yield f'<line class="grid" x1="{across(tick):.1f}" y1="{y}" x2="{across(tick):.1f}" y2="{y + 4}"/>'
        yield _label(across(tick), y + 15, f"{tick:.6g}", "middle")
    yield _label((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 3, "time in the recording [s]", "middle")


def _value_axis(top: float, up: Scale) -> Iterator[str]:
    for tick in _ticks(0.0, top):
        yield f'<line class="grid" x1="{LEFT}" y1="{up(tick):.1f}" x2="{WIDTH - RIGHT}" y2="{up(tick):.1f}"/>'
        yield _label(LEFT - 4, up(tick) + 4, f"{tick:.4g}", "end")


def _label(x: float, y: float, text: str, anchor: str) -> str:
    return f'<text class="soft" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _scale(low: float, high: float, first: float, last: float) -> Scale:
    factor = (last - first) / ((high - low) or 1.0)
    return lambda value: first + (value - low) * factor


def _interval(curves: MuscleCurves) -> tuple[list[float], list[float]]:
    pairs = list(zip(curves.estimate, curves.half_width, strict=False))
    return [value + half for value, half in pairs], [max(0.0, value - half) for value, half in pairs]


def _highest(values: Sequence[float], upper: Sequence[float]) -> float:
    """Return where the axis ends: above all curves, and above most of the interval, which may be far wider."""
    highest = max((value for value in values if math.isfinite(value)), default=0.0)
    wide = sorted(value for value in upper if math.isfinite(value))
    return max(highest, min(wide[int(0.9 * len(wide))], 1.6 * highest) if wide else 0.0) or 1.0


def _ticks(low: float, high: float) -> list[float]:
    """Choose round values between two, about ``TICKS`` of them."""
    rough = (high - low) / TICKS
    step = 10.0 ** math.floor(math.log10(rough))
    step *= next((factor for factor in (1, 2, 5) if factor * step >= rough), 10)
    first = math.ceil(low / step - 1e-9)
    return [index * step for index in range(first, math.floor(high / step + 1e-9) + 1)]


def _line(x: Sequence[float], y: Sequence[float]) -> str:
    """Write a line that is interrupted where a value is not finite, and does not leave the chart."""
    commands, pen = [], "M"
    for across, up in zip(x, y, strict=False):
        if math.isfinite(up):
            commands.append(f"{pen}{across:.1f} {min(max(up, TOP), HEIGHT - BOTTOM):.1f}")
            pen = "L"
        else:
            pen = "M"
    return "".join(commands)


def _bands(x: Sequence[float], lower: Sequence[float], upper: Sequence[float]) -> Iterator[str]:
    """Write the outline of every stretch in which both ends are finite."""
    run: list[int] = []
    for index in range(len(lower) + 1):
        if index < len(lower) and math.isfinite(lower[index]) and math.isfinite(upper[index]):
            run.append(index)
        elif run:
            points = [(x[own], upper[own]) for own in run] + [(x[own], lower[own]) for own in reversed(run)]
            yield _line(*zip(*points, strict=True)) + "Z"
            run = []


def _short(name: str) -> str:
    return name if len(name) <= 20 else f"{name[:19]}…"
