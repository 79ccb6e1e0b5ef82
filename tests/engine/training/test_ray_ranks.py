"""Runs that several processes train together, on this machine and on a Ray cluster, and how they survive a dead rank.

test_local_devices.py compares such runs with those of one device. Here a run in which a rank dies is compared, bit by
bit, with a run in which none does.
"""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from trivium.backends.distribution.recovery import FaultTolerantGroup
from trivium.backends.workers import cluster
from trivium.backends.workers.worker import Worker
from trivium.data.dataset import Dataset, Split
from trivium.engine.training import ray_ranks
from trivium.engine.training.trainer import Trainer
from trivium.errors import ClusterError, OptionError, WorkerError

BUILDERS = Path(__file__).parents[2] / "helpers" / "functions_for_estimators.py"


@pytest.fixture(scope="module")
def flowers():
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    mixed = np.random.default_rng(0).permutation(150)
    return Dataset("flowers", Split(x[mixed].astype("float32"), y[mixed]), None, ("a", "b", "c"), "given")


@pytest.fixture
def here(backend):
    """Two ranks, each a process of this machine."""
    group = FaultTolerantGroup(2, lambda: [Worker(backend.name, threads=1) for _ in range(2)])
    yield group
    group.close()


def train(flowers, group=None):
    """Train a model with dropout and batch normalisation; the last of 112 samples in batches of 25 is a batch of 12."""
    options = {"inputs": 4, "classes": 3}
    settings = {"epochs": 3, "batch_size": 25, "learning_rate": 0.05, "validation_split": 0.25}
    return Trainer(f"{BUILDERS}:normalised", options, group=group, **settings).fit(flowers)


def kill_within(group, epoch):
    """Kill the second rank between the first two steps of an epoch."""
    make, epochs_begun = group.epochs, []

    def epochs(*arguments):
        runner = make(*arguments)
        begin, run = runner.begin, runner.run

        def count_and_begin(order):
            epochs_begun.append(order)
            begin(order)

        def run_and_kill(start, stop):
            if len(epochs_begun) == epoch and start == 0 and not group.deaths:
                run(0, 1)
                os.kill(group.workers[1].pid, signal.SIGKILL)
                start = 1
            run(start, stop)

        runner.begin, runner.run = count_and_begin, run_and_kill
        return runner

    group.epochs = epochs


def require_same_bits(one, other):
    for weight, expected in zip(one.model.variables, other.model.variables, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected.numpy(), err_msg=weight.path)
    assert one.history.to_json() == other.history.to_json()


@pytest.mark.one_environment
def test_a_rank_that_is_killed_in_the_middle_of_an_epoch_changes_nothing(here, flowers):
    alone = train(flowers)
    together = train(flowers, here)
    assert together.settings["plan"] == {"name": "processes", "count": 2}
    for weight, expected in zip(together.model.variables, alone.model.variables, strict=True):
        np.testing.assert_allclose(weight.numpy(), expected.numpy(), atol=1e-5, err_msg=weight.path)
    assert here.deaths == []
    kill_within(here, epoch=2)
    killed = train(flowers, here)
    (death,) = here.deaths
    assert "was killed (signal 9" in death
    require_same_bits(killed, together)


def test_ranks_that_die_again_and_again_end_the_run(backend, flowers):
    """Every new rank dies at once, so starting further ones is useless."""
    pairs = []

    def start_doomed():
        pairs.append([Worker(backend.name, threads=1) for _ in range(2)])
        pairs[-1][1].kill()
        return pairs[-1]

    group = FaultTolerantGroup(2, start_doomed)
    with pytest.raises(WorkerError, match=r"worker was killed \(signal 9"):
        train(flowers, group)
    assert len(pairs) == len(group.deaths) == 4
    assert not any(worker.alive for pair in pairs for worker in pair)


@pytest.mark.slow
@pytest.mark.several_backends
def test_a_rank_that_is_killed_on_a_cluster_changes_nothing(backend, ray_address, flowers):
    with ray_ranks.ranks(2, ray_address) as group:
        together = train(flowers, group)
        assert len({worker.where["node"] for worker in group.workers}) == 2
        kill_within(group, epoch=2)
        killed = train(flowers, group)
        (death,) = group.deaths
    assert "was killed or has crashed" in death
    require_same_bits(killed, together)


@pytest.mark.several_backends
def test_options_that_do_not_go_together_are_refused(backend, ray_address):
    for workers, address, devices, error, message in (
        (None, "h:1", 1, OptionError, r"`address` h:1 needs workers: add `workers` N"),
        (2, ray_address, 2, OptionError, r"`devices` 2 is for this machine, `workers` 2 for a cluster: choose one"),
        (3, ray_address, 1, ClusterError, r"3 workers want a CPU each, and the Ray cluster at .* has 2: `workers` 2"),
    ):
        with pytest.raises(error, match=message), ray_ranks.ranks(workers, address, devices):
            pass


@pytest.mark.several_backends
def test_too_few_gpus_are_refused(ray_address, monkeypatch):
    joined = cluster.connect(ray_address)
    assert joined.gpus_per_worker(2) == 0
    nodes = [cluster.ClusterNode("n", "h", 4, gpus) for gpus in (1, 0)]
    monkeypatch.setattr(cluster.Cluster, "nodes", lambda self: nodes)
    assert joined.gpus_per_worker(1) == 1
    with pytest.raises(ClusterError, match=r"2 workers want a GPU each, and .* has 1: `workers` 1"):
        joined.gpus_per_worker(2)
