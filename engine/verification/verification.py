"""Verify that several backends compute the same for one model, and find where they first diverge.

Each backend builds the model in its own worker. All get the same batches and the first backend's initial weights, so
that only the computation can differ. The comparison follows the order in which a difference spreads: the outputs of
each layer, the loss, each gradient, each weight after one step, the loss of every step, the final predictions, and the
compiled metrics of these.
`measurements.py` measures, `tolerances.py` decides what counts as a difference.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...backends import catalog
from ...backends.workers import worker
from ...backends.workers.worker import Listener
from ...data.dataset import Dataset, labels_to_json
from ...errors import BackendError, OptionError, RecipeError
from ...functions import function_name, is_file_function, suggest
from ...models.recipe import Recipe, registry
from ...notebook.elements import to_html
from ...notebook.live import shows_progress
from ...notebook.parts import heading, verdict
from ..bundles import bundle as bundles
from ..bundles.architecture_file import is_architecture
from ..training.options import DEFAULT_SEED
from . import measurements, parity, tolerances
from .check_views import checks_table
from .model_under_test import ModelUnderTest, StepBatches
from .tolerances import GRADIENTS, LOSS, LOSSES, TRAINING, UPDATED, BackendCheck, NamedArrays

INITIAL, REPEATED = "initial weights", "the same pass twice"
# The tolerance of each array by kind.
AllowedDifferences = Mapping[str, Mapping[tolerances.ArrayKey, float]]
_MODES = {"inference": "", "training": " in training"}


@dataclass(frozen=True)
class Report:
    """The result of a verification.

    Attributes:
        source: the recipe, file or bundle.
        backends: their names; the initial weights are those of the first one.
        run_checks: the checks of the whole run, in the order in which a difference spreads.
        step_checks: the checks of the single step at which the losses diverge; empty if they do not.
        float64: whether everything was computed in float64.
        deviations: a sentence for each kind of layer that a backend is known to train otherwise.
        recorded: where the results of the first backend were recorded, if they come from a file; else empty.
    """

    source: str
    backends: tuple[str, ...]
    run_checks: tuple[BackendCheck, ...]
    step_checks: tuple[BackendCheck, ...]
    float64: bool
    deviations: tuple[str, ...] = ()
    recorded: str = ""

    @property
    def left_out(self) -> tuple[str, ...]:
        """Return the kinds of checks that were left out because one of the backends cannot train."""
        trains = self.recorded or all(catalog.find(name).trains for name in self.backends)
        return () if trains else tolerances.OF_TRAINING

    @property
    def checks(self) -> tuple[BackendCheck, ...]:
        return self.run_checks + self.step_checks

    @property
    def passed(self) -> bool:
        return all(check.passed for check in self.checks)

    @property
    def first_failure(self) -> BackendCheck | None:
        """Return the first failed check, which shows where the backends diverge, or None."""
        return next((check for check in self.checks if not check.passed), None)

    @property
    def finding(self) -> str:
        """Return the verdict as one line of text."""
        if self.first_failure is None and self.recorded:
            return f"the same on {self.backends[1]} as recorded on {self.recorded}"
        if self.first_failure is None:
            kinds = ", ".join(self.left_out)
            left_out = f" (left out because not every backend trains: {kinds})" if kinds else ""
            return f"the same on {', '.join(self.backends[:-1])} and {self.backends[-1]}{left_out}"
        sentences = [
            _describe(check) for check in (self.first_failure, *[c for c in self.step_checks if not c.passed][:1])
        ]
        if self.outlier:
            sentences.append(f"only {self.outlier} differs")
        return "different: " + "; ".join([*sentences, *self.deviations])

    @property
    def outlier(self) -> str | None:
        """Return the one backend that differs from all others, if the others agree; otherwise None."""
        failed_pairs = [
            set(check.backends)
            for check in self.run_checks
            if self.first_failure and check.what == self.first_failure.what and not check.passed
        ]
        common = set.intersection(*failed_pairs) if len(failed_pairs) > 1 else set()
        return common.pop() if len(common) == 1 else None

    def worst_by_kind(self) -> list[BackendCheck]:
        """Return for each kind of check the one closest to its tolerance or furthest above it."""
        groups: dict[str, list[BackendCheck]] = {}
        for check in self.checks:
            groups.setdefault(check.what, []).append(check)
        return [max(checks, key=lambda check: check.excess) for checks in groups.values()]

    def __repr__(self) -> str:
        return f"{self.source}: {self.finding}"

    def _repr_html_(self) -> str:
        head = heading(f"verify {self.source}", ", ".join(self.backends), "in float64" if self.float64 else "")
        return to_html(head, verdict(self.passed, self.finding), checks_table(self.worst_by_kind()))

    def to_json(self) -> dict[str, Any]:
        return {
            "schema": 1,
            "verdict": "same" if self.passed else "different",
            "finding": self.finding,
            "source": self.source,
            "backends": list(self.backends),
            "float64": self.float64,
            "left_out": list(self.left_out),
            "recorded": self.recorded or None,
            "deviations": list(self.deviations),
            "checks": [check.to_json() for check in self.checks],
        }


@shows_progress
def verify(
    source: str | Path | Recipe | Callable[..., Any],
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
        source: a recipe, its name, `path/to/file.py:function`, a function at the top of a file that builds a model, a
            bundle's file, or a run folder with a bundle.
        data: a dataset, its name or its file. The default is the recipe's dataset (for MNIST, its sample), the inputs
            that a bundle has recorded, or else random inputs and targets that fit the model.
        backends: at least two names. The default is all installed backends.
        steps: the number of training steps, 1 or more.
        float64: compute in float64: rounding shrinks to 1e-16, while a bug keeps its size.
        options: options of the recipe.
        batch_size: the default is the recipe's, limited to 32.
        seed: of initial weights, batch order, and drawn data.
        listener: called with `{"kind": "verify", "title", "stage", "done", "total"}` events.

    Raises:
        BackendError: an unknown or missing backend, or fewer than two.
        TriviumError: the source or its data cannot be loaded.

    Example:
        >>> trivium.verify("dense/points", steps=3).finding
        'the same...'
    """
    names = _at_least_two(backends)
    named, model_under_test = model_under_test_of(source, data, options, batch_size, seed, float64, steps)
    verification = _Verification(model_under_test, names, listener or (lambda event: None))
    checks = verification.judge(steps)
    return Report(named, names, *checks, float64, tuple(verification.deviations))


