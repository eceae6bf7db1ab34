"""Paired comparison of two models or methods over subjects."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.stats import wilcoxon

RESAMPLES = 10_000
CONFIDENCE = 0.95  # share of the resamples within the interval
MIN_SUBJECTS = 2


def compare(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, Any] | None:
    """Difference between the figures of two methods, over the subjects that have both.

    Args:
        first, second: a figure by subject, larger is better.

    Returns:
        ``difference``: mean; ``interval``: its 95 % bootstrap interval over subjects; ``p``: two-sided, of Wilcoxon's
        signed-rank test; ``subjects``: how many, and ``better``: in how many of them the first is. None for fewer
        than two subjects.
    """
    common = [name for name in first if name in second and np.isfinite(first[name]) and np.isfinite(second[name])]
    if len(common) < MIN_SUBJECTS:
        return None
    differences = np.array([first[name] - second[name] for name in common])
    generator = np.random.default_rng(0)
    means = generator.choice(differences, (RESAMPLES, len(differences))).mean(axis=1)
    tail = 50 * (1 - CONFIDENCE)
    return {
        "difference": float(differences.mean()),
        "interval": [float(value) for value in np.percentile(means, [tail, 100 - tail])],
        "p": float(wilcoxon(differences).pvalue) if differences.any() else 1.0,
        "subjects": len(differences),
        "better": int((differences > 0).sum()),
    }
