"""Words that all reports share: how good a figure is, what figures and intervals mean, verdicts as rows."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence

from imu_emg_estimator.calibration.calibration_report import joined
from imu_emg_estimator.guide.sensor_problems import display_name
from imu_emg_estimator.model.envelope_curves import EnvelopeCurves
from imu_emg_estimator.report.html_page import (
    BAD,
    DOUBTED,
    GOOD,
    Block,
    Cell,
    Charts,
    Items,
    Table,
    Text,
    number,
    percent,
)
from imu_emg_estimator.report.svg_charts import envelope_chart

MAX_CHARTS = 16
GOOD_VERDICT = "good"
MAX_SHORTFALL = 0.1  # of the share in the interval
HOW_TO_READ = (
    "EMG shows how active a muscle is. Its envelope is the strength of that activity over time. The estimates come "
    "from motion sensors (IMUs) alone.",
    "r says how closely the estimate follows the measured envelope: 1 is perfect, 0 is no relation.",
    "R² also counts the strength: 1 is perfect, 0 is no better than a constant, below 0 is worse than a constant.",
    "A dash (–) means that a figure is not known or has no meaning there.",
)


def verdict_table(verdicts: Mapping[str, str], left_out: Collection[str], what: str = "sensor or muscle") -> Table:
    """Write a row for every sensor and muscle: used, used with a warning, or left out, and why."""
    return Table((what, "used", "what was found"), [_verdict(*own, left_out) for own in verdicts.items()])


def _verdict(name: str, verdict: str, left_out: Collection[str]) -> Sequence[str | Cell]:
    if name in left_out:
        return display_name(name), Cell("left out", BAD), verdict
    if verdict == GOOD_VERDICT:
        return display_name(name), Cell("yes", GOOD), "nothing of note"
    return display_name(name), Cell("yes, with a warning", DOUBTED), verdict


def envelope_charts(curves: EnvelopeCurves | None, caption: str) -> list[Block]:
    """Draw a chart for every muscle; an empty list = there is nothing to draw."""
    if curves is None or not curves.muscles:
        return []
    shown = list(curves.muscles.items())[:MAX_CHARTS]
    charts = [
        envelope_chart(display_name(name), own, curves.start, curves.rate, curves.unit, curves.level)
        for name, own in shown
    ]
    more = f" {len(curves.muscles) - MAX_CHARTS} more muscles are not drawn." * (len(curves.muscles) > MAX_CHARTS)
    return [Charts(charts, caption + more)]


def coverage_sentence(curves: EnvelopeCurves | None) -> list[Block]:
    """Say how many measured values lie in the interval that should hold most of them; empty = not known."""
    if curves is None:
        return []
    shares = {name: own.inside for name, own in curves.muscles.items() if own.inside == own.inside}
    if not shares:
        return []
    each = ", ".join(f"{percent(share)} of {display_name(name)}" for name, share in shares.items())
    few = [display_name(name) for name, share in shares.items() if share < curves.level - MAX_SHORTFALL]
    warning = f" Of {joined(few)} the estimate is less sure than it states." if few else ""
    return [
        Text(
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


def how_to_read() -> list[Block]:
    """Explain the figures to someone who was not there."""
    return [Items(HOW_TO_READ)]
