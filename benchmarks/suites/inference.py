"""How fast does a model answer? One sample and many; by Keras on each backend, by inference engines beside it."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Sequence

from ...backends import catalog
from ...errors import TriviumError
from ...models.recipe import find
from ..cells import Cell, Group
from ..inference_session import KERAS, ONNX_RUNTIME, OPENVINO
from ..results import Results
from ..suite import Effort, compare

SUITE = "inference"
RECIPES = ("dense/one-hidden", "cnn/striding")
LATENCY, THROUGHPUT = 1, 256
METRIC = "answer"
# Beside Keras, where they are installed.
ENGINES = (ONNX_RUNTIME, OPENVINO)


def measure(recipes: Sequence[str] = (), backends: Sequence[str] = (), *, effort: Effort | None = None) -> Results:
    """Time answers for one sample and for 256, all runners of a recipe in the same rounds.

    An engine is given what the first backend that can exports for it, and measured in that backend's process.

    Args:
        recipes: names.
        backends: names; all that are installed by default.
        effort: how much is measured.

    Raises:
        RecipeError, BackendError: what cannot be.
    """
    chosen = [find(recipe).name for recipe in recipes or RECIPES]
    effort = effort or Effort()
    names = [backend.name for backend in catalog.resolve(backends)]
    groups, without = [], {}
    for recipe in chosen:
        runners = [(name, KERAS, name) for name in names]
        for engine in (each for each in ENGINES if importlib.util.find_spec(each)):
            host = _host(recipe, engine, names, effort)
            if host:
                runners.append((host, engine, engine))
            else:
                without[f"{recipe} by {engine}"] = "none of these backends can export it"
        groups.append(_group(recipe, runners, effort.threads))
    asked = {"recipes": chosen, "backends": names}
    results = compare(SUITE, groups, asked, effort, together=False)
    results.more["without"] = without
    return results


def _group(recipe: str, runners: Sequence[tuple[str, str, str]], threads: int | None) -> Group:
    cells, pairs = [], []
    for size in (LATENCY, THROUGHPUT):
        settings = {"batch_size": size, "threads": threads}
        alike = [
            Cell(recipe, backend, name, runner, metric=METRIC, at=(("batch_size", size),), settings=settings)
            for backend, runner, name in runners
        ]
        cells += alike
        pairs += list(itertools.combinations(alike, 2))
    return Group(recipe, cells, pairs)


def _host(recipe: str, engine: str, backends: Sequence[str], effort: Effort) -> str | None:
    """The first backend that can export the recipe for an engine, with the same answers."""
    for backend in backends:
        try:
            measuring = effort.executor.alone(backend, threads=effort.threads)
            measuring.call(f"{__package__.rpartition('.')[0]}.inference_session:try_out", recipe, engine)
        except TriviumError:
            continue
        return backend
    return None
