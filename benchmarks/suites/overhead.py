"""What does Keras cost? The same training by `keras.Model.fit`, by trivium and by hand, interleaved."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...backends import catalog
from ...errors import BackendError
from ...functions import require_known
from ...models.recipe import find, registry
from .. import epoch_session, real
from ..cells import CellGroup, TimedCell
from ..epoch_session import FIT, FIT_TUNED, NATIVE, NATIVE_COMPILED
from ..native import BOOK, RECIPES
from ..results import Results
from ..suite import BenchmarkOptions, compare

SUITE = "overhead"
TRIVIUM, OTHERS = "trivium", (FIT, FIT_TUNED, NATIVE, NATIVE_COMPILED)
ALL, REAL = "all", "real"
GPU = "gpu"

# The least seconds of one timing. A single epoch of a few milliseconds would mostly measure cold caches, because the
# other runners have just run.
_MIN_SECONDS = 0.05


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    runners: Sequence[str] = (),
    data: str | None = None,
    device: str | None = None,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time steady epochs of each recipe on each backend by each runner.

    The runners of a recipe on a backend are interleaved, and such groups are measured one after the other. So
    runners that are compared share their rounds, and only their models are in memory.

    Args:
        recipes: names; by default those of the book with a native loop, the whole book for `all`, and the models of
            `benchmarks/real/` for `real`. A recipe without a native loop is compared with `fit` alone.
        backends: names of backends; by default all that are installed, and find the device.
        runners: those of `OTHERS` that trivium is compared with; by default all that a recipe has.
        data: the name of a dataset or file, with its settings; the recipe's own by default, but the sample of MNIST.
        device: `cpu` or `gpu`; by default each backend's choice.
        options: how long and how precisely to measure, and where.

    Raises:
        RecipeError: there is no such recipe.
        OptionError: there is no such runner.
        BackendError: a named backend is unknown, not installed or without the device; or no backend finds it.
        DataError: the data cannot be read.
    """
    require_known("`runners`", runners, OTHERS)
    options = options or BenchmarkOptions(budget=300.0)
    selected = _selected(recipes)
    names = [backend.name for backend in catalog.resolve(backends)]
    if device == GPU and not backends:
        names = _with_a_gpu(names, options)
    groups = [
        _group(recipe, name, device, runners or OTHERS, {"data": data, "min_seconds": _MIN_SECONDS})
        for recipe in selected
        for name in names
    ]
    arguments = {"recipes": selected, "backends": names, "data": data, "device": device}
    arguments |= {"runners": list(runners)} if runners else {}
    return compare(SUITE, groups, arguments, options, interleaved=False)


def _selected(recipes: Sequence[str]) -> list[str]:
    """Return the names of the recipes that some names stand for."""
    groups = {ALL: list(registry()), REAL: list(real.NAMES)}
    names = [name for given in recipes or BOOK for name in groups.get(given, [given])]
    return [name if name in real.NAMES else find(name).name for name in names]


def _with_a_gpu(names: Sequence[str], options: BenchmarkOptions) -> list[str]:
    """Return the backends that find a GPU.

    Raises:
        BackendError: none does.
    """
    workers = {name: options.executor.dedicated_worker(name, threads=options.threads) for name in names}
    capable = [name for name in names if GPU in workers[name].call(epoch_session.kinds)]
    if not capable:
        raise BackendError(f"no GPU is found here by {', '.join(names)}: install the GPU build of one, or leave it out")
    return capable


def _group(
    recipe: str, backend: str, device: str | None, runners: Sequence[str], settings: dict[str, Any]
) -> CellGroup:
    trivium = TimedCell(recipe, backend, TRIVIUM, TRIVIUM, device, settings={**settings, "timed_plans": True})
    beside = [runner for runner in runners if recipe in RECIPES or runner in (FIT, FIT_TUNED)]
    others = [TimedCell(recipe, backend, runner, runner, device, settings=settings) for runner in beside]
    return CellGroup(f"{recipe} on {trivium.location}", [*others, trivium], [(other, trivium) for other in others])
