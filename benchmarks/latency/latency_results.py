"""Ratios and the figures behind them, from the outcomes of all pieces."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.latency.latency_figures import growth, ratio, spread
from benchmarks.latency.live_sessions import BASELINE, OURS
from benchmarks.latency.measured_piece import Piece
from benchmarks.latency.measurement_settings import Settings
from benchmarks.latency.step_timing import SEQUENCE, WINDOW

BUDGET_RATES = (60.0, 100.0, 200.0)  # Hz
MAIN = "main"  # case of the step section

Outcome = Mapping[str, Any]
Pick = Callable[[Outcome], Any]


@dataclass(frozen=True)
class Outcomes:
    """Outcomes of all measurements by piece."""

    by_piece: Sequence[tuple[Piece, Outcome]]

    def names(self, section: str) -> list[str]:
        """Return the names of a section's pieces, in order."""
        return list(dict.fromkeys(piece.name for piece, _ in self.by_piece if piece.section == section))

    def all(self, section: str, name: str) -> dict[int, Outcome]:
        """Return the outcomes of a measurement by repeat."""
        return {
            piece.repeat: outcome
            for piece, outcome in sorted(self.by_piece, key=lambda entry: entry[0].repeat)
            if (piece.section, piece.name) == (section, name)
        }

    def spread(self, section: str, name: str, pick: Pick) -> dict[str, Any]:
        """Return the spread of a figure over the repeats."""
        return spread([pick(outcome) for outcome in self.all(section, name).values()])

    def ratio(self, section: str, ours: str, other: str, pick: Pick, of_other: Pick | None = None) -> dict[str, Any]:
        """Return the spread of the ratio of two measurements' figures, over the repeats that have both."""
        a, b = self.all(section, ours), self.all(section, other)
        both = [repeat for repeat in a if repeat in b]
        return ratio([pick(a[repeat]) for repeat in both], [(of_other or pick)(b[repeat]) for repeat in both])


def at(*keys: str) -> Pick:
    """Return a function that picks the figure at these keys of an outcome."""

    def pick(outcome: Outcome) -> Any:
        for key in keys:
            outcome = outcome[key]
        return outcome

    return pick


CPU, RSS, START = at("cpu"), at("memory", "rss"), at("start", "first_estimate")


def compute(outcomes: Outcomes, settings: Settings, engines: Sequence[str]) -> dict[str, Any]:
    """Compute all results except the description of the machine.

    Args:
        engines: streaming engines that are installed, the one in use first.
    """
    ours = settings.engine or (engines[0] if engines else "numpy")
    spreads = _ratios(outcomes, ours, settings)
    loss = outcomes.all("loss", OURS).get(0)
    calibration = _calibration(outcomes)
    return {
        "ratios": {name: entry["median"] for name, entry in spreads.items()},
        "messages_lost": loss["messages_lost"] if loss else None,
        "calibration_wall_s_p50": calibration["wall_s"]["p50"],
        "ratios_spread": spreads,
        "engine": ours,
        "floor": _floor(outcomes, ours),
        "step": _step(outcomes),
        "sweep": _sweep(outcomes),
        "age": {name: _node(outcomes, "age", name) for name in outcomes.names("age")},
        "scaling": {name: _node(outcomes, "scaling", name) for name in outcomes.names("scaling")},
        "gap": _gap(outcomes),
        "calibration": calibration,
        "loss": {name: outcomes.all("loss", name)[0] for name in outcomes.names("loss")},
        "growth": {
            "rss_growth": outcomes.spread("growth", OURS, lambda outcome: growth(outcome["rss"])),
            "repeats": list(outcomes.all("growth", OURS).values()),
        },
        "budget": _budget(outcomes, ours, settings),
    }


