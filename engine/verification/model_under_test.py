"""The model under test: one compiled model, built in the same way in every worker, and its batches.

Batches come from the recipe's own data, or are drawn at random if there are no data. Everything here runs in a worker,
under that worker's backend; only arrays and names are sent between processes. The results are compared in
`verification.py`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import keras_internals, runtime
from ...backends.epochs import has_written_losses
from ...backends.same_run.randomness import portable_initial_weights
from ...data import datasets
from ...data.columns import to_column
from ...data.dataset import Dataset, Split
from ...data.nests import Nest, arrays_of
from ...data.tables.preparation import steps_for
from ...errors import DataError, RecipeError
from ...models.recipe import Recipe
from ..bundles import bundle as bundles
from ..bundles import model_file
from ..bundles.named_recipe import find
from ..epochs import precision as precisions
from ..keras_model.inference import fixed_batch
from ..keras_model.interface import pack, tensors_of
from ..keras_model.loss_names import loss_names
from ..keras_model.open_axes import Size, closed, usual_size
from ..training.recipe_data import dataset_for
from ..training.trainer import Trainer
from . import parity

if TYPE_CHECKING:
    import keras

# A small batch shows rounding differences as well as a large one, and every step runs on every backend.
LARGEST_BATCH = 32

StepBatches = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class ModelUnderTest:
    """The specification from which every worker builds the same model.

    Attributes:
        source: a recipe's name, `path/to/file.py:function`, or the path of a bundle.
        is_bundle: whether `source` is a bundle.
        data: a dataset's name or file, or `{"name", "x", "y", "labels", "kind", "guesses_classes", "columns"}`,
            with arrays; None for the source's own data.
        options: options of the recipe.
        batch_size: None for the recipe's batch size, limited to 32.
        seed: of initial weights, batch order, and drawn data.
        float64: whether to compute everything in float64.
        loss, optimizer: what to compile the model with; None for its own.
        without_dropout: whether to set the rates of all dropout layers to 0.
    """

    source: str
    is_bundle: bool = False
    data: Any = None
    options: dict[str, Any] = field(default_factory=dict)
    batch_size: int | None = None
    seed: int = 0
    float64: bool = False
    loss: str | None = None
    optimizer: str | None = None
    without_dropout: bool = False

    @property
    def trainer(self) -> Trainer:
        """Return the trainer that builds and compiles the model. It has no data."""
        return Trainer(self.source, options=self.options, batch_size=self.batch_size, seed=self.seed)

    def dataset(self, recipe: Recipe) -> Dataset | None:
        """Return `data`, or else the recipe's own dataset; None if there is neither."""
        if isinstance(self.data, dict):
            return _received(self.data)
        if self.data is None and recipe.dataset is None:
            return None
        # Only the computation is verified, so the small sample of MNIST is as good as the full dataset.
        dataset = dataset_for(recipe, self.data or datasets.portable_name(recipe.dataset))
        dataset.require_arrays("`verify`")
        return dataset


def _received(data: Mapping[str, Any]) -> Dataset:
    """Return the dataset that was sent to this worker."""
    labels = data["labels"]
    columns = tuple(map(to_column, data["columns"]))
    named = {name: tuple(names) for name, names in labels.items()} if isinstance(labels, dict) else tuple(labels)
    split = Split(data["x"], data["y"])
    dataset = Dataset(data["name"], split, None, named, "given", kind=data["kind"])
    return replace(dataset, columns=columns, preparation=steps_for(columns), guesses_classes=data["guesses_classes"])


@contextlib.contextmanager
def fresh_keras(float64: bool) -> Iterator[None]:
    """Reset Keras' global state, and optionally set its precision to float64 within the context."""
    runtime.current()
    import keras

    keras.utils.clear_session(free_memory=False)  # unnamed layers get the names they have in a fresh process
    with precisions.global_policy(precisions.FLOAT64 if float64 else None):
        yield


def build(model_under_test: ModelUnderTest) -> tuple[keras.Model, Split | None]:
    """Build and compile the model. Return it with its prepared data, or None if it has no data.

    Raises:
        TriviumError: the source or its data cannot be loaded.
    """
    runtime.current()
    keras_internals.set_random_seed(model_under_test.seed)
    model, data = _build(model_under_test)
    if model_under_test.without_dropout:
        switch_dropout_off(model)
    if model_under_test.loss or model_under_test.optimizer:
        model.compile(model_under_test.optimizer or model.optimizer, loss=model_under_test.loss or model.loss)
    return model, data


