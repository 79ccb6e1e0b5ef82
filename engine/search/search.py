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
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from ...backends.workers.executors import LOCAL, find_executor
from ...backends.workers.worker import Listener
from ...data.data_source import DataSource, dataset_of
from ...data.dataset import Dataset
from ...data.nests import is_array
from ...errors import DataError, OptionError, first_line
from ...functions import at_most_every
from ...models.recipe import Recipe
from ...storage.safe_json import finite
from ..bundles.named_recipe import find, recipe_of
from ..training.options import DEFAULT_SEED, TrainingOptions
from ..training.recipe_data import as_trained, dataset_for
from ..training.train import pop_reading_settings
from .candidates import Candidate, SearchRounds, combinations, make_folds
from .estimators import Classifier, Estimator
from .fits import KINDS
from .refine_grid import refine
from .scorer import Scorer, TimeUpError
from .scoring import Fit

# Why a search ended early.
TIME, INTERRUPTED = "time", "interrupted"
# What two searches must have in common for the scores of one to hold in the other; keys of their JSON.
_THE_SAME = ("recipe", "kind", "metric", "folds", "settings", "data")
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

    recipe: Recipe | str
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
        """Return the recipe's name."""
        return recipe_of(self.recipe).name

    def estimator(self) -> Estimator:
        """Return a new, unfitted estimator with the best parameters."""
        return KINDS[self.kind](self.recipe, **{**self.settings, **self.best.params, "epochs": self.best.epochs})

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
    """
    from sklearn.model_selection import check_cv
    from sklearn.model_selection import cross_val_score as score_by_sklearn

    if not isinstance(estimator, Estimator):
        _require_estimator(estimator, "cross_val_score")
        if workers or find_executor(executor, address) is not LOCAL:
            raise OptionError(
                "`workers` train a Classifier or Regressor, and scikit-learn scores other estimators: leave it out"
            )
        return np.asarray(score_by_sklearn(estimator, X, y, cv=cv, error_score="raise"))
    X, y = np.asarray(X), _labels(y)  # noqa: N806
    splits = list(check_cv(cv, y, classifier=isinstance(estimator, Classifier)).split(X, y))
    with Scorer(estimator, X, y, workers, listener, find_executor(executor, address)) as scorer:
        return np.array([tested for (tested,) in scorer([Fit({}, train, test) for train, test in splits])])


def search(
    recipe: Recipe | str,
    grid: Mapping[str, Sequence[Any]],
    data: DataSource | None = None,
    *,
    folds: int = 3,
    random: int | None = None,
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
        recipe: a name, `path/to/file.py:function`, a `Recipe`, or a function that builds a model.
        grid: the values to try, by parameter name: options of the recipe, and training options.
        data: a `Dataset`, a dataset's name, an `.npz` file, or a pair (x, y). The default is the recipe's dataset.
            The test split is not used. Whole numbers are classes, or values under a loss of values that the builder
            compiles its model with.
        folds: the number of folds, 2 or more. Folds of classes are stratified.
        random: try this many random combinations instead of all.
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
        >>> found = trivium.search("dense/dropout", {"units": [20, 30, 40], "optimizer": ["adam", "adadelta"]})
        >>> found.best.params, found.best.mean
        ({'units': 40, 'optimizer': 'adam'}, 0.9342)
    """
    start = time.perf_counter()
    if hasattr(recipe, "get_params"):
        received = type(recipe).__name__
        raise OptionError(
            f"a search takes a recipe or a builder, received {received}: use GridSearchCV of scikit-learn"
        )
    _require_settings(grid, folds, random, zoom)
    reading = pop_reading_settings(settings, recipe_of(recipe), data)
    dataset = _dataset(recipe, grid, settings, data if not reading else dataset_of(data, **reading))
    x, y, classifies = dataset.train.x, dataset.train.y, bool(dataset.labels)
    kind = "classifier" if classifies else "regressor"
    estimator_params = {"random_state": seed, **{_estimator_parameter(name): value for name, value in settings.items()}}
    table = [asdict(column) for column in dataset.columns] or None
    estimator = KINDS[kind](recipe, table=table, **estimator_params)
    grid = {_estimator_parameter(name): list(values) for name, values in grid.items()}
    _require_parameters(estimator, grid)
    metric = "accuracy" if classifies else "r2"
    nothing = Search(recipe, kind, metric, folds, estimator_params, [], 0.0, 0, dataset.checksum)
    known = _known_candidates(earlier, nothing, halving, training_scores) if earlier else []
    limit = math.inf if time_limit is None else time_limit
    with Scorer(estimator, x, y, workers, listener, find_executor(executor, address), limit) as scorer:
        parts = make_folds(y, folds, classifies, seed)
        rounds = SearchRounds(estimator, parts, scorer, halving, known, training_scores)

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
        return so_far(_run(rounds, grid, random, zoom, seed))


