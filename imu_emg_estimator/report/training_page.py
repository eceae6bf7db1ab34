"""The report of a training: how well the model follows people whom it had not seen, what it is, and its limitations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.report import html_page as html
from imu_emg_estimator.report.evaluation_page import FIGURES, NEXT, READING, UNSEEN, evaluation_page
from imu_emg_estimator.report.html_page import BAD, DOUBTED, GOOD, Block, Cell, Page, number
from imu_emg_estimator.training.evaluation_report import distinct_rows, sensors_left
from imu_emg_estimator.training.model_card import card_facts, limitations

EVALUATED = ("what was evaluated", "scored in")  # of its facts, what the model's own do not say
TITLE = "Training of a model"
SUBSETS = (
    "Means over people whom the networks had not seen, without calibration. With less than what is enough, the node "
    "gives no estimate."
)


def training_page(bundle: Bundle, figures: Mapping[str, Any] | None) -> Page:
    """Write the report for someone who was not there.

    Args:
        figures: of the evaluation of the folds, see ``evaluation_page``, with those left out of the training among
            those left out; None = it was not evaluated.
    """
    count = len(bundle.training["subjects"])
    trained = f"Model {bundle.model_id} was trained on {count} subjects."
    about: dict[str, list[Block]] = {
        "Without some of the sensors": _subsets(bundle),
        "Limitations": [html.items(limitations(bundle))],
        "What to do next": NEXT,
    }
    if figures is None:
        return Page(TITLE, f"{trained} How accurate it is was not measured.", DOUBTED, card_facts(bundle), about)
    page = evaluation_page(figures)
    last = {READING: page.sections[READING]}
    measured = {name: blocks for name, blocks in page.sections.items() if name not in about | last}
    return replace(
        page,
        title=TITLE,
        headline=f"{trained} {page.headline}".replace(UNSEEN, ", each by a network that never saw them"),
        facts=[*card_facts(bundle), *(fact for fact in page.facts if fact[0] in EVALUATED)],
        sections=measured | about | last,
    )


def _subsets(bundle: Bundle) -> list[Block]:
    figures = bundle.subset_figures
    if figures is None:
        return [html.text("What is left of the accuracy without some of the sensors was not measured.")]
    rows = [
        (
            sensors_left(bundle.rig, row.missing),
            f"{number(row.r)} ± {number(row.spread)}",
            Cell("yes", GOOD) if figures.uncalibrated.meets_minimum(row) else Cell("no", BAD),
        )
        for row in distinct_rows(bundle.rig, figures)
    ]
    return [html.text(SUBSETS), html.table(("sensors left", f"{FIGURES[0][1]} ± spread over subjects", "enough"), rows)]
