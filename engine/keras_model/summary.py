"""Summarise a model's layers and their connections, as rows for a table, a diagram, or JSON.

The connections are read from `get_config`, Keras' format for saved models. It holds every call of every layer,
including nested and shared layers, whereas `layer.output` knows only the first call.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...backends import catalog, keras_internals, runtime
from ...errors import RecipeError
from ...models.recipe import Recipe
from .layer_settings import settings_of

if TYPE_CHECKING:
    import keras

Row = dict[str, Any]


def layers(recipe: Recipe, options: Mapping[str, Any], backend: str | None = None) -> list[Row]:
    """Build the model and describe each layer; see `rows`.

    Raises:
        BackendError: the backend cannot be used.
        RecipeError: the recipe has no such options, or the model declares no inputs.
    """
    catalog.use(backend)
    runtime.current()
    with keras_internals.names_restored():
        model = recipe(**options)
    if not model.built:
        raise RecipeError(f"{recipe.name}: the model does not say what it takes: begin it with keras.Input(shape)")
    return rows(model)


def rows(model: keras.Model) -> list[Row]:
    """Describe each layer of a built model, in order. Operations without weights, such as `a + b`, are included.

    Returns:
        For each layer: `name`; `kind` (the Keras class); `input` and `output` (the shape of one sample, a list of
        shapes if there are several, None if unknown); `settings` (see `layer_settings`); `parameters`; `inputs` (the
        names of the layers that feed it; None if unknown, as in a subclassed model with its own `call`); `returned`
        (whether it is an output of the model). A nested model also has `layers`: its own rows.
    """
    operations = getattr(model, "operations", model.layers)
    feeding, returned = _connections(model)
    return [_row(operation, feeding.get(operation.name), operation.name in returned) for operation in operations]


def _row(operation: Any, inputs: list[str] | None, returned: bool) -> Row:
    import keras

    is_layer = isinstance(operation, keras.layers.Layer)
    nested = {"layers": rows(operation)} if isinstance(operation, keras.Model) else {}
    return {
        "name": operation.name,
        "kind": type(operation).__name__,
        "input": _shape(operation, "input"),
        "output": _shape(operation, "output"),
        "settings": settings_of(operation) if is_layer and not nested else {},
        "parameters": operation.count_params() if is_layer else 0,
        "inputs": inputs,
        "returned": returned,
        **nested,
    }


def _shape(operation: Any, side: str) -> list[Any] | None:
    import keras

    try:
        tensors = keras.tree.flatten(getattr(operation, side))
    except AttributeError:  # the layer was never called with symbolic tensors
        return None
    shapes = [list(tensor.shape[1:]) for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes


def _connections(model: keras.Model) -> tuple[dict[str, list[str]], set[str]]:
    """Return for each layer the names of the layers that feed it, and the names of the output layers."""
    import keras

    if isinstance(model, keras.Sequential):
        names = [layer.name for layer in model.layers]
        return dict(zip(names, [[], *([name] for name in names)], strict=False)), set(names[-1:])
    try:
        config = model.get_config()
    except Exception:  # a custom layer may raise anything: show the rest without connections
        return {}, set()
    if "output_layers" not in config:
        return {}, set()
    feeding = {
        layer_config["name"]: list(dict.fromkeys(_sources(layer_config["inbound_nodes"])))
        for layer_config in config["layers"]
    }
    outputs = keras.tree.flatten(config["output_layers"])  # (layer, call, tensor), in the structure of the outputs
    return feeding, {part for part in outputs if isinstance(part, str)}


def _sources(value: Any) -> Iterator[str]:
    """Yield the layers whose tensors a saved call takes, at any depth of its arguments."""
    if isinstance(value, Mapping):
        if "keras_history" in value:  # (layer, call, tensor)
            yield value["keras_history"][0]
        for child in value.values():
            yield from _sources(child)
    elif isinstance(value, list | tuple):
        for child in value:
            yield from _sources(child)
