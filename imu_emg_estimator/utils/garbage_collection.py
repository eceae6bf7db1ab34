"""What garbage collections look at: over all that a node has loaded, each would take tens of milliseconds."""

from __future__ import annotations

import gc


def exclude_from_collection() -> None:
    """Exclude what there is now from the collections to come."""
    gc.collect()
    gc.freeze()


def return_to_collection() -> None:
    """Collect all that is not in use, what was excluded, too."""
    gc.unfreeze()
    gc.collect()