def model_under_test_of(
    source: str | Path | Recipe | Callable[..., Any],
    data: Dataset | str | Path | None,
    options: Mapping[str, Any] | None,
    batch_size: int | None,
    seed: int,
    float64: bool,
    steps: int,
) -> tuple[str, ModelUnderTest]:
    """Return the name of a source and the model under test; the arguments are those of `verify`."""
    if steps < 1:
        raise OptionError(f"steps must be 1 or more, received {steps}")
    if batch_size is not None and batch_size < 1:
        raise OptionError(f"batch size must be 1 or more, received {batch_size}")
    named = _name_of(source)
    return named, ModelUnderTest(
        *resolve_source(named), _to_portable(data), dict(options or {}), batch_size, seed, float64
    )


class _Verification:
    """One verification: calls the workers, and compares their results."""

    def __init__(self, model_under_test: ModelUnderTest, names: tuple[str, ...], listener: Listener):
        self._model_under_test = model_under_test
        self._names = names
        self._listener = listener
        self._batches: StepBatches = {}
        self.deviations: list[str] = []
        all_train = all(catalog.find(name).trains for name in names)
        self._measure = measurements.measure if all_train else measurements.measure_inference

    def judge(self, steps: int) -> tuple[tuple[BackendCheck, ...], tuple[BackendCheck, ...]]:
        """Measure and compare everything. Return `Report.run_checks` and `Report.step_checks`."""
        first = self._names[0]
        prepared = worker.get(first).call(measurements.prepare, asdict(self._model_under_test), steps)
        self._batches, variables = prepared["batches"], prepared["variables"]
        evidence_of = {name: self._call(name, self._measure, variables) for name in self._names}
        self.deviations = [text for evidence in evidence_of.values() for text in evidence.get("deviations", [])]
        checks = self._compare_initial({name: evidence["own"] for name, evidence in evidence_of.items()})
        if not all("passes" in evidence for evidence in evidence_of.values()):
            return tuple(checks), ()  # variables of another number or shape cannot be assigned
        dtype = max((evidence["dtype"] for evidence in evidence_of.values()), key=parity.tolerance)
        for name in self._names:
            checks += _compare_repeated(name, evidence_of[name]["passes"], parity.tolerance(dtype))
        if "predictions" in evidence_of[first]:
            for name in self._names:
                evidence_of[name] |= self._call(
                    name, measurements.measure_metrics, [array for _, array in evidence_of[first]["predictions"]]
                )
        kinds = {name: tolerances.by_kind(evidence) for name, evidence in evidence_of.items()}
        perturbed = kinds[first]
        if all(check.passed for check in checks):  # perturbing a model that is not deterministic shows nothing
            weights = tolerances.perturb_named(variables, dtype, self._model_under_test.seed)
            perturbed = kinds[first] | tolerances.by_kind(
                self._call(first, self._measure, weights, title=f"{catalog.find(first).title}, perturbed")
            )
        derived = tolerances.derive_tolerances(dtype, kinds[first], perturbed)
        allowed = {
            what: dict(zip(tolerances.by_name(named), derived[what], strict=True))
            for what, named in kinds[first].items()
        }
        for what in (what for what in tolerances.LIMITS if any(what in of_backend for of_backend in kinds.values())):
            checks += [
                _compare(what, (a, b), kinds[a].get(what, []), kinds[b].get(what, []), allowed)
                for a, b in itertools.combinations(self._names, 2)
            ]
        divergence = next((check for check in checks if not check.passed), None)
        step_checks = (
            self._check_step(divergence, variables, allowed) if divergence and divergence.what == LOSSES else []
        )
        return tuple(checks), tuple(step_checks)

    def _call(self, name: str, function: Callable[..., Any], *arguments: Any, title: str = "") -> Any:
        """Call a function in the worker of one backend."""
        title = title or catalog.find(name).title
        return worker.get(name).call(
            function,
            asdict(self._model_under_test),
            self._batches,
            *arguments,
            listener=lambda event: self._listener({**event, "title": title}),
        )

    def _compare_initial(self, own: dict[str, NamedArrays]) -> list[BackendCheck]:
        """Compare the initial variables that each backend computes itself; for a bundle, those that it loads."""
        least = parity.tolerance("float64" if self._model_under_test.float64 else "float32")
        return [
            tolerances.compare(INITIAL, (a, b), own[a], own[b], [least] * len(own[a]))
            for a, b in itertools.combinations(self._names, 2)
        ]

    def _check_step(
        self,
        divergence: BackendCheck,
        variables: NamedArrays,
        allowed: AllowedDifferences,
    ) -> list[BackendCheck]:
        """Check the step at which the losses diverge: the step itself, with one backend's weights on both backends,
        and then the weights with which each backend entered it.
        """
        a, b = divergence.backends
        step = divergence.index
        before = {name: self._call(name, measurements.train_until, variables, step) for name in (a, b)}
        results = {
            name: tolerances.by_kind(self._call(name, measurements.measure_step, before[a]["variables"], step))
            for name in (a, b)
        }
        checks = [
            _compare(what, (a, b), results[a][what], results[b][what], allowed, f"{what} at step {step + 1}")
            for what in (TRAINING, LOSS, GRADIENTS)
        ]
        # Every step may add as much error as the first.
        weights, other_weights = before[a]["weights"], before[b]["weights"]
        limits = [max(1, step) * limit for limit in tolerances.tolerances_for(weights, allowed[UPDATED])]
        what = f"weights before step {step + 1}"
        return [*checks, tolerances.compare(what, (a, b), weights, other_weights, limits)]


