"""Pictures of the latency report."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.latency.latency_figures import AGE_EDGES
from benchmarks.report_writer import subplots
from imu_emg_estimator.training.envelope_pictures import save_figure

Results = Mapping[str, Any]

SHOWN = {"ours": "this package", "baseline": "baseline node", "echo": "empty echo: the middleware alone"}
COLOURS = {"ours": "tab:blue", "baseline": "tab:orange", "echo": "0.5"}
ENGINE_COLOURS = {"onnx": "tab:blue", "numpy": "tab:green", "torch": "tab:red", "window": "tab:orange"}
ENGINES = {
    "onnx": "ONNX Runtime, streaming",
    "numpy": "NumPy, streaming",
    "torch": "torch, streaming",
    "window": "torch eager, whole window",
}
AXES = {"window": "attention and window [s]", "width": "width", "sensors": "sensors", "rate": "rate [Hz]"}


def draw(results: Results, out: Path) -> None:
    """Draw all pictures that the results allow."""
    if any("histogram" in node for node in results["age"].values()):
        _ages(results, out / "age.png")
    if results["gap"]["over_time"]:
        _gaps(results, out / "calibration_gap.png")
    if results["sweep"]:
        _costs(results, out / "cost.png")


def _ages(results: Results, path: Path) -> None:
    """Draw histograms of the age of estimates over all repeats."""
    figure, axes = subplots(1, 1, 8.0, 4.0)
    axis = axes[0][0]
    for name, label in SHOWN.items():
        counts = results["age"].get(name, {}).get("histogram")
        if counts and sum(counts):
            share = [100 * count / sum(counts) for count in counts]
            axis.stairs(share, 1e3 * AGE_EDGES, label=label, color=COLOURS[name], fill=name == "ours", alpha=0.8)
    rate = results["settings"]["rate"]
    axis.axvline(1e3 / rate, color="black", linewidth=0.8, linestyle="--", label=f"one period of {rate:g} Hz")
    axis.set_xscale("log")
    axis.set_xlabel("age: newest IMU timestamp to a subscriber in another process [ms]")
    axis.set_ylabel("estimates [% a bin]")
    axis.legend(fontsize="small")
    save_figure(figure, path, "Age of estimates")


def _gaps(results: Results, path: Path) -> None:
    """Draw the longest gap between estimates, during and after a calibration."""
    drawn = results["gap"]["over_time"]
    figure, axes = subplots(1, 1, 8.0, 3.6)
    axis = axes[0][0]
    axis.axvspan(0, drawn["calibrated_until"], color="tab:orange", alpha=0.2, label="/calibrate runs")
    axis.plot(drawn["time"], [1e3 * gap for gap in drawn["gap"]], color="tab:blue", linewidth=0.8)
    axis.set_ylim(bottom=0)
    axis.set_xlabel("time since the call [s]")
    axis.set_ylabel("longest gap in 50 ms [ms]")
    axis.legend(fontsize="small")
    save_figure(figure, path, "Time between estimates while calibrating")


def _costs(results: Results, path: Path) -> None:
    """Draw a panel for each sweep."""
    sweeps = results["sweep"]
    figure, axes = subplots(1, len(sweeps), 3.4 * len(sweeps), 3.8)
    for axis, (sweep, engines) in zip(axes[0], sweeps.items(), strict=True):
        for name, times in engines.items():
            points = [(float(value), entry["step_processor_p50"]) for value, entry in times.items()]
            points = [(value, entry) for value, entry in points if entry["median"] is not None]
            middle = [entry["median"] for _, entry in points]
            below = [entry["median"] - entry["lowest"] for _, entry in points]
            above = [entry["highest"] - entry["median"] for _, entry in points]
            axis.errorbar(
                [value for value, _ in points],
                middle,
                [below, above],
                marker="o",
                markersize=4,
                color=ENGINE_COLOURS.get(name),
                label=ENGINES.get(name, name),
            )
        axis.set_yscale("log")
        axis.set_xlabel(AXES.get(sweep, sweep))
        axis.grid(axis="y", alpha=0.3)
    axes[0][0].set_ylabel("a step, processor time [µs]")
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    save_figure(figure, path, "Cost of a step, one thread; bars: lowest and highest repeat")
