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
_PATIENCE = 5.0
# Of a cluster of our own: bytes for samples on their way to workers. Ray writes to the disk what is more.
_OBJECT_STORE = 256 * 1024**2

AUTO = "auto"

# Read when Ray is imported. What it prints of its own accord, on standard output, is said by our errors.
QUIET = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_DEDUP_LOGS_SKIP_REGEX": ".", "RAY_BACKEND_LOG_LEVEL": "error"}


@dataclass(frozen=True)
class Node:
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

    def nodes(self) -> list[Node]:
        """Those that are alive, the largest first."""
        ray = _imported()
        found = [_node(told) for told in ray.nodes() if told["Alive"]]
        return sorted(found, key=lambda node: (-node.cpus, node.host, node.id))

    def cpus(self) -> int:
        """Of all nodes together."""
        return sum(node.cpus for node in self.nodes())

    def share(self, workers: int) -> int:
        """How many CPUs each of so many workers can have.

        Raises:
            ClusterError: not even one.
        """
        found = largest_share([node.cpus for node in self.nodes()], workers)
        if not found:
            raise ClusterError(
                f"{workers} workers want a CPU each, and {self.name} has {self.cpus()}: "
                f"--workers {max(1, self.cpus())}, or add nodes to it"
            )
        return found

    def require_gpus(self, workers: int) -> int:
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
    ray = _imported()
    wanted = address or os.environ.get("RAY_ADDRESS") or None
    if wanted and wanted != AUTO:
        _require_answer(wanted)
    if ray.is_initialized():
        return _connected_before(ray, wanted)
    common = {"log_to_driver": False, "logging_level": logging.ERROR}
    own = {
        "num_cpus": cores(),
        "include_dashboard": False,
        "object_store_memory": _OBJECT_STORE,
        "_node_ip_address": "127.0.0.1",  # nobody else has business there
    }
    try:
        with _signals_kept():
            ray.init(address=wanted or "local", **common, **({} if wanted else own))
    except (ConnectionError, RuntimeError, ValueError, ray.exceptions.RayError) as error:
        if not wanted:
            raise ClusterError(f"cannot start Ray on this machine: {first_line(error)}") from error
        raise ClusterError(
            f"--address {wanted}: cannot join the Ray cluster: {first_line(error)} (one that asks for a token needs "
            "RAY_AUTH_MODE=token here and the token of its head)"
        ) from error
    return _joined(ray, f"at {wanted}" if wanted else "on this machine")


def largest_share(cpus: Sequence[int], workers: int) -> int:
    """The most CPUs that each of so many workers can have, none of them divided between nodes; 0 if they do not fit."""
    shares = (share for share in range(max(cpus, default=0), 0, -1) if sum(each // share for each in cpus) >= workers)
    return next(shares, 0)


def _node(told: dict[str, Any]) -> Node:
    cpus, gpus = (int(told["Resources"].get(name, 0)) for name in ("CPU", "GPU"))
    return Node(told["NodeID"], told["NodeManagerAddress"], cpus, gpus)


def _imported() -> Any:
    """Ray, where it is installed."""
    if importlib.util.find_spec("ray") is None:
        raise ClusterError(
            "Ray is not installed, which --executor ray and --workers need; run: pip install 'trivium[ray]'"
        )
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
    import ray

    return ray


def _connected_before(ray: Any, wanted: str | None) -> Cluster:
    """The cluster that this process is connected to, if that is the wanted one."""
    at = ray.get_runtime_context().gcs_address
    if wanted and wanted != AUTO and not _same(wanted, at):
        raise ClusterError(f"--address {wanted}: this process is connected to the Ray cluster at {at} already")
    return _joined(ray, f"at {at}")


def _joined(ray: Any, where: str) -> Cluster:
    return Cluster(f"the Ray cluster {where}", str(ray.get_runtime_context().get_job_id()))


@contextlib.contextmanager
def _signals_kept() -> Iterator[None]:
    """Ray would have SIGTERM end the process at once; a run wants to end its epoch's step first."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    usual = signal.getsignal(signal.SIGTERM)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, usual)


def _require_answer(address: str) -> None:
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
        socket.create_connection((host, int(port)), timeout=_PATIENCE).close()
    except (OSError, OverflowError) as error:
        why = getattr(error, "strerror", None) or str(error)
        raise ClusterError(
            f"no Ray cluster answers at {address} ({why}): start one with `ray start --head`, or correct --address"
        ) from error


def _same(one: str, other: str) -> bool:
    """Whether two addresses are the same place; to Ray this machine has another name than `localhost`."""
    (host, _, port), (other_host, _, other_port) = one.rpartition(":"), other.rpartition(":")
    found = socket.gethostbyname(host)
    return port == other_port and (found.startswith("127.") or found == socket.gethostbyname(other_host))
