"""Protocol `ill-posedness`: share of the activation that motion alone does not determine."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.model.subject_data import by_subject, reference_amplitude
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.training.envelope_pictures import save_figure

LIKENESS = "nearest_motion"  # name of the benchmark's row: moments are compared by their motion
RESTING = ("sitting", "standing")
LAGS = 8  # samples of the last second that describe a motion
COMPONENTS = 16  # principal components of the motion
POINTS = 1000  # per subject and condition
MIN_MOMENTS = 100  # per channel or subject; fewer are not compared
MIN_SEPARATION_S = 5.0  # between a moment and its nearest neighbour in the same recording: another stride


def ill_posedness(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Estimate the share of the envelope's variance that the last second's motion does not determine, by condition.

    Half the mean square difference of the envelope between moments whose motion is most alike (the delta test;
    Evans and Jones 2002), over the envelope's variance within the subject and condition. Motion is the
    accelerations of the last second; envelopes are in each subject's own reference amplitude. An upper bound:
    the most alike of a finite number of moments are not equal.

    Returns:
        ``<condition>`` with ``within`` (the same subject at another time) and ``across`` (others): ``share``, the
        mean over channels, and ``channels`` of each; and ``points`` compared.
    """
    groups = {s: group for s, group in by_subject(recordings).items() if (group[0].muscle_weight > 0).any()}
    moments = {subject: _moments(group) for subject, group in groups.items()}
    result: dict[str, Any] = {}
    for condition in (*recordings[0].rig.movement_names, *RESTING):
        chosen = {
            s: m
            for s, m in ((s, _of_condition(m, condition)) for s, m in moments.items())
            if len(m["motion"]) >= MIN_MOMENTS
        }
        if chosen:
            result[condition] = _undetermined(chosen, list(recordings[0].rig.muscle_names))
    return result


def _moments(recordings: Sequence[Recording]) -> dict[str, Any]:
    """Return motion [moments, lags * channels], envelopes in references, time and recording of a subject's moments."""
    rate = recordings[0].rig.rate
    second, amplitude = round(rate), reference_amplitude(recordings)
    parts = []
    for number, recording in enumerate(recordings):
        acceleration = np.nan_to_num(recording.imu[..., :3]).reshape(len(recording), -1)
        now = np.arange(second, len(recording), max(1, round(0.25 * rate)))
        past = np.linspace(0, second, LAGS).round().astype(int)
        motion = acceleration[now[:, None] - past].reshape(len(now), -1)
        parts.append((motion.astype(np.float32), recording.envelope[now] / amplitude, now / rate,
                      np.full(len(now), number), recording.condition[now]))  # fmt: skip
    names = ("motion", "envelope", "time", "recording", "condition")
    return dict(zip(names, (np.concatenate(part) for part in zip(*parts, strict=True)), strict=True))


def _of_condition(moments: Mapping[str, Any], condition: str) -> dict[str, Any]:
    rows = np.flatnonzero(moments["condition"] == condition)
    if len(rows) > POINTS:
        rows = np.random.default_rng(0).choice(rows, POINTS, replace=False)
    return {name: values[rows] for name, values in moments.items()}


def _undetermined(subjects: Mapping[str, Mapping[str, Any]], muscles: Sequence[str]) -> dict[str, Any]:
    motion = np.concatenate([m["motion"] for m in subjects.values()]).astype(np.float64)
    motion -= motion.mean(axis=0)
    _, axes = np.linalg.eigh(motion.T @ motion)
    points = motion @ axes[:, -COMPONENTS:]
    names = list(subjects)
    owner = np.repeat(np.arange(len(names)), [len(m["motion"]) for m in subjects.values()])
    envelope, time, recording = (
        np.concatenate([m[name] for m in subjects.values()]) for name in ("envelope", "time", "recording")
    )
    halves: dict[str, dict[str, float]] = {"within": {}, "across": {}}
    variances: dict[str, float] = {}
    for index, name in enumerate(names):
        own, others = np.flatnonzero(owner == index), np.flatnonzero(owner != index)
        soon = (recording[own][:, None] == recording[own]) & (np.abs(time[own][:, None] - time[own]) < MIN_SEPARATION_S)
        alike = {"within": own[_nearest(points[own], points[own], soon)]}
        if len(others):
            alike["across"] = others[_nearest(points[own], points[others])]
        for kind, match in alike.items():
            for muscle, label in enumerate(muscles):
                truth, guess = envelope[own, muscle], envelope[match, muscle]
                known = np.isfinite(truth) & np.isfinite(guess)
                if known.sum() >= MIN_MOMENTS and (variance := float(np.var(truth[known]))) > 0:
                    variances[f"{name} {label}"] = variance
                    halves[kind][f"{name} {label}"] = 0.5 * float(np.mean((truth[known] - guess[known]) ** 2))
    return {"points": len(points), **{kind: _shares(found, variances) for kind, found in halves.items()}}


def _shares(halves: Mapping[str, float], variances: Mapping[str, float]) -> dict[str, Any]:
    """Return the share of all channels together, scaled so that none dominates, and of each channel."""
    total = sum(variances[channel] for channel in halves)
    return {
        "share": sum(halves.values()) / total if total else float("nan"),
        "channels": {channel: half / variances[channel] for channel, half in halves.items()},
    }


def _nearest(points: FloatArray, others: FloatArray, barred: NDArray[np.bool_] | None = None) -> NDArray[np.intp]:
    """Find for each point the index of the nearest permitted other point."""
    distance = (others**2).sum(axis=1) - 2.0 * points @ others.T
    if barred is not None:
        distance[barred] = np.inf
    return np.asarray(distance.argmin(axis=1))


def draw_ill_posedness(figures: Mapping[str, Any], path: Path) -> None:
    """Draw the undetermined share by condition, within and across subjects, with a dot per channel."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 4.0), layout="constrained")
    FigureCanvasAgg(figure)
    axis = figure.subplots()
    kinds = (("within", "same subject, another time", "tab:blue"), ("across", "another subject", "tab:orange"))
    for offset, (kind, label, colour) in zip((-0.2, 0.2), kinds, strict=True):
        places = np.arange(len(figures)) + offset
        axis.bar(
            places, [entry[kind]["share"] for entry in figures.values()], 0.36, color=colour, alpha=0.5, label=label
        )
        for place, entry in zip(places, figures.values(), strict=True):
            shares = list(entry[kind]["channels"].values())
            axis.plot(np.full(len(shares), place), shares, ".", color=colour, markersize=4)
    axis.set_xticks(range(len(figures)), [name.replace("_", " ") for name in figures])
    axis.set_ylim(0.0, 2.0)
    axis.axhline(1.0, color="0.5", linewidth=0.8)
    axis.set_ylabel("share of the envelope's variance not determined by motion")
    axis.legend()
    save_figure(
        figure, path, "Equal motion, unequal activation: most alike second of motion, difference of the envelope"
    )
