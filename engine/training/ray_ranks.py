"""Distribute a run over the nodes of a Ray cluster: this process leads the ranks.

The engine trains as on one machine. Each rank computes its shard of every batch, and the framework's own collectives
combine them into one step. When a rank dies, it is started again and the epoch is repeated. When this process dies,
`--resume` continues from the last checkpoint, on this cluster or another.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from ...backends import catalog
from ...backends.distribution.recovery import FaultTolerantGroup
from ...backends.workers import executors
from ...backends.workers.cluster import Cluster, connect
from ...backends.workers.cluster_worker import ClusterWorker
from ...backends.workers.protocol import WorkerProtocol
from ...errors import OptionError


@contextlib.contextmanager
def ranks(workers: int | None, address: str | None = None, devices: int = 1) -> Iterator[FaultTolerantGroup | None]:
    """Start ranks on a Ray cluster, as a trainer's `group`, and stop them when the block ends.

    Args:
        workers: the number of ranks; None to train in this process.
        address: of the cluster, see `cluster.connect`.
        devices: of this machine; must be 1 with workers.

    Raises:
        OptionError: an address without workers, or several devices with workers.
        ClusterError: there is no such cluster, or it is too small.
    """
    if workers is None:
        if address:
            raise OptionError(f"`address` {address} needs workers: add `workers` N")
        yield None
        return
    if devices != 1:
        raise OptionError(f"`devices` {devices} is for this machine, `workers` {workers} for a cluster: choose one")
    with contextlib.closing(start_ranks(connect(address), workers)) as group:
        yield group


def start_ranks(cluster: Cluster, workers: int) -> FaultTolerantGroup:
    """Start ranks on a cluster, under the backend of this process; ranks that die are started again.

    Each rank gets an equal share of the CPUs, and a GPU if the cluster has any.

    Raises:
        ClusterError: the cluster has too few CPUs, or has GPUs but too few.
    """
    backend = catalog.selected().name
    executors.release()
    gpus = cluster.gpus_per_worker(workers)
    cluster.cpus_per_worker(workers)

    def start() -> list[WorkerProtocol]:
        share = cluster.cpus_per_worker(workers)  # again: a node may have gone with the worker
        return [
            ClusterWorker(cluster, backend, threads=share, cpus=share, gpus=gpus, device=None if gpus else "cpu")
            for _ in range(workers)
        ]

    return FaultTolerantGroup(workers, start)
