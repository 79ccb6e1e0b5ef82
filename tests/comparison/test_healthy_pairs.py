"""Fifty models drawn at random, each written in two ways: none may be called different."""

from pathlib import Path

import pytest

from trivium.comparison.compare import compare
from trivium.functions import load_function

pytestmark = pytest.mark.one_environment

DRAWN = f"{Path(__file__).parents[1] / 'helpers' / 'healthy_pairs.py'}:drawn"


@pytest.mark.parametrize("seed", [pytest.param(n, marks=() if n < 3 else pytest.mark.slow) for n in range(50)])
def test_pair_is_called_the_same(backend, seed):
    report = compare(*load_function(DRAWN)(seed), steps=3)
    assert report.passed, report.finding
