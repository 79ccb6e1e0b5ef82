"""`bench epochs` over dtype policies: each is a cell of its own, identified by a column."""

import pytest

from trivium.benchmarks.suite import BenchmarkOptions
from trivium.benchmarks.suites import epochs
from trivium.errors import OptionError


def test_each_policy_is_timed_and_has_its_column(backend, shared_worker):
    options = BenchmarkOptions(budget=0.1, precision=1.0, ceilings=False)
    policies = ["float32", "mixed_bfloat16"]
    report = epochs.measure(
        ["rnn/lstm"], [backend.name], policies=policies, data="waves:0:20", options=options
    ).to_json()
    assert report["failed"] == []
    assert report["asked"]["policies"] == policies
    steady = [row["precision"] for row in report["rows"] if row["metric"] == "steady_epoch"]
    assert steady[:2] == policies
    first = report["ratios"][0]
    assert [first[side].rpartition(" in ")[2] for side in ("of", "over")] == policies


def test_an_unknown_policy_is_refused_before_anything_is_measured():
    with pytest.raises(
        OptionError, match="precision must be float32, mixed_bfloat16, mixed_float16 or float64, received 'half'"
    ):
        epochs.measure(["rnn/lstm"], policies=["half"])
