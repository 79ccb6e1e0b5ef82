"""The preprocessing steps that turn a text into token numbers and back: a tokenizer by characters, and one by words."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from ...errors import DataError
from ..sources.text import to_codes, to_text
from .transforms import NOT_FITTED, Transform, too_large

UNKNOWN = "�"
_WORDS = re.compile(r"\w+(?:['’]\w+)*|[^\w\s]")


def flaw_of_vocabulary(vocabulary: Sequence[str] | None) -> str:
    """Return the flaw of a step with this vocabulary, if it is not fitted or is empty."""
    if vocabulary is None:
        return NOT_FITTED
    return "" if vocabulary else "has no vocabulary"


class Tokenizer(Transform):
    """Turns the code points (n,) of a text into token numbers; the vocabulary is fitted on the training text."""

    # The text between two tokens when numbers become text again.
    separator = ""
    vocabulary: str | tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The vocabulary: the text of each token number."""
        raise NotImplementedError

    def inverse(self, values: np.ndarray) -> np.ndarray:
        return to_codes(self.separator.join(self.names[int(value)] for value in values))

    def flaw(self) -> str:
        return flaw_of_vocabulary(self.vocabulary)


@dataclass(frozen=True)
class CharTokenizer(Tokenizer):
    """One token per character, numbered in the order of their code points."""

    kind = "letters"
    needs_all = True
    needs_memory = True
    vocabulary: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        assert self.vocabulary is not None, "fitted first"
        return tuple(self.vocabulary)

    def fit(self, values: np.ndarray) -> Self:
        return replace(self, vocabulary=to_text(np.unique(values)))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        known = to_codes("".join(self.names))
        numbers = np.searchsorted(known, values)
        is_unknown = known[np.minimum(numbers, len(known) - 1)] != values
        if is_unknown.any():
            letters = to_text(np.unique(values[is_unknown]))
            raise DataError(f"letters that the training text did not have: {letters[:20]!r}")
        return numbers.astype("int32")


@dataclass(frozen=True)
class WordTokenizer(Tokenizer):
    """One token per word or punctuation mark, in lower case; 0 is any but the `size` − 1 most frequent words."""

    kind = "words"
    needs_all = True
    needs_memory = True
    separator = " "
    size: int = 8_000
    vocabulary: tuple[str, ...] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        assert self.vocabulary is not None, "fitted first"
        return self.vocabulary

    def fit(self, values: np.ndarray) -> Self:
        # Equally frequent words are in alphabetical order, so that a text gives the same numbers everywhere.
        counts = sorted(Counter(self._split(values)).items(), key=lambda item: (-item[1], item[0]))
        return replace(self, vocabulary=(UNKNOWN, *(word for word, _ in counts[: self.size - 1])))

    def __call__(self, values: np.ndarray) -> np.ndarray:
        numbers = {word: number for number, word in enumerate(self.names)}
        return np.array([numbers.get(word, 0) for word in self._split(values)], "int32")

    def _split(self, values: np.ndarray) -> list[str]:
        return _WORDS.findall(to_text(values).lower())

    def flaw(self) -> str:
        return too_large(size=self.size) or super().flaw()
