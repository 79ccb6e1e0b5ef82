"""What do portable dropout masks cost? An epoch with trivium's masks against the backend's own, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...backends import catalog
from ...functions import is_file_function
from ...models.recipe import find
from ..cells import CellGroup, TimedCell
from ..results import Results
from ..suite import BenchmarkOptions, compare

SUITE = "masks"
RECIPE = "cnn/pooling"
OWNED, NATIVE = "owned", "native"
GENERATORS = (OWNED, NATIVE)


def measure(
    recipe: str = RECIPE,
    backends: Sequence[str] = (),
    *,
    data: str | None = None,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time steady epochs with trivium's masks (`owned`) and with the backend's (`native`), by the same plan.

    The rows' metrics tell them apart: `steady_epoch_owned`, `steady_epoch_native`.

    Args:
        recipe: the name of a recipe; a recipe without dropout or noise shows that nothing else differs.
        backends: names of backends; by default all that are installed.
        data: the name of a dataset or file, with its settings; the recipe's own by default, but the sample of MNIST.
        options: how long and how precisely to measure, and where.

    Raises:
        RecipeError: there is no such recipe.
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    if not is_file_function(recipe):  # a user's file is loaded in the workers only
        find(recipe)
    names = [backend.name for backend in catalog.resolve(backends)]
    arguments = {"recipe": recipe, "backends": names, "data": data}
    groups = [_group(recipe, name, {"data": data}) for name in names]
    return compare(SUITE, groups, arguments, replace(options or BenchmarkOptions(), ceilings=False))


def _group(recipe: str, backend: str, settings: dict[str, Any]) -> CellGroup:
    owned, native = (
        TimedCell(recipe, backend, whose, suffix=f"_{whose}", settings={**settings, "rng": whose})
        for whose in GENERATORS
    )
    return CellGroup(f"{recipe} on {backend}", [owned, native], [(owned, native)])
