"""Where epochs can be spread over: the devices of a machine, or processes on several.

The engine stays as it is: one process runs it, with one plain model. Only `Epochs` is spread. What the model's
variables hold goes out to the devices when an epoch begins, and comes back when it ends. Callbacks, checkpoints and
whoever presses Ctrl-C see no difference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..errors import BackendError
from .epochs import Data, Epochs, Plan


class Group(ABC):
    """Several devices that train one model together, each on its share of every batch.

    Attributes:
        name: what a plan is called that runs epochs on them.
        count: how many there are.
    """

    name = "devices"

    def __init__(self, count: int):
        self.count = count

    @abstractmethod
    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> Epochs:
        """The model's epochs over these data: as `Runtime.compile_epochs`, on all of the devices.

        Raises:
            SpreadError: the model cannot be taken there.
        """

    def close(self) -> None:
        """End what was started for it."""
        return


def require_cores(count: int, available: int) -> None:
    """Raise a BackendError when more CPU devices are asked for than there are cores."""
    if count > available:
        raise BackendError(
            f"{count} devices asked for, but this process may use {available} processor "
            f"core{'s' * (available != 1)} and no accelerator: ask for {available} or fewer"
        )


def require_accelerators(count: int, available: int, kind: str) -> None:
    """Raise a BackendError when more accelerators are asked for than there are."""
    if count > available:
        raise BackendError(
            f"{count} devices asked for, but there {'is' if available == 1 else 'are'} {available} {kind} here: "
            f"ask for {available} or fewer"
        )
