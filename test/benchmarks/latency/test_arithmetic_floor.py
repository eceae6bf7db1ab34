"""The floor counts what a step multiplies."""

from fixtures.factories import BundleFactory

from benchmarks.latency.arithmetic_floor import measure, multiply_adds


def test_arithmetic_floor_counts_weights_keys_and_values(make_bundle: BundleFactory) -> None:
    bundle = make_bundle(layers=3, band=7)
    matrices = sum(value.size for value in bundle.weights.values() if value.ndim > 1)
    attention = bundle.config.layers * 2 * bundle.config.band * bundle.config.width
    assert multiply_adds(bundle.config) == matrices + attention


def test_arithmetic_floor_measures_machine() -> None:
    figures = measure(100_000)
    assert figures["multiply_adds"] == 100_000
    assert all(figures[name] > 0 for name in ("gemv_us", "gemv_gflops", "gemm_gflops", "interpreter_us"))
