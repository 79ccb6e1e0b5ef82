"""Where loops are known to be slow: in a loop on a CPU, XLA computes convolutions without its fast code."""

from __future__ import annotations

import jax


def loops_over_convolutions() -> bool:
    """Return whether an expert would put steps with convolutions into a compiled loop on this device.

    On a CPU, an epoch of a residual network takes ten times as long in a `lax.scan` as step by step.
    """
    return bool(jax.default_backend() != "cpu")