def _build(model_under_test: ModelUnderTest) -> tuple[keras.Model, Split | None]:
    if model_under_test.is_bundle:
        return _build_from_bundle(model_under_test)
    trainer = model_under_test.trainer
    recipe = trainer.recipe
    assert isinstance(recipe, Recipe)  # the trainer has resolved the name
    dataset = model_under_test.dataset(recipe)
    if dataset:
        return trainer.make_ready(dataset)
    with portable_initial_weights(model_under_test.seed):
        model = recipe(**trainer.options)
    _require_inputs(model, model_under_test.source)
    if not model.compiled:
        loss = None if has_written_losses(model) else recipe.loss or "mean_squared_error"
        model.compile(optimizer=trainer.resolved.optimizer, loss=loss)
    return model, None


def switch_dropout_off(model: keras.Model) -> None:
    """Set the rates of Keras' dropout and noise to 0, also within recurrent layers and attention."""
    for layer in keras_internals.all_layers(model):
        if keras_internals.is_keras_module(type(layer).__module__):
            for name in ("rate", "stddev", "dropout", "recurrent_dropout"):
                # A recurrent layer shows the rate of its cell, which is among the layers itself.
                is_own = not isinstance(getattr(type(layer), name, None), property)
                if is_own and isinstance(getattr(layer, name, None), (int, float)):
                    setattr(layer, name, 0.0)


def make_batches(model_under_test: ModelUnderTest, model: keras.Model, data: Split | None, steps: int) -> StepBatches:
    """Return the batches of all steps: `{"x": [(steps, batch, …) per input], "y": the same per output}`."""
    generator = np.random.default_rng(model_under_test.seed)
    recipe = None if model_under_test.is_bundle else find(model_under_test.source)
    usual = min(recipe.batch_size, LARGEST_BATCH) if recipe else LARGEST_BATCH
    size = fixed_batch(model) or model_under_test.batch_size or usual
    if data is None:
        x = _draw_inputs(model, (steps, size), generator)
        return {"x": _in_declared_dtypes(model, x), "y": _draw_targets(model, x, generator)}
    in_order = recipe is not None and not recipe.shuffle
    order = np.arange(len(data)) if in_order else generator.permutation(len(data))
    indices = np.resize(order, (steps, size))
    x = _in_declared_dtypes(model, _rows_of(data.x, indices))
    # A bundle has recorded inputs, but no targets.
    y = _cast_numbers(_rows_of(data.y, indices)) if recipe else _draw_targets(model, x, generator)
    return {"x": x, "y": y}


def draw_inputs(model: keras.Model) -> list[np.ndarray]:
    """Return one batch of random values for each input of a model, of the size that it takes."""
    x = _draw_inputs(model, (1, fixed_batch(model) or LARGEST_BATCH), np.random.default_rng(0))
    return [values[0] for values in _in_declared_dtypes(model, x)]


def _rows_of(nest: Nest, indices: np.ndarray) -> list[np.ndarray]:
    """Return the rows (steps, batch, …) of each array."""
    flat = indices.reshape(-1)
    return [array[flat].reshape(*indices.shape, *array.shape[1:]) for array in arrays_of(nest)]


def batch_at(model: keras.Model, batches: StepBatches, step: int) -> tuple[Any, Any]:
    """Return x and y of step `step`, counted from 0, as tensors, nested as the model's inputs and outputs."""
    x, y = (tensors_of([values[step] for values in batches[side]]) for side in ("x", "y"))
    return pack(model, "input", x), pack(model, "output", y)


def _build_from_bundle(model_under_test: ModelUnderTest) -> tuple[keras.Model, Split | None]:
    import keras

    from ..keras_model.float64 import to_float64

    path = Path(model_under_test.source)
    bundle = model_file.load_bundle(path) if model_file.is_model_file(path) else bundles.load(path)
    model = to_float64(bundle.model) if model_under_test.float64 else bundle.model
    if model.compiled:
        metrics = keras.saving.deserialize_keras_object((model.get_compile_config() or {}).get("metrics"))
        model.compile(_without_state(model.optimizer), loss=model.loss or "mean_squared_error", metrics=metrics)
    else:
        model.compile(optimizer="adam", loss="mean_squared_error")
    recorded = Split(bundle.input_arrays, bundle.output_arrays)
    return model, recorded if len(recorded) else None