def _compare(
    what: str,
    backends: tuple[str, str],
    expected: NamedArrays,
    received: NamedArrays,
    allowed: AllowedDifferences,
    title: str = "",
) -> BackendCheck:
    """Compare the results of one kind on two backends, within the tolerances of that kind."""
    limits = tolerances.tolerances_for(expected, allowed.get(what, {}))
    return tolerances.compare(title or what, backends, expected, received, limits, kind=what)


def _compare_repeated(name: str, passes: dict[str, list[NamedArrays]], tolerance: float) -> list[BackendCheck]:
    """Check that a backend gives the same results for the same pass twice."""
    return [
        tolerances.compare(
            f"{REPEATED}{_MODES[mode]}", (name, name), first, second, [tolerance] * len(first), kind=TRAINING
        )
        for mode, (first, second) in sorted(passes.items())
    ]


def _at_least_two(backends: Iterable[str]) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(backend.name for backend in catalog.resolve(backends, trains=False)))
    if len(names) < 2:
        others = [backend for backend in catalog.BACKENDS if backend.name not in names]
        raise BackendError(
            f"comparing takes two backends or more, received {names[0]} alone (installed: "
            f"{', '.join(backend.name for backend in catalog.trainers())}; {others[0].install_hint} brings another)"
        )
    return names


