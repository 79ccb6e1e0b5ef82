"""Where epochs can be spread over: the devices of a machine, or processes on several.

The engine stays as it is: one process runs it, with one plain model. Only `Epochs` is spread. What the model's
variables hold goes out to the devices when an epoch begins, and comes back when it ends. Callbacks, checkpoints and
whoever presses Ctrl-C see no difference.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ...errors import BackendError
from ..epochs import Data, Epochs, Plan, assign, groups_of


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


class SpreadEpochs(Epochs):
    """Epochs on several devices; without training, one of them goes through the data."""

    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._given = data
        self._testing: Epochs | None = None

    def evaluate(self) -> None:
        from .. import runtime

        if self._testing is None:
            self._testing = runtime.current().compile_epochs(self.model, self._given, self.batch_size, self.plan)
        self._testing.evaluate()


def values_of(model: Any) -> list[np.ndarray]:
    """What the variables of `groups_of` hold, one after the other."""
    return [np.array(variable.numpy()) for group in groups_of(model) for variable in group]


def put_values(model: Any, values: list[np.ndarray]) -> None:
    """Let the variables of `groups_of` hold what `values_of` gave."""
    assign([variable for group in groups_of(model) for variable in group], values)


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
