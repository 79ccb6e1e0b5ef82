"""Where work that takes several processes is done: on this machine, or on a Ray cluster. The numbers are the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ...errors import OptionError
from ...functions import FunctionOrName, function_name, load_function
from .. import catalog
from ..runtime import cores
from . import pool, worker
from .cluster import Cluster, connect
from .cluster_worker import ClusterWorker
from .protocol import WorkerProtocol

# How often another process takes the place of a worker of a team that died: its node may have gone, its call did not.
_RESTARTS = 2


class Executor(ABC):
    """Gives workers; they stay warm for whoever asks next."""

    @abstractmethod
    def cores(self) -> int:
        """How many processor cores there are for its workers."""

    @abstractmethod
    def team(self, count: int, backend: str | None = None) -> list[WorkerProtocol]:
        """So many workers that compute at the same time, each on its share of the cores.

        Raises:
            BackendError: the backend is unknown or not installed.
            ClusterError: there are not so many cores.
        """

    @abstractmethod
    def dedicated_worker(
        self, backend: str, *, threads: int | None = None, device: str | None = None
    ) -> WorkerProtocol:
        """The worker of a backend that has a machine to itself, the same machine for all; a new one after it died.

        Args:
            threads: at most this many CPU threads for one operation; by default the backend's own choice.
            device: `cpu` keeps it on the CPU where there is an accelerator too.

        Raises:
            BackendError, ClusterError: as `team`.
        """

    @abstractmethod
    def call_on_host(self, function: FunctionOrName, *arguments: Any) -> Any:
        """What a named function, which needs no backend, says of the machine of the workers that are alone."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What results say of it; nothing where they are of this machine."""


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
        return load_function(function_name(function))(*arguments)

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
            # It occupies nothing, for several are there at once and take turns; Ray would then give it one thread.
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
        """End the team: somebody else wants its cores."""
        for member in self._team[2]:
            member.close()
        self._team = "", 0, []


LOCAL = LocalExecutor()
_clusters: dict[Cluster, ClusterExecutor] = {}


def _local(address: str | None) -> Executor:
    if address:
        raise OptionError(f"--address {address} is a Ray cluster's: add --executor ray")
    return LOCAL


def _ray(address: str | None) -> Executor:
    cluster = connect(address)
    return _clusters.setdefault(cluster, ClusterExecutor(cluster))


_EXECUTORS: dict[str, Callable[[str | None], Executor]] = {"local": _local, "ray": _ray}
EXECUTORS = tuple(_EXECUTORS)


def release() -> None:
    """End the teams that are warm on clusters: what is not theirs wants their cores."""
    for executor in _clusters.values():
        executor.release()


def find_executor(name: str = "local", address: str | None = None) -> Executor:
    """The executor of that name.

    Args:
        name: one of `EXECUTORS`.
        address: of a Ray cluster: see `cluster.connect`.

    Raises:
        OptionError: there is no such executor, or it has no address.
        ClusterError: there is no such cluster, or no Ray to reach it with.
    """
    if name not in _EXECUTORS:
        raise OptionError(f"executor must be {' or '.join(EXECUTORS)}, received {name!r}")
    return _EXECUTORS[name](address)
