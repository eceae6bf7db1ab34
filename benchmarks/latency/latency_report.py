"""The latency report: aims, and Markdown tables of all figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.report_writer import table_head, table_row

Results = Mapping[str, Any]

NAMES = {
    "ours": "this package",
    "baseline": "baseline node",
    "typed": "empty node, executor, Python messages",
    "raw": "empty node, executor, bytes",
    "wait_set": "empty node, wait set, bytes",
    "echo": "empty echo, wait set, bytes",
    "window": "torch eager, whole window",
    "sequence": "torch eager, the newest sample's sequence",
    "onnx": "ONNX Runtime, streaming",
    "numpy": "NumPy, streaming",
    "torch": "torch, streaming",
}
STEP_FACTOR = 15.0
FLAT = 1.5  # cost of the longest window (8 times as long) over that of the shortest
SLOWER = (2, 4, 8)  # machines that the budget is scaled to
UNITS = {"window": "s", "width": "", "sensors": "", "rate": "Hz"}


@dataclass(frozen=True)
class Aim:
    """An aim: one bar and the measured figure.

    Attributes:
        value: the figure to compare with the limit; None = not measured.
        text: the figure for display.
        floor: figure of the middleware or the arithmetic alone, for display.
    """

    what: str
    aim: str
    limit: float
    value: float | None
    text: str
    floor: str = ""

    @property
    def is_met(self) -> bool | None:
        return None if self.value is None else self.value <= self.limit


def aims_of(results: Results) -> list[Aim]:
    """List every bar with its figure; a bar of two figures gives two rows."""
    return [
        *_step_aims(results),
        *_age_aims(results),
        *_node_aims(results),
        *_loss_aims(results),
        *_calibration_aims(results),
    ]


def _step_aims(results: Results) -> Iterator[Aim]:
    settings, floor = results["settings"], results["floor"]
    rows, spans = settings["window"], settings["windows"]
    gemv, over = floor["gemv_us"]["median"], floor["step_over_floor"]
    yield _faster(
        results,
        "step",
        f"one streaming step against torch eager on {rows} samples, same weights, one thread",
        "" if over is None else f"its multiplications take {gemv:.0f} µs, the step {over:.1f} times that",
    )
    yield _faster(results, "step_large", f"the same, width 128, 4 layers, attention over {rows} samples", "")
    what = f"a step with {max(spans):g} s of attention against one with {min(spans):g} s"
    floor = _window_floor(results["sweep"].get("window", {}).get(results["engine"], {}))
    yield _ratio(results, "window_longest_to_shortest", what, FLAT, "flat (at most {:g} times)", floor=floor)


def _window_floor(times: Results) -> str:
    counts = [entry["multiply_adds"] for _, entry in sorted(times.items(), key=lambda item: float(item[0]))]
    return f"its multiplications grow {counts[-1] / counts[0]:.2f} times" if counts else ""


def _age_aims(results: Results) -> Iterator[Aim]:
    rate, nodes = results["settings"]["rate"], results["age"]
    ours, baseline, echo = (nodes.get(name, {}).get("age_s", {}).get("p99") for name in ("ours", "baseline", "echo"))
    what = f"age p99 of an estimate, six sensors at {rate:g} Hz"
    beside = f": {_ms(ours)} against {_ms(baseline)}{_baseline_misses(nodes)}"
    yield _ratio(results, "age_p99", f"{what}, against the baseline node", 0.25, beside=beside)
    floor = f"empty echo {_ms(echo)}"
    yield Aim(what, f"at most one period, {1e3 / rate:g} ms", 1 / rate, _median(ours), _ms(ours), floor)


def _node_aims(results: Results) -> Iterator[Aim]:
    nodes, minutes = results["age"], results["settings"]["growth_minutes"]

    def against(figure: Callable[[Results, str], str], *empty: str) -> tuple[str, str]:
        floor = ", ".join(f"{NAMES[name]}: {figure(nodes, name)}" for name in empty)
        return f": {figure(nodes, 'ours')} against {figure(nodes, 'baseline')}", floor

    what = "processor time a second of data, against the baseline node"
    yield _ratio(results, "cpu", what, 0.25, "at most {:g}", *against(_cores, "typed", "raw", "wait_set", "echo"))
    what = "start to first estimate, against the baseline node"
    yield _ratio(results, "start", what, 0.5, "at most {:g}", *against(_s, "echo"))
    what = "resident memory, against the baseline node"
    yield _ratio(results, "memory", what, 1 / 3, "at most {:.2f}", *against(_mb, "echo"))
    what = f"memory after {minutes} min of data (accelerated), against after one"
    yield _ratio(results, "memory_after_an_hour", what, 1.01)


def _loss_aims(results: Results) -> Iterator[Aim]:
    settings, ours, empty = results["settings"], results["loss"].get("ours"), results["loss"].get("wait_set")
    seconds = ours["seconds"] if ours else settings["loss_seconds"]
    what = f"messages lost, {settings['loss_sensors']} sensors at {settings['loss_rate']:g} Hz, {seconds:g} s"
    text, floor = "", ""
    if ours:
        text = (
            f"{ours['messages_lost']}: {ours['imu_messages_lost']} of {ours['imu_messages']} Imu messages, "
            f"{ours['estimates_lost']} of {ours['due']} estimates; {ours['cpu']:.2f} cores"
        )
    if empty:
        received = empty["received"]
        floor = f"{NAMES['wait_set']}: {received['lost']} of {received['due']} lost, {empty['cpu']:.2f} cores"
    yield Aim(what, "0", 0, results["messages_lost"], text, floor)


def _calibration_aims(results: Results) -> Iterator[Aim]:
    gap, data, seconds = results["gap"], results["calibration"], results["settings"]["calibration_seconds"]
    beside = f": {_ms(gap['calibrating_s'])} against {_ms(gap['quiet_s'])}"
    what = "largest gap between estimates while /calibrate runs, against without"
    yield _ratio(results, "calibration_gap", what, 1.5, beside=beside)
    missed = gap["missed"]
    yield Aim("estimates missed while /calibrate runs", "0", 0, missed, "" if missed is None else str(missed))
    kind = "simulated subjects" if results["calibration_source"] == "simulated" else "subjects"
    burners = results["settings"].get("burners")  # which results of earlier versions lack, as the refusal below
    busy, limit = (f", beside {burners} busy processes", 40.0) if burners else ("", 10.0)
    what = f"{seconds:g} s of calibration data, call to new estimates, p50 over {data['subjects']} {kind}{busy}"
    kept, wall = data["kept_the_old_model"], results["calibration_wall_s_p50"]
    text = "" if wall is None else f"{_spread(data['wall_s'], 1, 1)} s"
    text += f"; the old model was kept for {len(kept)}" if kept else ""
    yield Aim(what, f"under {limit:g} s", limit, wall, text)
    if refusal := data.get("refusal_s"):
        refused = refusal["highest"]
        text = "" if refused is None else _ms(refusal)
        yield Aim(f"answer to a call with a wrong path{busy}", "under 1 s", 1.0, refused, text)


def _ratio(
    results: Results,
    name: str,
    what: str,
    limit: float,
    aim: str = "at most {:g}",
    beside: str = "",
    floor: str = "",
) -> Aim:
    entry = results["ratios_spread"][name]
    if entry["median"] is None:
        return Aim(what, aim.format(limit), limit, None, "", floor if "not measured" not in floor else "")
    return Aim(what, aim.format(limit), limit, entry["median"], f"{_spread(entry, 1, 3)}{beside}", floor)


def _faster(results: Results, name: str, what: str, floor: str) -> Aim:
    entry = results["ratios_spread"][name]
    text = ""
    if entry["median"] is not None:
        text = f"{1 / entry['median']:.1f} times ({1 / entry['highest']:.1f} to {1 / entry['lowest']:.1f})"
    return Aim(what, f"at least {STEP_FACTOR:g} times faster", 1 / STEP_FACTOR, entry["median"], text, floor)


def markdown(results: Results) -> str:
    """Format all tables."""
    parts = [
        *_head(results),
        *aims_table(results),
        *_nodes(results),
        *_steps(results),
        *_rates(results),
        *_sweeps(results),
        *budget_table(results),
        *_equality(results.get("engine_equality")),
    ]
    return "\n".join(parts) + "\n"


def _head(results: Results) -> Iterator[str]:
    machine, settings = results["machine"], results["settings"]
    yield "# Latency benchmark\n"
    yield (
        f"{machine['processor']}, {machine['cores_allowed']} cores{' (virtual)' if machine['virtual'] else ''}, "
        f"{machine['system']}, Python {machine['python']}, "
        f"{', '.join(f'{name} {version}' for name, version in machine['libraries'].items())}; "
        f"load average {machine['load_average'][0]:.1f} at the start; {machine['date']}.\n"
    )
    yield f"Made by `{results['command']}`. Median of {settings['repeats']} repeats, lowest and highest in brackets.\n"
    if results["limits"]:
        yield f"{results['limits']}\n"
    yield f"{results['load_is']}\n"
    for reason, names in _grouped(results["left_out"]).items():
        yield f"Left out: {', '.join(names)}: {reason}.\n"
    for name, reason in results["failed"].items():
        yield f"Failed: {name}: {reason}.\n"


def aims_table(results: Results) -> Iterator[str]:
    """Format every aim with its figure."""
    yield "## Aims\n"
    yield from table_head(["what", "aim", "measured", "met", "floor"])
    for aim in aims_of(results):
        met = {None: "not measured", True: "yes", False: "**no**"}[aim.is_met]
        yield table_row([aim.what, aim.aim, aim.text, met, aim.floor])
    yield ""


def _nodes(results: Results) -> Iterator[str]:
    settings = results["settings"]
    if results["age"]:
        yield f"## Nodes, six sensors at {settings['rate']:g} Hz\n"
        yield from _node_table(results["age"])
    if results["scaling"]:
        yield "## This package's node over sensors and rate\n"
        yield from _node_table(results["scaling"])


def _node_table(nodes: Results) -> Iterator[str]:
    ages = ["age p50 [ms]", "age p99 [ms]", "age largest [ms]"]
    rest = ["cores", "rss [MB]", "pss [MB]", "first estimate [s]", "missed", "others' cores"]
    yield from table_head(["node", *ages, *rest])
    for name, node in nodes.items():
        age = node.get("age_s", {})
        missed = node.get("estimates_missed_share") or node.get("messages_lost_share") or {}
        yield table_row(
            [
                NAMES.get(name, name.replace("x", " sensors at ")),
                *(_spread(age.get(figure), 1e3, 2) for figure in ("p50", "p99", "largest")),
                _spread(node["cpu"], 1, 3),
                _spread(node["memory_mb"]["rss"], 1, 0),
                _spread(node["memory_mb"]["pss"], 1, 0),
                _spread(node.get("first_estimate_s"), 1, 2),
                "" if _median(missed) is None else f"{100 * missed['median']:.2f} %",
                _spread(node["cpu_others"], 1, 2),
            ]
        )
    yield ""


def _steps(results: Results) -> Iterator[str]:
    if not results["step"]:
        return
    yield "## One step, one thread\n"
    yield (
        "*main* is the measured bundle, *large* has width 128 and 4 layers. An estimate is a step with features, "
        "motion monitor and scaling. Processor time where nothing else is said, medians; p50 and p99 are of the "
        "time that passed. Memory and start are of a process that holds the engine and nothing of ROS.\n"
    )
    columns = "engine, main [µs], main p50 [µs], main p99 [µs], estimate [µs], large [µs], rss [MB], start [s]"
    yield from table_head(columns.split(", "))
    for name, entry in results["step"].items():
        main, large = entry["cases"]["main"], entry["cases"]["large"]
        yield table_row(
            [
                NAMES.get(name, name),
                _spread(main["step_processor_p50"], 1, 0),
                _spread(main["step_p50"], 1, 0),
                _spread(main["step_p99"], 1, 0),
                _spread(main.get("estimate_processor_p50"), 1, 0),
                _spread(large["step_processor_p50"], 1, 0),
                _spread(entry["rss_mb"], 1, 0),
                _spread(entry["start_s"], 1, 2),
            ]
        )
    floor = results["floor"]
    if floor["gemv_us"]["median"] is not None:
        yield table_row(
            ["*floor: its multiplications*", _spread(floor["gemv_us"], 1, 0), *[""] * 6],
        )
    yield ""


def _rates(results: Results) -> Iterator[str]:
    """Say how fast this machine is: what other machines are compared by."""
    floor = results["floor"]
    if floor["gemv_us"]["median"] is not None:
        yield (
            f"This machine, one thread: matrix times vector {_spread(floor['gemv_gflops'], 1, 1)} GFLOP/s, "
            f"matrix times matrix {_spread(floor['gemm_gflops'], 1, 0)} GFLOP/s, the interpreter's yardstick "
            f"{_spread(floor['interpreter_us'], 1, 0)} µs.\n"
        )


def _sweeps(results: Results) -> Iterator[str]:
    for sweep, engines in results["sweep"].items():
        unit = f" [{UNITS[sweep]}]" if UNITS.get(sweep) else ""
        kinds = [(name, kind) for name, by in engines.items() for kind in _kinds(next(iter(by.values())))]
        yield f"## Cost over {sweep}\n"
        yield from table_head([f"{sweep}{unit}", *(f"{NAMES.get(name, name)}, {kind} [µs]" for name, kind in kinds)])
        for value in next(iter(engines.values())):
            cells = [_spread(engines[name][value].get(f"{kind}_processor_p50"), 1, 0) for name, kind in kinds]
            yield table_row([value, *cells])
        yield ""


def _kinds(times: Results) -> list[str]:
    return [kind for kind in ("step", "estimate") if f"{kind}_p50" in times]


def budget_table(results: Results) -> Iterator[str]:
    """Show what networks of several widths cost on this machine, and on proportionally slower ones."""
    budget = results["budget"]
    if not budget["by_width"]:
        return
    yield "## Budget: share of one core, six sensors\n"
    rest = budget["rest_us"]
    also = "" if rest is None else f", and {rest:.0f} µs for all else that the node does for a row of six messages"
    yield (
        f"Processor time of a step with the engine {results['engine']}{also}. "
        "The columns for slower machines are scaled, not measured.\n"
    )
    rates = list(next(iter(budget["by_width"].values()))["share"])
    slower = [f"{rates[-1]} Hz, {factor} times slower" for factor in SLOWER]
    yield from table_head(["width (3 layers)", "step [µs]", *(f"{rate} Hz" for rate in rates), *slower])
    for width, entry in budget["by_width"].items():
        shares = list(entry["share"].values())
        scaled = [None if shares[-1] is None else factor * shares[-1] for factor in SLOWER]
        yield table_row([width, f"{entry['step_us']:.0f}", *map(_percent, [*shares, *scaled])])
    yield ""


def _equality(found: Mapping[str, Any] | None) -> Iterator[str]:
    """Show the differences of the engines from the network, if ``python -m benchmarks engines`` was run."""
    if not found:
        return
    yield "## Equality of the engines\n"
    yield (
        f"Largest difference from the network's banded forward pass over {found['rows']} rows ({found['hours']:g} h) "
        f"of {found['data']} data, bundle {found['model_id']}; outputs are up to {found['largest_output']:.2f}.\n"
    )
    yield from table_head(["engine", "largest difference", "bound"])
    for name, difference in found["largest_difference"].items():
        yield table_row([NAMES.get(name, name), f"{difference:.1e}", f"{found['bound']:.0e}"])
    yield ""


def _percent(share: float | None) -> str:
    if share is None:
        return ""
    return f"{100 * share:.1f} %" if share < 1 else "too slow"


# words


def _median(entry: Mapping[str, Any] | None) -> Any:
    return entry.get("median") if entry else None


def _spread(entry: Mapping[str, Any] | None, scale: float, digits: int) -> str:
    if _median(entry) is None or entry is None:
        return ""
    text = f"{scale * entry['median']:.{digits}f}"
    if entry["repeats"] < 2:
        return text
    return f"{text} ({scale * entry['lowest']:.{digits}f} to {scale * entry['highest']:.{digits}f})"


def _ms(entry: Mapping[str, Any] | None) -> str:
    return "not measured" if _median(entry) is None else f"{_spread(entry, 1e3, 2)} ms"


def _cores(nodes: Results, name: str) -> str:
    value = _median(nodes.get(name, {}).get("cpu"))
    return "not measured" if value is None else f"{value:.3f} cores"


def _s(nodes: Results, name: str) -> str:
    value = _median(nodes.get(name, {}).get("first_estimate_s"))
    return "not measured" if value is None else f"{value:.2f} s"


def _mb(nodes: Results, name: str) -> str:
    value = _median(nodes.get(name, {}).get("memory_mb", {}).get("rss"))
    return "not measured" if value is None else f"{value:.0f} MB"


def _baseline_misses(nodes: Results) -> str:
    value = _median(nodes.get("baseline", {}).get("estimates_missed_share"))
    return "" if value is None else f"; the baseline node missed {100 * value:.0f} % of its estimates"


def _grouped(left_out: Mapping[str, str]) -> dict[str, list[str]]:
    reasons: dict[str, list[str]] = {}
    for name, reason in left_out.items():
        reasons.setdefault(reason, []).append(name)
    return reasons
