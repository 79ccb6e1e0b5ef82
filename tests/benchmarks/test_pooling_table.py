"""The cost of pooling stands beside the published one in a table that is written from results."""

import pytest

from trivium.benchmarks.suites.pooling_table import table
from trivium.benchmarks.suites.pooling_vs_striding import PAIRS, SUITE
from trivium.errors import DataError

pytestmark = pytest.mark.plain


def results(**more):
    ratios = [
        {"backend": backend, "of": of, "over": over, "ratio": number + 1.5, "low": number + 1.0, "high": number + 2.0}
        for number, (of, over) in enumerate(PAIRS)
        for backend in ("jax", "torch")
    ]
    rows = [{"backend": "jax"}, {"backend": "torch"}]
    return {"suite": SUITE, "rows": rows, "ratios": ratios[:-1], "failed": [], **more}


def test_each_pair_has_its_published_and_its_measured_ratios():
    lines = table(results(load={"busy": True})).splitlines()
    assert "| an epoch of | published | JAX | PyTorch |" in lines
    first = "| `cnn/pooling` ÷ `cnn/striding` | 147 s ÷ 36 s = 4.1 | 1.50 [1.00, 2.00] | 1.50 [1.00, 2.00] |"
    second = "| `cnn/blocks-pooling` ÷ `cnn/blocks-striding` | 339 s ÷ 186 s = 1.8 | 2.50 [2.00, 3.00] | – |"
    assert {first, second} <= set(lines)
    assert any("The machine was busy" in line for line in lines)


def test_results_of_another_suite_are_refused():
    with pytest.raises(DataError, match="expected results of `trivium bench pooling-vs-striding`"):
        table(results(suite="epochs"))
