"""A network whose norms were folded is the same network."""

import numpy as np
import torch
from fixtures.factories import BundleFactory

from imu_emg_estimator.model.causal_network import GegluTransformer, network_of
from imu_emg_estimator.model.weight_folding import fold_norms


@torch.no_grad()
def test_folded_weights_give_same_outputs(make_bundle: BundleFactory) -> None:
    bundle = make_bundle(layers=3)
    folded = fold_norms(3, bundle.weights)
    network = GegluTransformer(bundle.config).eval()
    rest = network.load_state_dict({name: torch.from_numpy(value) for name, value in folded.items()}, strict=False)
    assert rest.unexpected_keys == []
    assert len(rest.missing_keys) == 2 * (2 * 3 + 1)
    assert all("norm" in name for name in rest.missing_keys), "a fresh norm has weights 1 and biases 0"
    rows = torch.randn(1, 60, bundle.config.inputs, generator=torch.Generator().manual_seed(1))
    for ours, theirs in zip(network(rows), network_of(bundle)(rows), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-5)


def test_fold_keeps_given_weights(make_bundle: BundleFactory) -> None:
    bundle = make_bundle()
    before = {name: value.copy() for name, value in bundle.weights.items()}
    fold_norms(bundle.config.layers, bundle.weights)
    for name, value in before.items():
        np.testing.assert_array_equal(bundle.weights[name], value)