def _without_state(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Return a new optimizer of this backend, without state: one saved under PyTorch runs on PyTorch only."""
    import keras

    kind = getattr(keras.optimizers, type(optimizer).__name__, type(optimizer))
    return kind.from_config(optimizer.get_config())


def _require_inputs(model: keras.Model, source: str) -> None:
    if not getattr(model, "inputs", None):
        raise RecipeError(f"{source}: the model declares no inputs: begin it with keras.Input")


def _draw_inputs(model: keras.Model, steps: tuple[int, int], generator: np.random.Generator) -> list[np.ndarray]:
    """Draw (steps, batch, …) values for each input; `steps` has the first two lengths."""
    lengths = usual_size(model)
    return [_draw_input(model, tensor, steps, lengths, generator) for tensor in model.inputs]


def _draw_input(
    model: keras.Model, tensor: Any, steps: tuple[int, int], lengths: Size, generator: np.random.Generator
) -> np.ndarray:
    """Draw values for an input: integers within the vocabulary if the input is looked up, otherwise normal values."""
    if str(tensor.dtype) == "string":
        raise DataError(
            f"the input {tensor.name} takes text, which only TensorFlow computes with: look the words up outside of "
            "the model, as the recipe text/classes does"
        )
    shape = (steps[0], *closed(tensor.shape, lengths, steps[1]))
    counts = _vocabulary_sizes(model, tensor)
    if counts or not _is_float(tensor.dtype):
        return generator.integers(0, min(counts, default=2), shape)
    return generator.normal(size=shape)


def _vocabulary_sizes(model: keras.Model, tensor: Any) -> list[int]:
    """Return the vocabulary sizes of the lookup layers (such as Embedding) behind an input."""
    import keras

    sizes = []
    for layer in flat_layers(model):
        count = getattr(layer, "input_dim" if isinstance(layer, keras.layers.Embedding) else "num_tokens", None)
        # A float input may feed an embedding directly; an integer input may reach it through other layers.
        if count and (not _is_float(tensor.dtype) or any(tensor is layer_input for layer_input in _inputs_of(layer))):
            sizes.append(int(count))
    return sizes


def _inputs_of(layer: keras.layers.Layer) -> list[Any]:
    import keras

    try:
        return list(keras.tree.flatten(layer.input))
    except (AttributeError, ValueError):  # the layer was never called, or more than once
        return []


def coarsest_dtype(model: keras.Model) -> str:
    """Return the compute dtype with the largest tolerance among the layers."""
    dtypes = {str(layer.compute_dtype) for layer in flat_layers(model)} & parity.TOLERANCES.keys()
    return max(dtypes, key=parity.TOLERANCES.__getitem__, default="float32")


def flat_layers(model: keras.Model) -> list[keras.layers.Layer]:
    """Return all layers of a model. Layers of a nested model come before the nested model itself."""
    import keras

    layers = []
    for layer in model.layers:
        layers += [*(flat_layers(layer) if isinstance(layer, keras.Model) else []), layer]
    return layers


def _draw_targets(model: keras.Model, x: list[np.ndarray], generator: np.random.Generator) -> list[np.ndarray]:
    """Draw targets for each output, of the shape and kind that its loss expects."""
    import keras

    first = pack(model, "input", [values[0] for values in x])
    shapes = [tuple(output.shape) for output in keras.tree.flatten(model(first))]
    targets = [
        _draw_target(kind, (len(x[0]), *shape), generator)
        for kind, shape in zip(loss_names(model), shapes, strict=True)
    ]
    return _cast_numbers(targets)


def _draw_target(kind: str, shape: tuple[int, ...], generator: np.random.Generator) -> np.ndarray:
    if "sparsecategorical" in kind:
        return generator.integers(0, shape[-1], shape[:-1])
    if "categorical" in kind or "kldivergence" in kind:
        return np.eye(shape[-1])[generator.integers(0, shape[-1], shape[:-1])]
    if "binary" in kind or "hinge" in kind:
        return generator.integers(0, 2, shape).astype("float64")
    return generator.uniform(size=shape)


def _in_declared_dtypes(model: keras.Model, x: list[np.ndarray]) -> list[np.ndarray]:
    """Cast inputs to the model's integer dtypes where it declares them, so that all backends get the same values."""
    inputs = []
    for values, tensor in zip(x, model.inputs, strict=True):
        inputs.append(_cast_numbers([values])[0] if _is_float(tensor.dtype) else values.astype(tensor.dtype))
    return inputs


def _cast_numbers(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Cast floats to the precision of the run, and integers to int32, which every backend has."""
    import keras

    dtypes = {"f": keras.config.floatx(), "i": "int32", "u": "int32"}
    return [values.astype(dtypes.get(values.dtype.kind, values.dtype)) for values in arrays]


def _is_float(dtype: Any) -> bool:
    return "float" in str(dtype)
