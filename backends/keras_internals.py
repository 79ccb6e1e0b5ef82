"""Every part of Keras' private API that trivium uses, named by purpose; nothing else in the package touches it.

Each entry says why no public way exists and for which Keras versions it is known to hold (`KNOWN_VERSIONS`).
tests/backends/test_keras_internals.py has a test of each: after an upgrade of Keras that file tells what has moved.
Importing this module imports neither Keras nor a framework.
"""

from __future__ import annotations

import contextlib
import importlib
import inspect
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from ..errors import FileError
from . import catalog
from .replaced_methods import original_method, overridden

# Minor versions of Keras that all of this was tested with.
KNOWN_VERSIONS = ("3.15",)

# Names of private attributes that are replaced on an object for a time.
BATCH_MOMENTS = "_moments"  # of BatchNormalization: mean and variance of a batch, which shards compute together
OPTIMIZER_UPDATE = "_parallel_update_step"  # of optimizers under PyTorch: the update of all variables at once
GRADIENT_REDUCTION = "_all_reduce_sum_gradients"  # of optimizers under TensorFlow: sums gradients over replicas

# Attributes of `keras.callbacks.Callback` that are no state of the callback.
CALLBACK_ATTRIBUTES = ("params", "_model", "_in_multi_worker_mode")


# --- modules --------------------------------------------------------------------------------------------------------


def backend_module(area: str = "") -> ModuleType:
    """Return a module of this process' backend, whose functions Keras calls directly.

    Keras has no public way to bring one's own: layers and `keras.random` draw by those of `random`, activations and
    losses compute by those of `nn`; recurrent layers loop by the function `rnn` of the package.
    """
    name = f"keras.src.backend.{catalog.selected().name}.{area}" if area else "keras.src.backend"
    return importlib.import_module(name)


def operations_module() -> ModuleType:
    """Return the module of the operations that Keras' own layers call; those of `keras.ops` are other names of them."""
    return importlib.import_module("keras.src.ops")


@contextlib.contextmanager
def replaced_functions(owner: ModuleType | type, functions: Mapping[str, Callable[..., Any]]) -> Iterator[None]:
    """While it lasts, functions of a module or class are replaced, by name, in the whole process; may be nested."""
    native = {name: getattr(owner, name) for name in functions}
    try:
        for name, function in functions.items():
            setattr(owner, name, function)
        yield
    finally:
        for name, function in native.items():
            setattr(owner, name, function)


Correction = Callable[[Callable[..., Any]], Callable[..., Any]]


@contextlib.contextmanager
def corrected(corrections: Mapping[str, Mapping[str, Correction]]) -> Iterator[None]:
    """While it lasts, functions of this process' backend are replaced in the whole process; may be nested.

    `keras.ops` looks its functions up in these modules, and so do layers, losses and metrics.

    Args:
        corrections: by module (`nn`, `numpy`, `math`) and name, what turns Keras' function into the one to be used.
    """
    with contextlib.ExitStack() as stack:
        for area, by_name in corrections.items():
            module = importlib.import_module(f"keras.src.backend.{catalog.selected().name}.{area}")
            functions = {name: correction(getattr(module, name)) for name, correction in by_name.items()}
            stack.enter_context(replaced_functions(module, functions))
        yield


def is_keras_module(name: str) -> bool:
    """Return whether a dotted module name lies in Keras' private package, where its own classes are defined."""
    return name.startswith("keras.src.")


def is_keras_own(thing: Any) -> bool:
    """Return whether a function, or the class of an object, is Keras' own."""
    return is_keras_module(getattr(thing, "__module__", None) or "")


@contextlib.contextmanager
def float64_preserved() -> Iterator[None]:
    """While it lasts, operations on float64 return float64 on every backend.

    Keras 3.12 began to return float32 (keras-team/keras#21604); #23223 asks for float64 where `floatx` is float64. It
    can go with the version that has an answer to that.
    """
    table = importlib.import_module("keras.src.backend.common.dtypes").BIT64_TO_BIT32_DTYPE
    before = table["float64"]
    table["float64"] = "float64"
    try:
        yield
    finally:
        table["float64"] = before


def set_random_seed(seed: int) -> None:
    """Seed as `keras.utils.set_random_seed` does, without importing TensorFlow under another backend.

    Keras seeds it for pipelines of `tf.data`; such a pipeline has imported it.
    """
    import keras

    with _tensorflow_as_imported():
        keras.utils.set_random_seed(seed)


@contextlib.contextmanager
def _tensorflow_as_imported() -> Iterator[None]:
    """While it lasts, Keras takes TensorFlow for installed only if it is imported already: an import takes seconds.

    There is no public way to have Keras without an installed TensorFlow.
    """
    lazy = importlib.import_module("keras.src.utils.module_utils").tensorflow
    known = lazy._available
    if lazy.name not in sys.modules:
        lazy._available = False
    try:
        yield
    finally:
        lazy._available = known


