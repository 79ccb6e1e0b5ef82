"""A column of sentences: its cells as the code points of their characters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import DataError
from ..sources.text import to_rows
from . import frames

if TYPE_CHECKING:
    import polars


def is_texts(values: Any) -> bool:
    """Return whether these are texts: a sequence of str, or an array of words."""
    if isinstance(values, np.ndarray):
        return bool(values.ndim == 1 and values.dtype.kind in "OU")
    return isinstance(values, (list, tuple)) and bool(values) and all(isinstance(value, str) for value in values)


def encode_texts(texts: Sequence[str]) -> np.ndarray:
    """Return texts as code points, (n, characters of the longest) int32, shorter ones filled up with 0.

    White space of any kind and length becomes one space.
    """
    return to_rows([" ".join(text.split()) for text in texts])


def encode_text_column(frame: polars.DataFrame, name: str, where: str) -> np.ndarray:
    """Return a column of sentences as code points, (rows, characters) int32; an empty cell has none.

    Raises:
        DataError: there is no such column, or it holds something else than text.
    """
    import polars

    if name not in frame.columns:
        raise DataError(f"{where} has no column {name} (it has: {', '.join(frame.columns)})")
    series = frame[name]
    if series.dtype not in (polars.String, polars.Null):
        raise DataError(f"{where}: {frames.titled(name)} holds {series.dtype}, expected text")
    return encode_texts(["" if cell is None else str(cell) for cell in series.to_list()])
