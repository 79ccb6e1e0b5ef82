"""What do owned masks cost? An epoch with trivium's dropout against one with the backend's own, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from ...backends import catalog
from ...functions import is_file_function
from ...models.recipe import find
from ..cells import Cell, Group
from ..results import Results
from ..suite import Effort, compare

SUITE = "masks"
RECIPE = "cnn/pooling"
OWNED, NATIVE = "owned", "native"
GENERATORS = (OWNED, NATIVE)


def measure(
    recipe: str = RECIPE, backends: Sequence[str] = (), *, data: str | None = None, effort: Effort | None = None
) -> Results:
    """Time steady epochs with owned masks and with the backend's own, by the same plan.

    Whose masks they were stands in the metrics of the rows: `steady_epoch_owned`, `steady_epoch_native`.

    Args:
        recipe: a name; one without dropout or noise shows that nothing else differs.
        backends: names; all that are installed by default.
        data: a dataset's name; the recipe's own by default, of MNIST the sample.
        effort: how much is measured.

    Raises:
        RecipeError: there is no such recipe.
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    if not is_file_function(recipe):  # a user's file is loaded in the workers only
        find(recipe)
    names = [backend.name for backend in catalog.resolve(backends)]
    asked = {"recipe": recipe, "backends": names, "data": data}
    groups = [_group(recipe, name, {"data": data}) for name in names]
    return compare(SUITE, groups, asked, replace(effort or Effort(), ceilings=False))


def _group(recipe: str, backend: str, settings: dict[str, Any]) -> Group:
    owned, native = (
        Cell(recipe, backend, whose, suffix=f"_{whose}", settings={**settings, "rng": whose}) for whose in GENERATORS
    )
    return Group(f"{recipe} on {backend}", [owned, native], [(owned, native)])
