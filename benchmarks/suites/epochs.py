"""Which backend is fastest here? Recipes, or a model of the user's own, on every backend and device, interleaved."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ...backends import catalog
from ...engine.epochs.precision import require_known
from ...functions import is_file_function
from ...models.recipe import find
from ..cells import Cell, Group
from ..results import Results
from ..suite import Effort, compare

SUITE = "epochs"
# One of each family, because what is fastest for one is not for another.
RECIPES = ("dense/one-hidden", "cnn/striding", "rnn/lstm")


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    devices: Sequence[str] = (),
    policies: Sequence[str] = (),
    data: str | None = None,
    effort: Effort | None = None,
) -> Results:
    """Time steady epochs of each recipe on each backend and device by each policy, one recipe after the other.

    Args:
        recipes: names, or `path/to/file.py:function`; one of each family by default.
        backends: names; all that are installed by default.
        devices: of `cpu` and `gpu`; by default the CPU, and the GPU where a backend finds one.
        policies: of `precision.POLICIES`: in which floats layers compute; by default what Keras has in force.
        data: a dataset's name or file; the recipe's own by default, of MNIST the sample.
        effort: how much is measured.

    Raises:
        RecipeError: there is no such recipe.
        OptionError: there is no such policy.
        BackendError: a named backend is unknown or not installed, or finds no such device.
        DataError: the data cannot be read, or do not go with a recipe.
    """
    chosen = list(recipes) or list(RECIPES)
    for recipe in chosen:
        if not is_file_function(recipe):  # a user's file is loaded in the workers only
            find(recipe)
    for policy in policies:
        require_known(policy)
    effort = effort or Effort()
    names = [backend.name for backend in catalog.resolve(backends)]
    places = [place for name in names for place in _places(name, devices, effort)]
    groups = []
    wanted: list[str | None] = [*policies] or [None]
    for recipe in chosen:
        cells = [_cell(recipe, *place, policy, data) for place in places for policy in wanted]
        groups.append(Group(recipe, cells, list(itertools.combinations(cells, 2))))
    asked = {"recipes": chosen, "backends": names, "devices": list(devices), "data": data}
    asked |= {"policies": list(policies)} if policies else {}
    return compare(SUITE, groups, asked, effort, together=False)


def _cell(recipe: str, backend: str, device: str | None, policy: str | None, data: str | None) -> Cell:
    name = f"{backend} ({device})" if device else backend
    if policy is None:
        return Cell(recipe, backend, name, device=device, settings={"data": data})
    settings, varied = {"data": data, "precision": policy}, (("precision", policy),)
    return Cell(recipe, backend, f"{name} in {policy}", device=device, at=varied, settings=settings)


def _places(backend: str, devices: Sequence[str], effort: Effort) -> Iterator[tuple[str, str | None]]:
    """Where a backend computes: on the devices that are named, else on the CPU and what it finds beside it."""
    if devices:
        yield from ((backend, device) for device in devices)
        return
    kinds = effort.executor.alone(backend, threads=effort.threads).call(
        f"{__package__.rpartition('.')[0]}.session:kinds"
    )
    if set(kinds) == {"cpu"}:
        yield backend, None
    else:
        yield from ((backend, kind) for kind in ("cpu", *dict.fromkeys(kind for kind in kinds if kind != "cpu")))
