"""Runs that several processes train together, on this machine and on a Ray cluster, and what is left of one that dies.

That the numbers are those of one device is shown in test_devices.py; here they are compared with a run in which nothing
died, bit by bit.
"""

import os
import signal
from pathlib import Path

import numpy as np
import pytest

from trivium.backends.distribution.recovery import Recovering
from trivium.backends.workers import cluster
from trivium.backends.workers.worker import Worker
from trivium.engine.data.dataset import Dataset, Split
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
    """Two ranks in processes of this machine."""
    group = Recovering(2, lambda: [Worker(backend.name, threads=1) for _ in range(2)])
    yield group
    group.close()


def train(flowers, group=None):
    """With dropout and batch normalisation; 112 samples in batches of 25 leave 12 for the last."""
    options = {"inputs": 4, "classes": 3}
    settings = {"epochs": 3, "batch_size": 25, "learning_rate": 0.05, "validation_split": 0.25}
    return Trainer(f"{BUILDERS}:normalised", options, group=group, **settings).fit(flowers)


def kill_within(group, epoch):
    """Let the second rank be killed between the first two steps of that epoch."""
    make, begun = group.epochs, []

    def epochs(*given):
        found = make(*given)
        begin, run = found.begin, found.run

        def count_and_begin(order):
            begun.append(order)
            begin(order)

        def run_and_kill(start, stop):
            if len(begun) == epoch and start == 0 and not group.deaths:
                run(0, 1)
                os.kill(group.workers[1].pid, signal.SIGKILL)
                start = 1
            run(start, stop)

        found.begin, found.run = count_and_begin, run_and_kill
        return found

    group.epochs = epochs


def require_same_bits(one, other):
    for weight, expected in zip(one.model.variables, other.model.variables, strict=True):
        np.testing.assert_array_equal(weight.numpy(), expected.numpy(), err_msg=weight.path)
    assert one.history.to_json() == other.history.to_json()


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
    """Each dies before it has done anything, which no number of others would change."""
    made = []

    def doomed():
        made.append([Worker(backend.name, threads=1) for _ in range(2)])
        made[-1][1].kill()
        return made[-1]

    group = Recovering(2, doomed)
    with pytest.raises(WorkerError, match=r"worker was killed \(signal 9"):
        train(flowers, group)
    assert len(made) == len(group.deaths) == 4
    assert not any(each.alive for pair in made for each in pair)


@pytest.mark.several_backends
def test_a_rank_that_is_killed_on_a_cluster_changes_nothing(backend, ray_address, flowers):
    with ray_ranks.ranks(2, ray_address) as group:
        together = train(flowers, group)
        assert len({each.where["node"] for each in group.workers}) == 2
        kill_within(group, epoch=2)
        killed = train(flowers, group)
        (death,) = group.deaths
    assert "was killed or has crashed" in death
    require_same_bits(killed, together)


@pytest.mark.several_backends
def test_what_cannot_be_spread_is_said(backend, ray_address):
    for workers, address, devices, error, said in (
        (None, "h:1", 1, OptionError, r"--address h:1 is where --workers are: say how many, --workers N"),
        (2, ray_address, 2, OptionError, r"--devices 2 are this machine's, --workers 2 a cluster's: choose one"),
        (3, ray_address, 1, ClusterError, r"3 workers want a CPU each, and the Ray cluster at .* has 2: --workers 2"),
    ):
        with pytest.raises(error, match=said), ray_ranks.ranks(workers, address, devices):
            pass


@pytest.mark.several_backends
def test_gpus_that_do_not_suffice_are_said(ray_address, monkeypatch):
    joined = cluster.connect(ray_address)
    assert joined.require_gpus(2) == 0
    nodes = [cluster.Node("n", "h", 4, gpus) for gpus in (1, 0)]
    monkeypatch.setattr(cluster.Cluster, "nodes", lambda self: nodes)
    assert joined.require_gpus(1) == 1
    with pytest.raises(ClusterError, match=r"2 workers want a GPU each, and .* has 1: --workers 1"):
        joined.require_gpus(2)
