"""Searching: what is tried, what trains together, and that nothing of it changes a score."""

import json
import time
from pathlib import Path

import numpy as np
import pytest

import trivium
from trivium.backends import runtime
from trivium.backends.workers import pool
from trivium.engine.search import fits, search, search_plot
from trivium.engine.search.candidates import Candidate, Rounds, combinations, rungs
from trivium.engine.search.refine_grid import finer
from trivium.engine.search.scoring import Fit
from trivium.engine.search.search import Search
from trivium.errors import DataError, OptionError, RecipeError, WorkerError

BUILDERS = Path(__file__).parents[2] / "helpers" / "functions_for_estimators.py"
HERE = Path(__file__)


def silent(done):
    """Nobody listens."""


@pytest.fixture
def flowers():
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    mixed = np.random.default_rng(0).permutation(150)
    return x[mixed].astype("float32"), y[mixed]


def unequal_folds(count):
    """Training samples of different numbers, in another order each, and what is left of 150."""
    for number, size in enumerate((100, 101, 100)[:count]):
        order = np.random.default_rng(number).permutation(150)
        yield order[:size], order[size:]


# --- what is tried --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "best", "expected"),
    [
        ([20, 30, 40], 30, [25, 30, 35]),
        ([20, 30, 40], 40, [35, 40, 45]),
        ([1, 2, 3], 1, [1, 2]),
        ([0.1, 0.2, 0.4], 0.4, [0.3, 0.4]),
        ([0.0, 0.2], 0.0, [0.0, 0.1]),
        ([0.0001, 0.001, 0.01], 0.001, [0.001 / 10**0.5, 0.001, 0.001 * 10**0.5]),
        ([0.001, 0.01, 0.1], 0.1, [0.1 / 10**0.5, 0.1, 0.1 * 10**0.5]),
        (["adam", "sgd"], "sgd", ["sgd"]),
        ([True, False], True, [True]),
        ([5], 5, [5]),
    ],
)
def test_a_finer_grid_lies_half_way_to_the_neighbours(values, best, expected):
    assert (
        finer({"option": values}, {"option": best})["option"] == pytest.approx(expected)
        if isinstance(best, float)
        else finer({"option": values}, {"option": best})["option"] == expected
    )


@pytest.mark.parametrize(
    ("candidates", "expected"),
    [
        (1, [(1, 1)]),
        (2, [(1, 2)]),
        (3, [(1 / 3, 3), (1, 1)]),
        (18, [(1 / 9, 18), (1 / 3, 6), (1, 2)]),
        (27, [(1 / 27, 27), (1 / 9, 9), (1 / 3, 3), (1, 1)]),
    ],
)
def test_halving_ends_with_all_the_epochs(candidates, expected):
    for found, wanted in zip(rungs(candidates), expected, strict=True):
        assert found == pytest.approx(wanted)


def test_what_shares_an_architecture_is_one_group(backend):
    estimator = trivium.Classifier(f"{BUILDERS}:classes", batch_size=10)
    y = np.arange(60) % 3
    train, longer, without = np.arange(41), np.arange(50), np.flatnonzero(y[:45] != 2)[:41]
    same = [{"learning_rate": 0.1}, {"learning_rate": 0.2, "random_state": 7}, {}]
    tried = [Fit(params, train, np.arange(3)) for params in same]
    tried += [Fit({"units": 4}, train, train), Fit({}, longer, train), Fit({}, without[:30], train)]
    assert fits.in_groups(estimator, tried, y) == [[0, 1, 2], [3], [4], [5]]
    many = fits.in_groups(estimator, [Fit({}, train, train)] * 20, y)
    assert [len(group) for group in many] == [10, 10]


# --- training together ----------------------------------------------------------------------------------------------


