"""Which backends the tests run on.

The process under test has one backend, chosen as in any other (`KERAS_BACKEND`, else the first installed); tests of
several at once are marked `several_backends` and use workers. `TRIVIUM_TEST_BACKENDS` names what *must* be installed:
a requested backend that is missing fails the whole run, one that nobody asked for skips with its reason.
"""

import os
import tempfile

import numpy as np
import pytest

from trivium.backends import catalog, runtime
from trivium.backends.workers import cluster, worker


def pytest_configure(config):
    # What was measured on this machine before must not decide what is tested.
    os.environ.setdefault("XDG_CACHE_HOME", tempfile.mkdtemp(prefix="trivium-tests-"))
    required = [name for name in os.environ.get("TRIVIUM_TEST_BACKENDS", "").split(",") if name]
    missing = [name for name in required if not catalog.find(name).installed]
    if missing:
        raise pytest.UsageError(f"TRIVIUM_TEST_BACKENDS asks for {', '.join(missing)}, which is not installed")


def pytest_collection_modifyitems(items):
    if len(catalog.installed()) > 1:
        return
    skip = pytest.mark.skip(
        reason="needs two installed backends, found " + ", ".join(b.name for b in catalog.installed())
    )
    for item in items:
        if "several_backends" in item.keywords:
            item.add_marker(skip)


@pytest.fixture(scope="session")
def backend():
    """The backend of this process, with Keras and the framework imported."""
    runtime.current()
    return catalog.selected()


@pytest.fixture(scope="session")
def shared_worker(backend):
    """The shared worker of this process' backend: starting one costs seconds, so tests that do not kill it share it."""
    return worker.get(backend.name)


@pytest.fixture(scope="session")
def digits():
    """300 training and 100 test digits of the shipped sample: enough for a few steps of anything."""
    from trivium.engine.data import datasets
    from trivium.engine.data.dataset import Dataset, Split

    full = datasets.load("mnist:sample")
    return Dataset(
        "digits for tests",
        Split(full.train.x[:300], full.train.y[:300]),
        Split(full.test.x[:100], full.test.y[:100]),
        full.labels,
        full.source,
    )


@pytest.fixture(scope="session")
def striding_run(backend, digits):
    """A `cnn/striding` that was trained for two epochs on a few digits."""
    from trivium.engine.training.trainer import Trainer

    return Trainer("cnn/striding", epochs=2, batch_size=64).fit(digits)


@pytest.fixture(scope="session")
def lstm_run(backend):
    """An `rnn/lstm` that was trained for two epochs on a short wave."""
    from trivium.engine.data import datasets
    from trivium.engine.training.trainer import Trainer

    return Trainer("rnn/lstm", epochs=2, batch_size=16).fit(datasets.load("waves:0:60"))


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def saved_runs(striding_run, lstm_run, tmp_path_factory):
    """The folders of both runs: `{"striding": …, "lstm": …}`; for reading only."""
    from trivium.engine.runs import run_folder
    from trivium.engine.training import saving

    folders = {}
    for name, run in (("striding", striding_run), ("lstm", lstm_run)):
        folders[name] = tmp_path_factory.mktemp("runs") / name
        run_folder.claim(folders[name])
        saving.save(run, folders[name])
    return folders


@pytest.fixture(scope="session")
def ray_address():
    """The address of a Ray cluster of two nodes with a CPU each, and of this process, which is on the first of them."""
    os.environ.update(cluster.QUIET)  # read when Ray is imported
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'trivium[ray]'")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    made = Cluster(initialize_head=True, head_node_args=small)
    try:
        made.add_node(**small)
        yield made.address
    finally:
        ray.shutdown()
        made.shutdown()
