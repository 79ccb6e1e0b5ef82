"""A worker on a Ray cluster: an actor that runs functions under one backend, with the interface of any worker.

The runtime environment of the actor's process sets `KERAS_BACKEND` and the limits on threads. The messages are those of
a local worker's pipe. A call streams its events back, and then its result.
"""

from __future__ import annotations

import io
import os
import queue
import socket
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import metadata
from typing import Any

from ...errors import ClusterError, WorkerError, first_line
from ...functions import FunctionOrName, function_name
from .. import catalog
from . import messages, worker
from .cluster import Cluster
from .messages import Buffer
from .worker import Listener

# Seconds to wait for free CPUs on the cluster, which others may be using.
_START_TIMEOUT = 300.0
# Environment variables with these prefixes are set on the cluster as they are here.
_FORWARDED_PREFIXES = ("JAX_", "KERAS_", "TF_", "TRIVIUM_", "XLA_")


# --- the caller's side ----------------------------------------------------------------------------------------------


class ClusterWorker:
    """A process on a cluster that runs functions under one backend; `worker.Worker` is its local counterpart.

    Args:
        cluster: the cluster to start it on.
        backend: the backend's name.
        threads: the maximum of CPU threads for one operation.
        device: `cpu` keeps the worker on the CPU even if there is an accelerator.
        cpus, gpus: the resources that it reserves.
        node: identifier of the node to run on; by default Ray chooses.
        restarts: how often a new process replaces one that died and repeats the call.
        environment: further environment variables.

    Raises:
        BackendError: the backend is unknown or not installed.
    """

    def __init__(
        self,
        cluster: Cluster,
        backend: str,
        *,
        threads: int | None = None,
        device: str | None = None,
        cpus: int = 1,
        gpus: int = 0,
        node: str | None = None,
        restarts: int = 0,
        environment: Mapping[str, str] | None = None,
    ):
        self.backend = catalog.require(backend)
        self._cluster = cluster
        forwarded = {name: value for name, value in os.environ.items() if name.startswith(_FORWARDED_PREFIXES)}
        self._options = {
            "num_cpus": cpus,
            "num_gpus": gpus,
            "runtime_env": {"env_vars": {**forwarded, **self.backend.settings(threads, device), **(environment or {})}},
            "scheduling_strategy": _pinned_to(node) if node else "SPREAD",
        }
        self._restarts = restarts
        self._prepared: dict[str, bytes] = {}
        self._lock = threading.Lock()
        self._start()

    def _start(self) -> None:
        import ray

        self._process: dict[str, Any] | None = None
        self._actor: Any = ray.remote(**self._options)(CallActor).remote()
        self._described = self._actor.describe.remote()

    @property
    def alive(self) -> bool:
        """Whether it was alive at the last call; a death since then is not noticed before the next."""
        return self._actor is not None

    @property
    def pid(self) -> int:
        return int(self.where["pid"])

    @property
    def where(self) -> dict[str, Any]:
        """Its process, as `{"pid", "host", "node", "version"}`; waits until it has started.

        Raises:
            ClusterError: the cluster has no free CPUs, or the node lacks trivium or has another version.
            WorkerError: the worker has died.
        """
        import ray

        if self._actor is None:
            raise WorkerError(f"{self._title} has died")
        if self._process is None:
            try:
                self._process = dict(ray.get(self._described, timeout=_START_TIMEOUT))
            except ray.exceptions.GetTimeoutError:
                self.kill()
                raise ClusterError(
                    f"{self._cluster.name} had no room for a worker in {_START_TIMEOUT:.0f} s: all of its "
                    f"{self._cluster.cpus()} CPUs are in use; wait for the others, or add nodes"
                ) from None
            except ray.exceptions.RayError as error:
                self.kill()
                raise ClusterError(
                    f"no {self._title} could be started on {self._cluster.name}: {_describe_failure(error)}"
                ) from error
            self._require_same_version()
        return self._process

    def call(
        self,
        function: FunctionOrName,
        /,
        *arguments: Any,
        timeout: float | None = None,
        listener: Listener | None = None,
        **keywords: Any,
    ) -> Any:
        """Run a function in the worker and wait for its result: see `worker.Worker.call`.

        Relative paths mean the same there if the node has the caller's current folder.

        Raises:
            ClusterError: as for `where`.
            TriviumError, WorkerError: as for a local worker; WorkerError if it died more often than `restarts`.
        """
        return self._call(_to_bytes(worker.call_request(function, arguments, keywords)), timeout, listener)

    def _call(self, request: bytes, timeout: float | None = None, listener: Listener | None = None) -> Any:
        with self._lock:
            try:
                return self._call_with_restarts(request, timeout, listener)
            except BaseException as error:
                if not isinstance(error, Exception):  # an interrupt: the actor would go on with the call
                    self.kill()
                raise

    def prepare(self, function: FunctionOrName, /, *arguments: Any) -> Any:
        """Call a function now, and again in every process that replaces this one, with its most recent arguments."""
        request = _to_bytes(worker.call_request(function, arguments, {}))
        result = self._call(request)
        self._prepared[function_name(function)] = request
        return result

    def close(self) -> None:
        """End the worker."""
        self.kill()

    def kill(self) -> None:
        """End the worker at once; it is not restarted."""
        self._restarts = 0
        self._drop()

    def _drop(self) -> None:
        """End the process."""
        import ray

        actor, self._actor = self._actor, None
        if actor is not None and ray.is_initialized():
            ray.kill(actor)

    @property
    def _title(self) -> str:
        return f"{self.backend.title} worker"

    def _call_with_restarts(self, request: bytes, timeout: float | None, listener: Listener | None) -> Any:
        """Return the result of a request; if the process dies, start another and repeat the request."""
        while True:
            try:
                return self._call_once(request, timeout, listener)
            except _ProcessLostError:
                if not self._restarts:
                    raise
                self._restarts -= 1
                self._start()
                for earlier in self._prepared.values():
                    self._call_with_restarts(earlier, None, None)

    def _call_once(self, request: bytes, timeout: float | None, listener: Listener | None) -> Any:
        import ray

        where, actor = self.where, self._actor
        stream = actor.call.options(num_returns="streaming").remote(request)
        while True:
            ready, _ = ray.wait([stream], timeout=timeout)
            if not ready:
                self.kill()
                raise WorkerError(f"{self._title} gave no sign for {timeout:g} s and was stopped")
            try:
                message = messages.read(io.BytesIO(ray.get(next(stream))))
            except ray.exceptions.RayError as error:
                self._drop()
                raise _ProcessLostError(
                    f"{self._title} (process {where['pid']} on {where['host']}) {_describe_failure(error)}"
                ) from error
            if "event" in message:
                if listener:
                    listener(message["event"])
                continue
            if "error" in message:
                raise worker.to_exception(message["error"], self._title)
            return message["result"]

    def _require_same_version(self) -> None:
        assert self._process
        there, here = self._process["version"], metadata.version("trivium")
        if there != here:
            self.kill()
            raise ClusterError(
                f"trivium is {there} on node {self._process['host']} and {here} here: install the same on all nodes"
            )


