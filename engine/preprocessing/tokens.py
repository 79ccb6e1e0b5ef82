"""Text to numbers and back: by letter, or by word. Two more steps of preparation."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ...errors import DataError
from ..data.sources.text import to_codes, to_text
from .transforms import Transform

UNKNOWN = "�"
_WORDS = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


class Tokens(Transform):
    """A text's code points (n,) to token numbers; what the numbers stand for is fitted on the training text."""

    # How two tokens are joined when numbers become text again.
    joint = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What each number stands for."""
        raise NotImplementedError

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return to_codes(self.joint.join(self.names[int(value)] for value in values))


@dataclass(frozen=True)
class Letters(Tokens):
    """One number a letter, in the order of their code points."""

    kind = "letters"
    vocabulary: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        assert self.vocabulary is not None, "fitted first"
        return tuple(self.vocabulary)

    def fit(self, values: np.ndarray) -> Self:
        return replace(self, vocabulary=to_text(np.unique(values)))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        known = to_codes("".join(self.names))
        places = np.searchsorted(known, values)
        strange = known[np.minimum(places, len(known) - 1)] != values
        if strange.any():
            letters = to_text(np.unique(values[strange]))
            raise DataError(f"letters that the training text did not have: {letters[:20]!r}")
        return places.astype("int32")


@dataclass(frozen=True)
class Words(Tokens):
    """One number a word or mark, in small letters; 0 is every word but the `size` − 1 most frequent."""

    kind = "words"
    joint = " "
    size: int = 8_000
    vocabulary: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        assert self.vocabulary is not None, "fitted first"
        return self.vocabulary

    def fit(self, values: np.ndarray) -> Self:
        # Equally frequent words in alphabetical order: the same text gives the same numbers everywhere.
        counts = sorted(Counter(self._split(values)).items(), key=lambda item: (-item[1], item[0]))
        return replace(self, vocabulary=(UNKNOWN, *(word for word, _ in counts[: self.size - 1])))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        numbers = {word: number for number, word in enumerate(self.names)}
        return np.array([numbers.get(word, 0) for word in self._split(values)], "int32")

    def _split(self, values: np.ndarray) -> list[str]:
        return _WORDS.findall(to_text(values).lower())
