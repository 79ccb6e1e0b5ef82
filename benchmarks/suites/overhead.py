"""What does Keras cost? The same training by `keras.Model.fit`, by trivium and by hand, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...backends import catalog
from ...models.recipe import find, registry
from ..cells import CellGroup, TimedCell
from ..native import RECIPES
from ..results import Results
from ..suite import BenchmarkOptions, compare

SUITE = "overhead"
FIT = "fit"
TRIVIUM, OTHERS = "trivium", (FIT, "native")
ALL = "all"

# The least seconds of one timing. A single epoch of a few milliseconds would mostly measure cold caches, because the
# other runners have just run.
_MIN_SECONDS = 0.05


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    data: str | None = None,
    device: str | None = None,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time steady epochs of each recipe on each backend by each runner.

    The three runners of a recipe on a backend are interleaved, and such groups are measured one after the other. So
    runners that are compared share their rounds, and only their models are in memory.

    Args:
        recipes: names; by default all with a native loop, and the whole book for `all`. A recipe without a native loop
            is compared with `fit` alone.
        backends: names of backends; by default all that are installed.
        data: the name of a dataset or file, with its settings; the recipe's own by default, but the sample of MNIST.
        device: `cpu` or `gpu`; by default each backend's choice.
        options: how long and how precisely to measure, and where.

    Raises:
        RecipeError: there is no such recipe.
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    selected = list(registry()) if list(recipes) == [ALL] else [find(name).name for name in recipes or RECIPES]
    names = [backend.name for backend in catalog.resolve(backends)]
    groups = [
        _group(recipe, name, device, {"data": data, "min_seconds": _MIN_SECONDS})
        for recipe in selected
        for name in names
    ]
    arguments = {"recipes": selected, "backends": names, "data": data, "device": device}
    return compare(SUITE, groups, arguments, options or BenchmarkOptions(budget=300.0), interleaved=False)


def _group(recipe: str, backend: str, device: str | None, settings: dict[str, Any]) -> CellGroup:
    trivium = TimedCell(recipe, backend, TRIVIUM, TRIVIUM, device, settings={**settings, "timed_plans": True})
    beside = [runner for runner in OTHERS if runner == FIT or recipe in RECIPES]
    others = [TimedCell(recipe, backend, runner, runner, device, settings=settings) for runner in beside]
    return CellGroup(f"{recipe} on {trivium.location}", [*others, trivium], [(other, trivium) for other in others])
