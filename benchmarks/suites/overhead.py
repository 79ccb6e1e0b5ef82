"""What does Keras cost? The same training by `keras.Model.fit`, by trivium and by hand, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...backends import catalog
from ...models.recipe import book, find
from ..cells import Cell, Group
from ..native import RECIPES
from ..results import Results
from ..suite import Effort, compare

SUITE = "overhead"
FIT = "fit"
TRIVIUM, OTHERS = "trivium", (FIT, "native")
ALL = "all"

# Seconds of a timing: a single epoch of some milliseconds, after the others have run, would mostly say how long a
# processor takes to find back into it.
_LEAST = 0.05


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    data: str | None = None,
    device: str | None = None,
    effort: Effort | None = None,
) -> Results:
    """Time steady epochs of each recipe on each backend by each runner.

    The three runners of a recipe on a backend are interleaved, one such group after the other: what is compared is
    measured in the same rounds, and no more models are held than that.

    Args:
        recipes: names; all that have a native loop by default, and those of the whole book for `all`. One that has none
            is compared with `fit` alone.
        backends: names; all that are installed by default.
        data: a dataset's name; by default the recipe's own, of MNIST the sample.
        device: `cpu` or `gpu`; by default what each backend chooses.
        effort: how much is measured.

    Raises:
        RecipeError: there is no such recipe.
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    chosen = list(book()) if list(recipes) == [ALL] else [find(name).name for name in recipes or RECIPES]
    names = [backend.name for backend in catalog.resolve(backends)]
    groups = [_group(recipe, name, device, {"data": data, "least": _LEAST}) for recipe in chosen for name in names]
    asked = {"recipes": chosen, "backends": names, "data": data, "device": device}
    return compare(SUITE, groups, asked, effort or Effort(budget=300.0), together=False)


def _group(recipe: str, backend: str, device: str | None, settings: dict[str, Any]) -> Group:
    trivium = Cell(recipe, backend, TRIVIUM, TRIVIUM, device, settings={**settings, "timed_plans": True})
    beside = [runner for runner in OTHERS if runner == FIT or recipe in RECIPES]
    others = [Cell(recipe, backend, runner, runner, device, settings=settings) for runner in beside]
    return Group(f"{recipe} on {trivium.place}", [*others, trivium], [(other, trivium) for other in others])
