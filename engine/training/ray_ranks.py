"""A run spread over the nodes of a Ray cluster: the ranks that this process leads.

The engine trains as it does on one machine. Each rank has its part of every batch, and the framework's own collectives
between them make one step of it. A rank that dies is started again, and the epoch begins again as it began; when this
process dies, `--resume` goes on from the last checkpoint, on this cluster or another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ...backends import catalog
from ...backends.distribution.recovery import Recovering
from ...backends.workers import executors
from ...backends.workers.cluster import Cluster, connect
from ...backends.workers.cluster_worker import ClusterWorker
from ...backends.workers.protocol import AnyWorker
from ...errors import OptionError


@contextlib.contextmanager
def ranks(workers: int | None, address: str | None = None, devices: int = 1) -> Iterator[Recovering | None]:
    """So many ranks on a Ray cluster for as long as it lasts: a trainer's `group`.

    Args:
        workers: one a rank; None for none, and epochs stay in this process.
        address: of the cluster: see `cluster.connect`.
        devices: of this machine, which do not go with workers.

    Raises:
        OptionError: an address without workers, or devices beside them.
        ClusterError: there is no such cluster, or it is too small.
    """
    if workers is None:
        if address:
            raise OptionError(f"--address {address} is where --workers are: say how many, --workers N")
        yield None
        return
    if devices != 1:
        raise OptionError(f"--devices {devices} are this machine's, --workers {workers} a cluster's: choose one")
    with contextlib.closing(over(connect(address), workers)) as group:
        yield group


def over(cluster: Cluster, workers: int) -> Recovering:
    """So many ranks on a cluster, under this process' backend; those that die are started again.

    Each gets its share of the CPUs, and a GPU where the cluster has some.

    Raises:
        ClusterError: the cluster has not so many CPUs, or some GPUs but too few.
    """
    backend = catalog.selected().name
    executors.release()
    gpus = cluster.require_gpus(workers)
    cluster.share(workers)

    def start() -> list[AnyWorker]:
        share = cluster.share(workers)  # again: a node may have gone with the worker
        return [
            ClusterWorker(cluster, backend, threads=share, cpus=share, gpus=gpus, device=None if gpus else "cpu")
            for _ in range(workers)
        ]

    return Recovering(workers, start)
