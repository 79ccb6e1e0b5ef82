"""Which backend is fastest here? Recipes, or the user's own model, on every backend and device, interleaved."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from ...backends import catalog
from ...engine.epochs.precision import require_known
from ...functions import is_file_function
from ...models.recipe import find
from .. import epoch_session
from ..cells import CellGroup, TimedCell
from ..results import Results
from ..suite import BenchmarkOptions, compare, note_energy

SUITE = "epochs"
# One of each family, because the fastest backend differs between families.
RECIPES = ("dense/one-hidden", "cnn/striding", "rnn/lstm")


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    devices: Sequence[str] = (),
    policies: Sequence[str] = (),
    data: str | None = None,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time steady epochs of each recipe on each backend, device and dtype policy, one recipe after the other.

    The joules of an epoch are told where the CPU packages count their energy; elsewhere `without` has the reason.

    Args:
        recipes: names, or `path/to/file.py:function`; one of each family by default.
        backends: names of backends; by default all that are installed.
        devices: of `cpu` and `gpu`; by default the CPU, and the GPU where a backend finds one.
        policies: dtype policies, of `precision.POLICIES`; by default Keras' current one.
        data: the name of a dataset or file, with its settings; the recipe's own by default, but the sample of MNIST.
        options: how long and how precisely to measure, and where.

    Raises:
        RecipeError: there is no such recipe.
        OptionError: there is no such policy.
        BackendError: a named backend is unknown or not installed, or finds no such device.
        DataError: the data cannot be read, or do not go with a recipe.
    """
    selected = list(recipes) or list(RECIPES)
    for recipe in selected:
        if not is_file_function(recipe):  # a user's file is loaded in the workers only
            find(recipe)
    for policy in policies:
        require_known(policy)
    options = options or BenchmarkOptions()
    names = [backend.name for backend in catalog.resolve(backends)]
    places = [place for name in names for place in _backend_devices(name, devices, options)]
    groups = []
    policy_choices: list[str | None] = [*policies] or [None]
    for recipe in selected:
        cells = [_cell(recipe, *place, policy, data) for place in places for policy in policy_choices]
        groups.append(CellGroup(recipe, cells, list(itertools.combinations(cells, 2))))
    arguments = {"recipes": selected, "backends": names, "devices": list(devices), "data": data}
    arguments |= {"policies": list(policies)} if policies else {}
    results = compare(
        SUITE, groups, arguments, options, interleaved=False, final_calls=lambda cell: (epoch_session.energy,)
    )
    note_energy(results, options.executor)
    return results


def _cell(recipe: str, backend: str, device: str | None, policy: str | None, data: str | None) -> TimedCell:
    name = f"{backend} ({device})" if device else backend
    if policy is None:
        return TimedCell(recipe, backend, name, device=device, settings={"data": data})
    settings, point = {"data": data, "precision": policy}, (("precision", policy),)
    return TimedCell(recipe, backend, f"{name} in {policy}", device=device, sweep_point=point, settings=settings)


def _backend_devices(
    backend: str, devices: Sequence[str], options: BenchmarkOptions
) -> Iterator[tuple[str, str | None]]:
    """Yield a backend with each requested device, or with the CPU and every accelerator that it finds."""
    if devices:
        yield from ((backend, device) for device in devices)
        return
    kinds = options.executor.dedicated_worker(backend, threads=options.threads).call(epoch_session.kinds)
    if set(kinds) == {"cpu"}:
        yield backend, None
    else:
        yield from ((backend, kind) for kind in ("cpu", *dict.fromkeys(kind for kind in kinds if kind != "cpu")))
