"""Open axes: axes of an input, beyond the batch, that may have any length, such as time, height and width.

A model is tried at several sizes: what computes right at one length need not at another. A size has one length for
each open axis of an input, in their order; an input with fewer open axes takes the first ones. A model may accept only
some sizes, for example those that a pooling leaves something of, so each is first tried on the model itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from .inference import fixed_batch
from .interface import pack

if TYPE_CHECKING:
    import keras

Size = tuple[int, ...]
Shape = Sequence[int | None]
ShapesBySize = dict[Size, list[tuple[int, ...]]]

# Lengths of a single open axis, and sizes of two; those at the end are for models that refuse some of the first.
_LENGTHS: tuple[Size, ...] = ((1,), (3,), (17,), (200,), (32,), (64,), (128,))
_AREAS: tuple[Size, ...] = ((8, 8), (17, 23), (64, 40), (32, 64), (96, 64), (224, 256))
_TRIED = {1: 4, 2: 3}
# Lengths of all open axes, of which the first that the model takes is usual.
_USUAL = (8, 32, 64, 128, 224)
_SAMPLES = 2
# The names of spatial axes, the last of which a picture has.
_SPATIAL = ("depth", "height", "width")


def open_axes(shape: Shape) -> tuple[int, ...]:
    """Return the axes of a shape, beyond the batch, that have no fixed length."""
    return tuple(axis for axis, length in enumerate(shape) if axis and length is None)


def closed(shape: Shape, size: Size, samples: int) -> tuple[int, ...]:
    """Return a shape with its open axes of this size, and a batch of so many samples."""
    lengths = iter(size)
    return (samples, *(next(lengths) if length is None else length for length in shape[1:]))


def usual_size(model: keras.Model) -> Size:
    """Return a size of moderate lengths that the model takes; empty for a model without open axes."""
    count = _count(model)
    sizes: list[Size] = [(length,) * count for length in _USUAL]
    return next((size for size in sizes if _outputs_at(model, size) is not None), sizes[0]) if count else ()


def output_shapes(model: keras.Model) -> ShapesBySize:
    """Return the shapes of the outputs at up to four sizes that the model takes; empty for one without open axes."""
    count = _count(model)
    shapes = ((size, _outputs_at(model, size)) for size in (_candidates(count) if count else ()))
    taken = ((size, outputs) for size, outputs in shapes if outputs is not None)
    return dict(itertools.islice(taken, _TRIED.get(count, 2)))


def axis_names(model: keras.Model, by_size: ShapesBySize) -> dict[str, list[list[str | None]]]:
    """Return the names of the axes of any length, for `inputs` and `outputs`: one per axis, None for a fixed one.

    The first is `batch`. Others are `time`, or `height` and `width`, with the name of the input before them if
    several inputs have some. An axis of an output has the name of the input's axis that is always as long.

    Args:
        by_size: what `output_shapes` returns.
    """
    several = sum(bool(open_axes(tensor.shape)) for tensor in model.inputs) > 1
    inputs = [_names_of(tensor.shape, f"{tensor.name}_" if several else "") for tensor in model.inputs]
    outputs = []
    for index, output in enumerate(model.outputs):
        names = _names_of(output.shape, f"output_{index}_" if len(model.outputs) > 1 else "output_")
        for axis in open_axes(output.shape):
            lengths = [shapes[index][axis] for shapes in by_size.values()]
            names[axis] = _axis_as_long(model, inputs, list(by_size), lengths) or names[axis]
        outputs.append(names)
    return {"inputs": inputs, "outputs": outputs}


def _axis_as_long(
    model: keras.Model, names: list[list[str | None]], sizes: list[Size], lengths: list[int]
) -> str | None:
    """Return the name of the input axis of these lengths at these sizes; None if none or several have them."""
    matches = {
        names_of_input[axis]
        for tensor, names_of_input in zip(model.inputs, names, strict=True)
        for place, axis in enumerate(open_axes(tensor.shape))
        if len(sizes) > 1 and [size[place] for size in sizes] == lengths
    }
    return matches.pop() if len(matches) == 1 else None


def _names_of(shape: Shape, prefix: str) -> list[str | None]:
    axes = open_axes(shape)
    spatial = _SPATIAL[-len(axes) :] if len(axes) > 1 else ("time",)
    names: list[str | None] = ["batch" if axis == 0 and length is None else None for axis, length in enumerate(shape)]
    for place, axis in enumerate(axes):
        names[axis] = prefix + (spatial[place] if len(axes) <= len(spatial) else f"axis_{axis}")
    return names


def _count(model: keras.Model) -> int:
    return max(len(open_axes(tensor.shape)) for tensor in model.inputs)


def _candidates(count: int) -> Iterator[Size]:
    for size in _LENGTHS if count == 1 else _AREAS:
        yield tuple(itertools.islice(itertools.cycle(size), count))


def _outputs_at(model: keras.Model, size: Size) -> list[tuple[int, ...]] | None:
    """Return the shapes of the model's outputs at a size; None if it cannot compute them, or they are not numbers."""
    import keras

    samples = fixed_batch(model) or _SAMPLES
    try:
        inputs: list[Any] = [keras.ops.ones(closed(x.shape, size, samples), x.dtype) for x in model.inputs]
        outputs = keras.tree.flatten(model(pack(model, "input", inputs), training=False))
        arrays = [keras.ops.convert_to_numpy(output) for output in outputs]
    except Exception:  # each framework raises its own for a length that a layer does not take
        return None
    # JAX looks up NaN beyond the end of a table, where the other frameworks raise.
    return [array.shape for array in arrays] if all(np.isfinite(array).all() for array in arrays) else None
