"""A model's layers and how they are connected, as rows that a table, a diagram or JSON can show.

The connections are read from what `get_config` gives, the format in which Keras saves a model: it holds every call of
every layer, also of nested and shared ones, where `layer.output` knows only the first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...backends import catalog, runtime
from ...errors import RecipeError
from ...models.recipe import Recipe

if TYPE_CHECKING:
    import keras

Row = dict[str, Any]


def layers(recipe: Recipe, options: Mapping[str, Any], backend: str | None = None) -> list[Row]:
    """Build the model and describe each layer; see `rows`.

    Raises:
        BackendError, RecipeError: the backend cannot be used, the options are not the recipe's, the model does not say
            what it takes.
    """
    catalog.use(backend)
    runtime.current()
    model = recipe(**options)
    if not model.built:
        raise RecipeError(f"{recipe.name}: the model does not say what it takes: begin it with keras.Input(shape)")
    return rows(model)


def rows(model: keras.Model) -> list[Row]:
    """Describe each layer of a built model, in order; an operation without weights, such as `a + b`, counts as one.

    Returns:
        Of each: `name`; `kind` (the Keras class); `input` and `output` (shape of one sample, a list of shapes where
        there are several, None where it is unknown); `parameters`; `inputs` (the names of the layers that feed it, None
        where that is unknown: in a model that is a class with a `call` of its own); `returned` (whether it gives an
        output of the model). A nested model also has `layers`, such rows again.
    """
    operations = getattr(model, "operations", model.layers)
    feeding, returned = _connections(model)
    return [_row(each, feeding.get(each.name), each.name in returned) for each in operations]


def _row(operation: Any, inputs: list[str] | None, returned: bool) -> Row:
    import keras

    is_layer = isinstance(operation, keras.layers.Layer)
    nested = {"layers": rows(operation)} if isinstance(operation, keras.Model) else {}
    return {
        "name": operation.name,
        "kind": type(operation).__name__,
        "input": _shape(operation, "input"),
        "output": _shape(operation, "output"),
        "parameters": operation.count_params() if is_layer else 0,
        "inputs": inputs,
        "returned": returned,
        **nested,
    }


def _shape(operation: Any, side: str) -> list[Any] | None:
    import keras

    try:
        tensors = keras.tree.flatten(getattr(operation, side))
    except AttributeError:  # it was only ever called with arrays, or not at all
        return None
    shapes = [list(tensor.shape[1:]) for tensor in tensors]
    return shapes[0] if len(shapes) == 1 else shapes


def _connections(model: keras.Model) -> tuple[dict[str, list[str]], set[str]]:
    """For each layer the names of those that feed it, and the names of those that the model returns."""
    import keras

    if isinstance(model, keras.Sequential):
        names = [layer.name for layer in model.layers]
        return dict(zip(names, [[], *([name] for name in names)], strict=False)), set(names[-1:])
    try:
        config = model.get_config()
    except Exception:  # whatever a user's own layer makes of being asked: the rest can still be shown
        return {}, set()
    if "output_layers" not in config:
        return {}, set()
    feeding = {each["name"]: list(dict.fromkeys(_sources(each["inbound_nodes"]))) for each in config["layers"]}
    outputs = keras.tree.flatten(config["output_layers"])  # (layer, call, tensor), in the structure of the outputs
    return feeding, {part for part in outputs if isinstance(part, str)}


def _sources(value: Any) -> Iterator[str]:
    """The layers whose tensors a saved call takes, at any depth of its arguments."""
    if isinstance(value, Mapping):
        if "keras_history" in value:  # (layer, call, tensor)
            yield value["keras_history"][0]
        for each in value.values():
            yield from _sources(each)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _sources(each)
