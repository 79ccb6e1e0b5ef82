"""On which backend does a model reach a given accuracy soonest? Over several seeds, as MLPerf measures training.

Time to accuracy holds what the time of an epoch leaves out: how many epochs it takes. Each round trains one seed on
every backend, in random order. See `targets/` for one training and for the figures of all.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from functools import partial
from typing import Any

import numpy as np

from ...backends import catalog
from ...errors import DataError, OptionError, WorkerError
from ...functions import is_file_function
from ...models.recipe import find
from ..cells import TimedCell, progress_event
from ..measure import InterleavedRounds
from ..results import GroupResult, Results
from ..suite import BenchmarkOptions, load, note_energy
from ..targets import target_rows, training
from ..targets.seed_run import SeedRun
from ..targets.target import Target
from .book import SuiteProgress

SUITE = "time-to-accuracy"
RECIPE = "dense/one-hidden"
SEEDS = 5  # as many as MLPerf asks for in most of its vision benchmarks
BY_SEEDS, BY_BUDGET = "seeds", "budget"


def measure(
    recipe: str = RECIPE,
    backends: Sequence[str] = (),
    *,
    target: Target,
    seeds: int = SEEDS,
    epochs: int | None = None,
    batch_size: int | None = None,
    device: str | None = None,
    data: str | None = None,
    options: BenchmarkOptions | None = None,
) -> Results:
    """Train a model to a target, from each seed on each backend.

    `runs` in the results has each training; see `SeedRun`. Trainings in earlier results are not repeated.

    Args:
        recipe: a name, or `path/to/file.py:function`.
        backends: names of backends; by default all that are installed.
        target: the metric of the validation, and the value that it must reach.
        seeds: how many; the first is 1.
        epochs: after how many a seed has failed, 2 or more; by default the recipe's own number.
        batch_size: by default the recipe's own.
        device: `cpu` or `gpu`; by default the choice of each backend.
        data: the name of a dataset or file, with its settings; the recipe's own by default, but the sample of MNIST.
        options: where to measure, and after how many seconds no further seed begins.

    Raises:
        OptionError: nothing is held out for validation, or the model is not compiled with the metric.
        RecipeError, BackendError, DataError: a recipe, a backend or data that cannot be used.
        WorkerError: the workers of all backends died.
    """
    if seeds < 1 or (epochs is not None and epochs < 2):
        raise OptionError(f"expected `seeds` of 1 or more and `epochs` of 2 or more, received {seeds} and {epochs}")
    if not is_file_function(recipe):  # a user's file is loaded in the workers only
        find(recipe)
    names = [backend.name for backend in catalog.resolve(backends)]
    settings = {"epochs": epochs, "batch_size": batch_size, "data": data, "device": device}
    arguments = {"recipe": recipe, "backends": names, "target": asdict(target), "seeds": seeds, **settings}
    measurement = _Measurement(recipe, names, target, settings, arguments, options or BenchmarkOptions())
    measurement.examine()
    measurement.train(seeds)
    return measurement.results


class _Measurement:
    """The trainings of all seeds on all backends, and their results so far."""

    def __init__(
        self,
        recipe: str,
        backends: Sequence[str],
        target: Target,
        settings: Mapping[str, Any],
        arguments: Mapping[str, Any],
        options: BenchmarkOptions,
    ):
        self._recipe, self._target, self._settings, self._options = recipe, target, dict(settings), options
        self._cells = {
            name: TimedCell(recipe, name, name, device=settings["device"], metric=target_rows.METRIC)
            for name in backends
        }
        self._runs: dict[str, list[SeedRun]] = {name: [] for name in backends}
        self._failed: dict[str, str] = {}
        self._group = GroupResult()
        self.results = Results(SUITE, {**arguments, **options.executor.describe()})
        self.results.extra["load"] = options.executor.call_on_host(load)
        note_energy(self.results, options.executor)
        if options.earlier_results:
            self._resume(options.earlier_results)
        self.results.groups[recipe] = self._group

    def examine(self) -> None:
        """Load each backend, and check there that the model can be trained to the target."""
        for done, name in enumerate(self._cells):
            self._options.listener(progress_event(SUITE, f"{self._cells[name].title}, preparing", done, 0))
            try:
                report = self._call(
                    name, training.examine, *self._subject, self._settings["device"], asdict(self._target)
                )
            except WorkerError as error:
                self._failed[name] = str(error)
                continue
            self._group.environment[self._cells[name].location] = report["environment"]
            self._target = replace(self._target, mode=report["mode"])
            self._settings["epochs"] = self._settings["epochs"] or max(2, report["epochs"])
        if not self._group.environment:
            raise WorkerError(next(iter(self._failed.values())))
        self.results.extra["target"] = {**asdict(self._target), "epochs": self._settings["epochs"]}

    def train(self, seeds: int) -> None:
        """Train the seeds one after the other, each on all backends in random order, until the budget is spent."""
        order, began = np.random.default_rng(0), time.perf_counter()
        rounds = InterleavedRounds[str]({name: [] for name in self._cells if name not in self._failed})
        for seed in range(1, seeds + 1):
            if seed > 1 and time.perf_counter() - began >= self._options.budget:
                self._group.stopped_by = BY_BUDGET
                break
            calls = {name: partial(self._train_seed, name, seed, seeds) for name in rounds.samples}
            rounds.measure(calls, order.permutation(len(calls)).tolist())
            self._failed |= rounds.failed
            self._update(seed)
        else:
            self._group.stopped_by = BY_SEEDS
        self._update(self._group.rounds)
        self._options.listener(progress_event(SUITE, "done", 1, 1))
        if not self.results.rows:
            raise WorkerError(next(iter(self._failed.values())))

    @property
    def _subject(self) -> tuple[str, str | None]:
        return self._recipe, self._settings["data"]

    def _train_seed(self, name: str, seed: int, seeds: int) -> float:
        """Train one seed on one backend, if earlier results do not have it; return its seconds."""
        runs = self._runs[name]
        if not any(run.seed == seed for run in runs):
            done = (seed - 1) * len(self._cells) + sum(run.seed == seed for each in self._runs.values() for run in each)
            title = f"{self._cells[name].title}, seed {seed}"
            listener = SuiteProgress(self._options.listener, title, done, seeds * len(self._cells), SUITE)
            limits = self._settings["epochs"], self._settings["batch_size"]
            record = self._call(
                name, training.train, *self._subject, asdict(self._target), seed, *limits, listener=listener
            )
            runs.append(SeedRun.from_json(record))
            self._options.save(self.results)
        return runs[-1].seconds

    def _call(self, name: str, function: Any, *arguments: Any, **keywords: Any) -> Any:
        worker = self._options.executor.dedicated_worker(
            name, threads=self._options.threads, device=self._settings["device"]
        )
        return worker.call(function, *arguments, **keywords)

    def _update(self, rounds: int) -> None:
        """Bring the results up to date after so many rounds."""
        whole = {name: runs for name, runs in self._runs.items() if name not in self._failed}
        group = self._group
        group.rounds = rounds
        group.failed = [{"cell": self._cells[name].title, "why": why} for name, why in self._failed.items()]
        group.rows = [
            row for runs in self._runs.values() if runs for row in target_rows.rows(SUITE, self._recipe, runs)
        ]
        group.ratios = [
            target_rows.ratio_row(SUITE, self._recipe, of, over)
            for of, over in itertools.combinations(whole.values(), 2)
            if of and over and target_rows.is_reached(of) and target_rows.is_reached(over)
        ]
        self.results.extra["runs"] = [run.to_json() for runs in self._runs.values() for run in runs]
        self._options.save(self.results)

    def _resume(self, earlier: Mapping[str, Any]) -> None:
        """Take over the trainings of earlier results.

        Raises:
            DataError: they are of other arguments, or damaged.
        """
        self.results.resume_from(earlier, [])
        records = earlier.get("runs", [])
        runs = [SeedRun.from_json(each) for each in records] if isinstance(records, list) else []
        if not runs or not {run.backend for run in runs} <= self._runs.keys():
            raise DataError("the earlier results have no `runs` on these backends: leave `resume` out")
        for run in runs:
            self._runs[run.backend].append(run)
