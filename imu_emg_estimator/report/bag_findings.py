"""What a model makes of a bag: what a live node would have said, and how well its estimates follow the EMG, if any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from imu_emg_estimator.bags.bag_report import BagReport
from imu_emg_estimator.calibration.calibrate_bags import CalibrationBag, open_bags, stream_of
from imu_emg_estimator.calibration.request import CalibrationRequest
from imu_emg_estimator.errors import BagTooShort, TopicMissing
from imu_emg_estimator.guide.bag_watch import SHOW_PERIOD_S, BagWatch
from imu_emg_estimator.guide.watch_panel import EstimatorView
from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.envelope_curves import EnvelopeCurves, Envelopes, curves_of, in_unit, interval_half_width
from imu_emg_estimator.recording import FloatArray, trusted_envelope
from imu_emg_estimator.signals.accuracy_metrics import Scores


@dataclass(frozen=True)
class BagFindings:
    """What was found in a bag.

    Attributes:
        name: of the bag.
        model_id: of the model that estimated.
        unfit: why it cannot estimate from this bag; empty = it can.
        view: what a live node would have shown at the end, with counts of all before; None = ``unfit``.
        no_emg: why estimates are compared with nothing; empty = there is EMG.
        bag: how it was read with its EMG; None = there is none.
        verdicts: a sentence on every sensor and muscle; empty = not judged.
        left_out: names of those that a calibration would leave out.
        scores: by muscle, of the estimates.
        curves: some seconds of envelopes; None = there are no estimates.
        notes: what was not as it should be, a sentence each.
    """

    name: str
    model_id: str
    unfit: str = ""
    view: EstimatorView | None = None
    no_emg: str = ""
    bag: BagReport | None = None
    verdicts: Mapping[str, str] = field(default_factory=dict)
    left_out: Sequence[str] = ()
    scores: Mapping[str, Scores] = field(default_factory=dict)
    curves: EnvelopeCurves | None = None
    notes: Sequence[str] = ()


def findings_of_bag(bundle: Bundle, request: CalibrationRequest) -> BagFindings:
    """Play a bag as a live node receives it, and compare what it estimates with the EMG.

    Args:
        bundle: that estimates.
        request: names the one bag, and where it has what.

    Raises:
        BagUnreadable: it is not a bag, or damaged.
    """
    (path,) = request.bags
    found = BagFindings(path.resolve().name, bundle.model_id)
    views: list[EstimatorView] = []
    try:
        found = replace(found, view=BagWatch(path, bundle, request.imu_topics).play(0.0, views.append))
    except (TopicMissing, BagTooShort) as error:
        return replace(found, unfit=str(error))
    try:
        (bag,) = open_bags(bundle, request)
    except (TopicMissing, BagTooShort) as error:
        return replace(found, no_emg=str(error), curves=_curves_alone(bundle, views))
    return _compared(found, bundle, bag)


def _compared(found: BagFindings, bundle: Bundle, bag: CalibrationBag) -> BagFindings:
    """Add verdicts, and how well the estimates follow the EMG."""
    from imu_emg_estimator.calibration.calibrate_recordings import judge
    from imu_emg_estimator.calibration.recording_quality import assess
    from imu_emg_estimator.model.offline_estimate import published_estimate

    recording, rig = bag.recording, bundle.rig
    quality = assess(bundle, [recording], stream_of([bag]))
    activation, deviation = published_estimate(bundle, recording.imu)
    envelopes = Envelopes(
        trusted_envelope([recording]),
        np.where(in_unit(bundle, recording.envelope_unit), activation * np.array(bundle.reference.amplitude), np.nan),
        interval_half_width(bundle, deviation),
    )
    return replace(
        found,
        bag=bag.report,
        verdicts=quality.verdicts(),
        left_out=quality.left_out,
        scores=judge(bundle, recording),
        curves=curves_of(envelopes, rig.muscle_names, rig.rate, recording.envelope_unit),
        notes=bag.notes,
    )


def _curves_alone(bundle: Bundle, views: Sequence[EstimatorView]) -> EnvelopeCurves:
    """Make curves of what a node would have shown, without EMG."""
    shape = (len(views), len(bundle.rig.muscles))
    activation, deviation = (
        np.array([getattr(view, name) for view in views], float).reshape(shape) for name in ("activation", "deviation")
    )
    envelope: FloatArray = activation * np.array(bundle.reference.amplitude)
    half_width = interval_half_width(bundle, deviation)
    nothing = np.full_like(envelope, np.nan)
    return curves_of(
        Envelopes(nothing, envelope, half_width), bundle.rig.muscle_names, 1 / SHOW_PERIOD_S, bundle.reference.unit
    )
