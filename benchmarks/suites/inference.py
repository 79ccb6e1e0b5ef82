"""How fast does a model predict one sample, and many? By Keras on each backend, and by inference engines."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence

from ...backends import catalog
from ...errors import TriviumError
from ...models.recipe import find
from .. import inference_session
from ..cells import CellGroup, TimedCell
from ..inference_session import KERAS, ONNX_RUNTIME, OPENVINO
from ..results import Results
from ..suite import BenchmarkOptions, compare

SUITE = "inference"
RECIPES = ("dense/one-hidden", "cnn/striding")
LATENCY, THROUGHPUT = 1, 256
METRIC = "answer"
# Measured beside Keras where they are installed.
ENGINES = (ONNX_RUNTIME, OPENVINO)


def measure(
    recipes: Sequence[str] = (), backends: Sequence[str] = (), *, options: BenchmarkOptions | None = None
) -> Results:
    """Time predictions for one sample and for 256, all runners of a recipe in the same rounds.

    An engine gets the model from the first backend that can export it, and is measured in that backend's process.

    Args:
        recipes: names of recipes.
        backends: names of backends; by default all that are installed.
        options: how long and how precisely to measure, and where.

    Raises:
        RecipeError, BackendError: an unknown recipe or backend, or one that cannot be used.
    """
    selected = [find(recipe).name for recipe in recipes or RECIPES]
    options = options or BenchmarkOptions()
    names = [backend.name for backend in catalog.resolve(backends, trains=False)]
    groups, without = [], {}
    for recipe in selected:
        runners = [(name, KERAS, name) for name in names]
        for engine in (candidate for candidate in ENGINES if importlib.util.find_spec(candidate)):
            host = _exporting_backend(recipe, engine, names, options)
            if host:
                runners.append((host, engine, engine))
            else:
                without[f"{recipe} by {engine}"] = "none of these backends can export it"
        groups.append(_group(recipe, runners, options.threads))
    arguments = {"recipes": selected, "backends": names}
    results = compare(SUITE, groups, arguments, options, interleaved=False)
    results.extra["without"] = without
    return results


def _group(recipe: str, runners: Sequence[tuple[str, str, str]], threads: int | None) -> CellGroup:
    cells, pairs = [], []
    for size in (LATENCY, THROUGHPUT):
        settings = {"batch_size": size, "threads": threads}
        alike = [
            TimedCell(
                recipe, backend, name, runner, metric=METRIC, sweep_point=(("batch_size", size),), settings=settings
            )
            for backend, runner, name in runners
        ]
        cells += alike
        pairs += list(itertools.combinations(alike, 2))
    return CellGroup(recipe, cells, pairs)


def _exporting_backend(recipe: str, engine: str, backends: Sequence[str], options: BenchmarkOptions) -> str | None:
    """Return the first backend that exports the recipe for an engine with equal outputs; None where there is none."""
    for backend in backends:
        try:
            worker = options.executor.dedicated_worker(backend, threads=options.threads)
            worker.call(inference_session.require_runner, recipe, engine)
        except TriviumError:
            continue
        return backend
    return None
