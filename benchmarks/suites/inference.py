"""How fast does a model predict one sample, and many? By Keras on each backend, and by inference engines."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence

from ...backends import catalog
from ...errors import OptionError, TriviumError
from ...models.recipe import find
from .. import epoch_session, inference_session
from ..cells import CellGroup, TimedCell
from ..inference_session import FORMATS, KERAS, PACKAGES
from ..inference_session import PERCENTILES as PERCENTILES
from ..results import Results
from ..suite import BenchmarkOptions, compare

SUITE = "inference"
RECIPES = ("dense/one-hidden", "cnn/striding")
LATENCY, THROUGHPUT = 1, 256
METRIC = "answer"


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    formats: Sequence[str] | None = None,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time predictions for one sample and for 256, all runners of a recipe in the same rounds.

    An engine gets an artifact from the first backend that can export it, and is measured in that backend's process.

    Args:
        recipes: names of recipes.
        backends: names of backends; by default all that are installed.
        formats: those of `FORMATS` whose artifacts are measured beside Keras; by default those with an engine here.
        options: how long and how precisely to measure, and where.

    Raises:
        RecipeError, BackendError: an unknown recipe or backend, or one that cannot be used.
        OptionError: an unknown format, or one without its engine.
    """
    selected = [find(recipe).name for recipe in recipes or RECIPES]
    options = options or BenchmarkOptions()
    names = [backend.name for backend in catalog.resolve(backends, trains=False)]
    engines = _engines(formats)
    groups, without = [], {}
    for recipe in selected:
        runners = [(name, KERAS, name) for name in names]
        for engine in engines:
            host = _exporting_backend(recipe, engine, names, options)
            if host:
                runners.append((host, engine, engine))
            else:
                without[f"{recipe} by {engine}"] = "none of these backends can export it"
        groups.append(_group(recipe, runners, options.threads))
    arguments = {"recipes": selected, "backends": names, **({} if formats is None else {"formats": list(formats)})}
    final_calls = (epoch_session.latencies,)
    results = compare(SUITE, groups, arguments, options, interleaved=False, final_calls=lambda cell: final_calls)
    results.extra["without"] = without
    return results


def _engines(formats: Sequence[str] | None) -> list[str]:
    """Return the engines of some formats, or those that are installed."""
    if formats is None:
        return [engine for engine, package in PACKAGES.items() if importlib.util.find_spec(package)]
    for name in formats:
        if name not in FORMATS:
            raise OptionError(f"no format {name!r} to measure: choose from {', '.join(FORMATS)}")
        if not importlib.util.find_spec(PACKAGES[FORMATS[name]]):
            raise OptionError(f"{FORMATS[name]} is not installed: pip install 'trivium[{name}]'")
    return [FORMATS[name] for name in formats]


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
