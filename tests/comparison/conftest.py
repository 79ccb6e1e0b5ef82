"""Fixtures that run the command line, as in `tests/cli`, and a report with names that would run if they could."""

import numpy as np
import pytest
from command_line import cli as cli
from command_line import here as here

from trivium.comparison.report import ComparisonReport, LayerDifference
from trivium.comparison.weight_map import Piece, WeightMap
from trivium.engine.verification.tolerances import BackendCheck

NASTY = "</title><script>alert(1)</script>\x1b[31m"


@pytest.fixture
def report():
    piece = Piece(("conv", "kernel"), (NASTY, "kernel"), np.arange(4), np.arange(4), ((2, 2), (2, 2)), "transposed")
    layers = (
        LayerDifference("conv", NASTY, "conv", 0.0, 1e-5),
        LayerDifference("act", "gelu", "gelu", float("inf"), 1e-5),
        LayerDifference("out", "out", "dense", 0.3, 1e-5),
    )
    checks = (BackendCheck("forward pass", ("jax", "torch"), float("inf"), 0.0, "act | gelu"),)
    graph = {"x": ("input", []), "conv": ("conv", ["x"]), "act": ("relu", ["conv"]), "out": ("dense", ["act", "x"])}
    return ComparisonReport(
        *("folder/a.py:build", NASTY, ("jax", "torch"), WeightMap((piece,), (), ((("extra", "bias"), (3,)),))),
        *(checks, ("act", "gelu"), (f"relu against {NASTY}",), True, 2, False),
        *(layers, ([1.0, 0.5], [1.0, float("nan")]), graph),
    )
