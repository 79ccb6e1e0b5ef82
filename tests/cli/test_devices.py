"""`trivium train --devices`, in separate processes, because a backend fixes its number of devices at its start."""

import json

import pytest

from trivium.backends import runtime


@pytest.mark.one_environment
@pytest.mark.skipif(runtime.cores() < 2, reason="two devices need two cores")
def test_a_run_on_two_devices_is_kept_and_goes_on_to_the_run_of_one(process, backend, small_digits, here):
    from trivium.data import datasets
    from trivium.engine.training.trainer import Trainer

    settings = ["--data", small_digits, "--batch-size", 16, "--devices", 2]
    first = process("train", "dense/small", *settings, "--epochs", 2, "--out", "run")
    assert first.code == 0, first.err
    assert "run by      2 devices, each on its share of every batch" in first.out
    second = process("train", "--resume", "--out", "run", "--epochs", 4, "--json")
    assert second.code == 0, second.err
    run = json.loads(second.out)
    assert run["settings"]["plan"] == {"name": "devices", "count": 2}
    one = Trainer("dense/small", batch_size=16, epochs=4).fit(datasets.load(str(small_digits)))
    assert len(run["history"]) == 4
    for epoch, expected in zip(run["history"], one.history.to_json(), strict=True):
        assert epoch == pytest.approx(expected, rel=1e-5)
