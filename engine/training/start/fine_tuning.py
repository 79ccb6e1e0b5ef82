"""Fine-tuning: train a model further, with frozen layers, with a new end, or with the weights of some of its layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....backends import keras_internals
from ....errors import OptionError
from ....functions import first_of
from ....models.recipe import Recipe, registry, step
from ...bundles import architecture_file, keras_files
from ...bundles.bundle import Bundle
from ...bundles.model_file import recipe_of_file
from ...bundles.written_losses import has_recorded_losses
from ...keras_model.applications import application_recipe, is_application
from .new_head import Head

if TYPE_CHECKING:
    import keras

# Frozen layers that a sentence names; the record of a run has all of them.
_MOST_NAMES = 5


def set_trainable(model: keras.Model, freeze: Sequence[str], unfreeze: Sequence[str]) -> None:
    """Say which layers are trained.

    Args:
        freeze: patterns of layer names, such as `conv*`; the weights of these layers do not change.
        unfreeze: patterns of the layers that are trained, also where `freeze` or the model says otherwise.

    Raises:
        OptionError: a pattern matches no layer, or nothing is left to train.
    """
    for option, patterns, trainable in (("freeze", freeze, False), ("unfreeze", unfreeze, True)):
        for pattern in patterns:
            for layer in _matching(model, option, pattern):
                # Each part by itself: under TensorFlow, Keras does not hand it on to the layers of a nested model.
                for part in keras_internals.all_layers(layer):
                    part.trainable = trainable
    if freeze and not model.trainable_variables:
        raise OptionError(f"`freeze` {' '.join(freeze)}: every weight is frozen, there is nothing left to train")


def _matching(model: keras.Model, option: str, pattern: str) -> list[keras.Layer]:
    matching = [layer for layer in model.layers if fnmatchcase(layer.name, pattern)]
    if not matching:
        named = ", ".join(layer.name for layer in model.layers if layer.weights)
        raise OptionError(f"`{option}` {pattern}: no layer has such a name (there are: {named})")
    return matching


def frozen_layers(model: keras.Model, path: str = "") -> list[str]:
    """Return the names of the layers that are not trained, a layer of a model within the model as `inner/dense`."""
    names = []
    for layer in model.layers:
        if layer.weights and not layer.trainable:
            names.append(path + layer.name)
        elif hasattr(layer, "layers"):
            names += frozen_layers(layer, f"{path}{layer.name}/")
    return names


def frozen_notes(model: keras.Model) -> list[str]:
    """Return a sentence about the layers that are not trained, if there are any."""
    names = frozen_layers(model)
    return [f"not trained, but frozen: {first_of(names, _MOST_NAMES)}"] if names else []


def replace_targets(recipe: Recipe, head: Head) -> Recipe:
    """Return a recipe with the targets and the loss of a new end of its model.

    Those of a number of classes are known; those of several layers are chosen by the data and the last layer.
    """
    if isinstance(head, str):
        return replace(recipe, targets=(), loss=None, metrics=())
    return replace(
        recipe, targets=(step("one-hot", classes=head),), loss="categorical_crossentropy", metrics=("accuracy",)
    )


def recipe_of(bundle: Bundle, named: Recipe | None, head: Head | None) -> Recipe:
    """Return the recipe of a bundle, with other targets and another loss if the model gets or got a new end.

    A recipe in a user's file is only used if the user names it: a bundle never decides which code runs.

    Raises:
        OptionError: the user names another recipe than the bundle's, or must name the bundle's and does not.
    """
    if has_recorded_losses(bundle):
        raise OptionError(
            "`start`: the bundle's model was trained by losses of its own, which it does not hold: go on with the run "
            "by `resume`, or load the model in a function that calls trivium.with_losses"
        )
    recipe = named or _bundled_recipe(bundle)
    bundled = bundle.run["recipe"]
    if named is not None and named.name != bundled and bundled in registry():
        raise OptionError(
            f"the bundle holds {bundled}, not {named.name}: leave the recipe out, or name that one; to take the "
            "weights of some layers into another model, name them by `layers`"
        )
    head = recorded_head(bundle) if head is None else head
    return recipe if head is None else replace_targets(recipe, head)


def _bundled_recipe(bundle: Bundle) -> Recipe:
    """Return the recipe that a bundle was trained from.

    Raises:
        OptionError: it is in a user's file.
    """
    name = bundle.run["recipe"]
    if name in registry():
        return registry()[name]
    if is_application(name):
        return application_recipe(name)
    if Path(name).suffix.lower() in (*keras_files.ENDINGS, *architecture_file.ENDINGS):  # no code, and not read again
        return recipe_of_file(name, bundle.build)
    raise OptionError(f"the bundle holds {name}, which is no registered recipe: name it before `start`")


def recorded_head(bundle: Bundle) -> Head | None:
    """Return the new end that the model of a bundle got in its training, or before."""
    start = bundle.run["settings"].get("start")
    head = (start.get("head") or start.get("replace_head")) if isinstance(start, dict) else None
    return head if isinstance(head, int | str) else None


def options_of(bundle: Bundle) -> dict[str, Any]:
    """Return the options that the bundle's model was built with."""
    options = bundle.run["settings"]["options"]
    return {name: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
