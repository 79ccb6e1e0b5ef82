"""A dataset from a user's stream of batches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ..errors import DataError
from .dataset import Dataset
from .from_arrays import split_from_user
from .split import Split
from .streams.recognition import stream_of
from .streams.stream import BatchStream

NONE_HELD_OUT = "Nothing is held out of a stream for validation."
# Samples of a first batch, where the source gives single samples.
_SAMPLES = 32


def dataset_from_stream(stream: BatchStream, validation: Any = None, test: Any = None) -> Dataset:
    """Return the dataset of a stream, with its first batch as the training split.

    Args:
        stream: the batches to train on.
        validation: arrays `(x, y)` or `(x, y, weight)`, or a stream whose length is known; None for none.
        test: arrays, or None.

    Raises:
        DataError: the stream has no batch, or its first one is none; the validation stream has no length or can be read
            once; the test data are a stream.
    """
    name = f"the stream ({stream.kind})"
    notes = (NONE_HELD_OUT,) if validation is None else ()
    tested = _part(test, "test")
    dataset = Dataset(name, stream.sample(_SAMPLES), tested, (), stream.kind, notes=notes, stream=stream)
    if (validated := stream_of(validation)) is None:
        return replace(dataset, validation=_part(validation, "validation"))
    if validated.steps(_SAMPLES) is None or not validated.can_repeat:
        raise DataError(
            f"`validation_data`: {validated.kind} does not say how many batches it has, or can be read once: give "
            "arrays, or a source with a length that can be read again, such as keras.utils.PyDataset"
        )
    return replace(dataset, validation_stream=validated)


def _part(arrays: Any, name: str) -> Split | None:
    """Return a part that is given as arrays."""
    if arrays is None:
        return None
    if not isinstance(arrays, (tuple, list)) or len(arrays) not in (2, 3):
        raise DataError(f"`{name}_data`: expected arrays (x, y) beside a stream, received {type(arrays).__name__}")
    return split_from_user(*arrays)