def test_models_that_train_together_become_what_each_becomes_alone(backend, flowers):
    from trivium.engine.search.batched_fits import Together

    x, y = flowers
    estimator = trivium.Classifier(f"{BUILDERS}:normalised", epochs=4, batch_size=32)
    changes = [{}, {"random_state": 5}, {"random_state": 5, "learning_rate": 0.01}]
    tried = [Fit(change, *fold) for change, fold in zip(changes, unequal_folds(3), strict=True)]
    estimators = [trivium.Classifier(**{**estimator.given, **fit.params}) for fit in tried]
    group = Together.of(estimators, tried, x, y)
    if group is None:
        assert not runtime.current().trains_together(estimators[0].fit(x, y).model_)
        pytest.skip(f"{backend.title} trains them one after the other")
    metrics = group.train(silent)
    for number, (each, fit, score) in enumerate(zip(estimators, tried, group.scores(), strict=True)):
        each.fit(x[fit.train], y[fit.train])
        for weight, ours in zip(each.model_.trainable_variables, group.many.weights()[number], strict=True):
            np.testing.assert_allclose(ours, weight.numpy(), atol=1e-5, err_msg=weight.path)
        for epoch, logs in enumerate(each.history_.epochs):
            assert metrics[epoch][number] == pytest.approx(logs, abs=1e-5)
        assert score == each.score(x[fit.test], y[fit.test])


def test_values_that_are_predicted_train_together_too(backend, flowers):
    x, _ = flowers
    estimator = trivium.Regressor(f"{BUILDERS}:values", epochs=40, batch_size=256, learning_rate=0.05)
    tried = [Fit({"random_state": seed}, *next(unequal_folds(1))) for seed in (1, 2)]
    together = fits.score_all(estimator, tried, x[:, :3], x[:, 3], tell=silent)
    apart = fits.score_all(estimator, tried, x[:, :3], x[:, 3], together=False, tell=silent)
    np.testing.assert_allclose(together, apart, atol=1e-4)
    assert min(together) > 0.5


def test_a_preparation_that_learns_from_its_samples_trains_alone(backend, flowers):
    from trivium.engine.search.batched_fits import Together
    from trivium.functions import load_function
    from trivium.models.recipe import Recipe, step

    x, y = flowers
    recipe = Recipe("own", "standardised", load_function(f"{BUILDERS}:classes"), inputs=(step("standardise"),))
    tried = [Fit({}, *fold) for fold in unequal_folds(2)]
    for estimator in (trivium.Classifier(recipe), trivium.Classifier(f"{BUILDERS}:classes", validation_split=0.2)):
        assert Together.of([estimator, estimator], tried, x, y) is None


def test_a_class_that_only_test_samples_have_is_never_right(backend, flowers):
    x, y = flowers
    two = np.flatnonzero(y != 2)
    tried = [Fit({"random_state": seed}, two, np.arange(150)) for seed in (1, 2)]
    estimator = trivium.Classifier(f"{BUILDERS}:classes", epochs=15, batch_size=128, learning_rate=0.1)
    together = fits.score_all(estimator, tried, x, y, tell=silent)
    assert together == fits.score_all(estimator, tried, x, y, together=False, tell=silent)
    assert together == pytest.approx([2 / 3, 2 / 3], abs=0.02)


# --- a search -------------------------------------------------------------------------------------------------------


def rounds_by(best, halving=False):
    """A search's rounds that train nothing: the nearer to `best`, and the longer trained, the better."""
    asked = []

    def score(tried):
        asked.extend(tried)
        return [fit.params["epochs"] / 100 - abs(fit.params["units"] - best) for fit in tried]

    estimator = trivium.Classifier("dense/dropout", epochs=9)
    folds = [(np.arange(4), np.arange(2))] * 3
    return Rounds(estimator, folds, score, halving), asked


def test_nothing_is_tried_twice_and_the_best_comes_first():
    rounds, asked = rounds_by(best=24)
    grid = {"units": [20, 30, 40]}
    rounds.run(combinations(grid, None, 1), 0)
    assert rounds.ranked[0].params == {"units": 20}
    rounds.run(combinations(finer(grid, rounds.ranked[0].params), None, 1), 1)
    assert [(each.params["units"], each.round) for each in rounds.ranked] == [
        (25, 1),
        (20, 0),
        (30, 0),
        (15, 1),
        (40, 0),
    ]
    assert len(asked) == 3 * 5
    assert rounds.ranked[0].scores == (-0.91, -0.91, -0.91)


def test_halving_gives_up_the_worst_early():
    rounds, asked = rounds_by(best=1, halving=True)
    rounds.run(combinations({"units": list(range(9, 0, -1))}, None, 1), 0)
    assert [(each.params["units"], each.epochs) for each in rounds.ranked[:4]] == [(1, 9), (2, 3), (3, 3), (4, 1)]
    assert len(asked) == 3 * (9 + 3 + 1)


