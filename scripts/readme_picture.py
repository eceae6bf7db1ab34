"""Draw docs/img/estimates.png: ``readme_picture.py HUGADB_FOLDER``.

Two subjects on whom the demo's bundle was not trained walk: measured envelopes, and estimates before and after
a calibration on each subject's first 60 s of locomotion.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from imu_emg_estimator.calibration.adaptation import adapt_bundle
from imu_emg_estimator.datasets.catalogue import load_dataset
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.offline_estimate import estimate_envelopes
from imu_emg_estimator.recording import Recording
from imu_emg_estimator.signals.signal_quality import true_runs
from imu_emg_estimator.training.data_splits import split_for_calibration

ROOT = Path(__file__).parents[1]
BUNDLE = ROOT / "resource" / "hugadb_without_2_8_17.safetensors"
PICTURE = ROOT / "docs" / "img" / "estimates.png"
SUBJECTS = ("2", "17")
CALIBRATION_S, CONTEXT_S, SHOWN_S = 60.0, 4.0, 6.0


def longest_walk(recordings: Sequence[Recording]) -> Recording:
    """Cut the shown part and its preceding context out of the longest bout of walking."""
    seconds = CONTEXT_S + SHOWN_S
    walks = [
        recording.slice(start, stop)
        for recording in recordings
        for start, stop in true_runs(recording.condition == "walking", round(seconds * recording.rig.rate))
    ]
    walk = max(walks, key=len)
    return walk.slice(0, round(seconds * walk.rig.rate))


def draw_subject(axes: Any, bundle: Bundle, recordings: Sequence[Recording]) -> None:
    """Draw a column of axes, one per muscle."""
    split = split_for_calibration(recordings, CALIBRATION_S)
    if split is None:
        raise SystemExit(f"subject {recordings[0].subject} has less than {CALIBRATION_S:g} s of locomotion")
    walk = longest_walk(split.scored)
    before, after = (estimate_envelopes(used, [walk]) for used in (bundle, adapt_bundle(bundle, split.calibration)))
    shown = slice(round(CONTEXT_S * walk.rig.rate), None)
    time = [index / walk.rig.rate for index in range(len(walk))][: len(walk) - shown.start]
    for index, (axis, muscle) in enumerate(zip(axes, bundle.rig.muscle_names, strict=True)):
        axis.plot(time, walk.envelope[shown, index], color="0.35", label="measured EMG envelope")
        axis.plot(time, before[shown, index], color="tab:orange", label="estimated, no calibration")
        axis.plot(time, after[shown, index], color="tab:blue", label=f"estimated, {CALIBRATION_S:g} s of calibration")
        axis.set_title(f"subject {walk.subject}, {muscle.replace('_', ' ')}", fontsize="small")
        axis.set_ylabel(walk.envelope_unit)
    axes[-1].set_xlabel("time [s]")


def main(folder: Path) -> None:
    bundle = Bundle.load(BUNDLE)
    recordings = load_dataset("hugadb", folder, list(SUBJECTS))
    figure = Figure(figsize=(10.0, 4.2), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(len(bundle.rig.muscles), len(SUBJECTS), squeeze=False)
    for column, subject in enumerate(SUBJECTS):
        draw_subject(axes[:, column], bundle, [one for one in recordings if one.subject == subject])
    figure.legend(*axes[0][0].get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    PICTURE.parent.mkdir(exist_ok=True)
    figure.savefig(PICTURE, dpi=100)
    print(f"wrote {PICTURE}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
