"""The processes that run artifacts: one for each format, which has its runtime and never imports Keras."""

from __future__ import annotations

from typing import Any

from ..backends.workers.worker import Worker
from ..errors import PortError, WorkerError
from ..functions import function_name
from . import artifact_runtimes
from .artifact_runtimes import NamedBatches
from .targets import Format


def artifact_worker(target: str, host: str) -> Worker:
    """Return the process that runs artifacts of one format; it has the runtime and never imports Keras."""
    process = _artifact_workers.get(target)
    if process is None or not process.alive:
        process = _artifact_workers[target] = Worker(host)
    return process


def run_artifact(
    target: Format, host: str, origin: str, path: str, names: list[list[str]], batches: NamedBatches, size: int | None
) -> dict[str, Any]:
    """Run an artifact on every batch; see `artifact_runtimes.run_artifact`.

    Args:
        host: the backend that wrote it.
        origin: the artifact, for the message.
        size: the only batch size that the model accepts, or None.

    Raises:
        PortError: its runtime does not open it, or not run it.
    """
    options = (function_name(target.reader), path, names, batches, size)
    try:
        return dict(artifact_worker(target.name, host).call(artifact_runtimes.run_artifact, *options))
    except WorkerError as error:
        raise PortError(f"{target.runtime} does not run {origin}: {error}") from error


_artifact_workers: dict[str, Worker] = {}
