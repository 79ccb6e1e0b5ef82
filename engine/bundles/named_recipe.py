"""Recipes by their names: those of trivium, a function in a user's file, and the architecture in a file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from ...errors import RecipeError
from ...models import recipe as recipes
from ...models.recipe import Recipe
from ..keras_model.applications import application_recipe, is_application
from . import architecture_file, keras_files
from .model_file import recipe_of_file


def find(name: str) -> Recipe:
    """Return the recipe of that name, of a `path/to/file.py:function`, or of an architecture's file.

    Raises:
        RecipeError: there is no such recipe.
        FileError: the file is no architecture.
    """
    path = Path(name)
    if name in recipes.registry():
        return recipes.registry()[name]
    if is_application(name):
        return application_recipe(name)
    if architecture_file.is_architecture(path):
        if not path.is_file():
            raise RecipeError(f"{name}: no such file; an architecture is what `trivium save` or to_json() writes")
        architecture_file.read_config(path)
        return recipe_of_file(name, lambda: architecture_file.build(path))
    if path.suffix.lower() in keras_files.ENDINGS:
        raise RecipeError(f"{name} is a model with weights and no recipe: go on with it by `start` {name}")
    return recipes.find(name)


def recipe_of(model: Recipe | str | Callable[..., Any]) -> Recipe:
    """Return a recipe, given a recipe, its name as in `find`, a function that builds a model, or a model.

    Raises:
        RecipeError: no recipe has that name, or the argument is none of these.
    """
    return find(model) if isinstance(model, str) else recipes.recipe_of(model)
