"""Executors: run work in several processes, on this machine or on a Ray cluster, with the same results."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ...errors import OptionError
from ...functions import FunctionOrName, load_function
from .. import catalog
from ..runtime import cores
from . import pool, worker
from .cluster import Cluster, connect
from .cluster_worker import ClusterWorker
from .protocol import WorkerProtocol

# How often a worker of a team is restarted after its process died, for instance because its node was lost.
_RESTARTS = 2


class Executor(ABC):
    """Provides workers, which stay warm for the next caller."""

    @abstractmethod
    def cores(self) -> int:
        """Return the number of processor cores for its workers."""

    @abstractmethod
    def team(self, count: int, backend: str | None = None) -> list[WorkerProtocol]:
        """Return `count` workers that compute at the same time, each on its share of the cores.

        Raises:
            BackendError: the backend is unknown or not installed.
            ClusterError: the cluster has too few cores.
        """

    @abstractmethod
    def dedicated_worker(
        self, backend: str, *, threads: int | None = None, device: str | None = None
    ) -> WorkerProtocol:
        """Return a backend's worker that has a machine to itself; all dedicated workers have the same machine.

        A worker that died is replaced.

        Args:
            threads: the maximum of CPU threads for one operation; by default the backend's own choice.
            device: `cpu` keeps the worker on the CPU even if there is an accelerator.

        Raises:
            BackendError, ClusterError: as for `team`.
        """

    @abstractmethod
    def call_on_host(self, function: FunctionOrName, *arguments: Any) -> Any:
        """Call a function that needs no backend on the machine of the dedicated workers; return its result."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """Return the entries that results record about the executor; empty for this machine."""


class LocalExecutor(Executor):
    """Processes on this machine."""

    def cores(self) -> int:
        return cores()

    def team(self, count: int, backend: str | None = None) -> list[WorkerProtocol]:
        return list(pool.get(count, backend))

    def dedicated_worker(
        self, backend: str, *, threads: int | None = None, device: str | None = None
    ) -> WorkerProtocol:
        return worker.get(backend, threads=threads, device=device)

    def call_on_host(self, function: FunctionOrName, *arguments: Any) -> Any:
        return (load_function(function) if isinstance(function, str) else function)(*arguments)

    def describe(self) -> dict[str, Any]:
        return {}


class ClusterExecutor(Executor):
    """Actors on a Ray cluster."""

    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self._team: tuple[str, int, list[ClusterWorker]] = "", 0, []
        self._dedicated: dict[tuple[str, int | None, str | None], ClusterWorker] = {}

    def cores(self) -> int:
        return self._cluster.cpus()

    def team(self, count: int, backend: str | None = None) -> list[WorkerProtocol]:
        name = (catalog.require(backend) if backend else catalog.selected()).name
        threads = self._cluster.cpus_per_worker(count)
        *previous, members = self._team
        if previous != [name, threads]:
            self.release()
            members = []
        members = [member for member in members if member.alive]
        members += [
            ClusterWorker(self._cluster, name, threads=threads, cpus=threads, restarts=_RESTARTS)
            for _ in range(len(members), count)
        ]
        self._team = name, threads, members
        return list(members[:count])

    def dedicated_worker(
        self, backend: str, *, threads: int | None = None, device: str | None = None
    ) -> WorkerProtocol:
        key = backend, threads, device
        process = self._dedicated.get(key)
        if process is None or not process.alive:
            node = self._cluster.nodes()[0]
            # It reserves no CPUs, because several workers exist at once and take turns. With none reserved, Ray would
            # limit it to one thread.
            limit = threads or max(1, node.cpus)
            process = ClusterWorker(self._cluster, backend, threads=limit, device=device, cpus=0, node=node.id)
            self._dedicated[key] = process
        return process

    def call_on_host(self, function: FunctionOrName, *arguments: Any) -> Any:
        warm = [process for process in self._dedicated.values() if process.alive]
        return (warm[0] if warm else self.dedicated_worker(catalog.selected().name)).call(function, *arguments)

    def describe(self) -> dict[str, Any]:
        return {"executor": "ray"}

    def release(self) -> None:
        """End the team, to free its cores."""
        for member in self._team[2]:
            member.close()
        self._team = "", 0, []


LOCAL = LocalExecutor()
_clusters: dict[Cluster, ClusterExecutor] = {}


def _local(address: str | None) -> Executor:
    if address:
        raise OptionError(f"`address` {address} is a Ray cluster's: add `executor` ray")
    return LOCAL


def _ray(address: str | None) -> Executor:
    cluster = connect(address)
    return _clusters.setdefault(cluster, ClusterExecutor(cluster))


_EXECUTORS: dict[str, Callable[[str | None], Executor]] = {"local": _local, "ray": _ray}
EXECUTORS = tuple(_EXECUTORS)


def release() -> None:
    """End the warm teams of all clusters, to free their cores for other workers."""
    for executor in _clusters.values():
        executor.release()


def find_executor(name: str = "local", address: str | None = None) -> Executor:
    """Return the executor of that name.

    Args:
        name: one of `EXECUTORS`.
        address: address of a Ray cluster, as for `cluster.connect`.

    Raises:
        OptionError: there is no such executor, or an address was given for the local one.
        ClusterError: the cluster cannot be reached, or Ray is not installed.
    """
    if name not in _EXECUTORS:
        raise OptionError(f"executor must be {' or '.join(EXECUTORS)}, received {name!r}")
    return _EXECUTORS[name](address)
