"""How the training samples are divided: those that are learned, and those that are held out for validation."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

# The parts of data.
TRAINING, VALIDATION, TEST = "training", "validation", "test"

# A slice, or the indices of samples.
Samples = slice | np.ndarray


@dataclass(frozen=True)
class Division:
    """Which of the training samples are learned, and which are held out, in the order of the data.

    Attributes:
        training, validation: the samples of each part.
        remedy: the mode of holding samples out that mixes the classes better, such as `stratified`, or empty.
    """

    training: Samples
    validation: Samples
    remedy: str = ""

    @property
    def holds_out_last(self) -> bool:
        """Whether the last samples are held out, in their order."""
        return isinstance(self.validation, slice)