def _run(rounds: SearchRounds, grid: Mapping[str, Sequence[Any]], random: int | None, zoom: int, seed: int) -> str:
    """Score all combinations; return why that ended early, or an empty text.

    Raises:
        OptionError: the time was up before the first combination had its score.
        KeyboardInterrupt: Ctrl-C before that.
    """
    try:
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


def _known_candidates(
    earlier: Mapping[str, Any], search: Search, halving: bool, training_scores: bool
) -> list[Candidate]:
    """Return the candidates of the JSON of an earlier search.

    Args:
        search: the search that begins, without candidates.
        training_scores: whether only those with training scores are taken.

    Raises:
        OptionError: the earlier one scored something else; or it stopped candidates at fewer epochs than others.
    """
    if halving:
        raise OptionError("`halving` compares all candidates after the same epochs: begin such a search anew")
    now = json.loads(json.dumps(search.to_json(), default=repr))
    changed = [name for name in _THE_SAME if earlier.get(name) != now[name]]
    if changed:
        name = changed[0]
        raise OptionError(
            f"the earlier search had other {name} ({earlier.get(name)!r}, now {now[name]!r}): begin anew, in another "
            "`out`"
        )
    try:
        known = [_candidate(row, search.folds) for row in earlier["rows"]]
    except (KeyError, TypeError, ValueError) as error:
        raise OptionError(f"the earlier search has no scores that can be read: {first_line(error)}") from error
    return [candidate for candidate in known if candidate.training_scores or not training_scores]


def _candidate(row: Mapping[str, Any], folds: int) -> Candidate:
    """Return the candidate of a row of JSON."""
    tested, trained = (
        tuple(math.nan if score is None else float(score) for score in row[name])
        for name in ("scores", "training_scores")
    )
    if len(tested) != folds:
        raise ValueError(f"{len(tested)} scores of {folds} folds")
    return Candidate(dict(row["params"]), int(row["epochs"]), tested, training_scores=trained)


def _require_estimator(estimator: Any, what: str) -> None:
    """Raise an OptionError unless this is an estimator, rather than a recipe or a builder."""
    if not hasattr(estimator, "fit") or isinstance(estimator, type):
        raise OptionError(
            f"{what} takes an estimator, received {type(estimator).__name__}: give it trivium.Classifier(…) or "
            "trivium.Regressor(…) of it"
        )


def _dataset(
    recipe: Recipe | str, grid: Mapping[str, Sequence[Any]], settings: Mapping[str, Any], data: DataSource | None
) -> Dataset:
    """Return the data as `trivium.train` takes them: whole numbers are values under a loss of values, else classes.

    Raises:
        DataError: the samples are not one array in memory with one label or value for each.
    """
    named = recipe_of(recipe)
    dataset = dataset_for(named, data)
    if dataset.series:
        raise DataError(f"{dataset.name} is a series, and a search chooses its folds at random: train on it")
    dataset.require_arrays("a search")
    if not is_array(dataset.train.x) or not is_array(dataset.train.y):
        raise DataError(f"{dataset.name} has several inputs or targets: a search takes one array of each")
    if dataset.train.weight is not None:
        raise DataError(f"{dataset.name} has sample weights, which a search does not take: give x and y")
    if dataset.labels and dataset.train.y.ndim > 1:
        raise DataError(f"{dataset.name} has a class for each pixel: a search takes one for each sample")
    if dataset.train.is_deferred:
        raise DataError(
            f"{dataset.name} is read from its files while a model trains, and a search needs it in memory: load it by "
            "`stored=no`"
        )
    first = {**settings, **{name: values[0] for name, values in grid.items()}}
    options = {name: value for name, value in first.items() if name in named.options and value is not None}
    return as_trained(dataset, TrainingOptions(named, options).resolve())


def _labels(y: Any) -> np.ndarray:
    labels = np.asarray(y)
    return np.asarray(labels, str) if labels.dtype == object else labels


def _estimator_parameter(name: str) -> str:
    """Return the estimator's name of a training option."""
    return "random_state" if name == "seed" else name


def _require_parameters(estimator: Estimator, grid: Mapping[str, Sequence[Any]]) -> None:
    estimator.__sklearn_clone__().set_params(**{name: values[0] for name, values in grid.items()})
    if isinstance(estimator.recipe, str):
        find(estimator.recipe)


def _require_settings(grid: Mapping[str, Sequence[Any]], folds: int, random: int | None, zoom: int) -> None:
    if not grid or not all(len(values) for values in grid.values()):
        raise OptionError("a search needs values to try: `grid` units=20,30,40")
    for name, value, least in (("folds", folds, 2), ("random", random, 1), ("zoom", zoom, 0)):
        if value is not None and value < least:
            raise OptionError(f"{name} must be {least} or more, received {value}")
