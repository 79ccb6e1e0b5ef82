"""Parameter search: the candidates, batched training, and that neither batching nor workers change a score."""

import itertools
import json
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

import trivium
from trivium.backends import runtime
from trivium.backends.workers import pool
from trivium.engine.search import fits, scorer, search_plot
from trivium.engine.search.candidates import Candidate, SearchRounds, combinations, rungs
from trivium.engine.search.duration import Duration
from trivium.engine.search.refine_grid import refine
from trivium.engine.search.scoring import Fit
from trivium.engine.search.search import Search, search
from trivium.errors import DataError, OptionError, RecipeError, WorkerError

BUILDERS = Path(__file__).parents[2] / "helpers" / "functions_for_estimators.py"
HERE = Path(__file__)


def silent(done):
    """Ignore progress."""


@pytest.fixture
def flowers():
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    mixed = np.random.default_rng(0).permutation(150)
    return x[mixed].astype("float32"), y[mixed]


def unequal_folds(count):
    """Yield shuffled training indices of different lengths, with the remaining of 150 samples as test indices."""
    for number, size in enumerate((100, 101, 100)[:count]):
        order = np.random.default_rng(number).permutation(150)
        yield order[:size], order[size:]


# --- candidates -----------------------------------------------------------------------------------------------------


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
def test_a_refined_grid_has_the_midpoints_to_the_neighbours(values, best, expected):
    assert (
        refine({"option": values}, {"option": best})["option"] == pytest.approx(expected)
        if isinstance(best, float)
        else refine({"option": values}, {"option": best})["option"] == expected
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
def test_the_last_rung_of_halving_trains_for_all_epochs(candidates, expected):
    for rung, expected_rung in zip(rungs(candidates), expected, strict=True):
        assert rung == pytest.approx(expected_rung)


def test_fits_of_one_architecture_are_one_group(backend):
    estimator = trivium.Classifier(f"{BUILDERS}:classes", batch_size=10)
    y = np.arange(60) % 3
    train, longer, without = np.arange(41), np.arange(50), np.flatnonzero(y[:45] != 2)[:41]
    same = [{"learning_rate": 0.1}, {"learning_rate": 0.2, "random_state": 7}, {}]
    fit_list = [Fit(params, train, np.arange(3)) for params in same]
    fit_list += [Fit({"units": 4}, train, train), Fit({}, longer, train), Fit({}, without[:30], train)]
    assert fits.group_fits(estimator, fit_list, y) == [[0, 1, 2], [3], [4], [5]]
    many = fits.group_fits(estimator, [Fit({}, train, train)] * 20, y)
    assert [len(group) for group in many] == [10, 10]


# --- training together ----------------------------------------------------------------------------------------------


def test_batched_training_gives_the_same_models_as_separate_training(backend, flowers):
    from trivium.engine.search.batched_fits import BatchedFits

    x, y = flowers
    estimator = trivium.Classifier(f"{BUILDERS}:normalised", epochs=4, batch_size=32)
    changes = [{}, {"random_state": 5}, {"random_state": 5, "learning_rate": 0.01}]
    fit_list = [Fit(change, *fold) for change, fold in zip(changes, unequal_folds(3), strict=True)]
    estimators = [trivium.Classifier(**{**estimator.explicit_params, **fit.params}) for fit in fit_list]
    group = BatchedFits.of(estimators, fit_list, x, y)
    if group is None:
        assert not runtime.current().can_vectorize(estimators[0].fit(x, y).model_)
        pytest.skip(f"{backend.title} trains them one after the other")
    metrics = group.train(silent)
    for number, (single, fit, (score,)) in enumerate(zip(estimators, fit_list, group.scores(), strict=True)):
        single.fit(x[fit.train], y[fit.train])
        for weight, ours in zip(single.model_.trainable_variables, group.models.weights()[number], strict=True):
            np.testing.assert_allclose(ours, weight.numpy(), atol=1e-5, err_msg=weight.path)
        for epoch, logs in enumerate(single.history_.epochs):
            assert metrics[epoch][number] == pytest.approx(logs, abs=1e-5)
        assert score == single.score(x[fit.test], y[fit.test])


def test_regressors_train_together_too(backend, flowers):
    x, _ = flowers
    estimator = trivium.Regressor(f"{BUILDERS}:values", epochs=40, batch_size=256, learning_rate=0.05)
    fit_list = [Fit({"random_state": seed}, *next(unequal_folds(1))) for seed in (1, 2)]
    together = fits.score_all(estimator, fit_list, x[:, :3], x[:, 3], on_progress=silent)
    apart = fits.score_all(estimator, fit_list, x[:, :3], x[:, 3], batched=False, on_progress=silent)
    np.testing.assert_allclose(together, apart, atol=1e-4)
    assert np.min(together) > 0.5


def test_fits_with_fitted_preprocessing_train_one_by_one(backend, flowers):
    from trivium.engine.search.batched_fits import BatchedFits
    from trivium.functions import load_function
    from trivium.models.recipe import Recipe, step

    x, y = flowers
    recipe = Recipe("own", "standardised", load_function(f"{BUILDERS}:classes"), inputs=(step("standardise"),))
    fit_list = [Fit({}, *fold) for fold in unequal_folds(2)]
    for estimator in (trivium.Classifier(recipe), trivium.Classifier(f"{BUILDERS}:classes", validation_split=0.2)):
        assert BatchedFits.of([estimator, estimator], fit_list, x, y) is None


@pytest.mark.one_environment
def test_a_class_that_only_test_samples_have_is_never_predicted(backend, flowers):
    x, y = flowers
    two = np.flatnonzero(y != 2)
    fit_list = [Fit({"random_state": seed}, two, np.arange(150)) for seed in (1, 2)]
    estimator = trivium.Classifier(f"{BUILDERS}:classes", epochs=15, batch_size=128, learning_rate=0.1)
    together = fits.score_all(estimator, fit_list, x, y, on_progress=silent)
    assert together == fits.score_all(estimator, fit_list, x, y, batched=False, on_progress=silent)
    np.testing.assert_allclose(together, [[2 / 3], [2 / 3]], atol=0.02)


# --- a search -------------------------------------------------------------------------------------------------------


def search_rounds(best, halving=False):
    """Return search rounds that do not train. Scores grow with the epochs and fall with the distance to `best`."""
    scored_fits = []

    def score(fit_list, note):
        for place, fit in enumerate(fit_list):
            scored_fits.append(fit)
            note(place, [fit.params["epochs"] / 100 - abs(fit.params["units"] - best)])

    estimator = trivium.Classifier("dense/dropout", epochs=9)
    folds = [(np.arange(4), np.arange(2))] * 3
    return SearchRounds(Duration(estimator), folds, score, halving), scored_fits


def test_no_candidate_is_scored_twice_and_the_best_comes_first():
    rounds, scored_fits = search_rounds(best=24)
    grid = {"units": [20, 30, 40]}
    rounds.run(combinations(grid, None, 1), 0)
    assert rounds.ranked[0].params == {"units": 20}
    rounds.run(combinations(refine(grid, rounds.ranked[0].params), None, 1), 1)
    assert [(candidate.params["units"], candidate.round) for candidate in rounds.ranked] == [
        (25, 1),
        (20, 0),
        (30, 0),
        (15, 1),
        (40, 0),
    ]
    assert len(scored_fits) == 3 * 5
    assert rounds.ranked[0].scores == (-0.91, -0.91, -0.91)


def test_halving_drops_the_worst_candidates_early():
    rounds, scored_fits = search_rounds(best=1, halving=True)
    rounds.run(combinations({"units": list(range(9, 0, -1))}, None, 1), 0)
    assert [(candidate.params["units"], candidate.epochs) for candidate in rounds.ranked[:4]] == [
        (1, 9),
        (2, 3),
        (3, 3),
        (4, 1),
    ]
    assert len(scored_fits) == 3 * (9 + 3 + 1)


def test_candidates_of_one_score_keep_their_order_whoever_is_scored_first():
    def score(fit_list, note):
        for place in reversed(range(len(fit_list))):
            note(place, [0.5])

    rounds = SearchRounds(
        Duration(trivium.Classifier("dense/dropout")), [(np.arange(4), np.arange(2))] * 2, score, False
    )
    rounds.run(combinations({"units": [1, 2, 3]}, None, 1), 0)
    assert [candidate.params["units"] for candidate in rounds.ranked] == [1, 2, 3]


def test_what_was_scored_before_the_end_is_kept():
    def score(fit_list, note):
        for place in (0, 2, 3, 1):  # the first candidate is complete last
            note(place, [0.1 * place])
        raise KeyboardInterrupt

    folds = [(np.arange(4), np.arange(2))] * 2
    rounds = SearchRounds(Duration(trivium.Classifier("dense/dropout", epochs=2)), folds, score, False)
    with pytest.raises(KeyboardInterrupt):
        rounds.run(combinations({"units": [1, 2, 3]}, None, 1), 0)
    assert [(c.params["units"], c.scores) for c in rounds.ranked] == [(2, (0.2, 0.1 * 3)), (1, (0.0, 0.1))]
    assert rounds.planned == 3
    again, scored = search_rounds(best=3)
    again = SearchRounds(
        Duration(trivium.Classifier("dense/dropout", epochs=2)), folds, again._score, False, rounds.ranked
    )
    again.run(combinations({"units": [1, 2, 3]}, None, 1), 0)
    assert {fit.params["units"] for fit in scored} == {3}
    assert again.planned == len(again.ranked) == 3


def test_random_combinations_depend_on_the_seed_only():
    grid = {"units": list(range(50)), "optimizer": ["adam", "sgd"]}
    samples = [combinations(grid, 6, seed) for seed in (1, 1, 2)]
    assert samples[0] == samples[1] != samples[2]
    assert len(samples[0]) == 6
    assert len(combinations(grid, 1_000, 1)) == 100


def test_a_search_finds_the_learning_rate_that_learns(backend, flowers):
    events = []
    grid = {"learning_rate": [1e-6, 0.1]}
    options = {"epochs": 20, "batch_size": 128, "units": 6, "workers": 0, "listener": events.append}
    result = search(f"{BUILDERS}:classes", grid, flowers, folds=2, **options)
    assert result.best.params == {"learning_rate": 0.1}
    assert (result.kind, result.metric, result.fits) == ("classifier", "accuracy", 4)
    assert (events[-1]["done"], events[-1]["total"]) == (4, 4)
    document = json.loads(json.dumps(result.to_json(), allow_nan=False))
    assert [(row["rank"], row["params"]["learning_rate"]) for row in document["rows"]] == [(1, 0.1), (2, 1e-6)]
    assert document["settings"] == {"random_state": 1, "epochs": 20, "batch_size": 128, "units": 6}
    assert result.estimator().get_params()["learning_rate"] == 0.1


@pytest.mark.parametrize("workers", [0, 1])
def test_candidates_are_scored_on_their_training_samples_too(backend, shared_worker, flowers, workers):
    settings = {"folds": 2, "epochs": 20, "batch_size": 64, "workers": workers}
    grid = {"learning_rate": [0.1, 0.01]}  # trained together where the backend can
    plain = search(f"{BUILDERS}:classes", grid, flowers, **settings)
    found = search(f"{BUILDERS}:classes", grid, flowers, training_scores=True, **settings)
    assert [candidate.training_scores for candidate in plain.candidates] == [(), ()]
    np.testing.assert_allclose([c.scores for c in found.candidates], [c.scores for c in plain.candidates], atol=0.03)
    assert [len(candidate.training_scores) for candidate in found.candidates] == [2, 2]
    assert np.mean(found.best.training_scores) > 0.8
    again = search(f"{BUILDERS}:classes", grid, flowers, earlier=plain.to_json(), training_scores=True, **settings)
    assert again.fits == 4, "those without training scores are scored anew"
    assert search(f"{BUILDERS}:classes", grid, flowers, earlier=found.to_json(), **settings).fits == 0


def test_a_search_stops_at_its_time_limit_and_goes_on_later(backend, flowers, monkeypatch):
    grid = {"units": [3, 4, 5, 6]}  # of different architectures, which are not trained together
    settings = {"folds": 2, "epochs": 2, "workers": 0}
    whole = search(f"{BUILDERS}:classes", grid, flowers, **settings)
    assert (whole.stopped, whole.untried, whole.fits) == ("", 0, 8)
    with monkeypatch.context() as patch:  # a second passes whenever somebody looks at the clock
        patch.setattr(scorer, "time", SimpleNamespace(monotonic=itertools.count().__next__))
        cut = search(f"{BUILDERS}:classes", grid, flowers, time_limit=2.5, **settings)
    assert cut.stopped == "time"
    assert 0 < len(cut.candidates) == 4 - cut.untried < 4
    earlier = json.loads(json.dumps(cut.to_json()))
    resumed = search(f"{BUILDERS}:classes", grid, flowers, earlier=earlier, **settings)
    assert resumed.fits == 2 * cut.untried
    assert [(c.params, c.scores) for c in resumed.candidates] == [(c.params, c.scores) for c in whole.candidates]
    with pytest.raises(OptionError, match="no combination has its score within the time limit"):
        search(f"{BUILDERS}:classes", grid, flowers, time_limit=0.0, **settings)
    for change, message in (
        ({"folds": 3}, r"the earlier search had other folds \(2, now 3\)"),
        ({"epochs": 4}, "had other settings"),
        ({"halving": True}, "begin such a search anew"),
    ):
        with pytest.raises(OptionError, match=message):
            search(f"{BUILDERS}:classes", grid, flowers, earlier=earlier, **{**settings, **change})
    with pytest.raises(OptionError, match="had other data"):
        search(f"{BUILDERS}:classes", grid, (flowers[0] + 1, flowers[1]), earlier=earlier, **settings)
    with pytest.raises(OptionError, match="no scores that can be read"):
        search(f"{BUILDERS}:classes", grid, flowers, earlier={**earlier, "rows": [{"params": {}}]}, **settings)


@pytest.mark.one_environment
def line(rate=0.1):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.SGD(rate), "mse")
    return model


