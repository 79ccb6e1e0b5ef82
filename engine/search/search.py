"""Search for the best parameters: score a grid, or a random part of it, by cross-validation.

The results are those of `GridSearchCV`, but faster: fits run in warm workers, one per core, and models of one
architecture train together.
"""

from __future__ import annotations

import dataclasses
import json
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...backends.workers.executors import LOCAL, Executor, find_executor
from ...backends.workers.worker import Listener
from ...data.data_source import DataSource
from ...errors import OptionError
from ...functions import at_most_every, require_known
from ...notebook.elements import to_html
from ...notebook.live import seconds_text, shows_progress
from ...notebook.parts import MOST_ROWS, heading, sentences, table
from ...storage.safe_json import finite
from ..training.options import DEFAULT_SEED
from . import subject as subjects
from .candidates import Candidate, SearchRounds, combinations, make_folds
from .duration import Duration
from .earlier import known_candidates
from .estimators import Classifier, Estimator
from .fits import KINDS
from .one_by_one import OneByOne
from .refine_grid import refine
from .scorer import Scorer, TimeUpError
from .scoring import Fit
from .subject import Model, Subject, is_estimator, name_of, with_parameters
from .tree_parzen import TreeParzen

# Why a search ended early.
TIME, INTERRUPTED = "time", "interrupted"
# How combinations are chosen where not all are tried.
SAMPLERS = RANDOM, TPE = "random", "tpe"
_SECONDS_BETWEEN_SAVES = 5.0


