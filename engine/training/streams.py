"""Training on a stream of batches: the model decides what a stream leaves open; what needs all data is refused.

The classes of a stream are known by the outputs of the model, since not all of its labels are seen before the training.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import TYPE_CHECKING

from ...data.dataset import Dataset, Split
from ...data.nests import is_array
from ...data.preprocessing.pipeline import Preprocessing
from ...data.streams.stream import MappedStream
from ...errors import OptionError
from ..keras_model.data_for_model import for_model
from . import model_building
from .options import ResolvedOptions

if TYPE_CHECKING:
    import keras

    from ..epochs.batches import TrainingBatches
    from ..epochs.stream_batches import StreamBatches


def require_sizes(dataset: Dataset, open_sizes: Collection[str]) -> None:
    """Raise an OptionError if the builder takes sizes of the data that the user did not give."""
    if dataset.stream and open_sizes:
        first = sorted(open_sizes)[0]
        raise OptionError(f"the sizes of all data are not seen in a stream: add `options` {first}=N")


def with_model(dataset: Dataset, model: keras.Model) -> Dataset:
    """Return a stream as the model takes it: its arrays on their sides, and whole numbers (n,) as classes.

    Raises:
        DataError: the names of its arrays do not say which is which.
    """
    dataset = for_model(dataset, model)
    y = dataset.train.y
    if len(model.outputs) > 1 or not is_array(y) or y.dtype.kind not in "biu" or y.shape[1:] not in ((), (1,)):
        return dataset
    labels = tuple(map(str, range(max(2, int(model.outputs[0].shape[-1] or 0)))))
    return replace(_flat_labels(dataset), labels=labels)


def _flat_labels(dataset: Dataset) -> Dataset:
    """Return the dataset with class numbers (n,) for those of shape (n, 1)."""

    def flat(split: Split) -> Split:
        return replace(split, y=split.y.reshape(len(split.y)))

    stream, validated = dataset.stream, dataset.validation_stream
    assert stream
    return replace(
        dataset,
        train=flat(dataset.train),
        test=dataset.test and flat(dataset.test),
        validation=dataset.validation and flat(dataset.validation),
        stream=MappedStream(stream, flat),
        validation_stream=validated and MappedStream(validated, flat),
    )


def require_options(dataset: Dataset, options: ResolvedOptions, validation_split: float | None) -> None:
    """Raise an OptionError for an option that does not go with a stream, or goes with a stream alone.

    Args:
        options: in force.
        validation_split: as the user gave it.
    """
    if not dataset.stream:
        return
    if validation_split:
        raise OptionError(
            "`validation_split`: nothing is held out of a stream of batches: give arrays or a stream to validate on"
        )
    if options.weights.classes is not None or options.weights.samples is not None:
        raise OptionError(
            "`class_weight` and `sample_weight` are for arrays: give the weights as the third part of each batch"
        )
    if options.augment:
        raise OptionError("`augment` is for arrays of pictures: change the pictures where the stream makes its batches")
    if options.steps_per_epoch is None and not dataset.stream.steps(options.batch_size):
        raise OptionError(f"{dataset.stream.kind} does not say how many batches an epoch has: add `steps_per_epoch` N")


def training_batches(
    model: keras.Model, dataset: Dataset, preprocessing: Preprocessing, options: ResolvedOptions
) -> StreamBatches:
    """Return the batches of a stream to train on."""
    from ..epochs.stream_batches import BatchCheck, StreamBatches

    assert dataset.stream
    is_variable = any(None in tuple(tensor.shape)[1:] for tensor in model.inputs)
    classes = len(dataset.labels) if isinstance(dataset.labels, tuple) else 0
    return StreamBatches(
        dataset.stream,
        BatchCheck(dataset.stream.kind, dataset.train, classes, is_variable),
        _preparation(model, dataset, preprocessing),
        batch_size=options.batch_size,
        seed=options.seed,
        shuffle=options.recipe.shuffle,
        steps=options.steps_per_epoch,
    )


def validation_batches(
    model: keras.Model, dataset: Dataset, preprocessing: Preprocessing, options: ResolvedOptions
) -> TrainingBatches | None:
    """Return the batches of a stream to validate on, or None if there is no such stream."""
    from ..epochs import stream_batches

    if not dataset.validation_stream:
        return None
    prepare = _preparation(model, dataset, preprocessing)
    return stream_batches.validation_batches(dataset.validation_stream, prepare, options.batch_size)


def warn_of_end(batches: object, epochs: int) -> list[str]:
    """Return the sentence about a stream that ended before the run."""
    from ..epochs.stream_batches import StreamBatches

    if not isinstance(batches, StreamBatches) or not batches.ended:
        return []
    return [
        f"The data ({batches.kind}) ended after {batches.count:,} batches, fewer than {epochs} epochs of "
        f"{len(batches):,} take: the model that was trained until then is kept."
    ]


def _preparation(model: keras.Model, dataset: Dataset, preprocessing: Preprocessing) -> Callable[[Split], Split]:
    """Return the function that prepares a batch and puts it into the nests of the model."""

    def prepare(split: Split) -> Split:
        prepared = Split(*preprocessing.pairs(split.x, split.y), split.weight)
        return model_building.match_split(model, prepared, dataset)

    return prepare