def test_combinations_are_drawn_by_the_seed():
    grid = {"units": list(range(50)), "optimizer": ["adam", "sgd"]}
    drawn = [combinations(grid, 6, seed) for seed in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    assert len(drawn[0]) == 6
    assert len(combinations(grid, 1_000, 1)) == 100


def test_a_search_finds_what_learns(backend, flowers):
    heard = []
    grid = {"learning_rate": [1e-6, 0.1]}
    given = {"epochs": 20, "batch_size": 128, "units": 6, "workers": 0, "listener": heard.append}
    found = search(f"{BUILDERS}:classes", grid, flowers, folds=2, **given)
    assert found.best.params == {"learning_rate": 0.1}
    assert (found.kind, found.metric, found.fits) == ("classifier", "accuracy", 4)
    assert (heard[-1]["done"], heard[-1]["total"]) == (4, 4)
    kept = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert [(row["rank"], row["params"]["learning_rate"]) for row in kept["rows"]] == [(1, 0.1), (2, 1e-6)]
    assert kept["settings"] == {"random_state": 1, "epochs": 20, "batch_size": 128, "units": 6}
    assert found.estimator().get_params()["learning_rate"] == 0.1


def test_a_worker_scores_as_this_process_does(backend, shared_worker, flowers):
    x, y = flowers
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    estimator = trivium.Classifier(f"{BUILDERS}:classes", epochs=5, batch_size=64, learning_rate=0.05)
    there = trivium.cross_val_score(estimator, x, words, cv=3, workers=1)
    np.testing.assert_allclose(there, trivium.cross_val_score(estimator, x, words, cv=3, workers=0), atol=0.01)
    with pytest.raises(RecipeError, match="has no option 'widht'"):
        trivium.cross_val_score(trivium.Classifier(f"{BUILDERS}:classes", widht=3), x, y, workers=1)


def pause(seconds):
    """Called in workers."""
    time.sleep(seconds)
    return seconds


def test_a_call_goes_to_the_next_free_worker_and_a_failure_ends_them(backend, shared_worker):
    calls = [(f"{HERE}:pause", (seconds,)) for seconds in (0.02, 0.01, 0.0)]
    assert pool.run([shared_worker], calls) == [0.02, 0.01, 0.0]
    assert pool.each([shared_worker], calls[0]) == [0.02]
    with pytest.raises(WorkerError, match="sleep length must be non-negative"):
        pool.run([shared_worker], [(f"{HERE}:pause", (-1,)), *calls])


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({"grid": {}}, OptionError, "needs values to try"),
        ({"grid": {"units": []}}, OptionError, "needs values to try"),
        ({"grid": {"units": [3]}, "folds": 1}, OptionError, "folds must be 2 or more, received 1"),
        ({"grid": {"units": [3]}, "random": 0}, OptionError, "random must be 1 or more"),
        ({"grid": {"unit": [3]}}, OptionError, "did you mean 'units'"),
        ({"grid": {"units": [3]}, "folds": 200}, DataError, "200 folds cannot be made"),
    ],
)
def test_what_cannot_be_searched_is_said_before_anything_starts(backend, flowers, given, error, words):
    with pytest.raises(error, match=words):
        search(f"{BUILDERS}:classes", data=flowers, workers=0, **given)


def test_a_builder_without_a_name_stays_in_this_process(backend, flowers):
    with pytest.raises(OptionError, match="cannot go to a worker"):
        trivium.cross_val_score(trivium.Classifier(lambda inputs: None), *flowers, workers=2)


def test_the_picture_has_a_line_for_each_candidate(tmp_path):
    from PIL import Image

    heights = []
    for count in (2, 30):
        tried = [Candidate({"units": n, "rate": 0.1}, 3, (0.9 - n / 100, 0.8)) for n in range(count)]
        path = tmp_path / f"{count}.png"
        search_plot.scores(Search("dense/dropout", "classifier", "accuracy", 2, {}, tried, 1.0, 4), path)
        with Image.open(path) as drawn:
            heights.append(drawn.height)
    assert heights[1] > 3 * heights[0]
    assert search_plot.words({"units": 3, "rate": 0.1}) == "units=3, rate=0.1"
