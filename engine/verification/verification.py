"""One model on several backends: does each compute the same, and where not, where does it first part?

Each backend builds the model in a worker of its own. The first one's initial weights and one set of batches go to all,
so that what differs is the computation and nothing else. Compared are, in the order in which a difference spreads: each
layer's outputs, the loss, each gradient, each weight after one step, the loss of every step, the last predictions.
What is gathered is in `measurements.py`, what counts as different in `tolerances.py`.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ...backends import catalog
from ...backends.workers import worker
from ...backends.workers.worker import Listener
from ...errors import BackendError, OptionError, RecipeError
from ...functions import is_file_function, suggest
from ...models.recipe import book
from ..bundles import bundle as bundles
from ..data.dataset import Dataset
from ..training.trainer import DEFAULT_SEED
from . import parity, tolerances
from .model_under_test import Batches, Specimen
from .tolerances import GRADIENTS, LOSS, LOSSES, TRAINING, UPDATED, Check, Named

INITIAL, REPEATED = "initial weights", "the same pass twice"
_MODES = {"inference": "", "training": " in training"}

_EVIDENCE = f"{__package__}.measurements"


@dataclass(frozen=True)
class Report:
    """What was compared, and what came of it.

    Attributes:
        source: the recipe, file or bundle.
        backends: their names; the initial weights are the first one's.
        judged: every comparison, in the order in which a difference spreads.
        located: those that look for the place of a difference that began in the middle of training.
        float64: whether all was computed in float64.
    """

    source: str
    backends: tuple[str, ...]
    judged: tuple[Check, ...]
    located: tuple[Check, ...]
    float64: bool

    @property
    def checks(self) -> tuple[Check, ...]:
        return self.judged + self.located

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def first(self) -> Check | None:
        """The check that shows where the backends first part, or None."""
        return next((check for check in self.checks if not check.passed), None)

    @property
    def finding(self) -> str:
        """The verdict in words: one line."""
        if self.first is None:
            return f"the same on {', '.join(self.backends[:-1])} and {self.backends[-1]}"
        told = [_in_words(check) for check in (self.first, *[c for c in self.located if not c.passed][:1])]
        if self.odd:
            told.append(f"{self.odd} is alone in this")
        return "different: " + "; ".join(told)

    @property
    def odd(self) -> str | None:
        """The backend that parts from all others while those agree, where there is one."""
        failed = [
            set(check.backends)
            for check in self.judged
            if self.first and check.what == self.first.what and not check.passed
        ]
        common = set.intersection(*failed) if len(failed) > 1 else set()
        return common.pop() if len(common) == 1 else None

    def worst(self) -> list[Check]:
        """Of each kind of check the one nearest to its tolerance or furthest above it."""
        groups: dict[str, list[Check]] = {}
        for check in self.checks:
            groups.setdefault(check.what, []).append(check)
        return [max(checks, key=lambda check: check.excess) for checks in groups.values()]

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "verdict": "same" if self.passed else "different",
            "finding": self.finding,
            "source": self.source,
            "backends": list(self.backends),
            "float64": self.float64,
            "checks": [check.to_json() for check in self.checks],
        }


def verify(
    source: str | Path,
    data: Dataset | str | Path | None = None,
    *,
    backends: Iterable[str] = (),
    steps: int = 50,
    float64: bool = False,
    options: Mapping[str, Any] | None = None,
    batch_size: int | None = None,
    seed: int = DEFAULT_SEED,
    listener: Listener | None = None,
) -> Report:
    """Compare what a model computes on several backends.

    Args:
        source: a recipe's name, `path/to/file.py:function`, a bundle's file, or the run folder that holds it.
        data: a dataset, its name or its file; without it the recipe's own (of MNIST the sample), what a bundle has
            recorded, or inputs and targets drawn to suit the model.
        backends: names of at least two; all that are installed by default.
        steps: of training, 1 or more.
        float64: compute in float64, where rounding is 1e-16 and a bug is what it was.
        options: the recipe's own options.
        batch_size: the recipe's by default, 32 at most.
        seed: of initial weights, batch order and drawn data.
        listener: called with `{"kind": "verify", "title", "stage", "done", "total"}` events.

    Raises:
        BackendError: an unknown or missing backend, or fewer than two.
        TriviumError: the source or its data cannot be had.
    """
    names = _at_least_two(backends)
    if steps < 1:
        raise OptionError(f"steps must be 1 or more, received {steps}")
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"batch size must be 1 or more, received {batch_size}")
    specimen = Specimen(*_find(source), _portable(data), dict(options or {}), batch_size, seed, float64)
    session = _Session(specimen, names, listener or (lambda event: None))
    return Report(str(source), names, *session.judge(steps), float64)


class _Session:
    """The workers of one verification, and what they all are given."""

    def __init__(self, specimen: Specimen, names: tuple[str, ...], tell: Listener):
        self._specimen = specimen
        self._names = names
        self._tell = tell
        self._batches: Batches = {}

    def judge(self, steps: int) -> tuple[tuple[Check, ...], tuple[Check, ...]]:
        """Gather everything and compare it: `Report.judged` and `Report.located`."""
        first = self._names[0]
        prepared = worker.get(first).call(f"{_EVIDENCE}:prepare", asdict(self._specimen), steps)
        self._batches, variables = prepared["batches"], prepared["variables"]
        found = {name: self._ask(name, "gather", variables) for name in self._names}
        checks = self._compare_initial({name: evidence["own"] for name, evidence in found.items()})
        if not all("losses" in evidence for evidence in found.values()):
            return tuple(checks), ()  # where variables differ in number or shape nothing can be carried
        dtype = max((evidence["dtype"] for evidence in found.values()), key=parity.tolerance)
        for name in self._names:
            checks += _compare_repeated(name, found[name]["passes"], parity.tolerance(dtype))
        kinds = {name: tolerances.kinds_of(evidence) for name, evidence in found.items()}
        nudged = kinds[first]
        if all(check.passed for check in checks):  # of a model that never answers twice alike a nudge tells nothing
            weights = tolerances.nudge(variables, dtype, self._specimen.seed)
            nudged = tolerances.kinds_of(
                self._ask(first, "gather", weights, title=f"{catalog.find(first).title}, nudged")
            )
        allowed = tolerances.allowances(dtype, kinds[first], nudged)
        for what in kinds[first]:
            checks += [
                tolerances.compare(what, (a, b), kinds[a][what], kinds[b][what], allowed[what])
                for a, b in itertools.combinations(self._names, 2)
            ]
        parted = next((check for check in checks if not check.passed), None)
        located = self._locate(parted, variables, allowed) if parted and parted.what == LOSSES else []
        return tuple(checks), tuple(located)

    def _ask(self, name: str, function: str, *arguments: Any, title: str = "") -> Any:
        """What one backend gives, from its worker."""
        title = title or catalog.find(name).title
        return worker.get(name).call(
            f"{_EVIDENCE}:{function}",
            asdict(self._specimen),
            self._batches,
            *arguments,
            listener=lambda event: self._tell({**event, "title": title}),
        )

    def _compare_initial(self, own: dict[str, Named]) -> list[Check]:
        """The variables that each backend made by itself; a bundle brings them."""
        least = parity.tolerance("float64" if self._specimen.float64 else "float32")
        return [
            tolerances.compare(INITIAL, (a, b), own[a], own[b], [least] * len(own[a]))
            for a, b in itertools.combinations(self._names, 2)
        ]

    def _locate(self, parted: Check, variables: list[np.ndarray], allowed: dict[str, list[float]]) -> list[Check]:
        """What differs at the step at which the losses part: first with one backend's weights carried to both, then
        the weights with which each came there.
        """
        a, b = parted.backends
        step = parted.index
        before = {name: self._ask(name, "variables_before", variables, step) for name in (a, b)}
        found = {name: tolerances.kinds_of(self._ask(name, "at_step", before[a]["variables"], step)) for name in (a, b)}
        checks = [
            tolerances.compare(
                f"{what} at step {step + 1}", (a, b), found[a][what], found[b][what], allowed[what], kind=what
            )
            for what in (TRAINING, LOSS, GRADIENTS)
        ]
        # Each step may add as much as the first.
        grown = [max(1, step) * limit for limit in allowed[UPDATED]]
        weights = before[a]["weights"], before[b]["weights"]
        return [*checks, tolerances.compare(f"weights before step {step + 1}", (a, b), *weights, grown)]


def _compare_repeated(name: str, passes: dict[str, list[Named]], tolerance: float) -> list[Check]:
    """Whether a backend gives the same answer when it is asked twice."""
    return [
        tolerances.compare(
            f"{REPEATED}{_MODES[mode]}", (name, name), once, again, [tolerance] * len(once), kind=TRAINING
        )
        for mode, (once, again) in sorted(passes.items())
    ]


def _at_least_two(backends: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(backend.name for backend in catalog.resolve(backends)))
    if len(names) < 2:
        others = [backend for backend in catalog.BACKENDS if backend.name not in names]
        raise BackendError(
            f"comparing takes two backends or more, received {names[0]} alone (installed: "
            f"{', '.join(backend.name for backend in catalog.installed())}; {others[0].install_hint} brings another)"
        )
    return names


def _find(source: str | Path) -> tuple[str, bool]:
    """What a source names, and whether it is a bundle.

    Raises:
        RecipeError: nothing.
    """
    name = str(source)
    if name in book():
        return name, False
    if is_file_function(name):
        # Relative to the folder of the caller, which workers follow; loaded there, for it may import a framework.
        return name, False
    if Path(name).exists():
        return str(bundles.locate(Path(name)).resolve()), True
    raise RecipeError(
        f"{name!r} is no recipe, no bundle and no run folder{suggest(name, list(book()))} (`trivium recipes` lists "
        "the recipes; a model of your own is path/to/file.py:function)"
    )


def _portable(data: Dataset | str | Path | None) -> Any:
    """Data as they travel to a worker: by name, or as arrays."""
    if isinstance(data, Dataset):
        return {"name": data.name, "x": data.train.x, "y": data.train.y}
    return None if data is None else str(data)


def _in_words(check: Check) -> str:
    """One check that failed, in one line."""
    told = f"{check.what} on {check.backends[0]}" if len(set(check.backends)) == 1 else check.what
    values = ", ".join(f"{name} {value:.8g}" for name, value in zip(check.backends, check.values, strict=False))
    return f"{told}, {check.where}" + (f" ({values})" if values else "")