def _ratios(outcomes: Outcomes, ours: str, settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the spreads of all ratios, ours over the other: smaller is better."""
    windows = sorted(settings.windows)

    def cost(seconds: float) -> Pick:
        return _step_time(f"window={seconds:g}")

    return {
        "step": outcomes.ratio("step", ours, WINDOW, _step_time(MAIN)),
        "step_wall": outcomes.ratio("step", ours, WINDOW, at("cases", MAIN, "step", "p50")),
        "step_large": outcomes.ratio("step", ours, WINDOW, _step_time("large")),
        "step_to_sequence": outcomes.ratio("step", ours, SEQUENCE, _step_time(MAIN)),
        "age_p99": outcomes.ratio("age", OURS, BASELINE, at("age", "p99")),
        "age_p50": outcomes.ratio("age", OURS, BASELINE, at("age", "p50")),
        "cpu": outcomes.ratio("age", OURS, BASELINE, CPU),
        "cpu_to_typed": outcomes.ratio("age", OURS, "typed", CPU),
        "cpu_to_raw": outcomes.ratio("age", OURS, "raw", CPU),
        "cpu_to_wait_set": outcomes.ratio("age", OURS, "wait_set", CPU),
        "cpu_to_echo": outcomes.ratio("age", OURS, "echo", CPU),
        "memory": outcomes.ratio("age", OURS, BASELINE, RSS),
        "memory_pss": outcomes.ratio("age", OURS, BASELINE, at("memory", "pss")),
        "memory_to_echo": outcomes.ratio("age", OURS, "echo", RSS),
        "start": outcomes.ratio("age", OURS, BASELINE, START),
        "start_to_echo": outcomes.ratio("age", OURS, "echo", START),
        "calibration_gap": outcomes.spread("gap", OURS, at("ratio")),
        "memory_after_an_hour": outcomes.spread("growth", OURS, lambda outcome: _plus_one(growth(outcome["rss"]))),
        "window_longest_to_shortest": outcomes.ratio("sweep", ours, ours, cost(windows[-1]), cost(windows[0])),
    }


def _step_time(case: str) -> Pick:
    return at("cases", case, "step", "processor_p50")


def _plus_one(value: float | None) -> float | None:
    return None if value is None else 1.0 + value


def _floor(outcomes: Outcomes, ours: str) -> dict[str, Any]:
    """Return the lower bound of a step's time, and the ratio of ours to it."""
    names = ("multiply_adds", "gemv_us", "gemv_gflops", "gemm_gflops", "interpreter_us")
    measured = {name: outcomes.spread("floor", "arithmetic", at(name)) for name in names}
    step = outcomes.spread("step", ours, _step_time(MAIN))["median"]
    floor = measured["gemv_us"]["median"]
    return {**measured, "step_over_floor": step / floor if step and floor else None}


def _step(outcomes: Outcomes) -> dict[str, Any]:
    """Return step and estimate times [us] of every engine, and its memory."""
    result = {}
    for name in outcomes.names("step"):
        cases = next(iter(outcomes.all("step", name).values()))["cases"]
        result[name] = {
            "start_s": outcomes.spread("step", name, at("start_s")),
            "rss_mb": outcomes.spread("step", name, RSS),
            "cases": {case: _times(outcomes, "step", name, case) for case in cases},
        }
    return result


def _sweep(outcomes: Outcomes) -> dict[str, Any]:
    """Return times [us] by sweep, engine and value."""
    result: dict[str, Any] = {}
    for name in outcomes.names("sweep"):
        for case in next(iter(outcomes.all("sweep", name).values()))["cases"]:
            sweep, _, value = case.partition("=")
            result.setdefault(sweep, {}).setdefault(name, {})[value] = _times(outcomes, "sweep", name, case)
    return result


def _times(outcomes: Outcomes, section: str, name: str, case: str) -> dict[str, Any]:
    """Return the spreads of step and estimate times [us], and the multiply-adds of a streaming step."""
    first = next(iter(outcomes.all(section, name).values()))["cases"][case]
    times = {
        f"{kind}_{figure}": outcomes.spread(section, name, at("cases", case, kind, figure))
        for kind in ("step", "estimate")
        if kind in first
        for figure in ("p50", "p99", "processor_p50")
    }
    return {"multiply_adds": first["multiply_adds"], **times}


def _node(outcomes: Outcomes, section: str, name: str) -> dict[str, Any]:
    """Return the spreads of a node's end-to-end figures, and its summed histograms."""
    repeats = list(outcomes.all(section, name).values())

    def over(pick: Pick) -> dict[str, Any]:
        return spread([pick(outcome) for outcome in repeats])

    node: dict[str, Any] = {
        "cpu": over(CPU),
        "memory_mb": {kind: over(at("memory", kind)) for kind in ("rss", "pss", "peak")},
        "cpu_load": over(at("cpu_load")),
        "cpu_others": over(at("cpu_others")),
        "load_kept_share": over(lambda outcome: outcome["load"]["kept"] / outcome["load"]["asked"]),
        "load_late_p99_s": over(at("load", "late_p99")),
    }
    if all("received" in outcome for outcome in repeats):
        node["messages_lost_share"] = over(lambda outcome: _share(outcome["received"], "lost"))
    if all("age" in outcome for outcome in repeats):
        for kind in ("age", "latency"):
            node[f"{kind}_s"] = {figure: over(at(kind, figure)) for figure in ("p50", "p90", "p99", "p99.9", "largest")}
        node["estimates_missed_share"] = over(lambda outcome: _share(outcome, "missed"))
        node["first_estimate_s"] = over(START)
        node["first_ok_s"] = over(at("start", "first_ok"))
        node["histogram"] = np.sum([outcome["histogram"] for outcome in repeats], axis=0).tolist()
    return node


def _share(outcome: Outcome, part: str) -> float | None:
    return outcome[part] / outcome["due"] if outcome["due"] else None


def _gap(outcomes: Outcomes) -> dict[str, Any]:
    repeats = outcomes.all("gap", OURS)
    drawn = next(iter(repeats.values()))["over_time"] if repeats else None
    return {
        "calibrating_s": outcomes.spread("gap", OURS, at("calibrating", "largest_gap")),
        "quiet_s": outcomes.spread("gap", OURS, at("quiet", "largest_gap")),
        "missed": sum(outcome["calibrating"]["missed"] for outcome in repeats.values()) if repeats else None,
        "swaps": sum(outcome["wall_s"] is not None for outcome in repeats.values()),
        "wall_s": outcomes.spread("gap", OURS, at("wall_s")),
        "over_time": drawn,
    }


def _calibration(outcomes: Outcomes) -> dict[str, Any]:
    """Return times from the call to the first estimate of the new model; none if the old model was kept."""
    subjects = {name: outcomes.all("calibration", name)[0] for name in outcomes.names("calibration")}
    accepted = spread([outcome["wall_s"] for outcome in subjects.values()])
    answered = spread([outcome["answer_s"] for outcome in subjects.values()])
    return {
        "wall_s": {"p50": accepted["median"], **accepted},
        "answer_s": {"p50": answered["median"], **answered},
        "refusal_s": spread([outcome["refusal_s"] for outcome in subjects.values()]),
        "subjects": len(subjects),
        "kept_the_old_model": [name for name, outcome in subjects.items() if outcome["wall_s"] is None],
        "by_subject": {
            name: {figure: outcome[figure] for figure in ("wall_s", "answer_s", "refusal_s", "message")}
            for name, outcome in subjects.items()
        },
    }


def _budget(outcomes: Outcomes, ours: str, settings: Settings) -> dict[str, Any]:
    """Return the share of one core by network width and rate: a step, and the node's other work per row."""
    cpu = outcomes.spread("age", OURS, CPU)["median"]
    main = outcomes.spread("step", ours, _step_time(MAIN))["median"]
    rest = 1e6 * cpu / settings.rate - main if cpu is not None and main is not None else None
    shapes = {}
    for width, times in _sweep(outcomes).get("width", {}).get(ours, {}).items():
        step = times["step_processor_p50"]["median"]
        share = {f"{rate:g}": None if rest is None else 1e-6 * rate * (step + rest) for rate in BUDGET_RATES}
        shapes[width] = {"step_us": step, "estimate_us": times["estimate_p50"]["median"], "share": share}
    return {"rest_us": rest, "by_width": shapes}
