"""The preprocessing step that turns sentences into the numbers of their words.

A sentence is split at its spaces only, and each piece is looked up in a table of the forms that the words of the
vocabulary take: small, with a capital, in capitals, with a bracket or a quote before and punctuation after. So ONNX,
which can split and look up but knows no other rules, reads a sentence in the same way.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import product
from typing import TYPE_CHECKING, Self

import numpy as np

from ...errors import DataError
from ...storage.budget import require_memory
from ..sources.text import row_to_text, to_rows
from .tokens import flaw_of_vocabulary
from .transforms import Transform, out_of_range, too_large

if TYPE_CHECKING:
    import keras

# The number of what fills a short sentence up, and of a word that is not in the vocabulary.
PADDING, UNKNOWN = 0, 1
_BEFORE = ("", "(", '"')
_AFTER = ("", ".", ",", "!", "?", ";", ":", ")", '"')
_STRIPPED = "".join({*_BEFORE, *_AFTER})

_LONGEST = 200
# A sentence is cut after this share of the lengths in the training part.
_COVERED = 0.95


@dataclass(frozen=True)
class TextWords(Transform):
    """Turn sentences, (n, characters) code points, into the numbers of their words, (n, length) int32.

    0 fills short sentences up, 1 is an unknown word, and the vocabulary follows. Longer sentences are cut.

    Attributes:
        column: the name of the column of a table that the sentences are in; empty for others.
        size: the most words in the vocabulary: the most frequent ones that occur twice.
        length: the words of a sentence; 0 is fitted: 95 % of the training part are not longer, at most 200.
        vocabulary: in the order of their frequency.
    """

    kind = "text"
    needs_all = True
    needs_memory = True
    column: str = ""
    size: int = 3_000
    length: int = 0
    vocabulary: tuple[str, ...] | None = None

    def fit(self, values: np.ndarray) -> Self:
        sentences = [_pieces(row) for row in values]
        counts = Counter(word for pieces in sentences for piece in pieces if (word := _word_of(piece)))
        frequent = sorted((word for word, count in counts.items() if count > 1), key=lambda word: (-counts[word], word))
        if not frequent:
            raise DataError("no word occurs twice in the sentences of the training part")
        lengths = sorted(map(len, sentences))
        covered = lengths[min(len(lengths) - 1, math.ceil(_COVERED * len(lengths)))]
        return replace(
            self, vocabulary=tuple(frequent[: self.size]), length=self.length or max(1, min(_LONGEST, covered))
        )

    @property
    def names(self) -> tuple[str, ...]:
        """What each number stands for."""
        assert self.vocabulary is not None, "fitted first"
        return ("", "�", *self.vocabulary)

    @cached_property
    def forms(self) -> dict[str, int]:
        """The number of each form of each word of the vocabulary."""
        forms: dict[str, int] = {}
        for number, word in enumerate(self.names[UNKNOWN + 1 :], UNKNOWN + 1):
            for written in (word, word.capitalize(), word.upper()):
                for before, after in product(_BEFORE, _AFTER):
                    forms.setdefault(f"{before}{written}{after}", number)
        return forms

    def __call__(self, values: np.ndarray) -> np.ndarray:
        if values.ndim != 2 or values.dtype.kind not in "iu":
            raise DataError(f"expected sentences as code points (n, characters), received shape {values.shape}")
        require_memory(4 * len(values) * self.length, f"the sentences as {self.length:,} words each")
        numbers = np.full((len(values), self.length), PADDING, "int32")
        for row, sentence in zip(numbers, values, strict=True):
            known = [self.forms.get(piece, UNKNOWN) for piece in _pieces(sentence)[: self.length]]
            row[: len(known)] = known
        return numbers

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Return the sentences, small and without punctuation, as code points; unknown words are �."""
        return to_rows([" ".join(self.names[int(n)] for n in row if n != PADDING) for row in values])

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        raise DataError(f"the step {self.kind!r} has no Keras layer: it reads sentences")

    def describe(self) -> list[str]:
        of = f" in {self.column!r}" if self.column else ""
        return [f"The first {self.length} words{of} are read; {len(self.names) - 2:,} different ones are known."]

    def flaw(self) -> str:
        return flaw_of_vocabulary(self.vocabulary) or out_of_range(length=self.length) or too_large(size=self.size)


def _pieces(codes: np.ndarray) -> list[str]:
    """Return the pieces between the spaces of a sentence, which is filled up with 0."""
    return [piece for piece in row_to_text(codes).split(" ") if piece]


def _word_of(piece: str) -> str:
    """Return the word in a piece: small, without what stands before and after."""
    return piece.strip(_STRIPPED).lower()
