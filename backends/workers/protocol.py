"""What a worker is to whoever calls it, wherever its process is."""

from __future__ import annotations

from typing import Any, Protocol

from ...functions import FunctionOrName
from ..catalog import Backend
from .worker import Listener


class WorkerProtocol(Protocol):
    """A process that runs functions under one backend: see `worker.Worker`, which is one on this machine."""

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
        """`call`, and again in any process that takes this one's place."""

    def close(self) -> None: ...

    def kill(self) -> None: ...
