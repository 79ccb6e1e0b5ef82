"""How long a candidate trains: the parameter that says so, and its value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..bundles.named_recipe import recipe_of
from .estimators import Estimator


class Duration:
    """The epochs of an estimator's network.

    Args:
        estimator: a network, a pipeline whose last step is one, or another estimator, which has no epochs.
    """

    def __init__(self, estimator: Any):
        step, last = getattr(estimator, "steps", [("", estimator)])[-1]
        self._network: Estimator | None = last if isinstance(last, Estimator) else None
        self._prefix = f"{step}__" if step else ""

    @property
    def exists(self) -> bool:
        """Whether there are epochs at all."""
        return self._network is not None

    def epochs(self, params: Mapping[str, Any]) -> int:
        """Return the epochs that an estimator of these parameters trains for; 0 for one without epochs."""
        if self._network is None:
            return 0
        epochs = params.get(f"{self._prefix}epochs", self._network.epochs)
        return int(epochs or recipe_of(params.get(f"{self._prefix}recipe", self._network.recipe)).epochs)

    def parameters(self, epochs: int) -> dict[str, int]:
        """Return the parameter that makes the estimator train for these epochs."""
        return {f"{self._prefix}epochs": epochs} if self.exists else {}
