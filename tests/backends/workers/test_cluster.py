"""Workers on a Ray cluster of two nodes: their calls, and the loss of a worker or of the cluster.

The functions that they run are those of the tests of `worker.py`, and import no framework.
"""

import importlib.util
import os
import signal
import socket
import threading
import time
from pathlib import Path

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.backends.workers import cluster, executors
from trivium.backends.workers.cluster_worker import ClusterWorker
from trivium.errors import ClusterError, OptionError, WorkerError

FUNCTIONS = Path(__file__).parents[2] / "helpers" / "functions_for_workers.py"


@pytest.fixture(scope="module")
def joined(ray_address):
    return cluster.connect(ray_address)


@pytest.fixture
def make_worker(joined):
    """Return a function that starts workers, which end with the test."""
    workers = []
    executors.release()  # what other tests have left warm

    def make(**settings):
        workers.append(ClusterWorker(joined, catalog.selected().name, threads=1, **settings))
        return workers[-1]

    yield make
    for process in workers:
        process.close()


# --- what fits ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cpus", "workers", "share"),
    [([4], 2, 2), ([4], 3, 1), ([3, 1], 2, 1), ([3, 1], 1, 3), ([2, 2, 2], 3, 2), ([1, 1], 3, 0), ([], 1, 0)],
)
def test_the_cpus_of_a_worker_are_on_one_node(cpus, workers, share):
    assert cluster.divide_cpus(cpus, workers) == share


# --- addresses ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(importlib.util.find_spec("ray") is not None, reason="Ray is installed")
def test_without_ray_the_error_says_what_to_install():
    with pytest.raises(ClusterError, match=r"Ray is not installed.*pip install 'trivium\[ray\]'"):
        cluster.connect()


@pytest.mark.several_backends
@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense", r"expected the head's HOST:PORT, such as 10\.0\.0\.1:6379, or auto"),
        ("ray://10.0.0.1:10001", "runs on a node of the cluster, not through a client"),
        ("no-such-host.invalid:6379", r"no Ray cluster answers at no-such-host\.invalid:6379 \("),
        ("127.0.0.1:99999", r"no Ray cluster answers at 127\.0\.0\.1:99999 \("),
    ],
)
def test_an_address_without_a_cluster_is_a_one_line_error(ray_address, address, message):
    with pytest.raises(ClusterError, match=message) as raised:
        cluster.connect(address)
    assert "\n" not in str(raised.value)


@pytest.mark.several_backends
def test_a_process_joins_one_cluster_only(joined, ray_address):
    port = ray_address.rpartition(":")[2]
    assert cluster.connect() == cluster.connect(ray_address) == cluster.connect(f"localhost:{port}")
    with socket.create_server(("127.0.0.1", 0)) as other:
        address = f"127.0.0.1:{other.getsockname()[1]}"
        with pytest.raises(ClusterError, match=r"is connected to the Ray cluster at .* already"):
            cluster.connect(address)


# --- calls ----------------------------------------------------------------------------------------------------------


@pytest.mark.several_backends
def test_a_call_gives_what_a_local_worker_gives(make_worker):
    there = make_worker()
    array = np.arange(6, dtype="int16").reshape(2, 3)
    result = there.call(f"{FUNCTIONS}:echo", {"a": array, "b": (1, "x", None, 2.5)})
    assert result["b"] == [1, "x", None, 2.5]
    assert result["a"].dtype == array.dtype
    np.testing.assert_array_equal(result["a"], array)
    heard = []
    assert there.call(f"{FUNCTIONS}:report_each", 3, listener=heard.append) == 3
    assert [event["number"] for event in heard] == [0, 1, 2]
    assert there.call(f"{FUNCTIONS}:environment", catalog.BACKEND_VARIABLE) == catalog.selected().name
    assert there.call(f"{FUNCTIONS}:frameworks_loaded") == []
    assert there.pid != os.getpid()
    assert there.alive
    for kind, text, error in (("OptionError", "mend it", OptionError), ("KeyError", "k", WorkerError)):
        with pytest.raises(error, match=text):
            there.call(f"{FUNCTIONS}:fail", kind, text)
    assert there.call(f"{FUNCTIONS}:echo", 1) == 1


@pytest.mark.several_backends
def test_workers_are_spread_over_the_nodes(make_worker):
    assert len({process.where["node"] for process in (make_worker(), make_worker())}) == 2


@pytest.mark.several_backends
def test_the_death_of_a_worker_is_an_error_and_it_stays_dead(make_worker, capfd):
    there = make_worker()
    with pytest.raises(WorkerError, match=r"worker \(process \d+ on .*\) was killed or has crashed"):
        there.call(f"{FUNCTIONS}:end", "kill")
    assert not there.alive
    with pytest.raises(WorkerError, match="has died"):
        there.call(f"{FUNCTIONS}:echo", 1)
    with pytest.raises(WorkerError, match="was killed or has crashed"):
        make_worker().call(f"{FUNCTIONS}:end", "sys.exit")
    assert capfd.readouterr() == ("", ""), "Ray keeps its own words to itself"


@pytest.mark.several_backends
def test_a_killed_process_is_replaced_and_its_call_repeated(make_worker):
    """The new process is prepared like the first, and repeats the call from its beginning."""
    there = make_worker(restarts=1)
    there.prepare(f"{FUNCTIONS}:store", np.arange(4))
    first, heard = there.pid, []

    def kill_once(event):
        heard.append(event["number"])
        if heard == [0, 1]:
            os.kill(first, signal.SIGKILL)

    assert there.call(f"{FUNCTIONS}:report_each", 4, 0.2, listener=kill_once) == 4
    assert heard[-4:] == [0, 1, 2, 3]
    assert there.pid != first
    assert there.call(f"{FUNCTIONS}:stored").tolist() == [0, 1, 2, 3]
    with pytest.raises(WorkerError, match="was killed or has crashed"):
        there.call(f"{FUNCTIONS}:end", "kill")


@pytest.mark.several_backends
def test_a_hanging_worker_is_stopped(make_worker):
    there = make_worker()
    assert there.pid
    began = time.monotonic()
    with pytest.raises(WorkerError, match=r"gave no sign for 0\.5 s"):
        there.call(f"{FUNCTIONS}:sleep", 60, timeout=0.5)
    assert time.monotonic() - began < 10
    assert not there.alive


@pytest.mark.several_backends
def test_a_cluster_without_free_cpus_is_an_error(make_worker, monkeypatch):
    workers = [make_worker(), make_worker()]
    assert all(process.pid for process in workers)
    monkeypatch.setattr("trivium.backends.workers.cluster_worker._START_TIMEOUT", 1.0)
    with pytest.raises(ClusterError, match=r"had no room for a worker in 1 s: all of its 2 CPUs are in use"):
        make_worker().call(f"{FUNCTIONS}:echo", 1)


@pytest.mark.several_backends
def test_more_workers_than_cpus_are_an_error(joined):
    assert joined.cpus() == 2
    assert joined.cpus_per_worker(2) == 1
    with pytest.raises(ClusterError, match=r"3 workers want a CPU each, and the Ray cluster at .* has 2: `workers` 2"):
        joined.cpus_per_worker(3)


@pytest.mark.several_backends
def test_two_threads_may_call_two_workers(make_worker):
    pids = []
    threads = [
        threading.Thread(target=lambda process=process: pids.append(process.call(f"{FUNCTIONS}:echo", process.pid)))
        for process in (make_worker(), make_worker())
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(set(pids)) == 2