class _ProcessLostError(WorkerError):
    """The process or its result was lost."""


def _pinned_to(node: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


def _describe_failure(error: Exception) -> str:
    """Return in a few words why a process was lost."""
    import ray

    if isinstance(error, ray.exceptions.OutOfMemoryError):
        return "was ended by Ray, for want of memory on its node"
    text = str(error)
    if "No module named" in text:
        missing = text[text.index("No module named") :].splitlines()[0]
        return f"{missing} (trivium must be installed on every node)"
    if isinstance(error, ray.exceptions.RayActorError):
        return "was killed or has crashed, or its node has gone (often for want of memory)"
    return f"failed: {first_line(error)}"


def _to_bytes(parts: list[Buffer]) -> bytes:
    stream = io.BytesIO()
    messages.write(stream, parts)
    return stream.getvalue()


# --- the worker's side ----------------------------------------------------------------------------------------------


class CallActor:
    """The actor. One thread makes all calls; another forwards their events and results."""

    def __init__(self) -> None:
        self._outbox: queue.Queue[bytes | None] = queue.Queue()
        self._thread = ThreadPoolExecutor(1)
        worker.report_to(lambda event: self._outbox.put(_to_bytes(messages.pack({"event": event}))))

    def describe(self) -> dict[str, Any]:
        """Return its process id, host, node and version of trivium."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        return {"pid": os.getpid(), "host": socket.gethostname(), "node": node, "version": metadata.version("trivium")}

    def call(self, request: bytes) -> Iterator[bytes]:
        """Make the requested call; yield the messages of its events, and last that of its result or error."""
        self._thread.submit(self._serve, request)
        while (message := self._outbox.get()) is not None:
            yield message

    def _serve(self, data: bytes) -> None:
        try:
            request = messages.read(io.BytesIO(data))
            if not os.path.isdir(request["folder"]):  # the call may not need it, as with absolute paths
                request["folder"] = os.getcwd()
            self._outbox.put(_to_bytes(worker.answer(request)))
            self._outbox.put(None)
        except BaseException:  # for instance `sys.exit`: end the process, so that the caller notices
            os._exit(1)
