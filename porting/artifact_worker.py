"""The processes that run artifacts: one for each format, which has its runtime and never imports Keras."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ..backends.artifacts import Artifact
from ..backends.workers.worker import Worker
from ..errors import PortError, WorkerError
from ..functions import function_name
from . import artifact_runtimes
from .artifact_runtimes import NamedBatches


def artifact_worker(target: str, host: str) -> Worker:
    """Return the process that runs artifacts of one format; it has the runtime and never imports Keras."""
    process = _artifact_workers.get(target)
    if process is None or not process.alive:
        process = _artifact_workers[target] = Worker(host)
    return process


def run_artifact(
    process: Worker,
    what: str,
    reader: Callable[..., Artifact],
    path: Path,
    names: list[list[str]],
    batches: NamedBatches,
    size: int | None,
) -> dict[str, Any]:
    """Run an artifact on every batch; see `artifact_runtimes.run_artifact`.

    Args:
        process: that of `artifact_worker`.
        what: for the message: which runtime does not run which artifact.
        reader: opens it.
        size: the only batch size that the model accepts, or None.

    Raises:
        PortError: its runtime does not open it, or not run it.
    """
    options = (function_name(reader), str(path), names, batches, size)
    try:
        return dict(process.call(artifact_runtimes.run_artifact, *options))
    except WorkerError as error:
        raise PortError(f"{what}: {error}") from error


_artifact_workers: dict[str, Worker] = {}