@dataclass(frozen=True)
class Search:
    """The result of a search.

    Attributes:
        recipe: the `recipe` argument of `search`.
        kind: `classifier` or `regressor`.
        metric: `accuracy` or `r2`.
        folds: the number of folds.
        settings: the parameters that all candidates share.
        candidates: sorted, the best first.
        seconds: the duration of the search.
        fits: the number of trained models.
        checksum: of the data, where they have one.
        stopped: why the search ended early: `time` or `interrupted`; empty if it did not.
        untried: the combinations without a score.
    """

    recipe: Model
    kind: str
    metric: str
    folds: int
    settings: dict[str, Any]
    candidates: list[Candidate]
    seconds: float
    fits: int
    checksum: str | None = None
    stopped: str = ""
    untried: int = 0

    @property
    def best(self) -> Candidate:
        return self.candidates[0]

    @property
    def name(self) -> str:
        """Return the recipe's name, or the kind of estimator."""
        return name_of(self.recipe)

    def estimator(self) -> Any:
        """Return a new, unfitted estimator with the best parameters: a `Classifier`, `Regressor`, or the user's."""
        if is_estimator(self.recipe):
            return with_parameters(
                self.recipe, {**self.best.params, **Duration(self.recipe).parameters(self.best.epochs)}
            )
        return KINDS[self.kind](self.recipe, **{**self.settings, **self.best.params, "epochs": self.best.epochs})

    def __repr__(self) -> str:
        best = f"{self.best.mean:.4g} with {self.best.params}" if self.candidates else "none"
        return f"Search of {self.name}: {len(self.candidates)} candidates, best {self.metric} {best}"

    def _repr_html_(self) -> str:
        names = list(dict.fromkeys(name for candidate in self.candidates for name in candidate.params))
        rows = [
            [rank, candidate.mean, candidate.deviation, candidate.epochs or None, *map(candidate.params.get, names)]
            for rank, candidate in enumerate(self.candidates[:MOST_ROWS], 1)
        ]
        numbers = ("", self.metric, "deviation", "epochs")
        facts = f"{self.folds} folds", f"{self.fits} fits in {seconds_text(self.seconds)}"
        stopped = [f"ended early: {self.stopped}, {self.untried} combinations without a score"] if self.stopped else []
        return to_html(
            heading(f"search {self.name}", *facts),
            table((*numbers, *names), rows, numbers=numbers, total=len(self.candidates)),
            *sentences(stopped),
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as JSON, one row per candidate."""
        rows = [
            {
                "rank": rank,
                **dataclasses.asdict(candidate),
                "scores": finite(candidate.scores),
                "training_scores": finite(candidate.training_scores),
                "mean": finite(candidate.mean),
                "deviation": finite(candidate.deviation),
            }
            for rank, candidate in enumerate(self.candidates, start=1)
        ]
        return {
            "schema": 1,
            "recipe": self.name,
            "kind": self.kind,
            "metric": self.metric,
            "folds": self.folds,
            "settings": self.settings,
            "data": self.checksum,
            "stopped": self.stopped,
            "untried": self.untried,
            "fits": self.fits,
            "seconds": self.seconds,
            "rows": rows,
        }


@shows_progress
def cross_val_score(
    estimator: Any,
    X: Any,  # noqa: N803 - scikit-learn's name
    y: Any,
    *,
    cv: Any = None,
    workers: int | None = None,
    executor: str = "local",
    address: str | None = None,
    listener: Listener | None = None,
) -> np.ndarray:
    """Score a `Classifier` or `Regressor` by cross-validation, as scikit-learn's function of this name, but faster.

    The scores are the same up to rounding. Other estimators, such as a pipeline, are scored by scikit-learn's function.

    Args:
        estimator: a `Classifier`, a `Regressor`, or another estimator of scikit-learn; is cloned, not fitted.
        X, y: samples, and labels or values.
        cv: as in scikit-learn: a number of folds, a splitter, or pairs of training and test indices.
        workers, executor, address: as in `search`.
        listener: called with progress events.

    Returns:
        (folds,) float64: accuracy, or R².

    Raises:
        TriviumError: the parameters do not fit the samples.

    Example:
        >>> from sklearn.datasets import load_iris
        >>> X, y = load_iris(return_X_y=True)
        >>> trivium.cross_val_score(trivium.Classifier("dense/points", epochs=2), X, y, cv=3, workers=0).shape
        (3,)
    """
    from sklearn.model_selection import check_cv
    from sklearn.model_selection import cross_val_score as score_by_sklearn

    if not isinstance(estimator, Estimator):
        _require_estimator(estimator, "cross_val_score")
        _require_this_process(workers, find_executor(executor, address))
        return np.asarray(score_by_sklearn(estimator, X, y, cv=cv, error_score="raise"))
    X, y = np.asarray(X), subjects.labels_of(y)  # noqa: N806
    splits = list(check_cv(cv, y, classifier=isinstance(estimator, Classifier)).split(X, y))
    with Scorer(estimator, X, y, workers, listener, find_executor(executor, address)) as scorer:
        return np.array([tested for (tested,) in scorer([Fit({}, train, test) for train, test in splits])])


@shows_progress
def search(
    recipe: Model,
    grid: Mapping[str, Sequence[Any]],
    data: DataSource | None = None,
    *,
    folds: int = 3,
    random: int | None = None,
    sampler: str = RANDOM,
    halving: bool = False,
    zoom: int = 0,
    training_scores: bool = False,
    time_limit: float | None = None,
    earlier: Mapping[str, Any] | None = None,
    save: Callable[[Search], None] | None = None,
    seed: int = DEFAULT_SEED,
    workers: int | None = None,
    executor: str = "local",
    address: str | None = None,
    listener: Listener | None = None,
    **settings: Any,
) -> Search:
    """Score combinations of parameters by cross-validation.

    Args:
        recipe: a name, `path/to/file.py:function`, a `Recipe`, a function that builds a model, or an estimator of
            scikit-learn such as a pipeline, whose parameters are then `step__parameter`.
        grid: the values to try, by parameter name: options of the recipe, and training options.
        data: a `Dataset`, a dataset's name, an `.npz` file, or a pair (x, y). The default is the recipe's dataset.
            The test split is not used. Whole numbers are classes, or values under a loss of values that the builder
            compiles its model with.
        folds: the number of folds, 2 or more. Folds of classes are stratified.
        random: try this many combinations instead of all.
        sampler: how those are chosen: `random`, or `tpe`, which learns from the scores so far; it needs Optuna.
        halving: use successive halving: train all candidates for a few epochs, then the best third for three times
            as many, and so on.
        zoom: refine the grid around the best candidate this many times.
        training_scores: score each candidate on its training samples too: where they are much better than those on the
            test samples, it has learnt the samples by heart.
        time_limit: seconds after which no further model is trained; the result then has the combinations scored so far.
        earlier: the JSON of an earlier search of the same model, data and settings, whose combinations are not scored
            again.
        save: called with the result so far, now and then while the search goes on.
        seed: of the models, the folds, and the random combinations. All candidates have the same seed, so that their
            scores do not differ by chance.
        workers: the number of worker processes. The default is one per core; 0 trains in this process. A recipe
            without a name can only be trained in this process.
        executor: `local` for workers on this machine, `ray` for workers on a Ray cluster, one per core of its nodes.
        address: of the Ray cluster: `HOST:PORT`, or `auto` for the one on this machine. The default is RAY_ADDRESS,
            or else a new cluster on this machine.
        listener: called with progress events.
        settings: parameters that all candidates share, such as `epochs`, and how a file or a data frame is read, such
            as `target="price"`. Each fit prepares the columns of a table by its own training samples.

    Ctrl-C ends the search like the time limit. It is only raised before the first combination has its score.

    Raises:
        TriviumError: an argument is invalid; the message says which. Or the time was up before the first score.

    Example:
        >>> result = trivium.search("dense/points", {"units": [4, 8]}, "iris", epochs=2, folds=2, workers=0)
        >>> len(result.candidates), sorted(result.best.params)
        (2, ['units'])
    """
    start = time.perf_counter()
    _require_settings(grid, folds, random, zoom)
    _require_sampler(sampler, random, halving, zoom)
    if is_estimator(recipe):
        subject = subjects.of_estimator(recipe, data, settings)
    else:
        subject = subjects.of_recipe(recipe, grid, data, settings, seed)
    grid = {subjects.parameter_name(name): list(values) for name, values in grid.items()}
    subject.require(grid)
    duration = Duration(subject.estimator)
    if halving and not duration.exists:
        raise OptionError(f"`halving` trains for fewer epochs first, and {name_of(recipe)} has none: leave it out")
    nothing = Search(recipe, subject.kind, subject.metric, folds, subject.settings, [], 0.0, 0, subject.checksum)
    if earlier and halving:
        raise OptionError("`halving` compares all candidates after the same epochs: begin such a search anew")
    now = json.loads(json.dumps(nothing.to_json(), default=repr))
    known = known_candidates(earlier, now, training_scores=training_scores) if earlier else []
    limit = math.inf if time_limit is None else time_limit
    with _scorer(subject, workers, listener, find_executor(executor, address), limit) as scorer:
        parts = make_folds(subject.y, folds, subject.kind == "classifier", seed)
        rounds = SearchRounds(duration, parts, scorer, halving, known, training_scores)

        def so_far(stopped: str = INTERRUPTED) -> Search:
            ranked = rounds.ranked
            return dataclasses.replace(
                nothing,
                candidates=ranked,
                seconds=time.perf_counter() - start,
                fits=scorer.fits,
                stopped=stopped,
                untried=rounds.planned - len(ranked),
            )

        if save:
            rounds.after_each = at_most_every(_SECONDS_BETWEEN_SAVES, lambda: save(so_far()))
        return so_far(_run(rounds, grid, random, zoom, seed, sampler))


def _scorer(
    subject: Subject, workers: int | None, listener: Listener | None, executor: Executor, limit: float
) -> Scorer | OneByOne:
    """Return what scores the fits: workers for a network, this process for an estimator of the user's own."""
    if subject.is_network:
        return Scorer(subject.estimator, subject.x, subject.y, workers, listener, executor, limit)
    _require_this_process(workers, executor)
    return OneByOne(subject, listener, limit)


def _run(
    rounds: SearchRounds, grid: Mapping[str, Sequence[Any]], random: int | None, zoom: int, seed: int, sampler: str
) -> str:
    """Score all combinations; return why that ended early, or an empty text.

    Raises:
        OptionError: the time was up before the first combination had its score.
        KeyboardInterrupt: Ctrl-C before that.
    """
    try:
        if sampler == TPE and random:
            _follow_scores(rounds, TreeParzen(grid, seed), random)
        else:
            rounds.run(combinations(grid, random, seed), 0)
        for number in range(1, zoom + 1):
            grid = refine(grid, rounds.ranked[0].params)
            rounds.run(combinations(grid, None, seed), number)
    except TimeUpError:
        if not rounds.ranked:
            raise OptionError(
                "no combination has its score within the time limit: allow more `time_limit`, or train fewer `epochs`"
            ) from None
        return TIME
    except KeyboardInterrupt:
        if not rounds.ranked:
            raise
        return INTERRUPTED
    return ""


def _follow_scores(rounds: SearchRounds, sampler: TreeParzen, count: int) -> None:
    """Score combinations one after the other, each chosen by the scores of those before."""
    for _ in range(count):
        if sampler.is_exhausted:
            return
        params = sampler.ask()
        rounds.run([params], 0)
        sampler.tell(rounds.mean(params))


def _require_estimator(estimator: Any, what: str) -> None:
    """Raise an OptionError unless this is an estimator, rather than a recipe or a builder."""
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        raise OptionError(
            f"{what} takes an estimator, received {type(estimator).__name__}: give it trivium.Classifier(…) or "
            "trivium.Regressor(…) of it"
        )


def _require_this_process(workers: int | None, executor: Executor) -> None:
    if workers or executor is not LOCAL:
        raise OptionError(
            "`workers` train a Classifier or Regressor, and other estimators are scored in this process: leave it out"
        )


def _require_sampler(sampler: str, random: int | None, halving: bool, zoom: int) -> None:
    require_known("`sampler`", [sampler], SAMPLERS)
    if sampler == TPE and random is None:
        raise OptionError("`sampler` tpe needs to know how many combinations to try: `random` 20")
    if sampler == TPE and (halving or zoom):
        raise OptionError(
            f"`sampler` tpe chooses each combination itself: leave `{'halving' if halving else 'zoom'}` out"
        )


def _require_settings(grid: Mapping[str, Sequence[Any]], folds: int, random: int | None, zoom: int) -> None:
    if not grid or not all(len(values) for values in grid.values()):
        raise OptionError("a search needs values to try: `grid` units=20,30,40")
    for name, value, least in (("folds", folds, 2), ("random", random, 1), ("zoom", zoom, 0)):
        if value is not None and value < least:
            raise OptionError(f"{name} must be {least} or more, received {value}")
