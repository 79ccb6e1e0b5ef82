"""What do two workers gain over one, and how many would be too many? Epochs measured here, the rest by a model.

On this machine a worker has one core, so two of them are measured beside one process that has both: on a CPU that is
what a framework does by itself. What more workers would gain on a cluster is computed, see `scaling_model.py`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from ...backends import catalog
from ...models.recipe import find
from ..cells import Cell, Group
from ..measure import row
from ..results import STEADY, Results
from ..suite import Effort, compare
from .scaling_model import Network, Step

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
    effort: Effort | None = None,
) -> Results:
    """Time steady epochs by one worker, by two, and by one that has two cores, all of a recipe in the same rounds.

    Beside what every suite tells there are rows for each recipe on each backend: `step_compute`, seconds of a step by
    one worker; `step_shared`, what a step by two takes longer than half of that; `gradient_bytes`; and by the model
    `equal_at`, `best_workers` and `best_speedup`.

    Args:
        recipes: names; one of each family by default.
        backends: names; all that are installed by default.
        batch_size: of all workers together.
        network: that the model reckons with.
        effort: how much is measured.

    Raises:
        RecipeError, BackendError: what cannot be.
    """
    chosen = [find(recipe).name for recipe in recipes or RECIPES]
    names = [backend.name for backend in catalog.resolve(backends)]
    network = network or Network()
    groups = [_group(recipe, name, batch_size) for recipe in chosen for name in names]
    asked = {"recipes": chosen, "backends": names, "batch_size": batch_size, "network": vars(network)}
    results = compare(SUITE, groups, asked, replace(effort or Effort(), ceilings=False), together=False)
    for group in groups:
        results.groups[group.title].rows += _reckoned(results, group.cells[0], batch_size, network)
    return results


def _group(recipe: str, backend: str, batch_size: int) -> Group:
    given = {"batch_size": batch_size, "samples": batch_size * STEPS}

    def cell(name: str, workers: int, threads: int) -> Cell:
        at = (("workers", workers), ("cores", workers * threads))
        return Cell(recipe, backend, name, at=at, threads=threads, settings={**given, "workers": workers})

    one, two, both = cell(ONE, 1, 1), cell(TWO, 2, 1), cell(BOTH, 1, 2)
    return Group(f"{recipe} on {backend}", [one, two, both], [(one, two), (both, two)])


def _reckoned(results: Results, one: Cell, batch_size: int, network: Network) -> Iterator[dict[str, Any]]:
    """What follows from a recipe's times on a backend."""
    same = {"recipe": one.recipe, "backend": one.backend}
    alone, together = (results.median(**same, metric=STEADY, workers=n, cores=n) for n in (1, 2))
    parameters, speed = (
        results.median(**same, metric=name, workers=1, cores=1) for name in ("parameters", "throughput")
    )
    if alone is None or parameters is None or speed is None:
        return
    steps = math.ceil(round(speed * alone) / batch_size)
    step = Step(alone / steps, int(parameters) * _BYTES)
    best, speedup = step.best(network)
    device = results.find(**same)[0]["device"]
    found = {
        "step_compute": ("s", step.compute),
        "gradient_bytes": ("B", step.gradients),
        "equal_at": ("1", step.equal_at(network)),
        "best_workers": ("1", best),
        "best_speedup": ("1", speedup),
    }
    if together is not None:
        found["step_shared"] = ("s", together / steps - step.compute / 2)
    for metric, (unit, value) in found.items():
        yield row(SUITE, {**same, "device": device, "runner": one.runner}, metric, unit, [float(value)])
