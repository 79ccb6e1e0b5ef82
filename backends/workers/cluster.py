"""A Ray cluster as a place for workers: one that is running, or one of our own on this machine.

Ray starts processes, watches them and carries bytes; what they do is said by us. It is imported when a cluster is asked
for, and tells nobody of it: its usage statistics and its dashboard stay off in whatever is started here.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import signal
import socket
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ...errors import ClusterError, first_line
from ..runtime import cores

# Seconds in which a cluster that is there answers.
_CONNECT_TIMEOUT = 5.0
# Of a cluster of our own: bytes for samples on their way to workers. Ray writes to the disk what is more.
_OBJECT_STORE = 256 * 1024**2

AUTO = "auto"

# Read when Ray is imported. What it prints of its own accord, on standard output, is said by our errors.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".", "RAY_BACKEND_LOG_LEVEL": "error"}


@dataclass(frozen=True)
class ClusterNode:
    """A machine of the cluster.

    Attributes:
        id: Ray's name for it.
        host: its address.
        cpus, gpus: how many it gives, whoever uses them now.
    """

    id: str
    host: str
    cpus: int
    gpus: int


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        name: what a person calls it.
        job: Ray's name for this connection; workers end with it.
    """

    name: str
    job: str

    def nodes(self) -> list[ClusterNode]:
        """Those that are alive, the largest first."""
        ray = _import_ray()
        nodes = [_node(entry) for entry in ray.nodes() if entry["Alive"]]
        return sorted(nodes, key=lambda node: (-node.cpus, node.host, node.id))

    def cpus(self) -> int:
        """Of all nodes together."""
        return sum(node.cpus for node in self.nodes())

    def cpus_per_worker(self, workers: int) -> int:
        """How many CPUs each of so many workers can have.

        Raises:
            ClusterError: not even one.
        """
        cpus = divide_cpus([node.cpus for node in self.nodes()], workers)
        if not cpus:
            raise ClusterError(
                f"{workers} workers want a CPU each, and {self.name} has {self.cpus()}: "
                f"--workers {max(1, self.cpus())}, or add nodes to it"
            )
        return cpus

    def gpus_per_worker(self, workers: int) -> int:
        """How many GPUs each of so many workers can have: one, or none where the cluster has none.

        Raises:
            ClusterError: some could have one, and others not: they would wait for each other.
        """
        gpus = sum(node.gpus for node in self.nodes())
        if 0 < gpus < workers:
            raise ClusterError(f"{workers} workers want a GPU each, and {self.name} has {gpus}: --workers {gpus}")
        return 1 if gpus else 0


def connect(address: str | None = None) -> Cluster:
    """Connect this process to a cluster, once.

    Args:
        address: `HOST:PORT` of its head, or `auto` for the one that runs on this machine. Without one the environment
            variable RAY_ADDRESS holds; where that is not set either, a cluster is started on this machine, and ends
            with this process.

    Raises:
        ClusterError: Ray is not installed, nothing answers at the address, or this process is connected elsewhere.
    """
    ray = _import_ray()
    target = address or os.environ.get("RAY_ADDRESS") or None
    if target and target != AUTO:
        _require_listener(target)
    if ray.is_initialized():
        return _existing_connection(ray, target)
    common = {"log_to_driver": False, "logging_level": logging.ERROR}
    settings = {
        "num_cpus": cores(),
        "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE,
        "_node_ip_address": "127.0.0.1",  # nobody else has business there
    }
    try:
        with _sigterm_handler_preserved():
            ray.init(address=target or "local", **common, **({} if target else settings))
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if not target:
            raise ClusterError(f"cannot start Ray on this machine: {first_line(error)}") from error
        raise ClusterError(
            f"--address {target}: cannot join the Ray cluster: {first_line(error)} (one that asks for a token needs "
            "RAY_AUTH_MODE=token here and the token of its head)"
        ) from error
    return _connected(ray, f"at {target}" if target else "on this machine")


def divide_cpus(cpus: Sequence[int], workers: int) -> int:
    """The most CPUs that each of so many workers can have, none of them divided between nodes; 0 if they do not fit."""
    sizes = (
        size for size in range(max(cpus, default=0), 0, -1) if sum(node_cpus // size for node_cpus in cpus) >= workers
    )
    return next(sizes, 0)


def _node(entry: dict[str, Any]) -> ClusterNode:
    cpus, gpus = (int(entry["Resources"].get(name, 0)) for name in ("CPU", "GPU"))
    return ClusterNode(entry["NodeID"], entry["NodeManagerAddress"], cpus, gpus)


def _import_ray() -> Any:
    """Ray, where it is installed."""
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "Ray is not installed, which --executor ray and --workers need; run: pip install 'trivium[ray]'"
        )
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


def _existing_connection(ray: Any, target: str | None) -> Cluster:
    """The cluster that this process is connected to, if that is the wanted one."""
    current = ray.get_runtime_context().gcs_address
    if target and target != AUTO and not _same_address(target, current):
        raise ClusterError(f"--address {target}: this process is connected to the Ray cluster at {current} already")
    return _connected(ray, f"at {current}")


def _connected(ray: Any, where: str) -> Cluster:
    return Cluster(f"the Ray cluster {where}", str(ray.get_runtime_context().get_job_id()))


@contextlib.contextmanager
def _sigterm_handler_preserved() -> Iterator[None]:
    """Ray would have SIGTERM end the process at once; a run wants to end its epoch's step first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


def _require_listener(address: str) -> None:
    """Raise a ClusterError unless something listens there: Ray itself would try for a minute."""
    if "://" in address:
        raise ClusterError(
            f"--address {address}: trivium runs on a node of the cluster, not through a client: log in there, "
            "and give the head's HOST:PORT"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ClusterError(f"--address {address}: expected the head's HOST:PORT, such as 10.0.0.1:6379, or {AUTO}")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ClusterError(
            f"no Ray cluster answers at {address} ({why}): start one with `ray start --head`, or correct --address"
        ) from error


def _same_address(one: str, other: str) -> bool:
    """Whether two addresses are the same place; to Ray this machine has another name than `localhost`."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    resolved = socket.gethostbyname(host)
    return port == other_port and (resolved.startswith("127.") or resolved == socket.gethostbyname(other_host))
