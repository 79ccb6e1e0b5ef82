"""How long does a user wait from starting Python to the first prediction? Each time in a fresh process."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Sequence
from typing import Any

from ...backends import catalog, runtime
from ...backends.workers.worker import Worker
from ..cells import TimedCell, progress_event
from ..measure import InterleavedRounds, interleave, make_row
from ..results import GroupResult, Results
from ..statistics import ratio
from ..suite import BenchmarkOptions, load

SUITE = "import"
RECIPE = "cnn/striding"
# The stages: Python with trivium is up, Keras is imported on its backend, the model is built, the first prediction, the
# next prediction.
STAGES = ("start", "import", "build", "first_prediction", "next_prediction")
TOTAL = "first_answer"
# Each round starts new processes, which takes seconds.
_MIN_ROUNDS = 3


def measure(recipe: str = RECIPE, backends: Sequence[str] = (), *, options: BenchmarkOptions | None = None) -> Results:
    """Time each stage up to the first prediction, each backend once per round in a fresh process.

    Args:
        recipe: the recipe whose model predicts one sample of zeros.
        backends: names of backends; by default all that are installed.
        options: how long and how precisely to measure, and where.

    Raises:
        RecipeError, BackendError: an unknown recipe or backend, or one that cannot be used.
    """
    options = options or BenchmarkOptions()
    names = [backend.name for backend in catalog.resolve(backends, trains=False)]
    results = Results(SUITE, {"recipe": recipe, "backends": names}, extra={"load": load()})
    cells = {name: TimedCell(recipe, name, name) for name in names}
    waits: dict[str, list[dict[str, Any]]] = {name: [] for name in names}

    def wait(name: str) -> Callable[[], float]:
        def once() -> float:
            waits[name].append(_time_stages(recipe, name, options.threads))
            return float(sum(waits[name][-1][stage] for stage in STAGES[:-1]))

        return once

    def update(rounds: InterleavedRounds[str], share: float) -> None:
        options.listener(progress_event("measure", f"{rounds.count} rounds", share, 1.0))
        results.groups = {recipe: _group_result(cells, waits, rounds)}
        options.save(results)

    pairs = [(of, over) for index, of in enumerate(names) for over in names[index + 1 :]]
    rounds = interleave(
        {name: wait(name) for name in names},
        pairs,
        budget=options.budget,
        precision=options.precision,
        min_rounds=_MIN_ROUNDS,
        after_round=update,
    )
    update(rounds, 1.0)
    return results


def _time_stages(recipe: str, backend: str, threads: int | None) -> dict[str, Any]:
    began = time.perf_counter()
    with Worker(backend, threads=threads) as process:
        process.call(len, [])
        started = time.perf_counter() - began
        return {"start": started, **process.call(first_answer, recipe)}


def first_answer(recipe: str) -> dict[str, Any]:
    """Run in a fresh worker: return the seconds of each stage after the start, and the environment."""
    clock = time.perf_counter
    times = [clock()]
    current = runtime.current()
    current.devices()
    times.append(clock())
    from ...models.recipe import find

    builder = find(recipe)
    model = builder(**builder.complete({}))
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


def _group_result(
    cells: dict[str, TimedCell], waits: dict[str, list[dict[str, Any]]], rounds: InterleavedRounds[str]
) -> GroupResult:
    """Return the rows of each stage and of the total, and the ratios of the totals."""
    result = GroupResult(rounds=rounds.count, stopped_by=rounds.stopped_by)
    devices = {}
    for name, cell in cells.items():
        if name in rounds.failed:
            result.failed.append({"cell": cell.title, "why": rounds.failed[name]})
        if not waits[name]:
            continue
        result.environment[name] = waits[name][-1]["environment"]
        devices[name] = result.environment[name]["device"]
        where = {"recipe": cell.recipe, "backend": name, "device": devices[name], "runner": "trivium"}
        result.rows += [make_row(SUITE, where, stage, "s", [wait[stage] for wait in waits[name]]) for stage in STAGES]
        if rounds.samples.get(name):
            result.rows.append(make_row(SUITE, where, TOTAL, "s", rounds.samples[name]))
    names = [name for name in rounds.samples if rounds.count]
    for index, of in enumerate(names):
        for over in names[index + 1 :]:
            place = {"recipe": cells[of].recipe, "backend": f"{of} ÷ {over}", "device": devices[of]}
            columns = {"of": of, "over": over, "metric": TOTAL}
            span = vars(ratio(rounds.samples[of], rounds.samples[over]))
            result.ratios.append({"suite": SUITE, **place, **columns, **span})
    return result