@contextlib.contextmanager
def names_restored() -> Iterator[None]:
    """Count the automatic names of layers from nothing, and afterwards as before.

    A model that is built only to look at has the names of a new process, and leaves no trace.

    Keras' public way, `clear_session`, forgets all counts.
    """
    state = importlib.import_module("keras.src.backend.common.global_state")
    before = state.get_global_attribute("object_name_uids")
    state.set_global_attribute("object_name_uids", None)
    try:
        yield
    finally:
        state.set_global_attribute("object_name_uids", before)


@contextlib.contextmanager
def downloads(*, allowed: bool) -> Iterator[None]:
    """While it lasts, Keras downloads no file unless that is allowed: it takes those that are in its cache.

    Raises:
        FileError: a file is not in the cache, or is damaged; the message names it and its address.
    """
    files = importlib.import_module("keras.src.utils.file_utils")

    def cached(fname: str, origin: str, cache_subdir: str = "datasets", **settings: Any) -> str:
        path = _keras_home() / cache_subdir / fname
        checksum = settings.get("file_hash") or settings.get("md5_hash")
        if path.is_file() and (checksum is None or files.validate_file(path, checksum)):
            return str(path)
        raise FileError(f"there is no {path}: put {origin} there, or let it be downloaded: add `options` download=true")

    with contextlib.nullcontext() if allowed else replaced_functions(files, {"get_file": cached}):
        yield


@contextlib.contextmanager
def export_samples(shape_of: Callable[[Any], Sequence[int]]) -> Iterator[None]:
    """While it lasts, Keras' exports trace a model by samples of the shapes returned for its declared shapes.

    Keras' own samples have a length of 1 or 2 along each open axis, of which a pooling leaves nothing.
    """
    import keras

    sample = {"convert_spec_to_tensor": lambda spec, **_: keras.ops.ones(shape_of(spec.shape), spec.dtype)}
    with contextlib.ExitStack() as stack:
        for name in ("onnx", "openvino", "torch"):
            stack.enter_context(replaced_functions(importlib.import_module(f"keras.src.export.{name}"), sample))
        yield


def _keras_home() -> Path:
    return Path(importlib.import_module("keras.src.backend.config").keras_home())


# --- models and layers ----------------------------------------------------------------------------------------------


def build_metrics(model: Any, x: Any, y: Any) -> None:
    """Create the variables of a compiled model's optimizer and metrics, without computing anything.

    `fit` does so at its first batch. By public means metrics are only created by computing some, which takes seconds
    under JAX.
    """
    model._symbolic_build(data_batch=(x, y, None))


def private_class(module: str, name: str) -> type:
    """Return a class that Keras publishes nowhere: an `.h5` file names ConvNeXt's `LayerScale` without its module."""
    return getattr(importlib.import_module(module), name)  # type: ignore[no-any-return]


def all_layers(model: Any) -> list[Any]:
    """Return every layer in a model or layer at any depth, itself too, with the cells of recurrent layers.

    `keras.Model.layers` lists the outermost layers only.
    """
    return list(model._flatten_layers())


def added_losses(layer: Any) -> list[Any]:
    """Return the list itself in which a layer collects what `add_loss` was given; `layer.losses` is a copy."""
    return layer._losses  # type: ignore[no-any-return]


def reduction_axes(batch_normalization: Any) -> Any:
    """Return the axes over which a BatchNormalization layer takes its statistics; it has no public name for them."""
    return batch_normalization._reduction_axes


def averaged_function(metric: Any) -> Any:
    """Return the function of which a metric takes the mean, or None; its configuration has it only by name."""
    return getattr(metric, "_fn", None)


def compiled_metrics(model: Any, targets: Any, outputs: Any) -> dict[str, Any]:
    """Return the metrics that a model is compiled with, by their names in the logs; it need not have trained.

    Keras names them when it trains the first batch, and then returns their values only. What the model holds is left
    as it is: a model whose metrics are named counts as built.

    Args:
        targets, outputs: nests of arrays or symbolic tensors; only their shapes matter.
    """
    compiled = model._compile_metrics
    if compiled is None:
        return {}
    named = type(compiled)(compiled._user_metrics, compiled._user_weighted_metrics, output_names=compiled.output_names)
    named.build(targets, outputs)
    with overridden((kind, "result", lambda metric: metric) for kind in {type(metric) for metric in named.metrics}):
        return dict(named.result())


def compile_arguments(model: Any) -> dict[str, Any]:
    """Return the arguments that a model was compiled with, by name: objects where the caller gave objects.

    `get_compile_config` is their serialized form, from which a function of the user's cannot be had back.
    """
    return dict(model._compile_config.config)


@contextlib.contextmanager
def compilation_kept(model: Any) -> Iterator[None]:
    """Keep what a model was compiled with: writing the older `.h5` format, Keras takes the optimizer out of it."""
    before = compile_arguments(model) if model.compiled else {}
    try:
        yield
    finally:
        if model.compiled:
            model._compile_config.config = before


