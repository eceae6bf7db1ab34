"""Rounded weights are as near as 8 bits allow, and a file holds them in a quarter of the bytes, without loss."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from fixtures.factories import refusal

from imu_emg_estimator.model.bundle import Bundle
from imu_emg_estimator.model.int8_weights import SCALE, packed, rounded, unpacked


def test_rounded_moves_a_weight_by_half_a_level_at_most_and_keeps_the_rest(bundle: Bundle) -> None:
    for name, value in rounded(bundle.weights).items():
        if value.ndim == 1:
            np.testing.assert_array_equal(value, bundle.weights[name])
            continue
        level = np.abs(bundle.weights[name]).max(axis=tuple(range(1, value.ndim)), keepdims=True) / 127
        assert (np.abs(value - bundle.weights[name]) <= 0.51 * level).all()
        assert np.ptp(value / level) > 200  # the whole grid is used
    zeros = {"w": np.zeros((2, 3), np.float32)}
    np.testing.assert_array_equal(rounded(zeros)["w"], zeros["w"])


@pytest.mark.parametrize("factor", [1e-30, 0.7, 1.0, 3e20])
def test_packed_weights_return_bit_for_bit_and_unrounded_ones_stay(factor: float) -> None:
    free = factor * np.random.default_rng(1).standard_normal((40, 5, 3)).astype(np.float32)
    on_grid = rounded({"w": free})
    small = packed({**on_grid, "free": free, "row": free[0, 0]})
    assert small["w"].dtype == np.int8
    assert set(small) == {"w", "w" + SCALE, "free", "row"}
    np.testing.assert_array_equal(unpacked(small)["w"], on_grid["w"])
    np.testing.assert_array_equal(rounded(on_grid)["w"], on_grid["w"])


def test_bundle_of_rounded_weights_is_small_and_loads_unchanged(bundle: Bundle, bundle_file: Path) -> None:
    small = replace(bundle, weights=rounded(bundle.weights))
    small.save(bundle_file)
    loaded = Bundle.load(bundle_file)
    assert loaded.content_hash == small.content_hash
    assert all(value.dtype == np.float32 for value in loaded.weights.values())
    saved = sum(value.nbytes for value in bundle.weights.values() if value.ndim > 1)
    assert len(bundle.to_bytes()) - bundle_file.stat().st_size > 0.5 * saved


def test_load_refuses_levels_without_their_scales(bundle: Bundle, bundle_file: Path) -> None:
    replace(bundle, weights=rounded(bundle.weights)).save(bundle_file)
    bundle_file.write_bytes(bundle_file.read_bytes().replace(b"head.weight.scale", b"head.weight.scalf"))
    with refusal(str(bundle_file), "not a bundle"):
        Bundle.load(bundle_file)
