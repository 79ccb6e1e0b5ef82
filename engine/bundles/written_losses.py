"""Bundles of models that written losses have trained: they hold the network that answers, and not the losses."""

from __future__ import annotations

from .bundle import Bundle

# The entry of a run's record under `compiled`: for each loss the names of the networks that it has trained.
WRITTEN_LOSSES = "losses"


def has_recorded_losses(bundle: Bundle) -> bool:
    """Return whether the model of a bundle was trained by written losses."""
    compiled = bundle.run.get("compiled")
    return isinstance(compiled, dict) and WRITTEN_LOSSES in compiled
