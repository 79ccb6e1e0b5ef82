"""Recognises a user's source of batches by its protocol: no framework is imported for it."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from .conversion import split_of
from .stream import BatchStream, IndexedStream, IteratedStream, SampleStream

# A length of this size is that of a source that repeats itself for ever.
_ENDLESS = sys.maxsize // 2


def stream_of(data: Any) -> BatchStream | None:
    """Return the stream of a user's source of batches, or None if the data are something else.

    Known are: a `keras.utils.PyDataset`; a `tf.data.Dataset`; Grain's datasets; Hugging Face's datasets; a source of
    single samples by number, as PyTorch's; any iterable of batches, as a `DataLoader`; an iterator; and a function
    without arguments that returns an iterable of batches.
    """
    if isinstance(data, BatchStream):
        return data
    if (
        isinstance(data, (str, Path, tuple, list, Mapping, np.ndarray, type))
        or hasattr(data, "dtype")
        or hasattr(data, "columns")
    ):
        return None
    return _of_known_protocol(data) or _of_python_protocol(data)


def _of_known_protocol(data: Any) -> BatchStream | None:
    keras = sys.modules.get("keras")
    if keras and isinstance(data, keras.utils.PyDataset):
        return IndexedStream(data)
    if hasattr(data, "as_numpy_iterator"):  # tf.data
        return IteratedStream(_named(data), lambda _: data.as_numpy_iterator(), _length_of(data))
    if hasattr(data, "to_iter_dataset"):  # grain.MapDataset
        return IteratedStream(_named(data), lambda _: data.to_iter_dataset(), _length_of(data))
    if hasattr(data, "with_format"):  # Hugging Face
        return _of_columns(data, f"{_named(data)} of columns")
    return None


def _of_columns(data: Any, kind: str) -> BatchStream | None:
    """Return the stream of a dataset of named columns, with one sample per row."""
    columns = data.with_format("numpy")
    length = _length_of(data)
    if length is None:
        return IteratedStream(kind, lambda size: columns.iter(batch_size=size), None)
    return SampleStream(kind, length, lambda rows, where: split_of(columns[rows.tolist()], where))


def _of_python_protocol(data: Any) -> BatchStream | None:
    if hasattr(data, "__getitem__") and _length_of(data) is not None and not isinstance(data, Sequence):
        return SampleStream.of_samples(_named(data), data)
    if hasattr(data, "__next__"):
        return IteratedStream(_named(data), lambda _: data, _length_of(data), can_repeat=False)
    if hasattr(data, "__iter__"):
        return IteratedStream(_named(data), lambda _: data, _length_of(data))
    if callable(data):
        name = getattr(data, "__name__", type(data).__name__)
        return IteratedStream(f"the function {name}", lambda _: data(), None)
    return None


def _named(data: Any) -> str:
    """Return the kind of the data for a sentence: a DataLoader, an IterableDataset."""
    kind = type(data).__name__.lstrip("_")
    return f"{'an' if kind[0] in 'AEIOUaeiou' else 'a'} {kind}"


def _length_of(data: Any) -> int | None:
    """Return the length, or None if there is none, or no end."""
    measure: Callable[[Any], int] = len
    try:
        length = measure(data)
    except TypeError:  # also that of tf.data where it is unknown or infinite
        return None
    return length if length < _ENDLESS else None
