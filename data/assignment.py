"""Data that only name their arrays: which are inputs and which are targets, a model says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from ..errors import DataError
from .dataset import Dataset, Split
from .nests import is_array
from .sources.labels import number_classes
from .streams.stream import MappedStream


def is_assigned(dataset: Dataset) -> bool:
    """Return whether the dataset says which of its arrays are targets."""
    return is_array(dataset.train.y) or bool(dataset.train.y)


def assign(dataset: Dataset, inputs: Sequence[str], outputs: Sequence[str]) -> Dataset:
    """Return the dataset with its arrays assigned to the inputs and outputs of a model.

    Arrays are matched by name. Where only one side is named as in the model, the other arrays are the other side, in
    the order of the file; so are all, where no name is the model's and their number is that of inputs and outputs.
    Integers in a target, (n,) or (n, 1), are classes, as in `number_classes`.

    Args:
        dataset: returned unchanged if it says itself which arrays are targets.
        inputs, outputs: the names in the model.

    Raises:
        DataError: the names do not say which array is which.
    """
    if is_assigned(dataset):
        return dataset
    x, y = _sides(list(dataset.train.x), inputs, outputs, dataset.name)
    if dataset.stream:
        return _assigned_stream(dataset, x, y)
    parts = [_assigned(part, x, y) if part else None for part in (dataset.train, dataset.test, dataset.validation)]
    labels = {}
    for target in y:
        numbered, names = number_classes(*(part and replace(part, y=part.y[target]) for part in parts))
        parts = [_with_target(part, target, single) for part, single in zip(parts, numbered, strict=True)]
        if names:
            labels[target] = names
    if len(outputs) == 1:
        parts = [part and replace(part, y=part.y[outputs[0]]) for part in parts]
    train, test, validation = parts
    assert train
    named = labels if len(outputs) > 1 else labels.get(outputs[0], ())
    assigned = replace(dataset, train=train, test=test, validation=validation, labels=named)
    return replace(assigned, guesses_classes=bool(named))


def _assigned_stream(dataset: Dataset, x: Mapping[str, str], y: Mapping[str, str]) -> Dataset:
    """Return the dataset with the arrays of each batch on their sides; their integers keep their numbers."""

    def sides(split: Split) -> Split:
        if (assigned := _assigned(split, x, y)) is None:
            missing = next(name for name in (*x.values(), *y.values()) if name not in split.x)
            raise DataError(f"{dataset.name}: a batch has no {missing} (it has: {', '.join(split.x)})")
        return replace(assigned, y=next(iter(assigned.y.values()))) if len(y) == 1 else assigned

    stream, validation = dataset.stream, dataset.validation_stream
    assert stream
    return replace(
        dataset,
        train=sides(dataset.train),
        stream=MappedStream(stream, sides),
        validation_stream=validation and MappedStream(validation, sides),
    )


def _sides(
    names: Sequence[str], inputs: Sequence[str], outputs: Sequence[str], where: str
) -> tuple[dict[str, str], dict[str, str]]:
    """Return for each input and for each output the name of its array."""
    known = {*inputs, *outputs}
    others = [name for name in names if name not in known]
    x = _side(names, inputs, others)
    y = _side(names, outputs, others)
    if not set(names) & known and len(names) == len(inputs) + len(outputs):
        x, y = dict(zip(inputs, names, strict=False)), dict(zip(outputs, names[len(inputs) :], strict=True))
    if x is None or y is None or {*x.values()} & {*y.values()}:
        raise DataError(
            f"{where} has the arrays {', '.join(names)}, but the model has the inputs {', '.join(inputs)} and the "
            f"outputs {', '.join(outputs)}: name the arrays as these"
        )
    return x, y


def _side(names: Sequence[str], side: Sequence[str], others: Sequence[str]) -> dict[str, str] | None:
    """Return the arrays of one side: by name, else the arrays of no known name; None if neither is possible."""
    if set(side) <= set(names):
        return {name: name for name in side}
    if not set(side) & set(names) and len(others) == len(side):
        return dict(zip(side, others, strict=True))
    return None


def _assigned(split: Split, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> Split | None:
    """Return the split with its arrays on their sides; None if it lacks one."""
    if not {*inputs.values(), *outputs.values()} <= {*split.x}:
        return None
    x = {name: split.x[array] for name, array in inputs.items()}
    return Split(x, {name: split.x[array] for name, array in outputs.items()}, split.weight)


def _with_target(part: Split | None, target: str, single: Split | None) -> Split | None:
    """Return a part with the targets of `single` as one of its targets."""
    return replace(part, y={**part.y, target: single.y}) if part and single else None
