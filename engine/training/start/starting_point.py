"""What a training starts from: a new model, a trained one, or a new model with weights that others have learned."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ....errors import OptionError
from ....models.recipe import Recipe
from ....storage.regular_file import sha256_of
from ....storage.tensor_file import SUFFIX
from ...bundles import bundle as bundles
from ...bundles import keras_files, model_file
from ...bundles.bundle import Bundle
from ...bundles.model_file import recipe_of_file
from ...bundles.stored_weights import StoredWeights
from ...keras_model.applications import begins_at_random
from . import fine_tuning
from .new_head import Head

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class StartingPoint:
    """What a training starts from.

    Attributes:
        recipe: builds the model, but where a bundle does; a whole model in Keras' own file is a recipe of its own.
        bundle: whose model is trained further, with its preparation.
        weights: put into the recipe's model.
        layers: patterns of the layers that get `weights`; all of them if there are none.
        file: the path that was given; None for a new model, and for a bundle in memory.
        sha256: of the model or the weights; empty for a new model.
    """

    recipe: Recipe
    bundle: Bundle | None = None
    weights: StoredWeights | None = None
    layers: tuple[str, ...] = ()
    file: str | None = None
    sha256: str = ""

    @property
    def is_new(self) -> bool:
        """Whether nothing was learned before."""
        return not self.sha256

    def notes(self, model: keras.Model, options: Mapping[str, Any]) -> list[str]:
        """Return sentences about the layers that are not trained, and about a known network that has learned nothing.

        Args:
            model: that is going to be trained.
            options: of the recipe.
        """
        is_random = self.is_new and begins_at_random(self.recipe, options)
        sentence = f"{self.recipe.name} begins with random weights, and all are trained: --set weights=imagenet"
        return [*([sentence] if is_random else []), *fine_tuning.frozen_notes(model)]

    def describe(self, freeze: Sequence[str], head: Head | None) -> dict[str, Any]:
        """Return the entry for the run's record, with the layers that stay as they are and the model's new end."""
        inherited = fine_tuning.recorded_head(self.bundle) if self.bundle and head is None else None
        return {
            "recipe": self.bundle.run["recipe"] if self.bundle else None,
            "file": self.file,
            "sha256": self.sha256,
            "freeze": list(freeze),
            "replace_head": head,
            **({"head": inherited} if inherited is not None else {}),
            **({"layers": list(self.layers)} if self.layers else {}),
        }

    @property
    def is_file(self) -> bool:
        """Whether the model is a whole one in Keras' own file, with dtypes of its own."""
        return not self.is_new and self.bundle is None and self.weights is None


def resolve(
    named: Recipe | None,
    start: Bundle | str | Path | None,
    layers: Sequence[str] = (),
    head: Head | None = None,
    has_loss: bool = False,
) -> StartingPoint:
    """Return what a training starts from.

    Args:
        named: the recipe that the user names, if any.
        start: a bundle, its file or run folder, or one of Keras' own files.
        layers: patterns of the layers whose weights are taken from `start`.
        head: the new end of the model.
        has_loss: whether the user names a loss, so that a model may come without its own compilation.

    Raises:
        OptionError: a recipe is missing, or goes not with the start.
        BundleError, FileError: the start cannot be read.
    """
    if start is None:
        return _new(named, layers, head)
    if layers and named is None:
        raise OptionError("`layers` are taken into another model: name the RECIPE that builds it")
    file = None if isinstance(start, Bundle) else str(start)
    if file is not None and model_file.is_model_file(file):
        return _from_model_file(named, Path(file), tuple(layers), head, has_loss)
    if file is not None and file.endswith(SUFFIX):
        raise OptionError(
            f"`start` {file}: expected a run folder, a bundle, a .keras, .h5 or .weights.h5 file; a run goes on from "
            "its checkpoints by `resume`"
        )
    bundle = bundles.load(start)
    checksum = hashlib.sha256(bundle.keras_file).hexdigest()
    if layers and named:
        return StartingPoint(_with_head(named, head), None, StoredWeights.read(bundle), tuple(layers), file, checksum)
    return StartingPoint(fine_tuning.recipe_of(bundle, named, head), bundle, file=file, sha256=checksum)


def _new(named: Recipe | None, layers: Sequence[str], head: Head | None) -> StartingPoint:
    for option, value in (("replace_head", head), ("layers", layers or None)):
        if value is not None:
            raise OptionError(f"`{option}` needs a trained model to start from: add `start` BUNDLE")
    if named is None:
        raise OptionError(
            "name a RECIPE to train (`trivium recipes` lists them), or go on with a trained model: --from BUNDLE"
        )
    return StartingPoint(named)


def _from_model_file(
    named: Recipe | None, path: Path, layers: tuple[str, ...], head: Head | None, has_loss: bool
) -> StartingPoint:
    """Return a whole model as a recipe of its own, or its weights for the recipe that the user names."""
    checksum = sha256_of(path)
    if named:
        return StartingPoint(_with_head(named, head), None, StoredWeights.read(path), layers, str(path), checksum)
    if not keras_files.examine(path).config:
        raise OptionError(f"{path} holds weights alone: name the RECIPE before it whose model takes them")
    is_compiled_anew = has_loss or head is not None
    recipe = recipe_of_file(str(path), lambda: model_file.load(path, compiled=not is_compiled_anew))
    return StartingPoint(recipe, file=str(path), sha256=checksum)


def _with_head(recipe: Recipe, head: Head | None) -> Recipe:
    return recipe if head is None else fine_tuning.replace_targets(recipe, head)
