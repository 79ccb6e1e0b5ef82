"""A worker that lives on a Ray cluster: an actor that runs functions under one backend, called as any worker is.

The actor's process has `KERAS_BACKEND` and the limits of threads in its runtime environment, and is sent what the pipe
of a local worker would carry. What comes of a call streams back, events first.
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

# Seconds to wait for a place on the cluster, which others may be using.
_START_TIMEOUT = 300.0
# What the caller's frameworks and trivium were told by the environment holds on the cluster too.
_FORWARDED_PREFIXES = ("JAX_", "KERAS_", "TF_", "TRIVIUM_", "XLA_")


# --- the side that calls --------------------------------------------------------------------------------------------


class ClusterWorker:
    """A process on a cluster that runs functions under one backend: what `worker.Worker` is on this machine.

    Args:
        cluster: where.
        backend: the backend's name.
        threads: at most this many CPU threads for one operation.
        device: `cpu` keeps it on the CPU where there is an accelerator too.
        cpus, gpus: it occupies.
        node: the name of the one that it must be on; otherwise Ray chooses.
        restarts: how often another process takes the place of one that died, and does the call again.
        environment: further variables.

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
        """As far as is known: it may have died without having been called since."""
        return self._actor is not None

    @property
    def pid(self) -> int:
        return int(self.where["pid"])

    @property
    def where(self) -> dict[str, Any]:
        """Its process: `{"pid", "host", "node", "version"}`; waits until there is one.

        Raises:
            ClusterError: the cluster has no place for it, or its node lacks something.
            WorkerError: it has died.
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
        """Run a named function in the worker and wait for what it returns: see `worker.Worker.call`.

        A relative path means the same there where the node has the caller's current folder too.

        Raises:
            ClusterError: as `where`.
            TriviumError, WorkerError: as a worker of this machine; WorkerError when it died more often than it may.
        """
        return self._call(_to_bytes(worker.call_request(function, arguments, keywords)), timeout, listener)

    def _call(self, request: bytes, timeout: float | None = None, listener: Listener | None = None) -> Any:
        with self._lock:
            try:
                return self._call_with_restarts(request, timeout, listener)
            except BaseException as error:
                if not isinstance(error, Exception):  # the actor would go on with what nobody waits for any more
                    self.kill()
                raise

    def prepare(self, function: FunctionOrName, /, *arguments: Any) -> Any:
        """`call`, and again in any process that takes this one's place; of each function what it was last asked."""
        request = _to_bytes(worker.call_request(function, arguments, {}))
        result = self._call(request)
        self._prepared[function_name(function)] = request
        return result

    def close(self) -> None:
        """End the worker."""
        self.kill()

    def kill(self) -> None:
        """End the worker at once, and for good."""
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
        """What the request gives, if need be in the place of a process that died."""
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
    """The process has gone, or what was on its way from it has."""


def _pinned_to(node: str) -> Any:
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    return NodeAffinitySchedulingStrategy(node, soft=False)


def _describe_failure(error: Exception) -> str:
    """What Ray says of a process that has gone, in a few words."""
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


# --- the side that is called ----------------------------------------------------------------------------------------


class CallActor:
    """The actor. What it is called to do runs in one thread, always the same; another hands on what it reports."""

    def __init__(self) -> None:
        self._outbox: queue.Queue[bytes | None] = queue.Queue()
        self._thread = ThreadPoolExecutor(1)
        worker.report_to(lambda event: self._outbox.put(_to_bytes(messages.pack({"event": event}))))

    def describe(self) -> dict[str, Any]:
        """Its process."""
        import ray

        node = ray.get_runtime_context().get_node_id()
        return {"pid": os.getpid(), "host": socket.gethostname(), "node": node, "version": metadata.version("trivium")}

    def call(self, request: bytes) -> Iterator[bytes]:
        """Do what a request asks for: the events as messages, last what came of it."""
        self._thread.submit(self._serve, request)
        while (message := self._outbox.get()) is not None:
            yield message

    def _serve(self, data: bytes) -> None:
        try:
            request = messages.read(io.BytesIO(data))
            if not os.path.isdir(request["folder"]):  # what is named by a whole path, or lies nowhere, needs none
                request["folder"] = os.getcwd()
            self._outbox.put(_to_bytes(worker.answer(request)))
            self._outbox.put(None)
        except BaseException:  # `sys.exit` and its like: whoever waits shall know
            os._exit(1)
