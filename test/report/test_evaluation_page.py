"""The report of an evaluation says what its JSON says."""

import copy
import json
from contextlib import suppress
from typing import Any

import pytest
from fixtures.html_pages import ReadPage, read_page

from imu_emg_estimator.errors import InputError
from imu_emg_estimator.report.evaluation_page import evaluation_page

NAN = float("nan")


def scores(r: float | None, r2: float | None) -> dict[str, Any]:
    return {"mean": {"r": r, "r2": r2, "nrmse": 0.1}, "muscles": {}}


def evaluation() -> dict[str, Any]:
    """Two subjects, of whom a calibration helps one, and a third who moved too little."""
    return {
        "protocol": "bundle made-up-1 on unseen subjects of files",
        "look_ahead_s": 0.051,
        "movement_group": "curls",
        "movements": ["slow_curl", "curl"],
        "mean": {
            "0": {"curls": {"r": 0.5, "r2": -0.75, "nrmse": 0.2, "subjects": 2}},
            "30": {"curls": {"r": 0.715, "r2": None, "nrmse": 0.15, "subjects": 2}},
        },
        "subjects": {
            "anna": {"0": {"curls": scores(0.4, -1.5)}, "30": {"curls": scores(0.85, 0.4)}},
            "bob": {"0": {"curls": scores(0.6, 0.0)}, "30": {"curls": scores(0.58, None)}},
        },
        "left_out": {"carl": "3 s of curl"},
        "verdicts": {"anna": {"wrist": "good", "biceps": "weak: check the electrode"}, "bob": {"wrist": "good"}},
    }


def page_of(figures: dict[str, Any]) -> ReadPage:
    return read_page(evaluation_page(figures).html())


def test_page_shows_the_figures_of_the_json() -> None:
    read = page_of(evaluation())
    assert read.row("no calibration") == ["no calibration", "curls", "2", "0.50", "-0.75"]
    assert read.row("30 s of calibration") == ["30 s of calibration", "curls", "2", "0.71", "–"]
    assert read.row("anna") == ["anna", "0.40", "-1.50", "0.85", "0.40"]
    assert read.row("bob") == ["bob", "0.60", "0.00", "0.58", "–"]
    assert "r is 0.50 with no calibration, and 0.71 with 30 s of calibration" in read.text
    assert "raised r of 1 of 2 subjects, and R² of 1 of 1 subjects" in read.text
    assert "from 0.58 (subject bob) to 0.85 (subject anna)" in read.text
    assert len(read.named("svg")) == 2


@pytest.mark.parametrize(
    ("r2", "told", "mood"),
    [
        (0.25, "is -0.75 and 0.25.", "good"),
        (0.0, "is -0.75 and 0.00.", "good"),
        (-0.01, "is -0.75 and -0.01: do not rely on the level, a constant would fit better.", "doubted"),
        (None, "is -0.75 and –.", "good"),
    ],
)
def test_headline_warns_of_a_level_worse_than_a_constant(r2: float | None, told: str, mood: str) -> None:
    figures = evaluation()
    figures["mean"]["30"]["curls"]["r2"] = r2
    page = evaluation_page(figures)
    assert page.headline.endswith(f"R², which also counts the strength, {told}")
    assert page.mood == mood


def test_page_names_who_was_left_out_and_what_was_found() -> None:
    read = page_of(evaluation())
    assert read.row("carl") == ["carl", "3 s of curl"]
    assert read.row("anna, biceps") == ["anna, biceps", "weak: check the electrode"]
    assert "anna, wrist" not in read.text


def test_page_of_one_amount_compares_nothing() -> None:
    figures = evaluation()
    del figures["mean"]["30"]
    read = page_of(figures)
    assert "raised" not in read.text
    assert [own["class"] for own in read.named("circle")].count("before") == 0


def test_page_draws_the_example() -> None:
    curves = {"measured": [1.0, None], "estimate": [1.0, 2.0], "half_width": [1.0, 1.0], "before": [], "inside": 0.8}
    muscles = {"biceps": curves}
    example = {"start": 3.0, "rate": 20.0, "unit": "mV", "level": 0.9, "muscles": muscles}
    read = page_of(evaluation() | {"example": {"subject": "anna", "condition": "curl", "curves": example}})
    assert "a typical stretch of curl" in read.text
    assert "80 % of biceps" in read.text
    assert len(read.named("svg")) == 3


def test_page_of_an_earlier_release() -> None:
    figures = evaluation()
    for name in ("movement_group", "movements", "left_out", "verdicts"):
        del figures[name]
    text = json.dumps(figures).replace('"curls"', '"locomotion"')
    assert page_of(json.loads(text)).row("anna")[1] == "0.40"


def test_page_of_nothing_known_has_dashes() -> None:
    figures = evaluation()
    figures["mean"]["30"]["curls"] |= {"r": NAN}
    read = page_of(figures)
    assert "No figure could be computed" in read.text


@pytest.mark.parametrize("part", ["mean", "subjects", "protocol", "look_ahead_s", "verdicts", "left_out"])
@pytest.mark.parametrize("value", [None, "text", [1], {"a": 1}, {"0": {"curls": "x"}}])
def test_malformed_parts_are_refused_in_a_sentence_or_shown_as_text(part: str, value: object) -> None:
    figures = copy.deepcopy(evaluation()) | {part: value}
    with suppress(InputError):
        page_of(figures)
