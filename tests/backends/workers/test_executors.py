"""Work on a Ray cluster gives the same results as on this machine, even if a worker is killed."""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

import trivium
from trivium.backends.workers import executors
from trivium.errors import ClusterError, OptionError

BUILDERS = Path(__file__).parents[2] / "helpers" / "functions_for_estimators.py"


@pytest.fixture
def flowers():
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    mixed = np.random.default_rng(0).permutation(150)
    return x[mixed].astype("float32"), y[mixed]


@pytest.mark.several_backends
def test_a_cluster_scores_as_this_machine_does_even_when_a_worker_is_killed(backend, ray_address, flowers):
    estimator = trivium.Classifier(f"{BUILDERS}:classes", epochs=30, batch_size=16, learning_rate=0.05)
    there = {"cv": 6, "executor": "ray", "address": ray_address}
    here = trivium.cross_val_score(estimator, *flowers, cv=6, workers=0)
    assert 0.7 < here.mean() <= 1
    np.testing.assert_allclose(trivium.cross_val_score(estimator, *flowers, **there), here, atol=1e-6)
    first, _ = executors.find_executor("ray", ray_address).team(2)
    before, stages = first.pid, []

    def kill_once(event):
        stages.append(event["stage"])
        if event["done"] and first.pid == before:
            os.kill(before, signal.SIGKILL)

    np.testing.assert_allclose(
        trivium.cross_val_score(estimator, *flowers, **there, listener=kill_once), here, atol=1e-6
    )
    assert first.pid != before
    assert stages[-1] == "6 of 6 fits"


@pytest.mark.several_backends
def test_unsupported_requests_to_a_cluster_are_errors(backend, ray_address, flowers):
    there = {"executor": "ray", "address": ray_address}
    named = trivium.Classifier(f"{BUILDERS}:classes")
    with pytest.raises(ClusterError, match=r"3 workers want a CPU each"):
        trivium.cross_val_score(named, *flowers, workers=3, **there)
    with pytest.raises(OptionError, match="workers=0 keeps all fits in this process"):
        trivium.cross_val_score(named, *flowers, workers=0, **there)
    with pytest.raises(OptionError, match="cannot go to a worker"):
        trivium.cross_val_score(trivium.Classifier(lambda inputs: None), *flowers, **there)


def test_an_unknown_executor_is_an_error():
    with pytest.raises(OptionError, match="executor must be local or ray, received 'dask'"):
        executors.find_executor("dask")
    with pytest.raises(OptionError, match=r"`address` h:1 is a Ray cluster's: add `executor` ray"):
        executors.find_executor("local", "h:1")
    assert executors.find_executor() is executors.LOCAL
