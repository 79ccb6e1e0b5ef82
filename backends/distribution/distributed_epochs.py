"""Epochs on several devices, and what goes to the devices and comes back from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import runtime
from ..epochs import Data, Epochs, Plan, assign, groups_of


class SpreadEpochs(Epochs):
    """Epochs on several devices; without training, one of them goes through the data."""

    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._given = data
        self._testing: Epochs | None = None

    def evaluate(self) -> None:
        if self._testing is None:
            self._testing = runtime.current().compile_epochs(self.model, self._given, self.batch_size, self.plan)
        self._testing.evaluate()


def values_of(model: Any) -> list[np.ndarray]:
    """What the variables of `groups_of` hold, one after the other."""
    return [np.array(variable.numpy()) for group in groups_of(model) for variable in group]


def put_values(model: Any, values: list[np.ndarray]) -> None:
    """Let the variables of `groups_of` hold what `values_of` gave."""
    assign([variable for group in groups_of(model) for variable in group], values)
