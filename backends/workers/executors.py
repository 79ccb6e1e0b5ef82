"""Where work that takes several processes is done: on this machine, or on a Ray cluster. The numbers are the same."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from ...errors import OptionError
from ...functions import load_function
from .. import catalog
from ..runtime import cores
from . import pool, worker
from .cluster import Cluster, connect
from .cluster_worker import ClusterWorker
from .protocol import AnyWorker

# How often another process takes the place of a worker of a team that died: its node may have gone, its call did not.
_RESTARTS = 2


class Executor(ABC):
    """Gives workers; they stay warm for whoever asks next."""

    @abstractmethod
    def cores(self) -> int:
        """How many processor cores there are for its workers."""

    @abstractmethod
    def team(self, count: int, backend: str | None = None) -> list[AnyWorker]:
        """So many workers that compute at the same time, each on its share of the cores.

        Raises:
            BackendError: the backend is unknown or not installed.
            ClusterError: there are not so many cores.
        """

    @abstractmethod
    def alone(self, backend: str, *, threads: int | None = None, device: str | None = None) -> AnyWorker:
        """The worker of a backend that has a machine to itself, the same machine for all; a new one after it died.

        Args:
            threads: at most this many CPU threads for one operation; by default the backend's own choice.
            device: `cpu` keeps it on the CPU where there is an accelerator too.

        Raises:
            BackendError, ClusterError: as `team`.
        """

    @abstractmethod
    def ask(self, function: str, *arguments: Any) -> Any:
        """What a named function, which needs no backend, says of the machine of the workers that are alone."""

    @abstractmethod
    def describe(self) -> dict[str, Any]:
        """What results say of it; nothing where they are of this machine."""


class Local(Executor):
    """Processes on this machine."""

    def cores(self) -> int:
        return cores()

    def team(self, count: int, backend: str | None = None) -> list[AnyWorker]:
        return list(pool.get(count, backend))

    def alone(self, backend: str, *, threads: int | None = None, device: str | None = None) -> AnyWorker:
        return worker.get(backend, threads=threads, device=device)

    def ask(self, function: str, *arguments: Any) -> Any:
        return load_function(function)(*arguments)

    def describe(self) -> dict[str, Any]:
        return {}


class OnCluster(Executor):
    """Actors on a Ray cluster."""

    def __init__(self, cluster: Cluster):
        self._cluster = cluster
        self._team: tuple[str, int, list[ClusterWorker]] = "", 0, []
        self._alone: dict[tuple[str, int | None, str | None], ClusterWorker] = {}

    def cores(self) -> int:
        return self._cluster.cpus()

    def team(self, count: int, backend: str | None = None) -> list[AnyWorker]:
        name = (catalog.require(backend) if backend else catalog.selected()).name
        threads = self._cluster.share(count)
        *is_for, known = self._team
        if is_for != [name, threads]:
            self.release()
            known = []
        known = [each for each in known if each.alive]
        known += [
            ClusterWorker(self._cluster, name, threads=threads, cpus=threads, restarts=_RESTARTS)
            for _ in range(len(known), count)
        ]
        self._team = name, threads, known
        return list(known[:count])

    def alone(self, backend: str, *, threads: int | None = None, device: str | None = None) -> AnyWorker:
        key = backend, threads, device
        found = self._alone.get(key)
        if found is None or not found.alive:
            node = self._cluster.nodes()[0]
            # It occupies nothing, for several are there at once and take turns; Ray would then give it one thread.
            limit = threads or max(1, node.cpus)
            found = ClusterWorker(self._cluster, backend, threads=limit, device=device, cpus=0, node=node.id)
            self._alone[key] = found
        return found

    def ask(self, function: str, *arguments: Any) -> Any:
        warm = [each for each in self._alone.values() if each.alive]
        return (warm[0] if warm else self.alone(catalog.selected().name)).call(function, *arguments)

    def describe(self) -> dict[str, Any]:
        return {"executor": "ray"}

    def release(self) -> None:
        """End the team: somebody else wants its cores."""
        for each in self._team[2]:
            each.close()
        self._team = "", 0, []


LOCAL = Local()
_clusters: dict[Cluster, OnCluster] = {}


def _local(address: str | None) -> Executor:
    if address:
        raise OptionError(f"--address {address} is a Ray cluster's: add --executor ray")
    return LOCAL


def _ray(address: str | None) -> Executor:
    cluster = connect(address)
    return _clusters.setdefault(cluster, OnCluster(cluster))


_EXECUTORS: dict[str, Callable[[str | None], Executor]] = {"local": _local, "ray": _ray}
EXECUTORS = tuple(_EXECUTORS)


def release() -> None:
    """End the teams that are warm on clusters: what is not theirs wants their cores."""
    for executor in _clusters.values():
        executor.release()


def named(name: str = "local", address: str | None = None) -> Executor:
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
