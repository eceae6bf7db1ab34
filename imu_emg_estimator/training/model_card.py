"""The model card of a bundle: what it is, what it was trained on, how accurate it is, and its limitations."""

from __future__ import annotations

import sys

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.training.evaluation_report import scores_table


def model_card(bundle: Bundle) -> str:
    """Markdown card of a bundle: what it is, what it was trained on, how well it does on others, its limits."""
    training, config, rate = bundle.training, bundle.config, bundle.rig.rate
    amplitude = ", ".join(
        f"{name} {value:.1f} {bundle.reference.unit_of(muscle)}"
        for muscle, (name, value) in enumerate(zip(bundle.rig.muscle_names, bundle.reference.amplitude, strict=True))
    )
    sensors, muscles = ", ".join(bundle.rig.sensor_names), ", ".join(bundle.rig.muscle_names)
    envelope = bundle.envelope
    subjects = ", ".join(sorted(training.get("subjects", []), key=_number_first))
    scores = scores_table(bundle.scores) if bundle.scores else "None were made for this bundle."
    return f"""# Model card: {bundle.model_id}

Causal GEGLU-Transformer that estimates EMG envelopes from body-worn IMUs (after arXiv:2604.25670).

| | |
| --- | --- |
| input | {len(bundle.rig.sensors)} IMUs ({sensors}), {_channels(bundle)}, on a grid of {rate:g} Hz |
| output | {muscles}: mean and standard deviation of activation |
| activation of 1 | {bundle.reference.definition}: {amplitude} |
| envelope | high-pass {envelope.high_pass:g} Hz, rectified, low-pass {envelope.low_pass:g} Hz, zero phase |
| look-ahead | {1000 * config.look_ahead / rate:.0f} ms: an estimate is for so long before its newest input |
| context | attention over {config.context / rate:.1f} s in each of {config.layers} layers, width {config.width} |
| weights | {sum(value.size for value in bundle.weights.values())} |
| trained on | {training.get("dataset")}, subjects {subjects} |

## Scores on subjects that the recipe never saw

{scores}

r is Pearson's correlation, R² the coefficient of determination, nRMSE the root-mean-square error over the range of
the measured envelope; per muscle over all samples of a subject and condition, mean over muscles, then over subjects.
Every row is scored on the same samples: all that was recorded after the longest calibration. A calibration is the
subject's first seconds of locomotion. Channels marked weak in the data are neither trained on nor scored.

## Limits

- Trained on healthy young adults without load, fatigue or assistance: other subjects need a calibration and a check.
- The same motion can come with different activation (co-contraction, load, fatigue): IMUs cannot see that.
- Without calibration the amplitude is that of an average subject: use the shape, not the level.
- {_about_uncertainty(bundle)}
- The EMG that it learned from was sampled at {rate:g} Hz, below its bandwidth: amplitude survives, detail does not.
"""


def _channels(bundle: Bundle) -> str:
    accelerometers, gyroscopes = (bundle.normalisation.used[:, part].any() for part in (slice(0, 3), slice(3, 6)))
    if accelerometers and gyroscopes:
        return "m/s² and rad/s"
    return "accelerometers alone, m/s²" if accelerometers else "gyroscopes alone, rad/s"


def _about_uncertainty(bundle: Bundle) -> str:
    if bundle.uncertainty is None:
        return "The standard deviation is the network's own and not calibrated on unseen subjects."
    return f"The standard deviation is that of unseen subjects: {bundle.uncertainty.definition}."


def _number_first(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (sys.maxsize, name)
