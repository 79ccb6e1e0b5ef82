"""Groups of devices that train one model together: devices of this machine, or processes on several machines.

The engine does not change: it runs in one process, with one plain model. Only the `EpochRunner` is distributed. The
values of the model's variables are sent to the devices when an epoch begins, and fetched when it ends. Callbacks,
checkpoints and Ctrl-C behave as with one device.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from ..errors import BackendError
from .epochs import Data, EpochRunner, Plan


class DeviceGroup(ABC):
    """Several devices that train one model together, each on its shard of every batch.

    Attributes:
        name: the name of the plan that runs epochs on the group.
        count: number of devices.
    """

    name = "devices"

    def __init__(self, count: int):
        self.count = count

    @abstractmethod
    def epochs(self, model: Any, data: Data, batch_size: int, plan: Plan) -> EpochRunner:
        """Return a runner of the model's epochs on all devices; see `Runtime.compile_epochs`.

        Raises:
            DistributionError: the model cannot be copied to the devices.
        """

    def close(self) -> None:
        """Stop the processes that were started for the group."""
        return


def require_cores(count: int, available: int) -> None:
    """Raise a BackendError if there are fewer CPU cores than requested devices."""
    if count > available:
        raise BackendError(
            f"{count} devices asked for, but this process may use {available} processor "
            f"core{'s' * (available != 1)} and no accelerator: ask for {available} or fewer"
        )


def require_accelerators(count: int, available: int, kind: str) -> None:
    """Raise a BackendError if there are fewer accelerators than requested devices."""
    if count > available:
        raise BackendError(
            f"{count} devices asked for, but there {'is' if available == 1 else 'are'} {available} "
            f"{kind}{'s' * (available != 1)} here: ask for {available} or fewer"
        )