@pytest.mark.parametrize("source", ["arrays", "file"])
def test_whole_numbers_are_values_under_a_loss_of_values(backend, tmp_path, source):
    x = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
    y = np.where(x[:, 0] > 0, 20, 10)
    np.savez(tmp_path / "n.npz", x_train=x, y_train=y)
    data = (x, y) if source == "arrays" else tmp_path / "n.npz"
    found = search(line, {"rate": [0.1, 1e-6]}, data, epochs=20, folds=2, workers=0)
    assert (found.kind, found.metric, found.best.params) == ("regressor", "r2", {"rate": 0.1})
    assert found.best.mean > 0.3
    assert found.candidates[1].mean < -5, "values around 15 that an untrained model does not reach, not classes 0 and 1"


@pytest.mark.plain
def test_a_search_takes_no_sample_weights():
    with pytest.raises(DataError, match="the arrays has sample weights, which a search does not take"):
        search("dense/small", {"epochs": [1]}, (np.ones((4, 2)), np.array([0, 1, 0, 1]), np.ones(4)))


def test_a_worker_gives_the_same_scores_as_this_process(backend, shared_worker, flowers):
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


def test_a_call_goes_to_the_next_free_worker_and_a_failure_ends_all_calls(backend, shared_worker):
    calls = [(f"{HERE}:pause", (seconds,)) for seconds in (0.02, 0.01, 0.0)]
    assert pool.run([shared_worker], calls) == [0.02, 0.01, 0.0]
    assert pool.prepare_all([shared_worker], calls[0]) == [0.02]
    heard, left = [], [True, False]
    results = pool.run(
        [shared_worker], calls, on_result=lambda *each: heard.append(each), goes_on=lambda: left and left.pop(0)
    )
    assert (results, heard) == ([0.02, None, None], [(0, 0.02)])
    with pytest.raises(WorkerError, match="sleep length must be non-negative"):
        pool.run([shared_worker], [(f"{HERE}:pause", (-1,)), *calls])


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"grid": {}}, OptionError, "needs values to try"),
        ({"grid": {"units": []}}, OptionError, "needs values to try"),
        ({"grid": {"units": [3]}, "folds": 1}, OptionError, "folds must be 2 or more, received 1"),
        ({"grid": {"units": [3]}, "random": 0}, OptionError, "random must be 1 or more"),
        ({"grid": {"unit": [3]}}, OptionError, "did you mean 'units'"),
        ({"grid": {"units": [3]}, "folds": 200}, DataError, "200 folds cannot be made"),
    ],
)
def test_invalid_arguments_are_refused_before_anything_starts(backend, flowers, options, error, message):
    with pytest.raises(error, match=message):
        search(f"{BUILDERS}:classes", data=flowers, workers=0, **options)


