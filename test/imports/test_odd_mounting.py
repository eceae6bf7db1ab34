"""Sensors that were worn the other way round."""

import numpy as np

from imu_emg_estimator.imports.channels import Channel
from imu_emg_estimator.imports.odd_mounting import mean_accelerations, odd_mountings
from imu_emg_estimator.recording import FloatArray

TIMES = np.arange(100) / 100


def worn(subject: str, x: float, z: float) -> tuple[str, dict[str, FloatArray]]:
    rng = np.random.default_rng(len(subject))
    means = {"x": x, "y": 0.5, "z": z}
    columns = [
        Channel(f"band_acc_{axis}", "m/s²", TIMES, mean + 0.3 * rng.standard_normal(100))
        for axis, mean in means.items()
    ]
    return subject, mean_accelerations(columns, ["band"])


def test_band_worn_the_other_way_round_is_named() -> None:
    takes = [worn("anna", 8, 3), worn("ben", 7, -2), worn("carl", 9, 0), worn("eva", 6, 4), worn("dora", -9, 1)]
    (note,) = odd_mountings(takes, ["band"])
    assert note.startswith("dora: gravity on 'band' points the other way from the other subjects' (share along x -0.9")
    assert note.endswith("was it worn the other way round?")


def test_subjects_who_differ_anyhow_are_not_named() -> None:
    takes = [worn("anna", 9, 0), worn("ben", -9, 0), worn("carl", 0, 9), worn("eva", 0, -9), worn("dora", -9, 1)]
    assert odd_mountings(takes, ["band"]) == []
    assert odd_mountings([worn("anna", 9, 0), worn("ben", 9, 0), worn("carl", -9, 0)], ["band"]) == []
