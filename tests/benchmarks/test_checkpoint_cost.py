"""The cost of checkpoints, measured small in a real worker, and its report."""

import json

import pytest

from trivium.benchmarks.suites import checkpoint_cost
from trivium.benchmarks.suites.checkpoint_cost import CHECKPOINT, DISK, EPOCH, LARGE

pytestmark = pytest.mark.one_environment


def test_both_sides_are_timed_in_the_same_rounds(backend, shared_worker, tmp_path):
    result = checkpoint_cost.measure(
        "rnn/lstm", backend.name, data="waves:0:20", parameters=1, folder=tmp_path, rounds=2
    )
    assert {name: len(seconds) for name, seconds in result.samples.items()} == dict.fromkeys(
        (EPOCH, CHECKPOINT, DISK, LARGE), 2
    )
    assert 2048**2 * 4 <= result.bytes[LARGE] < 2048**2 * 4 + 20_000
    assert list(tmp_path.iterdir()) == []
    report = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert [(ratio["of"], ratio["over"]) for ratio in report["ratios"]] == [(CHECKPOINT, EPOCH), (DISK, LARGE)]
    assert {row["metric"] for row in report["rows"]} >= {EPOCH, CHECKPOINT, "large_checkpoint_size"}


def test_the_ratios_have_the_right_direction():
    samples = {EPOCH: [2.0] * 6, CHECKPOINT: [0.02] * 6, DISK: [1.0] * 6, LARGE: [1.25] * 6}
    result = checkpoint_cost.CheckpointCostResult("rnn/lstm", "jax", samples, {LARGE: 100}, 10, {"device": "cpu"})
    assert round(result.share.ratio, 6) == 0.01
    assert round(result.speed.ratio, 6) == 0.8
