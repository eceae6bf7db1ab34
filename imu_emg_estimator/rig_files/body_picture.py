"""A picture of a body with the sensors of a rig on it, and what each does."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from imu_emg_estimator.rig import Rig, Sensor
from imu_emg_estimator.rig_files.sensor_mounting import Mounting
from imu_emg_estimator.utils.atomic_files import write_atomically

# Seen from the front: the subject's right is on the left. Places of the right side; centre ones have x = 0.
JOINTS = {
    "head": (0.0, 1.72), "neck": (0.0, 1.5), "pelvis": (0.0, 0.95), "shoulder": (-0.2, 1.45), "elbow": (-0.32, 1.15),
    "wrist": (-0.38, 0.88), "hand": (-0.4, 0.78), "hip": (-0.1, 0.92), "knee": (-0.13, 0.5), "ankle": (-0.14, 0.1),
    "toe": (-0.2, 0.03),
}  # fmt: skip
BONES = (
    ("head", "neck"), ("neck", "pelvis"), ("neck", "shoulder"), ("shoulder", "elbow"), ("elbow", "wrist"),
    ("wrist", "hand"), ("pelvis", "hip"), ("hip", "knee"), ("knee", "ankle"), ("ankle", "toe"),
)  # fmt: skip
PLACES = {
    "foot": (-0.18, 0.05), "shank": (-0.135, 0.3), "thigh": (-0.115, 0.7), "pelvis": (0.0, 0.97), "trunk": (0.0, 1.25),
    "head": (0.0, 1.74), "shoulder": (-0.17, 1.47), "upper_arm": (-0.26, 1.3), "forearm": (-0.35, 1.02),
    "hand": (-0.39, 0.82),
}  # fmt: skip
GOOD, DOUBTED, BAD, UNKNOWN = "tab:green", "tab:orange", "tab:red", "tab:blue"
MARKER_WIDTH, LABEL_HEIGHT = 0.07, 0.11
Spot = tuple[float, float]
ELSEWHERE = (0.0, -0.15)  # for segments that the picture does not know


def draw_rig(path: Path, rig: Rig, mountings: Sequence[Mounting] = ()) -> None:
    """Draw the sensors of a rig, coloured by their verdicts; without mountings, only where they are.

    Raises:
        InputError: the picture cannot be written.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 8.0), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    _draw_body(axis)
    known = {own.sensor.name: own for own in mountings}
    for sensor, spot, label_y in spots_of(rig.sensors):
        _draw_sensor(axis, sensor, known.get(sensor.name), spot, label_y)
    axis.set(aspect="equal", xlim=(-1.5, 1.5), ylim=(-0.3, 1.95), title=f"rig {rig.name}, seen from the front")
    axis.axis("off")
    picture = io.BytesIO()
    figure.savefig(picture, dpi=110, format="png")
    write_atomically(path, picture.getvalue())


def place_of_sensor(sensor: Sensor) -> tuple[float, float]:
    """Return where a sensor is drawn."""
    x, y = PLACES.get(sensor.segment, ELSEWHERE)
    return {"right": (x or -0.08, y), "left": (-x or 0.08, y), "centre": (0.0 if x == 0.0 else x, y)}[sensor.side]


def _draw_body(axis: Any) -> None:
    for side in (1.0, -1.0):
        for first, second in BONES:
            (x1, y1), (x2, y2) = JOINTS[first], JOINTS[second]
            axis.plot((side * x1, side * x2), (y1, y2), color="0.8", linewidth=8, solid_capstyle="round", zorder=1)
    axis.plot(*JOINTS["head"], marker="o", markersize=34, color="0.8", zorder=1)
    axis.text(-0.75, 1.9, "right", color="0.5", ha="center")
    axis.text(0.75, 1.9, "left", color="0.5", ha="center")


def spots_of(sensors: Sequence[Sensor]) -> Iterator[tuple[Sensor, Spot, float]]:
    """Yield each sensor, where it is drawn, and the height of its label: neither lies on another."""
    spots: dict[str, Spot] = {}
    for index, sensor in enumerate(sensors):
        x, y = place_of_sensor(sensor)
        out = 1 if x > 0 or (x == 0 and index % 2) else -1
        while any(abs(x - other) < MARKER_WIDTH / 2 and y == height for other, height in spots.values()):
            x += out * MARKER_WIDTH
        spots[sensor.name] = (x or out * 1e-9, y)
    for out in (-1, 1):
        top = float("inf")
        for sensor in sorted(sensors, key=lambda own: -spots[own.name][1]):
            x, y = spots[sensor.name]
            if x * out > 0:
                top = min(y, top - LABEL_HEIGHT)
                yield sensor, (x, y), top


def _draw_sensor(axis: Any, sensor: Sensor, mounting: Mounting | None, spot: Spot, label_y: float) -> None:
    left = spot[0] > 0
    axis.plot(*spot, marker="s", markersize=11, color=_colour(mounting), markeredgecolor="black", zorder=3)
    axis.annotate(
        _label(sensor, mounting), spot, (0.62 if left else -0.62, label_y), ha="left" if left else "right", va="center",
        fontsize="small", arrowprops={"arrowstyle": "-", "color": "0.6"},
    )  # fmt: skip


def _colour(mounting: Mounting | None) -> str:
    if mounting is None:
        return UNKNOWN
    if mounting.verdict.startswith("left out"):
        return BAD
    return GOOD if mounting.verdict == "good" else DOUBTED


def _label(sensor: Sensor, mounting: Mounting | None) -> str:
    if mounting is None:
        return sensor.name
    if not mounting.source:
        return f"{sensor.name}\nnothing comes"
    return f"{sensor.name}\n{mounting.rate:.0f} Hz, up: {mounting.up_in_words}"
