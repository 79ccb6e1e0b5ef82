"""What a verification is made on: one compiled model, built alike in every worker, and the batches it is given.

The batches are a recipe's own data, or drawn where a model brings none. Everything here runs in a worker, under the
backend that is asked; only arrays and names travel. It judges nothing.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import runtime
from ...backends.same_run.randomness import owned_initial_weights
from ...errors import RecipeError
from ...models.recipe import Recipe, find
from ..bundles import bundle as bundles
from ..data import datasets
from ..data.dataset import Dataset, Split
from ..epochs import precision as precisions
from ..keras_model.inference import fixed_batch
from ..training.trainer import Trainer, dataset_for

if TYPE_CHECKING:
    import keras

# Rounding shows on few samples as well as on many, and a verification runs every step on each backend.
LARGEST_BATCH = 32
_LENGTH = 8  # of an input's axis whose length is open, such as that of a sequence

Batches = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class Specimen:
    """What every worker makes the same model from.

    Attributes:
        source: a recipe's name, `path/to/file.py:function`, or the path of a bundle.
        is_bundle: whether it is the latter.
        data: a dataset's name or file, or `{"name", "x", "y"}` with arrays; None for the source's own.
        options: the recipe's.
        batch_size: None for the recipe's, 32 at most.
        seed: of initial weights, batch order and drawn data.
        float64: whether everything is computed in float64.
    """

    source: str
    is_bundle: bool = False
    data: Any = None
    options: dict[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    seed: int = 0
    float64: bool = False

    @property
    def trainer(self) -> Trainer:
        """The trainer that builds and compiles the model, the data apart."""
        return Trainer(self.source, options=self.options, batch_size=self.batch_size, seed=self.seed)

    def dataset(self, recipe: Recipe) -> Dataset | None:
        """The data that were given, else the recipe's own; None where there are neither."""
        if isinstance(self.data, dict):
            split = Split(self.data["x"], self.data["y"])
            return Dataset(self.data["name"], split, None, (), "given")
        if self.data is None and recipe.dataset is None:
            return None
        # What is verified is the computation: the sample serves as well as all digits.
        return dataset_for(recipe, self.data or datasets.same_everywhere(recipe.dataset))


@contextlib.contextmanager
def fresh_keras(float64: bool) -> Iterator[None]:
    """Keras as in a fresh process; for the time of the context in float64, where that is asked for."""
    runtime.current()
    import keras

    keras.utils.clear_session(free_memory=False)  # layers without a name get those that a fresh process gives them
    with precisions.building(precisions.FLOAT64 if float64 else None):
        yield


def build(specimen: Specimen) -> tuple[keras.Model, Split | None]:
    """The compiled model, and its prepared data where there are some.

    Raises:
        TriviumError: the source or its data cannot be had.
    """
    runtime.current()
    import keras

    keras.utils.set_random_seed(specimen.seed)
    if specimen.is_bundle:
        return _from_bundle(specimen)
    trainer = specimen.trainer
    recipe = trainer.recipe
    assert isinstance(recipe, Recipe)  # the trainer has found it
    dataset = specimen.dataset(recipe)
    if dataset:
        return trainer.make_ready(dataset)
    with owned_initial_weights(specimen.seed):
        model = recipe(**trainer.options)
    _require_inputs(model, specimen.source)
    if not model.compiled:
        model.compile(optimizer=trainer.optimizer, loss=recipe.loss or "mean_squared_error")
    return model, None


def batches_for(specimen: Specimen, model: keras.Model, data: Split | None, steps: int) -> Batches:
    """The batches of all steps: `{"x": [(steps, batch, …) for each input], "y": the same for each output}`."""
    generator = np.random.default_rng(specimen.seed)
    recipe = None if specimen.is_bundle else find(specimen.source)
    usual = min(recipe.batch_size, LARGEST_BATCH) if recipe else LARGEST_BATCH
    size = fixed_batch(model) or specimen.batch_size or usual
    if data is None:
        x = [_draw_input(model, tensor, (steps, size), generator) for tensor in model.inputs]
        return {"x": _as_taken(model, x), "y": _draw_targets(model, x, generator)}
    in_order = recipe is not None and not recipe.shuffle
    order = np.arange(len(data)) if in_order else generator.permutation(len(data))
    chosen = np.resize(order, (steps, size))
    x = _as_taken(model, [data.x[chosen]])
    # A bundle brings inputs, but no targets for them.
    y = _floats([data.y[chosen]]) if recipe else _draw_targets(model, x, generator)
    return {"x": x, "y": y}


def batch(model: keras.Model, batches: Batches, step: int) -> tuple[Any, Any]:
    """Step `step` of the batches, counted from 0, as the model takes it: x and y in the nests of its own."""
    x = [values[step] for values in batches["x"]]
    y = [values[step] for values in batches["y"]]
    return _nested(model, "input", x), _nested(model, "output", y)


def _nested(model: keras.Model, side: str, arrays: list[np.ndarray]) -> Any:
    import keras

    if isinstance(model, keras.Sequential):
        return arrays[0]
    return keras.tree.pack_sequence_as(getattr(model, side), arrays)


