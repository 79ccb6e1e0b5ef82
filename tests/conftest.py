"""Chooses the backends of the tests, and defines the fixtures that many tests share.

The test process has one backend, chosen as in any other process (`KERAS_BACKEND`, else the first installed). Tests of
several backends are marked `several_backends` and use workers. `TRIVIUM_TEST_BACKENDS` names the backends that *must*
be installed: if one is missing, the whole run fails. Any other missing backend is skipped with its reason.
"""

import json
import os
import tempfile
from pathlib import Path

import numpy as np
import pytest

from trivium.backends import catalog, runtime
from trivium.backends.workers import cluster, worker


def pytest_configure(config):
    # An empty cache: earlier timings on this machine must not decide which plan is tested.
    os.environ.setdefault("XDG_CACHE_HOME", tempfile.mkdtemp(prefix="trivium-tests-"))
    required = [name for name in os.environ.get("TRIVIUM_TEST_BACKENDS", "").split(",") if name]
    missing = [name for name in required if not catalog.find(name).installed]
    if missing:
        raise pytest.UsageError(f"TRIVIUM_TEST_BACKENDS asks for {', '.join(missing)}, which is not installed")


def pytest_collection_modifyitems(config, items):
    _share_out(config, items)
    if len(catalog.trainers()) > 1:
        return
    skip = pytest.mark.skip(
        reason="needs two installed backends, found " + ", ".join(b.name for b in catalog.trainers())
    )
    for item in items:
        if "several_backends" in item.keywords:
            item.add_marker(skip)


def _share_out(config, items):
    """Leave this environment its share of the tests marked `shared_out`: `TRIVIUM_TEST_SHARE` is `place/shares`.

    The cases of a test are dealt like cards, so that each share has some of them; what only one environment runs is
    not dealt. Without the variable all are run.
    """
    place, _, shares = os.environ.get("TRIVIUM_TEST_SHARE", "0/1").partition("/")
    functions: dict[str, int] = {}
    rest = []
    for item in items:
        if "shared_out" in item.keywords and "one_environment" not in item.keywords:
            function = item.nodeid.partition("[")[0]
            functions[function] = case = functions.get(function, -1) + 1
            if case % int(shares) != int(place):
                rest.append(item)
    if rest:
        left_out = {*rest}
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=rest)


_outcomes: dict[str, str] = {}
_seconds: dict[str, float] = {}


def pytest_runtest_logreport(report):
    """Note the outcome of each test, the reason of a skip included, and its time: see scripts/check_skips.py."""
    _seconds[report.nodeid] = round(_seconds.get(report.nodeid, 0.0) + report.duration, 3)
    if report.skipped:
        _outcomes[report.nodeid] = str(report.longrepr[-1] if isinstance(report.longrepr, tuple) else report.longrepr)
    elif report.failed or report.when == "call":
        _outcomes[report.nodeid] = report.outcome


def pytest_sessionfinish(session):
    if folder := os.environ.get("TRIVIUM_TEST_OUTCOMES"):
        for place, noted in ((Path(folder), _outcomes), (Path(folder, "seconds"), _seconds)):
            place.mkdir(parents=True, exist_ok=True)
            (place / f"{os.environ['TOX_ENV_NAME']}.json").write_text(json.dumps(noted))


@pytest.fixture(scope="session")
def backend():
    """The backend of this process, with Keras and the framework imported."""
    runtime.current()
    return catalog.selected()


@pytest.fixture(scope="session")
def shared_worker(backend):
    """A worker of this process' backend for all tests that do not kill it: starting one takes seconds."""
    return worker.get(backend.name)


@pytest.fixture(scope="session")
def digits():
    """300 training and 100 test digits of the MNIST sample: enough for a few steps of any model."""
    from trivium.data import datasets
    from trivium.data.dataset import Dataset, Split

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
    """The run of a `cnn/striding`, trained for two epochs on a few digits."""
    from trivium.engine.training.trainer import Trainer

    return Trainer("cnn/striding", epochs=2, batch_size=64).fit(digits)


@pytest.fixture(scope="session")
def lstm_run(backend):
    """The run of an `rnn/lstm`, trained for two epochs on a short wave."""
    from trivium.data import datasets
    from trivium.engine.training.trainer import Trainer

    return Trainer("rnn/lstm", epochs=2, batch_size=16).fit(datasets.load("waves:0:60"))


@pytest.fixture
def generator():
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def saved_runs(striding_run, lstm_run, tmp_path_factory):
    """The folders of both runs, `{"striding": …, "lstm": …}`; tests must not write to them."""
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
    """The address of a Ray cluster with two nodes of one CPU each; this process is on the first."""
    os.environ.update(cluster.QUIET)  # read when Ray is imported
    ray = pytest.importorskip("ray", reason="needs Ray: pip install 'trivium[ray]'")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20, "include_dashboard": False}
    ray_cluster = Cluster(initialize_head=True, head_node_args=small)
    try:
        ray_cluster.add_node(**small)
        yield ray_cluster.address
    finally:
        ray.shutdown()
        ray_cluster.shutdown()