def metric_direction(metric: Any) -> str | None:
    """Return `max` or `min`, whichever values of a metric are better, or None if Keras does not know.

    Only Keras' own callbacks read it; no public property tells it.
    """
    return {"up": "max", "down": "min"}.get(getattr(metric, "_direction", ""))


def mask_of(tensor: Any) -> Any:
    """Return the mask that comes with a layer's output, or None; `Layer.compute_mask` knows only that of one layer."""
    masking: Any = importlib.import_module("keras.src.backend.common.masking")
    return masking.get_keras_mask(tensor)


@contextlib.contextmanager
def tracked_variables(layer: Any, variables: Sequence[Any]) -> Iterator[None]:
    """While it lasts, the variables count among the layer's own, so that stateless steps carry them.

    Keras leaves the states of stateful recurrent layers out of `non_trainable_variables`; a step under JAX drops what
    is assigned to them. A layer's variables cannot be added to by public means once it is built.
    """
    layer._tracker.unlock()
    for variable in variables:
        layer._track_variable(variable)
    layer._tracker.lock()
    try:
        yield
    finally:
        for variable in variables:
            layer._untrack_variable(variable)


def nodes_of(function: Any) -> Iterator[Any]:
    """Yield each call of an operation in a `keras.Function`; Keras keeps them but shows them nowhere."""
    for nodes in function._nodes_by_depth.values():
        yield from nodes


# --- optimizers -----------------------------------------------------------------------------------------------------


def moments_of(optimizer: Any, variable: Any) -> tuple[Any, Any, Any]:
    """Return Adam's first and second moment of a variable, and the largest second moment or None without amsgrad.

    `optimizer.variables` lists them without saying which belongs to what.
    """
    index = optimizer._get_variable_index(variable)
    largest = optimizer._velocity_hats[index] if optimizer.amsgrad else None
    return optimizer._momentums[index], optimizer._velocities[index], largest


def schedule_free_momentum(optimizer: Any, variable: Any) -> Any:
    """Return the variable to which ScheduleFreeAdamW applies its gradients."""
    return optimizer._momentums[optimizer._get_variable_index(variable)]


def momentum_of(optimizer: Any, variable: Any) -> Any:
    """Return the momentum that SGD keeps for a variable."""
    return optimizer.momentums[optimizer._get_variable_index(variable)]


# --- losses and metrics ---------------------------------------------------------------------------------------------


def _classes_with_incomplete_configs() -> list[type]:
    import keras

    losses, metrics = keras.losses, keras.metrics
    return [losses.Huber, losses.CosineSimilarity, losses.SparseCategoricalCrossentropy, metrics.CosineSimilarity]


@contextlib.contextmanager
def serialization() -> Iterator[None]:
    """While it lasts, models are serialized with whole configurations, and TensorFlow is not imported for a check."""
    with _complete_configs(), _tensorflow_as_imported():
        yield


@contextlib.contextmanager
def _complete_configs() -> Iterator[None]:
    """While it lasts, `get_config` of losses and metrics has all arguments of their constructors.

    Keras 3.15 leaves out the `delta` of Huber, and the `axis` of CosineSimilarity (loss and metric) and of
    SparseCategoricalCrossentropy, so that what is loaded or copied computes with the defaults. The constructors take
    them from a configuration. keras-team/keras#23286 adds those of the losses, #23717 that of the metric: this can go
    with the version that has both.
    """
    with overridden((owner, "get_config", _complete_config(owner)) for owner in _classes_with_incomplete_configs()):
        yield


def _complete_config(owner: type) -> Callable[[Any], dict[str, Any]]:
    def get_config(instance: Any) -> dict[str, Any]:
        config = original_method(owner, "get_config")(instance)
        taken = inspect.signature(type(instance).__init__).parameters  # a user's subclass may take fewer
        lost = {name: value for name, value in instance._fn_kwargs.items() if name in taken and name not in config}
        return {**config, **lost}

    return get_config


def producer_of(tensor: Any) -> tuple[Any, list[Any], int] | None:
    """Return the layer or operation that a symbolic tensor comes from, its inputs, and the place among its outputs.

    None for a tensor that no graph produced, and for an input.
    """
    history = getattr(tensor, "_keras_history", None)
    if history is None:
        return None
    operation, node, place = history
    inputs = list(operation._inbound_nodes[node].input_tensors)
    return (operation, inputs, place) if inputs else None


def is_in_graph(tensor: Any) -> bool:
    """Return whether an operation was called with a symbolic tensor, or returned it."""
    return hasattr(tensor, "_keras_history")


def inputs_of(layer: Any) -> list[Any]:
    """Return the symbolic inputs of all calls of a layer."""
    return [tensor for node in layer._inbound_nodes for tensor in node.input_tensors]


def compiled_parts() -> tuple[type, type]:
    """Return the classes of the loss and of the metrics that `compile` makes, which hold those of the outputs."""
    module = importlib.import_module("keras.src.trainers.compile_utils")
    return module.CompileLoss, module.CompileMetrics
