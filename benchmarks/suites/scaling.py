"""What do two workers gain over one, and how many are too many? Epochs are measured here, larger counts modelled.

Each worker has one core, so two workers are also compared with one process that has two cores, which is how a framework
uses a CPU by itself. The gain of more workers on a cluster is modelled; see `scaling_model.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...backends import catalog
from ...models.recipe import find
from ..cells import CellGroup, TimedCell
from ..measure import make_row
from ..results import STEADY, Results
from ..suite import BenchmarkOptions, compare
from .scaling_model import Network, StepCost

SUITE = "scaling"
# One of each family.
RECIPES = ("dense/one-hidden", "cnn/striding", "rnn/three-lstm", "text/letters", "functional/digit-or-not")
BATCH_SIZE = 256
STEPS = 8
ONE, TWO, BOTH = "1 worker", "2 workers", "1 worker, 2 cores"
_BYTES = 4  # of a gradient's float32


def measure(
    recipes: Sequence[str] = (),
    backends: Sequence[str] = (),
    *,
    batch_size: int = BATCH_SIZE,
    network: Network | None = None,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Time steady epochs of one worker, two workers, and one worker with two cores, interleaved for each recipe.

    There are further rows for each recipe on each backend: `step_compute`, the seconds of a step of one worker;
    `step_shared`, the seconds of a step of two workers beyond half of that; `gradient_bytes`; and from the model
    `equal_at`, `best_workers` and `best_speedup`.

    Args:
        recipes: names; one of each family by default.
        backends: names of backends; by default all that are installed.
        batch_size: the samples of a step, over all workers.
        network: the network that the model assumes.
        options: how long and how precisely to measure, and where.

    Raises:
        RecipeError, BackendError: an unknown recipe or backend, or one that cannot be used.
    """
    selected = [find(recipe).name for recipe in recipes or RECIPES]
    names = [backend.name for backend in catalog.resolve(backends)]
    network = network or Network()
    groups = [_group(recipe, name, batch_size) for recipe in selected for name in names]
    arguments = {"recipes": selected, "backends": names, "batch_size": batch_size, "network": vars(network)}
    results = compare(
        SUITE, groups, arguments, replace(options or BenchmarkOptions(), ceilings=False), interleaved=False
    )
    for group in groups:
        results.groups[group.title].rows += _model_rows(results, group.cells[0], batch_size, network)
    return results


def _group(recipe: str, backend: str, batch_size: int) -> CellGroup:
    common = {"batch_size": batch_size, "samples": batch_size * STEPS}

    def cell(name: str, workers: int, threads: int) -> TimedCell:
        point = (("workers", workers), ("cores", workers * threads))
        return TimedCell(
            recipe, backend, name, sweep_point=point, threads=threads, settings={**common, "workers": workers}
        )

    one, two, both = cell(ONE, 1, 1), cell(TWO, 2, 1), cell(BOTH, 1, 2)
    return CellGroup(f"{recipe} on {backend}", [one, two, both], [(one, two), (both, two)])


def _model_rows(results: Results, one: TimedCell, batch_size: int, network: Network) -> Iterator[dict[str, Any]]:
    """Yield the rows that follow from a recipe's times on a backend."""
    same = {"recipe": one.recipe, "backend": one.backend}
    alone, together = (results.median(**same, metric=STEADY, workers=n, cores=n) for n in (1, 2))
    parameters, speed = (
        results.median(**same, metric=name, workers=1, cores=1) for name in ("parameters", "throughput")
    )
    if alone is None or parameters is None or speed is None:
        return
    steps = math.ceil(round(speed * alone) / batch_size)
    step = StepCost(alone / steps, int(parameters) * _BYTES)
    best, speedup = step.best(network)
    device = results.find(**same)[0]["device"]
    figures = {
        "step_compute": ("s", step.compute),
        "gradient_bytes": ("B", step.gradients),
        "equal_at": ("1", step.equal_at(network)),
        "best_workers": ("1", best),
        "best_speedup": ("1", speedup),
    }
    if together is not None:
        figures["step_shared"] = ("s", together / steps - step.compute / 2)
    for metric, (unit, value) in figures.items():
        yield make_row(SUITE, {**same, "device": device, "runner": one.runner}, metric, unit, [float(value)])
