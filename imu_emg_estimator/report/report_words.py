"""Words that all reports share: how good a figure is, what figures and intervals mean, verdicts as rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping

from imu_emg_estimator.calibration.calibration_report import joined
from imu_emg_estimator.guide.sensor_problems import display_name
from imu_emg_estimator.model.envelope_curves import EnvelopeCurves
from imu_emg_estimator.report import html_page as html
from imu_emg_estimator.report.html_page import BAD, DOUBTED, GOOD, Block, Cell, number, percent
from imu_emg_estimator.report.svg_charts import envelope_chart
from imu_emg_estimator.signals.signal_quality import LEFT_OUT, TO_CHECK

MAX_CHARTS = 16
GOOD_VERDICT = "good"
MAX_SHORTFALL = 0.1  # of the share in the interval
HOW_TO_READ = [
    html.items(
        [
            "EMG shows how active a muscle is. Its envelope is the strength of that activity over time. The estimates "
            "come from motion sensors (IMUs) alone.",
            "r says how closely the estimate follows the measured envelope: 1 is perfect, 0 is no relation.",
            "R² also counts the strength: 1 is perfect, 0 is no better than a constant, below 0 is worse than a "
            "constant.",
            "A dash (–) means that a figure is not known or has no meaning there.",
        ]
    )
]


def named(names: Iterable[str]) -> str:
    """Join the names of sensors or muscles as in a sentence."""
    return joined(list(map(display_name, names)))


def verdict_table(verdicts: Mapping[str, str], left_out: Collection[str]) -> list[Block]:
    """Write a row for every sensor and muscle: used, used with a warning, or left out, and why; none are not judged."""
    rows = [(display_name(name), *_verdict(verdict, name in left_out)) for name, verdict in verdicts.items()]
    return [html.table(("sensor or muscle", "used", "what was found"), rows)] if rows else []


def _verdict(verdict: str, is_left_out: bool) -> tuple[Cell, str]:
    if is_left_out:
        return Cell("left out", BAD), _reasons(verdict)
    if verdict == GOOD_VERDICT:
        return Cell("yes", GOOD), "nothing of note"
    return Cell("yes, with a warning", DOUBTED), _reasons(verdict)


def _reasons(verdict: str) -> str:
    """Return what a verdict says beside that which the cell before it says."""
    return verdict.removeprefix(f"{LEFT_OUT}: ").removeprefix(f"{TO_CHECK}: ")


def envelope_charts(curves: EnvelopeCurves | None, caption: str) -> list[Block]:
    """Draw a chart for every muscle; an empty list = there is nothing to draw."""
    if curves is None or not curves.muscles:
        return []
    charts = [
        envelope_chart(display_name(name), own, curves.start, curves.rate, curves.unit, curves.level)
        for name, own in list(curves.muscles.items())[:MAX_CHARTS]
    ]
    more = f" {len(curves.muscles) - MAX_CHARTS} more muscles are not drawn." * (len(curves.muscles) > MAX_CHARTS)
    return [html.charts(charts, caption + more)]


def coverage_sentence(curves: EnvelopeCurves | None) -> list[Block]:
    """Say how many measured values lie in the interval that should hold most of them; empty = not known."""
    shares = {name: own.inside for name, own in curves.muscles.items() if own.inside == own.inside} if curves else {}
    if curves is None or not shares:
        return []
    each = ", ".join(f"{percent(share)} of {display_name(name)}" for name, share in shares.items())
    few = named(name for name, share in shares.items() if share < curves.level - MAX_SHORTFALL)
    warning = f" Of {few} the estimate is less sure than it states." if few else ""
    return [
        html.text(
            "The shaded interval is the estimate's own statement of how sure it is: of the measured values, "
            f"{percent(curves.level)} should lie in it. In these data it held {each}.{warning}"
        )
    ]


def level_sentence(*r2: float) -> str:
    """Say how far the level of estimates can be relied on, by R² of one after another; empty = not known."""
    if not any(map(math.isfinite, r2)):
        return ""
    warning = ": do not rely on the level, a constant would fit better" if r2[-1] < 0 else ""
    return f" R², which also counts the strength, is {' and '.join(map(number, r2))}{warning}."
