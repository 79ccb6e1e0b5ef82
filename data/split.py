"""A split: samples and their targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .nests import Nest, is_deferred, sample_count, select, take


@dataclass(frozen=True)
class Split:
    """Samples `x` and their targets `y`; the first axis of every array counts the samples.

    Attributes:
        x, y: an array each, or a nest of arrays where a model has several inputs or outputs.
        weight: (n,) float32, the sample weights in the loss; None means that all samples count alike.
    """

    x: Nest
    y: Nest
    weight: np.ndarray | None = None

    def __len__(self) -> int:
        return sample_count(self.x)

    def take(self, samples: slice | np.ndarray) -> Split:
        """Return the split of these samples."""
        weight = None if self.weight is None else self.weight[samples]
        return Split(take(self.x, samples), take(self.y, samples), weight)

    def select(self, samples: slice | np.ndarray) -> Split:
        """Return the split of these samples; those of deferred arrays are not read."""
        weight = None if self.weight is None else self.weight[samples]
        return Split(select(self.x, samples), select(self.y, samples), weight)

    @property
    def is_deferred(self) -> bool:
        """Whether its arrays are read from their files row by row."""
        return is_deferred(self.x) or is_deferred(self.y)

    @property
    def arrays(self) -> tuple[Nest, ...]:
        """The arguments of a training step: inputs, targets and, where there are any, sample weights."""
        return (self.x, self.y) if self.weight is None else (self.x, self.y, self.weight)
