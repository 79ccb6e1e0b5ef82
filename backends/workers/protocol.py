"""The interface of a worker, whether it runs on this machine or on a cluster."""

from __future__ import annotations

from typing import Any, Protocol

from ...functions import FunctionOrName
from ..catalog import Backend
from .worker import Listener


class WorkerProtocol(Protocol):
    """A process that runs functions under one backend; `worker.Worker` is the one on this machine."""

    backend: Backend

    @property
    def alive(self) -> bool: ...

    @property
    def pid(self) -> int: ...

    def call(
        self,
        function: FunctionOrName,
        /,
        *arguments: Any,
        timeout: float | None = None,
        listener: Listener | None = None,
        **keywords: Any,
    ) -> Any: ...

    def prepare(self, function: FunctionOrName, /, *arguments: Any) -> Any:
        """Call a function now, and again in every process that replaces this one."""

    def close(self) -> None: ...

    def kill(self) -> None: ...