def _name_of(source: str | Path | Recipe | Callable[..., Any]) -> str:
    """Return the name by which a worker finds a source.

    Raises:
        RecipeError: it is a function or a recipe that another process cannot find.
    """
    if isinstance(source, (str, Path)):
        return str(source)
    builder = source.build if isinstance(source, Recipe) else source
    if isinstance(source, Recipe) and (source.name in registry() or is_file_function(source.name)):
        return source.name
    try:
        return function_name(builder)
    except (AttributeError, KeyError, TypeError) as error:
        raise RecipeError(
            f"{getattr(source, 'name', None) or getattr(source, '__name__', source)} is built anew in the process of "
            "each backend: put its function at the top of a file, and name it as path/to/file.py:function"
        ) from error


def resolve_source(source: str) -> tuple[str, bool]:
    """Return the recipe's name or the bundle's path, and whether the source is a bundle.

    Raises:
        RecipeError: the source is none of these.
    """
    name = source
    if name in registry():
        return name, False
    if is_file_function(name):
        # Workers load the file, because it may import a framework. The path is relative to the directory they share.
        return name, False
    if is_architecture(name) and Path(name).is_file():
        return name, False
    if Path(name).exists():
        return str(bundles.locate(Path(name)).resolve()), True
    raise RecipeError(
        f"{name!r} is no recipe, no bundle and no run folder{suggest(name, list(registry()))} (`trivium recipes` lists "
        "the recipes; a model of your own is path/to/file.py:function)"
    )


def _to_portable(data: Dataset | str | Path | None) -> Any:
    """Return the data as they are sent to a worker: by name, or as arrays."""
    if isinstance(data, Dataset):
        data.require_arrays("`verify`")
    # A worker needs the columns of series, and reads them again; so it does what stays in its files.
    if isinstance(data, Dataset) and not data.series and not data.train.is_deferred:
        return {
            "name": data.name,
            "x": data.train.x,
            "y": data.train.y,
            "labels": labels_to_json(data.labels),
            "kind": data.kind,
            "guesses_classes": data.guesses_classes,
            "columns": [asdict(column) for column in data.columns],
        }
    name = data.name if isinstance(data, Dataset) else data
    return None if name is None else str(name)


def _describe(check: BackendCheck) -> str:
    """Return a failed check as one line of text."""
    name_of_check = f"{check.what} on {check.backends[0]}" if len(set(check.backends)) == 1 else check.what
    values = ", ".join(f"{name} {value:.8g}" for name, value in zip(check.backends, check.values, strict=False))
    return f"{name_of_check}, {check.where}" + (f" ({values})" if values else "")
