"""What does a user wait for? From starting Python to the first answer, in a fresh process each time."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from ...backends import catalog, runtime
from ...backends.workers.worker import Worker
from ..cells import Cell, stage
from ..measure import Rounds, interleave, row
from ..results import Found, Results
from ..statistics import ratio
from ..suite import Effort, load

SUITE = "import"
RECIPE = "cnn/striding"
# Of a wait: from nothing to Python with trivium, to Keras on its framework, to a model, to an answer, to another one.
STAGES = ("start", "import", "build", "first_prediction", "next_prediction")
TOTAL = "first_answer"
# Each is a new process that takes seconds.
_LEAST_ROUNDS = 3


def measure(recipe: str = RECIPE, backends: Sequence[str] = (), *, effort: Effort | None = None) -> Results:
    """Time each stage of the wait for a first answer, each backend once a round in a process of its own.

    Args:
        recipe: whose model answers, for one sample of zeros.
        backends: names; all that are installed by default.
        effort: how much is measured.

    Raises:
        RecipeError, BackendError: what cannot be.
    """
    effort = effort or Effort()
    names = [backend.name for backend in catalog.resolve(backends)]
    results = Results(SUITE, {"recipe": recipe, "backends": names}, more={"load": load()})
    cells = {name: Cell(recipe, name, name) for name in names}
    waits: dict[str, list[dict[str, Any]]] = {name: [] for name in names}

    def wait(name: str) -> Callable[[], float]:
        def once() -> float:
            waits[name].append(_wait(recipe, name, effort.threads))
            return float(sum(waits[name][-1][each] for each in STAGES[:-1]))

        return once

    def take(rounds: Rounds[str], share: float) -> None:
        effort.listener(stage("measure", f"{rounds.count} rounds", share, 1.0))
        results.groups = {recipe: _found(cells, waits, rounds)}
        effort.keep(results)

    pairs = [(of, over) for at, of in enumerate(names) for over in names[at + 1 :]]
    rounds = interleave(
        {name: wait(name) for name in names},
        pairs,
        budget=effort.budget,
        precision=effort.precision,
        least=_LEAST_ROUNDS,
        after_round=take,
    )
    take(rounds, 1.0)
    return results


def _wait(recipe: str, backend: str, threads: int | None) -> dict[str, Any]:
    began = time.perf_counter()
    with Worker(backend, threads=threads) as process:
        process.call("builtins:len", [])
        started = time.perf_counter() - began
        return {"start": started, **process.call(f"{__name__}:first_answer", recipe)}


def first_answer(recipe: str) -> dict[str, Any]:
    """Run in a fresh worker: seconds of each stage after the start, and the environment."""
    clock = time.perf_counter
    times = [clock()]
    current = runtime.current()
    current.devices()
    times.append(clock())
    from ...models.recipe import find

    found = find(recipe)
    model = found(**found.complete({}))
    times.append(clock())
    import numpy as np

    tensor = model.inputs[0]
    nothing = np.zeros([size or 1 for size in tensor.shape], tensor.dtype)
    for _ in range(2):
        model.predict_on_batch(nothing)
        times.append(clock())
    from ...engine.epochs import environment

    seconds = [later - earlier for earlier, later in itertools.pairwise(times)]
    return {**dict(zip(STAGES[1:], seconds, strict=True)), "environment": environment.describe()}


def _found(cells: dict[str, Cell], waits: dict[str, list[dict[str, Any]]], rounds: Rounds[str]) -> Found:
    """The rows of each stage and of the whole, and the ratios of the whole."""
    found = Found(rounds=rounds.count, stopped_by=rounds.stopped_by)
    devices = {}
    for name, cell in cells.items():
        if name in rounds.failed:
            found.failed.append({"cell": cell.title, "why": rounds.failed[name]})
        if not waits[name]:
            continue
        found.environment[name] = waits[name][-1]["environment"]
        devices[name] = found.environment[name]["device"]
        where = {"recipe": cell.recipe, "backend": name, "device": devices[name], "runner": "trivium"}
        found.rows += [row(SUITE, where, each, "s", [wait[each] for wait in waits[name]]) for each in STAGES]
        if rounds.samples.get(name):
            found.rows.append(row(SUITE, where, TOTAL, "s", rounds.samples[name]))
    names = [name for name in rounds.samples if rounds.count]
    for at, of in enumerate(names):
        for over in names[at + 1 :]:
            place = {"recipe": cells[of].recipe, "backend": f"{of} ÷ {over}", "device": devices[of]}
            compared = {"of": of, "over": over, "metric": TOTAL}
            span = vars(ratio(rounds.samples[of], rounds.samples[over]))
            found.ratios.append({"suite": SUITE, **place, **compared, **span})
    return found
