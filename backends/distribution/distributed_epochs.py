"""Epochs on several devices, and the values of variables that are sent to the devices and fetched from them."""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import runtime
from ..epochs import Data, EpochRunner, Plan, assign, variable_groups


class DistributedEpochs(EpochRunner):
    """Epochs that are trained on several devices and evaluated on one."""

    def __init__(self, model: Any, data: Data, batch_size: int, plan: Plan):
        super().__init__(model, data, batch_size, plan)
        self._all_data = data
        self._evaluator: EpochRunner | None = None

    def evaluate(self) -> None:
        if self._evaluator is None:
            self._evaluator = runtime.current().compile_epochs(self.model, self._all_data, self.batch_size, self.plan)
        self._evaluator.evaluate()


def variable_values(model: Any) -> list[np.ndarray]:
    """Return the values of all variables in `variable_groups`, in order."""
    return [np.array(variable.numpy()) for group in variable_groups(model) for variable in group]


def set_variable_values(model: Any, values: list[np.ndarray]) -> None:
    """Assign the values from `variable_values` to the variables in `variable_groups`."""
    assign([variable for group in variable_groups(model) for variable in group], values)
