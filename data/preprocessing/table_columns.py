"""The preprocessing step for the columns of a table: numbers are scaled, gaps filled and flagged, words become numbers.

All of it is fitted on the training part alone. A word that the training part lacks counts as unknown: it has no column
of its own in the one-hot form, and the number 0 in the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from ...errors import DataError
from ...functions import first_of
from ..columns import BOOLEAN, DATE, NUMBER, WORDS, Column, to_column
from ..deferred_array import blocks_of
from .cell_statistics import CellStatistics
from .reductions import moments_of_blocks
from .transforms import NOT_FITTED, Transform, are_finite

if TYPE_CHECKING:
    import keras

STANDARDISE, MIN_MAX, AS_IS = "standardise", "min-max", "as-is"
ONE_HOT, INDEX = "one-hot", "index"
_MOST_NAMED = 8
_KINDS = (NUMBER, WORDS, DATE, BOOLEAN)


@dataclass(frozen=True)
class TableColumns(Transform):
    """Prepare the columns of a table, (n, columns) float64 → (n, features) float32.

    The features are, in this order: the columns of numbers, dates and truth values; for each of these with a gap in
    the training part 1 at a gap, else 0; the columns of words. A column of words is a feature for each of its words in
    the training part, 1 for this word and else 0 (`one-hot`), or a single feature: the number of the word among them,
    counted from 1, and 0 for a gap or an unknown word (`index`, for an embedding).

    Attributes:
        numbers: `standardise` to mean 0 and standard deviation 1, `min-max` to 0 … 1, or `as-is`.
        words: `one-hot` or `index`.
        columns: of the table; without any, (n, columns) are numbers without names.
        offset, span: for each column of numbers, so that a feature is (number − offset) / span.
        fill: for each column of numbers, the mean, which stands for a gap.
        gaps: the places of the columns of numbers with a gap in the training part.
        known: for each column of words, the codes of its words in the training part.
    """

    kind = "table"
    needs_all = True
    numbers: str = STANDARDISE
    words: str = ONE_HOT
    columns: tuple[Column, ...] = ()
    offset: tuple[float, ...] | None = None
    span: tuple[float, ...] = ()
    fill: tuple[float, ...] = ()
    gaps: tuple[int, ...] = ()
    known: tuple[tuple[int, ...], ...] = ()

    def __post_init__(self) -> None:
        if self.numbers not in (STANDARDISE, MIN_MAX, AS_IS) or self.words not in (ONE_HOT, INDEX):
            raise DataError(f"numbers are {STANDARDISE}, {MIN_MAX} or {AS_IS}, and words {ONE_HOT} or {INDEX}")
        object.__setattr__(self, "columns", tuple(map(to_column, self.columns)))
        object.__setattr__(self, "known", tuple(map(tuple, self.known)))

    def fit(self, values: np.ndarray) -> Self:
        columns = self.columns or tuple(Column(f"column {place + 1}") for place in range(values.shape[1]))
        named = replace(self, columns=columns)
        cells = CellStatistics.of(values, named.number_places, named.word_places)
        offset, span = named._scale(values, cells)
        return replace(
            named,
            offset=tuple(offset.tolist()),
            span=tuple(span.tolist()),
            fill=tuple(cells.mean.tolist()),
            gaps=tuple(np.flatnonzero(cells.has_gap).tolist()),
            known=tuple(tuple(codes.tolist()) for codes in cells.codes),
        )

    def _scale(self, values: np.ndarray, cells: CellStatistics) -> tuple[np.ndarray, np.ndarray]:
        """Return the offset and the span of each column of numbers; the span of a constant column is 1."""
        if self.numbers == AS_IS or not self.number_places:
            return np.zeros(len(self.number_places)), np.ones(len(self.number_places))
        if self.numbers == MIN_MAX:
            offset, span = cells.low, cells.high - cells.low
        else:
            filled = (_filled(rows[:, self.number_places], cells.mean) for rows in blocks_of(values))
            offset, span = moments_of_blocks(filled, (0,))
        return offset, np.where(cells.low == cells.high, 1.0, span)

    @property
    def number_places(self) -> list[int]:
        """The places of the columns that are scaled: numbers, dates and truth values."""
        return [place for place, column in enumerate(self.columns) if column.kind != WORDS]

    @property
    def word_places(self) -> list[int]:
        return [place for place, column in enumerate(self.columns) if column.kind == WORDS]

    @property
    def categories(self) -> tuple[int, ...]:
        """For each column of words, the numbers that it can have as an `index`: its words, and one for unknown ones."""
        return tuple(len(codes) + 1 for codes in self.known)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        self._require_columns(values)
        numbers = values[:, self.number_places].astype("float64")
        is_gap = np.isnan(numbers)
        scaled = (np.where(is_gap, self.fill, numbers) - self.offset) / self.span
        words = [self._words(values[:, [place]], codes) for place, codes in self._words_with_codes()]
        return np.concatenate([scaled, is_gap[:, list(self.gaps)], *words], axis=1).astype("float32")

    def inverse(self, values: np.ndarray) -> np.ndarray:
        """Return the cells of the table: (n, columns) float64, NaN for what was a flagged gap or an unknown word."""
        assert self.offset is not None, "fitted first"
        table = np.full((len(values), len(self.columns)), np.nan)
        count = len(self.number_places)
        table[:, self.number_places] = values[:, :count] * self.span + self.offset
        for flag, gap in enumerate(self.gaps):
            table[values[:, count + flag] > 0, self.number_places[gap]] = np.nan
        first = count + len(self.gaps)
        for place, codes in self._words_with_codes():
            width = len(codes) if self.words == ONE_HOT else 1
            table[:, place] = self._codes(values[:, first : first + width], codes)
            first += width
        return table

    def layers(self, shape: tuple[int, ...]) -> list[keras.layers.Layer]:
        import keras
        from keras import ops

        assert self.offset is not None, "fitted first"
        cells = keras.Input((len(self.columns),), dtype="float32")
        features = self._number_layers(cells) if self.number_places else []
        features += [
            self._word_layers(_gather(cells, [place]), codes)
            for place, codes in self._words_with_codes()
            if codes or self.words == INDEX
        ]
        prepared = ops.concatenate(features, axis=1) if len(features) > 1 else features[0]
        return [keras.Model(cells, prepared, name="table_columns")]

    def shape_before(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (len(self.columns),)

    def describe(self) -> list[str]:
        """Return a sentence for each thing that is done to the columns."""
        scaled = {STANDARDISE: "standardised", MIN_MAX: "scaled to 0 … 1", AS_IS: "taken as they are"}[self.numbers]
        words = {ONE_HOT: "one-hot features", INDEX: "the number of the word, for an embedding"}[self.words]
        sentences = []
        if self.number_places:
            sentences.append(f"Numbers are {scaled}: {self._named(self.number_places)}.")
        if self.word_places:
            sentences.append(f"Words become {words}: {self._named(self.word_places)}.")
        if self.gaps:
            flagged = self._named(self.number_places[gap] for gap in self.gaps)
            sentences.append(f"Gaps are filled with the mean, and flagged by a feature: {flagged}.")
        return sentences

    def flaw(self) -> str:
        if self.offset is None:
            return NOT_FITTED
        numbers = len(self.number_places)
        if not self.columns or any(column.kind not in _KINDS for column in self.columns):
            return "has no columns, or one of an unknown kind"
        if {len(self.offset), len(self.span), len(self.fill)} != {numbers} or len(self.known) != len(self.word_places):
            return "is fitted to other columns than it has"
        if not are_finite(*self.offset, *self.span, *self.fill) or 0 in self.span:
            return "has a span that is not above 0"
        return "" if all(0 <= gap < numbers for gap in self.gaps) else "has gaps in a column that is not there"

    def _named(self, places: Iterable[int]) -> str:
        """Return the names of the columns at these places, for a sentence."""
        return first_of([self.columns[place].name for place in places], _MOST_NAMED)

    def _words_with_codes(self) -> Iterator[tuple[int, tuple[int, ...]]]:
        """Yield the place of each column of words with the codes that it had in the training part."""
        return zip(self.word_places, self.known, strict=True)

    def _words(self, cells: np.ndarray, codes: tuple[int, ...]) -> np.ndarray:
        """Return the features of a column of words (n, 1)."""
        equal = cells == np.array(codes, "float64")
        return np.asarray(equal if self.words == ONE_HOT else equal @ np.arange(1.0, len(codes) + 1)[:, None])

    def _number_layers(self, cells: Any) -> list[Any]:
        """Return the features of the columns of numbers, scaled, and the flags of their gaps."""
        from keras import ops

        numbers = _gather(cells, self.number_places)
        is_gap = ops.isnan(numbers)
        filled = ops.where(is_gap, _row(self.fill), numbers)
        scaled = (filled - _row(self.offset or ())) / _row(self.span)
        return [scaled, _gather(ops.cast(is_gap, "float32"), self.gaps)] if self.gaps else [scaled]

    def _word_layers(self, cells: Any, codes: tuple[int, ...]) -> Any:
        from keras import ops

        if not codes:  # all words are unknown
            return ops.zeros_like(cells)
        equal = ops.cast(ops.equal(cells, _row(codes)), "float32")
        if self.words == ONE_HOT:
            return equal
        return ops.sum(equal * _row(range(1, len(codes) + 1)), axis=1, keepdims=True)

    def _codes(self, features: np.ndarray, codes: tuple[int, ...]) -> np.ndarray:
        """Return the codes (n,) of a column of words, given its features; NaN where it is none that is known."""
        numbers = features @ np.arange(1, len(codes) + 1) if self.words == ONE_HOT else features[:, 0]
        return np.asarray(np.array([np.nan, *codes])[np.rint(numbers).astype(int)])

    def _require_columns(self, values: np.ndarray) -> None:
        assert self.offset is not None, "fitted first"
        if values.ndim != 2 or values.shape[1] != len(self.columns):
            listed = self._named(range(len(self.columns)))
            raise DataError(f"expected rows of {len(self.columns)} cells ({listed}), received shape {values.shape}")


def _filled(numbers: np.ndarray, fill: np.ndarray) -> np.ndarray:
    """Return the numbers with these in place of gaps, each in its column."""
    numbers = numbers.astype("float64")
    return np.where(np.isnan(numbers), fill, numbers)


def _row(values: Iterable[float]) -> np.ndarray:
    return np.array([list(values)], "float32")


def _gather(values: Any, places: Iterable[int]) -> Any:
    """Return these columns of a Keras tensor (n, columns): neighbours are one slice."""
    from keras import ops

    wanted = list(places)
    starts = [0, *(i + 1 for i, (a, b) in enumerate(pairwise(wanted)) if b != a + 1), len(wanted)]
    parts = [values[:, wanted[first] : wanted[last - 1] + 1] for first, last in pairwise(starts)]
    return ops.concatenate(parts, axis=1) if len(parts) > 1 else parts[0]
