"""A split: samples and their targets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .deferred_array import DeferredArray
from .nests import Nest, head, is_deferred, sample_count, select, take

# Sample weights: (n,), or one for each target of a sample, (n, …).
Weights = np.ndarray | DeferredArray


@dataclass(frozen=True)
class Split:
    """Samples `x` and their targets `y`; the first axis of every array counts the samples.

    Attributes:
        x, y: an array each, or a nest of arrays where a model has several inputs or outputs.
        weight: float32, the weights in the loss; None means that all samples count alike.

    Example:
        >>> part = trivium.Split(np.arange(10), np.arange(10) % 2)
        >>> len(part), part.take(slice(3)).y.tolist()
        (10, [0, 1, 0])
    """

    x: Nest
    y: Nest
    weight: Weights | None = None

    def __repr__(self) -> str:
        return f"Split of {len(self):,} samples"

    def __len__(self) -> int:
        return sample_count(self.x)

    def take(self, samples: slice | np.ndarray) -> Split:
        """Return the split of these samples."""
        return Split(take(self.x, samples), take(self.y, samples), take(self.weight, samples))

    def select(self, samples: slice | np.ndarray) -> Split:
        """Return the split of these samples; those of deferred arrays are not read."""
        return Split(select(self.x, samples), select(self.y, samples), select(self.weight, samples))

    def head(self, most: int) -> Split:
        """Return the first samples: at most `most`, and at most as many as have some million values."""
        return Split(*head((self.x, self.y, self.weight), most))

    @property
    def is_deferred(self) -> bool:
        """Whether its arrays are read from their files row by row."""
        return is_deferred(self.x) or is_deferred(self.y)

    @property
    def arrays(self) -> tuple[Nest, ...]:
        """The arguments of a training step: inputs, targets and, where there are any, sample weights."""
        return (self.x, self.y) if self.weight is None else (self.x, self.y, self.weight)
