"""The turns of a training step: in each, one loss is minimised by one optimizer, over the weights of some networks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras

from ...errors import ModelError


@dataclass(frozen=True)
class Turn:
    """One part of a training step.

    Attributes:
        name: of the loss.
        networks: those whose weights are trained.
    """

    name: str
    networks: tuple[keras.Model, ...]

    @property
    def variables(self) -> list[keras.Variable]:
        """The weights that are trained; one that several networks share comes once."""
        variables = (variable for network in self.networks for variable in network.trainable_variables)
        return list({id(variable): variable for variable in variables}.values())


class TurnOptimizers(keras.optimizers.Optimizer):
    """The optimizers of several turns, for all that asks a model for one optimizer.

    Args:
        parts: by the name of the turn.
        turns: in order.
    """

    def __init__(self, parts: Mapping[str, keras.optimizers.Optimizer], turns: Sequence[Turn]):
        super().__init__(learning_rate=0.0, name="turns")
        self.parts = dict(parts)
        self._turns = turns

    def build(self, variables: Any) -> None:
        for turn in self._turns:
            if not self.parts[turn.name].built:
                self.parts[turn.name].build(turn.variables)
        self.built = True

    @property
    def variables(self) -> list[Any]:
        return [variable for part in self.parts.values() for variable in part.variables]

    @property
    def iterations(self) -> Any:
        return next(iter(self.parts.values())).iterations

    @property
    def learning_rate(self) -> Any:
        """The rate of the first optimizer. To set it sets those of all, which must have been equal."""
        return next(iter(self.parts.values())).learning_rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        rates = {float(part.learning_rate) for part in self.parts.values()}
        if len(rates) > 1:
            listed = ", ".join(f"{name} {float(part.learning_rate):g}" for name, part in self.parts.items())
            raise ModelError(
                f"the optimizers have different learning rates ({listed}): give each a schedule of its own"
            )
        for part in self.parts.values():
            part.learning_rate = rate

    def finalize_variable_values(self, variables: Any) -> None:
        for turn in self._turns:
            self.parts[turn.name].finalize_variable_values(turn.variables)

    def get_config(self) -> dict[str, Any]:
        return {name: keras.optimizers.serialize(part) for name, part in self.parts.items()}
