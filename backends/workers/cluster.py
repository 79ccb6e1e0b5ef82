"""A Ray cluster for workers: a running cluster, or a new one on this machine.

Ray starts and watches processes and transports bytes; trivium decides what they do. Ray is imported when a cluster is
first used. Its usage statistics and its dashboard are off in everything that is started here.
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

# Seconds to wait for an answer from the head of a cluster.
_CONNECT_TIMEOUT = 5.0
# Bytes of shared memory for data sent to workers, in a cluster started here. Ray spills the rest to disk.
_OBJECT_STORE = 256 * 1024**2

AUTO = "auto"

# Read when Ray is imported. They silence what Ray prints on standard output; our errors say the same.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".", "RAY_BACKEND_LOG_LEVEL": "error"}


@dataclass(frozen=True)
class ClusterNode:
    """A machine of the cluster.

    Attributes:
        id: Ray's identifier.
        host: address of the machine.
        cpus, gpus: how many it has in total, whether in use or not.
    """

    id: str
    host: str
    cpus: int
    gpus: int


@dataclass(frozen=True)
class Cluster:
    """A cluster that this process is connected to.

    Attributes:
        name: a name for messages.
        job: Ray's identifier of this connection; workers end with it.
    """

    name: str
    job: str

    def nodes(self) -> list[ClusterNode]:
        """Return the nodes that are alive, the largest first."""
        ray = _import_ray()
        nodes = [_node(entry) for entry in ray.nodes() if entry["Alive"]]
        return sorted(nodes, key=lambda node: (-node.cpus, node.host, node.id))

    def cpus(self) -> int:
        """Return the number of CPUs of all nodes together."""
        return sum(node.cpus for node in self.nodes())

    def cpus_per_worker(self, workers: int) -> int:
        """Return how many CPUs each of `workers` workers can have.

        Raises:
            ClusterError: there is less than one CPU per worker.
        """
        cpus = divide_cpus([node.cpus for node in self.nodes()], workers)
        if not cpus:
            raise ClusterError(
                f"{workers} workers want a CPU each, and {self.name} has {self.cpus()}: "
                f"`workers` {max(1, self.cpus())}, or add nodes to it"
            )
        return cpus

    def gpus_per_worker(self, workers: int) -> int:
        """Return how many GPUs each of `workers` workers can have: one, or none if the cluster has no GPUs.

        Raises:
            ClusterError: there are GPUs, but fewer than workers; some workers would wait forever.
        """
        gpus = sum(node.gpus for node in self.nodes())
        if 0 < gpus < workers:
            raise ClusterError(f"{workers} workers want a GPU each, and {self.name} has {gpus}: `workers` {gpus}")
        return 1 if gpus else 0


def connect(address: str | None = None) -> Cluster:
    """Connect this process to a cluster, once.

    Args:
        address: `HOST:PORT` of the head, or `auto` for the cluster that runs on this machine. The default is the
            environment variable RAY_ADDRESS; if that is not set, a cluster is started on this machine, which ends with
            this process.

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
        "_node_ip_address": "127.0.0.1",  # reachable from this machine only
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
    """Return the most CPUs that each worker can have on a single node; 0 if the workers do not fit."""
    sizes = (
        size for size in range(max(cpus, default=0), 0, -1) if sum(node_cpus // size for node_cpus in cpus) >= workers
    )
    return next(sizes, 0)


def _node(entry: dict[str, Any]) -> ClusterNode:
    cpus, gpus = (int(entry["Resources"].get(name, 0)) for name in ("CPU", "GPU"))
    return ClusterNode(entry["NodeID"], entry["NodeManagerAddress"], cpus, gpus)


def _import_ray() -> Any:
    """Import Ray, or raise a ClusterError if it is not installed."""
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "Ray is not installed, which `executor` ray and `workers` need; run: pip install 'trivium[ray]'"
        )
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


def _existing_connection(ray: Any, target: str | None) -> Cluster:
    """Return the cluster that this process is already connected to; raise a ClusterError if `target` is another."""
    current = ray.get_runtime_context().gcs_address
    if target and target != AUTO and not _same_address(target, current):
        raise ClusterError(f"`address` {target}: this process is connected to the Ray cluster at {current} already")
    return _connected(ray, f"at {current}")


def _connected(ray: Any, where: str) -> Cluster:
    return Cluster(f"the Ray cluster {where}", str(ray.get_runtime_context().get_job_id()))


@contextlib.contextmanager
def _sigterm_handler_preserved() -> Iterator[None]:
    """Restore the handler of SIGTERM: Ray's ends the process at once, but a run finishes its current step first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    handler = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, handler)


def _require_listener(address: str) -> None:
    """Raise a ClusterError unless something listens at the address: Ray itself would retry for a minute."""
    if "://" in address:
        raise ClusterError(
            f"`address` {address}: trivium runs on a node of the cluster, not through a client: log in there, "
            "and give the head's HOST:PORT"
        )
    host, _, port = address.rpartition(":")
    if not host or not port.isdecimal():
        raise ClusterError(f"`address` {address}: expected the head's HOST:PORT, such as 10.0.0.1:6379, or {AUTO}")
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_TIMEOUT).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ClusterError(
            f"no Ray cluster answers at {address} ({why}): start one with `ray start --head`, or correct --address"
        ) from error


def _same_address(one: str, other: str) -> bool:
    """Return whether two addresses are the same; Ray does not call this machine `localhost`."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    resolved = socket.gethostbyname(host)
    return port == other_port and (resolved.startswith("127.") or resolved == socket.gethostbyname(other_host))