def test_a_builder_without_a_name_cannot_go_to_a_worker(backend, flowers):
    with pytest.raises(OptionError, match="cannot go to a worker"):
        trivium.cross_val_score(trivium.Classifier(lambda inputs: None), *flowers, workers=2)


def test_the_plot_has_a_row_for_each_candidate(tmp_path):
    from PIL import Image

    heights = []
    for count in (2, 30):
        candidates = [Candidate({"units": n, "rate": 0.1}, 3, (0.9 - n / 100, 0.8)) for n in range(count)]
        path = tmp_path / f"{count}.png"
        search_plot.draw_scores(Search("dense/dropout", "classifier", "accuracy", 2, {}, candidates, 1.0, 4), path)
        with Image.open(path) as image:
            heights.append(image.height)
    assert heights[1] > 3 * heights[0]
    assert search_plot.format_params({"units": 3, "rate": 0.1}) == "units=3, rate=0.1"


def test_scores_are_drawn_in_the_order_of_the_grid_and_as_a_map(tmp_path):
    from PIL import Image

    grid = {"optimizer": ["sgd", "adam"], "units": [100, 20, 3]}
    candidates = [Candidate(params, 3, (0.9, 0.8)) for params in combinations(grid, None, 1)]
    candidates[1] = Candidate(candidates[1].params, 3, (float("nan"), 0.8))
    found = Search("dense/dropout", "classifier", "accuracy", 2, {}, candidates, 1.0, 12)
    assert search_plot._values(found, "units") == ["3", "20", "100"]
    search_plot.draw_in_order(found, tmp_path / "order.png")
    search_plot.draw_map(found, ("units", "optimizer"), tmp_path / "map.png")
    for name in ("order", "map"):
        with Image.open(tmp_path / f"{name}.png") as image:
            assert len(image.convert("RGB").getcolors(2**24)) > 50
    with pytest.raises(OptionError, match="a map of scores: 'layers' is none of optimizer, units"):
        search_plot.draw_map(found, ("units", "layers"), tmp_path / "map.png")
