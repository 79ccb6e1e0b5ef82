"""Runs off the plain path are compared with plain ones of the same arithmetic."""

import numpy as np
import pytest

from trivium.benchmarks import paired_epochs, uncommon_runs


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(uncommon_runs, "_SAMPLES", 256)
    monkeypatch.setattr(uncommon_runs, "_EPOCHS", 2)


def test_the_runs_have_the_same_weights_and_learn_the_same(backend, small, tmp_path):
    pairs = uncommon_runs.runs(tmp_path)
    names = ["two inputs and two outputs", "a train_step of its own", "a stream", "files"]
    parameters = {uncommon_runs.plain().count_params(), uncommon_runs.divided().count_params()}
    assert parameters == {uncommon_runs.of_own_step().count_params()}
    plain = pairs[names[0]][1]()
    for name in names:
        run = pairs[name][0]()
        assert run.settings["plan"]["name"] != "fit"
        if name in ("a train_step of its own", "files"):  # the others have other orders, or a sum of two losses
            for mine, theirs in zip(run.model.get_weights(), plain.model.get_weights(), strict=True):
                np.testing.assert_allclose(mine, theirs, atol=1e-5, err_msg=name)


@pytest.mark.one_environment
def test_ratios_are_of_the_uncommon_run_over_the_plain_one(backend, small, tmp_path):
    pair = uncommon_runs.runs(tmp_path)["files"]
    (row,) = paired_epochs.compare({"files": uncommon_runs.timed(pair)}, 2)
    assert row["run"] == "files"
    assert row["interval"][0] <= row["ratio"] <= row["interval"][1]
    assert row["ratio"] == pytest.approx(row["seconds"][0] / row["seconds"][1], rel=1.0)
