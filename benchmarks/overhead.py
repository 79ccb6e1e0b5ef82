"""What does Keras cost? The same training by `keras.Model.fit`, by trivium and by hand, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..backends import catalog
from ..errors import OptionError
from .cells import Cell, Group
from .native import RECIPES
from .results import Results
from .suite import Effort, compare

SUITE = "overhead"
TRIVIUM, OTHERS = "trivium", ("fit", "native")
RUNNERS = (*OTHERS, TRIVIUM)


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
        recipes: names of recipes that have a native loop; all of those by default.
        backends: names; all that are installed by default.
        data: a dataset's name; by default the recipe's own, of MNIST the sample.
        device: `cpu` or `gpu`; by default what each backend chooses.
        effort: how much is measured.

    Raises:
        OptionError: a recipe has no native loop.
        BackendError: a named backend is unknown or not installed.
        DataError: the data cannot be read.
    """
    chosen = list(recipes) or list(RECIPES)
    if unknown := [recipe for recipe in chosen if recipe not in RECIPES]:
        raise OptionError(f"{unknown[0]} has no native loop to be compared with (there are: {', '.join(RECIPES)})")
    names = [backend.name for backend in catalog.resolve(backends)]
    groups = [_group(recipe, name, device, {"data": data}) for recipe in chosen for name in names]
    asked = {"recipes": chosen, "backends": names, "data": data, "device": device}
    return compare(SUITE, groups, asked, effort or Effort(budget=300.0), together=False)


def _group(recipe: str, backend: str, device: str | None, settings: dict[str, Any]) -> Group:
    cells = [Cell(recipe, backend, runner, runner, device, settings=settings) for runner in RUNNERS]
    *others, trivium = cells
    return Group(f"{recipe} on {trivium.place}", cells, [(other, trivium) for other in others])