def _from_bundle(specimen: Specimen) -> tuple[keras.Model, Split]:
    from ..keras_model.float64 import widened

    found = bundles.load(Path(specimen.source))
    model = widened(found.model) if specimen.float64 else found.model
    if model.compiled:
        model.compile(optimizer=_afresh(model.optimizer), loss=model.loss)
    else:
        model.compile(optimizer="adam", loss="mean_squared_error")
    return model, Split(found.recorded_inputs, found.recorded_outputs)


def _afresh(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """The optimizer without its state, of this backend's own kind: PyTorch saves one that runs on PyTorch only."""
    import keras

    kind = getattr(keras.optimizers, type(optimizer).__name__, type(optimizer))
    return kind.from_config(optimizer.get_config())


def _require_inputs(model: keras.Model, source: str) -> None:
    if not getattr(model, "inputs", None):
        raise RecipeError(f"{source} makes a model that names no inputs: begin it with keras.Input")


def _draw_input(model: keras.Model, tensor: Any, steps: tuple[int, int], generator: np.random.Generator) -> np.ndarray:
    """Values that an input can take: small whole numbers where something is looked up by them, else normal ones."""
    shape = (*steps, *(_LENGTH if length is None else length for length in tensor.shape[1:]))
    counts = _counts(model, tensor)
    if counts or not _is_float(tensor.dtype):
        return generator.integers(0, min(counts, default=2), shape)
    return generator.normal(size=shape)


def _counts(model: keras.Model, tensor: Any) -> list[int]:
    """How many different numbers the layers behind an input know, for those that look them up."""
    import keras

    found = []
    for layer in flat_layers(model):
        count = getattr(layer, "input_dim" if isinstance(layer, keras.layers.Embedding) else "num_tokens", None)
        # An input of floats may feed an embedding too; one of whole numbers may reach it by a detour.
        if count and (not _is_float(tensor.dtype) or any(tensor is each for each in _inputs_of(layer))):
            found.append(int(count))
    return found


def _inputs_of(layer: keras.layers.Layer) -> list[Any]:
    import keras

    try:
        return list(keras.tree.flatten(layer.input))
    except (AttributeError, ValueError):  # never called, or called more than once
        return []


def flat_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """The layers of a model, those of the models within it before the model that holds them."""
    import keras

    found = []
    for layer in model.layers:
        found += [*(flat_layers(layer) if isinstance(layer, keras.Model) else []), layer]
    return found


def _draw_targets(model: keras.Model, x: list[np.ndarray], generator: np.random.Generator) -> list[np.ndarray]:
    """Targets shaped like each output, of the kind that its loss wants."""
    import keras

    first = _nested(model, "input", [values[0] for values in x])
    shapes = [tuple(output.shape) for output in keras.tree.flatten(model(first))]
    drawn = [
        _draw_target(kind, (len(x[0]), *shape), generator)
        for kind, shape in zip(_kinds_of_loss(model, len(shapes)), shapes, strict=True)
    ]
    return _floats(drawn)


def _draw_target(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if "sparsecategorical" in kind:
        return generator.integers(0, shape[-1], shape[:-1])
    if "categorical" in kind or "kldivergence" in kind:
        return np.eye(shape[-1])[generator.integers(0, shape[-1], shape[:-1])]
    if "binary" in kind or "hinge" in kind:
        return generator.integers(0, 2, shape).astype("float64")
    return generator.uniform(size=shape)


def _kinds_of_loss(model: keras.Model, outputs: int) -> list[str]:
    """For each output, the names that its loss goes by, without spaces."""
    loss = model.loss
    if isinstance(loss, dict):
        losses = [loss.get(name) for name in model.output_names]
    elif isinstance(loss, list | tuple):
        losses = list(loss)
    else:
        losses = [loss] * outputs
    return [_kind_of_loss(loss) for loss in losses]


def _kind_of_loss(loss: Any) -> str:
    if isinstance(loss, str):
        names = [loss]
    else:
        own = getattr(loss, "name", None) or getattr(loss, "__name__", "")
        names = [str(own), *(kind.__name__ for kind in type(loss).__mro__)]
    return " ".join(name.replace("_", "").lower() for name in names)


def _as_taken(model: keras.Model, x: list[np.ndarray]) -> list[np.ndarray]:
    """Inputs in the dtype that the model declares where that is no float, so that each backend is given the same."""
    taken = []
    for values, tensor in zip(x, model.inputs, strict=True):
        taken.append(_floats([values])[0] if _is_float(tensor.dtype) else values.astype(tensor.dtype))
    return taken


def _floats(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Floats in the precision of the run, whole numbers as int32, which every backend has."""
    import keras

    dtypes = {"f": keras.config.floatx(), "i": "int32", "u": "int32"}
    return [values.astype(dtypes.get(values.dtype.kind, values.dtype)) for values in arrays]


def _is_float(dtype: Any) -> bool:
    return "float" in str(dtype)
