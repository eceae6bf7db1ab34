"""A fingerprint of recordings, by which a training or a benchmark knows the data that it was begun with."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from imu_emg_estimator.recording import Recording


def fingerprint(recordings: Sequence[Recording]) -> str:
    """Hash everything in the recordings that a result can depend on."""
    digest = hashlib.blake2b(digest_size=16)
    for recording in recordings:
        words = [recording.name, recording.subject, recording.rig.to_dict(), recording.start, recording.envelope_unit]
        arrays = (recording.imu, recording.envelope, recording.muscle_weight, recording.condition)
        layout = [[array.dtype.str, array.shape] for array in arrays]
        digest.update(json.dumps([words, layout]).encode())
        for array in arrays:
            digest.update(array.tobytes())
    return digest.hexdigest()
