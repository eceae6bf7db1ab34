"""The model card of a bundle: what it is, what it was trained on, how accurate it is, and its limitations."""

from __future__ import annotations

import sys

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.told_by_motion import little_told
from imu_emg_estimator.training.evaluation_report import scores_table, subsets_table

HUGADB = "hugadb"


def card_facts(bundle: Bundle) -> list[tuple[str, str]]:
    """List what the model takes and gives, what it is made of, and whom it was trained on."""
    training, config, rate, envelope = bundle.training, bundle.config, bundle.rig.rate, bundle.envelope
    amplitude = ", ".join(
        f"{name} {value:.3g} {bundle.reference.unit_of(muscle)}"
        for muscle, (name, value) in enumerate(zip(bundle.rig.muscle_names, bundle.reference.amplitude, strict=True))
    )
    sensors, muscles = ", ".join(bundle.rig.sensor_names), ", ".join(bundle.rig.muscle_names)
    look_ahead_ms = 1000 * bundle.look_ahead_s
    subjects = ", ".join(sorted(training.get("subjects", []), key=_number_first))
    return [
        ("input", f"{len(bundle.rig.sensors)} IMUs ({sensors}), {_channels(bundle)}, on a grid of {rate:g} Hz"),
        ("output", f"{muscles}: mean and standard deviation of activation"),
        ("activation of 1", f"{bundle.reference.definition}: {amplitude}"),
        (
            "envelope",
            f"high-pass {envelope.high_pass:g} Hz, rectified, low-pass {envelope.low_pass:g} Hz, zero phase",
        ),
        (
            "look-ahead",
            f"{look_ahead_ms:.0f} ms: estimates are for the instant this long before the newest input"
            + (", a forecast" if look_ahead_ms < 0 else ""),
        ),
        (
            "context",
            f"attention over {config.context / rate:.1f} s in each of {config.layers} layers, width {config.width}",
        ),
        ("weights", str(sum(value.size for value in bundle.weights.values()))),
        ("trained on", f"{training.get('dataset')}, subjects {subjects}"),
        *([("distilled from", str(training["distilled_from"]))] if "distilled_from" in training else []),
    ]


def limitations(bundle: Bundle) -> list[str]:
    """List what a user must not expect of the model."""
    return [
        *_about_worth(bundle),
        _about_subjects(bundle),
        "The same motion can come with different activation (co-contraction, load, fatigue), which IMUs cannot "
        "measure.",
        "Without calibration the amplitude is that of an average subject: rely on the shape, not on the level.",
        _about_uncertainty(bundle),
        *_about_emg(bundle),
    ]


def model_card(bundle: Bundle) -> str:
    """Write the card in Markdown."""
    facts = "\n".join(f"| {name} | {value} |" for name, value in card_facts(bundle))
    scores = scores_table(bundle.scores) if bundle.scores else "None were measured for this bundle."
    limits = "\n".join(f"- {sentence}" for sentence in limitations(bundle))
    card = f"""# Model card: {bundle.model_id}

Causal GEGLU-Transformer that estimates EMG envelopes from body-worn IMUs (after arXiv:2604.25670).

| | |
| --- | --- |
{facts}

## Accuracy on subjects that were not trained on

{scores}

r is Pearson's correlation, R² the coefficient of determination, and nRMSE the root-mean-square error divided by the
range of the measured envelope. Each is computed per muscle over all samples of a subject and condition, then averaged
over muscles and subjects. All rows score the same samples: everything recorded after the longest calibration. A
calibration is the subject's first seconds of locomotion. Channels marked as weak in the data are neither trained on
nor scored.

## Without some of the sensors

{_about_subsets(bundle)}

## Limitations

{limits}
"""
    return card.replace("wearers", "subjects")  # as bundles of version 0.1 call them


def _channels(bundle: Bundle) -> str:
    accelerometers, gyroscopes = (bundle.normalisation.used[:, part].any() for part in (slice(0, 3), slice(3, 6)))
    if accelerometers and gyroscopes:
        return "m/s² and rad/s"
    return "accelerometers only, m/s²" if accelerometers else "gyroscopes only, rad/s"


def _about_worth(bundle: Bundle) -> list[str]:
    sentence = little_told(bundle.scores)
    return [f"{sentence[0].upper()}{sentence[1:]}."] if sentence else []


def _about_subjects(bundle: Bundle) -> str:
    if bundle.training.get("dataset") == HUGADB:
        return (
            "Trained on healthy young adults without load, fatigue or assistance; other subjects need a calibration "
            "and a check."
        )
    count = len(bundle.training.get("subjects", []))
    return f"Trained on {count} subjects as they were recorded; people and movements unlike them need a check."


def _about_emg(bundle: Bundle) -> list[str]:
    if bundle.training.get("dataset") != HUGADB:
        return []
    return [
        f"The EMG of the training data was sampled at {bundle.rig.rate:g} Hz, below its bandwidth: it holds "
        "amplitude, but no detail."
    ]


def _about_uncertainty(bundle: Bundle) -> str:
    if bundle.uncertainty is None:
        return "The standard deviation is the network's own and was not calibrated on unseen subjects."
    return f"The standard deviation was calibrated on unseen subjects: {bundle.uncertainty.definition}."


def _about_subsets(bundle: Bundle) -> str:
    if bundle.subset_figures is None:
        return "What is left of the accuracy without some of the sensors was not measured."
    return subsets_table(bundle.rig, bundle.subset_figures)


def _number_first(name: str) -> tuple[int, str]:
    return (int(name), "") if name.isdecimal() else (sys.maxsize, name)
