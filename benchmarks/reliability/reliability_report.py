"""The reliability report: figures of all parts, and their Markdown tables."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.reliability.fault_cases import CASES, Expected
from benchmarks.reliability.fault_oracle import LIMITS_S
from benchmarks.reliability.placement_trials import placement_table, summarise_placement
from benchmarks.reliability.reliability_jobs import Job
from benchmarks.report_writer import table_head, table_row
from imu_emg_estimator.streaming.activation_status import NAMES, OK

Results = Mapping[str, Any]
Outcome = Mapping[str, Any]

CASE = {case.name: case for case in CASES}
AT_ONCE = (Expected.NAMED.value, Expected.NAMED_BY_STATISTICS.value)
SAME = (Expected.RECONCILED, Expected.HARMLESS)
MIN_R, MAX_AMPLITUDE_ERROR = 0.99, 0.03
MAX_ALARMS_A_MINUTE, MIN_OK_SHARE = 1.0, 0.98
NAMED_SHARE, MAX_RECOVERY_S = 0.9, 0.5
TITLES = {
    Expected.NAMED: "Named within 100 ms",
    Expected.NAMED_BY_STATISTICS: "Named within 250 ms, by statistics",
    Expected.NAMED_WALKING: "Named while walking",
    Expected.TOLD: "Told",
    Expected.RECONCILED: "Reconciled",
    Expected.HARMLESS: "Harmless",
    Expected.UNKNOWABLE: "Cannot be told from the input",
}


def summarise(done: Sequence[tuple[Job, Outcome]]) -> dict[str, Any]:
    """Return the figures of all finished jobs."""
    by_part: dict[str, list[tuple[Job, Outcome]]] = {}
    for job, outcome in done:
        by_part.setdefault(job.part, []).append((job, outcome))
    trials = by_part.get("faults", [])
    cases = {name: _of_trials([outcome for job, outcome in trials if job.name == name]) for name in _names(trials)}
    groups = {}
    for case in (CASE[name] for name in cases):
        chosen = [outcome for job, outcome in trials if CASE[job.name].group == case.group]
        groups[case.group] = {"expected": case.expected.value, **_of_trials(chosen)}
    random = [outcome for _, outcome in by_part.get("random", [])]
    raised = [(job, outcome["exception"]) for job, outcome in done if outcome.get("exception")]
    return {
        "groups": groups,
        "cases": cases,
        "placement": summarise_placement(by_part.get("placement", [])),
        "clean": _of_clean([outcome for _, outcome in by_part.get("clean", [])]),
        "random": {"minutes": len(random), "stuck": [one["faults"] for one in random if one["is_stuck"]]},
        "soak": [outcome for _, outcome in by_part.get("soak", [])],
        "bytes": [outcome for _, outcome in by_part.get("bytes", [])],
        "live": {job.name: outcome for job, outcome in by_part.get("live", [])},
        "exceptions": [f"{job.label}: {text}" for job, text in raised],
        "stuck": sum(one["is_stuck"] for one in random) + sum(group["stuck"] for group in groups.values()),
    }


def _names(trials: Sequence[tuple[Job, Outcome]]) -> list[str]:
    found = {job.name for job, _ in trials}
    return [case.name for case in CASES if case.name in found]


def _of_trials(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    judged = [one for one in outcomes if "exception" not in one]
    messages = sum(one["messages"] for one in judged)
    recoveries = [one["recovery"] for one in judged if one["recovery"] is not None]
    firsts = [math.inf if one["named_from"] is None else one["named_from"] for one in judged]
    firsts_told = [min(first, one["told_first"] or math.inf) for first, one in zip(firsts, judged, strict=True)]
    # JSON has no NaN: a recovery that never came is null.
    known = [math.inf if one is None or math.isnan(one) else one for one in recoveries]
    return {
        "trials": len(outcomes),
        "messages": messages,
        "unsaid": sum(one["unsaid"] for one in judged),
        "unsaid_share": _share(sum(one["unsaid"] for one in judged), messages),
        "latest_unsaid_s": max((one["last_unsaid"] for one in judged), default=None),
        "named_within": {f"{limit:g}": _share(sum(f <= limit for f in firsts), len(firsts)) for limit in LIMITS_S},
        "told_within": {f"{limit:g}": _share(sum(f <= limit for f in firsts_told), len(firsts)) for limit in LIMITS_S},
        "blames_others_share": _share(sum(one["blames_others"] for one in judged), messages),
        "usable_share": _share(sum(one["usable"] for one in judged), sum(one["clean_usable"] for one in judged)),
        "recovery_median_s": _finite(np.median(known)) if known else None,
        "recovery_worst_s": _finite(max(known)) if known else None,
        "recoveries_s": [_finite(round(one, 3)) for one in known],
        "stuck": sum(math.isinf(one) for one in known),
        "effect": max((one["effect"] for one in judged), default=None),
        "r_lowest": min((one["r"] for one in judged if one.get("r") is not None), default=None),
        "amplitude": [
            edge(one["amplitude"] for one in judged if one.get("amplitude") is not None) for edge in (min, max)
        ]
        if any(one.get("amplitude") is not None for one in judged)
        else None,
    }


def _of_clean(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """Return minutes, share of each status and alarms a minute, by what the subjects did."""
    result: dict[str, Any] = {}
    for group in outcomes[0]["seconds"] if outcomes else ():
        minutes = sum(one["seconds"][group] for one in outcomes) / 60
        counts = np.sum([one["statuses"][group] for one in outcomes], axis=0)
        kinds = sorted({kind for one in outcomes for kind in one["alarms"][group]})
        alarms = {kind: sum(one["alarms"][group].get(kind, 0) for one in outcomes) / minutes for kind in kinds}
        shares = {name: _share(int(count), int(counts.sum())) for name, count in zip(NAMES, counts, strict=True)}
        result[group] = {"minutes": minutes, "status_share": shares, "alarms_a_minute": alarms}
    return result


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def markdown(results: Results) -> str:
    """Format all tables."""
    made, subjects = results["made"], results["subjects"]
    lines = ["# Reliability benchmark\n", _made(made, subjects), *_aims(results)]
    for expected in Expected:
        rows = {name: row for name, row in results["groups"].items() if row["expected"] == expected.value}
        if rows:
            lines += [f"## {TITLES[expected]}\n", *_faults(rows, expected, results["before"])]
    if results["placement"]:
        lines += ["## Placement errors that begin while walking\n", *placement_table(results["placement"])]
    if results["clean"]:
        lines += ["## Clean input\n", *_clean(results["clean"])]
    if results["live"]:
        lines += ["## With a node of its own\n", *_live(results["live"])]
    return "\n".join(lines) + "\n"


def _made(made: Results, subjects: Results) -> str:
    count = f"{len(subjects['names'])} subject{'s' * (len(subjects['names']) != 1)}"
    machine = f"{made['architecture']}, {made['cores_allowed']} cores; {made['date'][:10]}"
    return (
        f"{count} ({subjects['source']}); {machine}. Made by `{made['command']}`. Each subject has a bundle "
        "whose motion distribution was fitted without the subject, unless the subjects are simulated.\n"
    )


def _aims(results: Results) -> Iterator[str]:
    yield from table_head(["what", "aim", "measured", "met"])
    for what, aim, measured, is_met in _aim_rows(results):
        yield table_row([what, aim, measured, "yes" if is_met else "**no**"])
    yield ""


def _aim_rows(results: Results) -> Iterator[tuple[str, str, str, bool]]:
    groups = results["groups"].values()
    at_once = [row for row in groups if row["expected"] in AT_ONCE]
    if at_once:
        unsaid, messages = (sum(row[field] for row in at_once) for field in ("unsaid", "messages"))
        yield (
            "wrong input published as OK or unnamed, later than 100 ms (250 ms by statistics)",
            "0 messages", f"{unsaid} of {messages}", unsaid == 0,
        )  # fmt: skip
        recoveries = [math.inf if one is None else one for row in at_once for one in row["recoveries_s"]]
        if recoveries:
            median, worst = float(np.median(recoveries)), max(recoveries)
            measured = f"{median:.2f} s, at most {worst:.2f} s"
            yield "recovery after the fault, median", "under 0.5 s", measured, median < MAX_RECOVERY_S
    walking = [row for row in groups if row["expected"] == Expected.NAMED_WALKING.value]
    if walking:
        shares = [
            sum(row["named_within"][limit] * row["trials"] for row in walking) / sum(row["trials"] for row in walking)
            for limit in ("3", "10")
        ]
        measured = f"{100 * shares[0]:.0f} % and {100 * shares[1]:.0f} %"
        yield (
            "named while walking",
            "90 % within 3 s, all within 10 s",
            measured,
            shares[0] >= NAMED_SHARE and shares[1] == 1,
        )
    if placement := results["placement"].values():
        trials = sum(row["trials"] for row in placement)
        shares = [
            sum(row["named_within"][limit] * row["trials"] for row in placement) / trials for limit in ("3", "10")
        ]
        measured = f"{100 * shares[0]:.0f} % and {100 * shares[1]:.0f} %"
        is_met = shares[0] >= NAMED_SHARE and shares[1] == 1
        yield "placement errors named while walking", "90 % within 3 s, all within 10 s", measured, is_met
    same = [row for row in groups if row["expected"] == Expected.RECONCILED.value and row["r_lowest"] is not None]
    if same:
        r, low, high = (
            min(row["r_lowest"] for row in same),
            min(row["amplitude"][0] for row in same),
            max(row["amplitude"][1] for row in same),
        )
        met = r >= MIN_R and max(high - 1, 1 - low) <= MAX_AMPLITUDE_ERROR
        yield (
            "reconciled clocks against clean input, worst trial and muscle",
            "r 0.99, amplitude within 3 %", f"r {r:.3f}, amplitude {low:.2f} to {high:.2f}", met,
        )  # fmt: skip
        wrong, messages = sum(row["unsaid"] for row in same), sum(row["messages"] for row in same)
        yield (
            "wrong clocks published as OK with wrong instants or activations",
            "0 messages",
            f"{wrong} of {messages}",
            not wrong,
        )
    clean = results["clean"]
    if clean:
        most = {g: max(clean[g]["alarms_a_minute"].values(), default=0.0) for g in ("rest", "locomotion")}
        ok = clean["locomotion"]["status_share"][NAMES[OK]] or 0.0
        measured = f"{most['rest']:.2f} at rest, {most['locomotion']:.2f} in locomotion"
        yield (
            "false alarms, most frequent kind",
            "at most 1 a minute",
            measured,
            max(most.values()) <= MAX_ALARMS_A_MINUTE,
        )
        yield "OK in clean locomotion", "at least 98 %", f"{100 * ok:.1f} %", ok >= MIN_OK_SHARE
    if results["random"]["minutes"]:
        measured = (
            f"{results['random']['minutes']} minutes: {len(results['exceptions'])} exceptions, "
            f"{len(results['random']['stuck'])} stuck"
        )
        yield (
            "random combinations of faults",
            "0 exceptions, 0 stuck",
            measured,
            not (results["exceptions"] or results["random"]["stuck"]),
        )
    for soak in results["soak"]:
        (before, after), handles = soak["memory_mb"], soak["handles"]
        measured = (
            f"{soak['hours']:.1f} h: {before:.1f} MB, then {after:.1f} MB; handles {handles[0]}, then {handles[1]}"
        )
        yield "accelerated soak", "flat", measured, after <= 1.02 * before and handles[1] <= handles[0]
    for wild in results["bytes"]:
        measured = (
            f"{wild['buffers']:,} buffers, {wild['decoded']:,} decoded; OK afterwards: {wild['is_ok_afterwards']}"
        )
        yield "random and mutated messages", "0 exceptions", measured, wild["is_ok_afterwards"]


def _faults(rows: Results, expected: Expected, before: Results) -> Iterator[str]:
    last = ["r, lowest", "amplitude", "usable"] if expected in SAME else ["named in 3 s", "in 10 s", "effect"]
    yield from table_head(
        [
            "fault",
            "trials",
            "wrong messages",
            "unsaid (before)" if before else "unsaid",
            "latest [s]",
            "others named",
            *last,
            "recovery [s]",
            "worst [s]",
        ],
        "---:",
    )
    for name, row in rows.items():
        within = row["told_within" if expected is Expected.TOLD else "named_within"]
        amplitude, unsaid = row["amplitude"], _percent(row["unsaid_share"])
        if before.get(name) is not None:
            unsaid += f" ({_percent(before[name])})"
        if expected in SAME:
            r = row["r_lowest"]
            span = f"{amplitude[0]:.2f} to {amplitude[1]:.2f}" if amplitude else ""
            own = ["" if r is None else f"{r:.3f}", span, _percent(row["usable_share"])]
        else:
            own = [_percent(within["3"]), _percent(within["10"]), f"{row['effect']:.2f}"]
        yield table_row(
            [
                name, row["trials"], row["messages"], unsaid, _s(row["latest_unsaid_s"]),
                _percent(row["blames_others_share"]), *own,
                _recovery(row, "recovery_median_s"), _recovery(row, "recovery_worst_s"),
            ]
        )  # fmt: skip
    yield ""


def _clean(clean: Results) -> Iterator[str]:
    yield from table_head(["", "minutes", *NAMES, "alarms a minute, by kind"], "---:")
    for group, row in clean.items():
        alarms = ", ".join(f"{kind} {count:.2f}" for kind, count in row["alarms_a_minute"].items())
        shares = [_percent(row["status_share"][name]) for name in NAMES]
        yield table_row([group, f"{row['minutes']:.0f}", *shares, alarms])
    yield ""


def _live(live: Results) -> Iterator[str]:
    yield from table_head(["fault", "first said [s]", "last unsaid [s]", "OK again [s]"], "---:")
    for name, one in live.items():
        yield table_row([name, _s(one["said_first"]), _s(one["last_unsaid"]), _s(one["recovery"])])
    yield ""


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.1f} %"


def _recovery(row: Results, figure: str) -> str:
    """Format a recovery; empty where no fault ended."""
    return _s(row[figure]) if row["recoveries_s"] else ""


def _s(seconds: float | None) -> str:
    return "never" if seconds is None else f"{seconds:.2f}"
