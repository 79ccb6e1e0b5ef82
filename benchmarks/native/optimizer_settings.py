"""What an optimizer of a native loop is told."""

from __future__ import annotations

from typing import Protocol


class OptimizerSettings(Protocol):
    """A task, as far as its optimizer is concerned."""

    @property
    def optimizer(self) -> str:
        """`adam`, `rmsprop` or `sgd`."""

    @property
    def learning_rate(self) -> float: ...
