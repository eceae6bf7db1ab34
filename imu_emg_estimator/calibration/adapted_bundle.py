"""The bundle of an adapted network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from imu_emg_estimator.calibration.adaptation import AdaptationSettings, adapt_estimator
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle, Reference
from imu_emg_estimator.model.geglu_transformer import weights_of
from imu_emg_estimator.model.offline_estimate import estimator_of
from imu_emg_estimator.recording import FloatArray, Recording
from imu_emg_estimator.utils.progress import StepProgress


def adapt_bundle(
    bundle: Bundle,
    recordings: Sequence[Recording],
    settings: AdaptationSettings | None = None,
    progress: StepProgress | None = None,
) -> Bundle:
    """Adapt a bundle to one subject, without judging whether it got better.

    Args:
        bundle: pre-trained, or adapted before.
        recordings: of one subject, of the bundle's rig, with EMG envelopes.

    Returns:
        A new bundle without a ``calibration``; the given one is unchanged.

    Raises:
        InputError: another rig, or less than 5 s of trusted EMG.
    """
    for recording in recordings:
        check_rig(bundle, recording)
    adapted = adapt_estimator(estimator_of(bundle), recordings, settings, progress)
    return replace(
        bundle,
        weights=weights_of(adapted.network),
        reference=adapted_reference(bundle.reference, adapted.amplitude, recordings[0].envelope_unit),
        parent_id=bundle.model_id,
        scores={},
    )


def check_rig(bundle: Bundle, recording: Recording) -> None:
    """Raise InputError where a recording is of another rig than the bundle."""
    if recording.rig != bundle.rig:
        raise InputError(
            f"recording {recording.name} is of rig '{recording.rig.name}', the bundle of '{bundle.rig.name}'"
        )


def adapted_reference(given: Reference, amplitude: FloatArray, unit: str) -> Reference:
    """Give the subject's reference; a muscle whose amplitude [muscles] was not found anew keeps its unit, too."""
    values = tuple(float(value) for value in amplitude)
    if values == given.amplitude:
        return given
    units = tuple(
        given.unit_of(muscle) if value == given.amplitude[muscle] else unit for muscle, value in enumerate(values)
    )
    return Reference(
        amplitude=values,
        unit=unit,
        definition="amplitude at which the uncalibrated estimate fits the subject's EMG envelope best",
        units=() if set(units) == {unit} else units,
    )
