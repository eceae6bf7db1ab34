"""The bundle of an adapted network, or of the parts of it that were taken."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from imu_emg_estimator.calibration.adaptation import AdaptationSettings, adapt_estimator
from imu_emg_estimator.calibration.calibration_decision import WHOLE, is_head
from imu_emg_estimator.calibration.calibration_report import ADAPTED, SCALED
from imu_emg_estimator.calibration.cross_fitting import CrossFit, scale_of
from imu_emg_estimator.errors import InputError
from imu_emg_estimator.model.bundle import Bundle, Reference
from imu_emg_estimator.model.causal_network import Estimator
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


def compose_bundle(
    base: Bundle,
    running: Bundle,
    adapted: Estimator | None,
    way: str | None,
    decisions: Sequence[str],
    found: CrossFit,
    unit: str,
) -> Bundle:
    """Join the adapted weights where they were taken with those in use in all other places.

    Args:
        adapted: by the way that was chosen; None = none was.
        decisions: on every muscle of the rig.
        unit: of the EMG.
    """
    own = base if set(decisions) == {ADAPTED} else running
    if way == WHOLE:
        assert adapted is not None
        weights, reference = weights_of(adapted.network), adapted_reference(base.reference, adapted.amplitude, unit)
    else:
        weights, amplitude = _muscle_by_muscle(own, running, adapted, decisions, scale_of(found.measured, found.kept))
        reference = adapted_reference(running.reference, amplitude, unit)
    return replace(
        base,
        weights=weights,
        normalisation=own.normalisation,
        reference=reference,
        parent_id=base.model_id,
        scores={},
    )


def _muscle_by_muscle(
    own: Bundle, running: Bundle, adapted: Estimator | None, decisions: Sequence[str], scale: FloatArray
) -> tuple[dict[str, NDArray[np.float32]], FloatArray]:
    """Give weights and amplitudes [muscles], each muscle's as was decided; all but the heads are those of ``own``."""
    weights = {name: value.copy() for name, value in own.weights.items()}
    amplitude = np.array(running.reference.amplitude)
    taken = weights_of(adapted.network) if adapted else {}
    for index, decision in enumerate(decisions):
        if decision == SCALED:
            amplitude[index] *= scale[index]
        elif decision == ADAPTED:
            assert adapted is not None
            amplitude[index] = adapted.amplitude[index]
            for weight in filter(is_head, weights):
                weights[weight][index] = taken[weight][index]
    return weights, amplitude
