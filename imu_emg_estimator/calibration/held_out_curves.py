"""Curves of a calibration for people to look at: every estimate by models that had not seen the EMG beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from imu_emg_estimator.calibration.calibration_report import KEPT, SCALED, MuscleOutcome
from imu_emg_estimator.calibration.cross_fitting import CrossFit
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.envelope_curves import EnvelopeCurves, Envelopes, curves_of, in_unit, interval_half_width
from imu_emg_estimator.model.offline_estimate import published_estimate
from imu_emg_estimator.recording import FloatArray, Recording


def held_out_curves(
    found: CrossFit, muscles: Mapping[str, MuscleOutcome], way: str | None, bundle: Bundle, running: Bundle,
    recordings: Sequence[Recording],
) -> EnvelopeCurves:  # fmt: skip
    """Give the curves of a typical stretch of the recordings.

    Args:
        muscles, way: what was decided.
        bundle: the new one, whose intervals are shown; the one in use where there is none.
        running: the one in use.
        recordings: what was judged, as the new bundle sees it.
    """
    rig, unit = bundle.rig, recordings[0].envelope_unit
    deviation = np.concatenate([published_estimate(bundle, own.imu)[1] for own in recordings])
    half_width = interval_half_width(bundle, deviation)
    changed = [name in muscles and muscles[name].decision != KEPT for name in rig.muscle_names]
    envelopes = Envelopes(
        found.measured,
        np.where(in_unit(bundle, unit), _estimate(found, muscles, way, rig.muscle_names), np.nan),
        np.where(in_unit(bundle, unit), half_width, np.nan),
        np.where(in_unit(running, unit) & np.array(changed), found.before, np.nan),
    )
    return curves_of(envelopes, rig.muscle_names, rig.rate, unit)


def _estimate(
    found: CrossFit, muscles: Mapping[str, MuscleOutcome], way: str | None, names: Sequence[str]
) -> FloatArray:
    """Take each muscle's estimate [samples, muscles] by what was decided on it."""
    columns = [_column(found, muscles.get(name), way, index) for index, name in enumerate(names)]
    return np.stack(columns, axis=1)


def _column(found: CrossFit, outcome: MuscleOutcome | None, way: str | None, muscle: int) -> FloatArray:
    if outcome is None or outcome.decision == KEPT:
        return found.before[:, muscle]
    if outcome.decision == SCALED or way is None:
        return found.scaled[:, muscle]
    return found.mixed(way, muscle, outcome.share)[1]
