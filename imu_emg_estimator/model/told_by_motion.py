"""What motion tells of each muscle, as measured on people whom the model had not seen, said wherever it is little."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MUSCLE_R = "muscle_r"  # in a bundle's scores: r by muscle in the rig's movements, mean over the people left out
# Below, the estimate explains less than a quarter (r²) of how the EMG varies. A convention, not fitted to data: the
# rigs that were measured lie far from it (docs/limits_of_motion.md).
ENOUGH_R = 0.5


def little_told(scores: Mapping[str, Any]) -> str:
    """Say of which muscles motion tells little, by the scores of a bundle or an evaluation; empty = of none known."""
    measured = scores.get(MUSCLE_R)
    known = measured.items() if isinstance(measured, Mapping) else ()
    weak = {name: r for name, r in known if isinstance(r, float) and r < ENOUGH_R}
    if not weak:
        return ""
    low, high = (f"{r:.2f}" for r in (min(weak.values()), max(weak.values())))
    return (
        f"motion tells little of {', '.join(weak)}: on people whom the model had not seen r is "
        f"{low if low == high else f'{low} to {high}'}, at most {100 * max(*weak.values(), 0.0) ** 2:.0f} % of the "
        "variance; do not control by it"
    )
