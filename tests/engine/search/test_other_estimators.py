"""Estimators beside the usual: open lengths, pipelines, builders, optimizers and callbacks as objects."""

import json

import numpy as np
import pytest
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

import trivium
from trivium.errors import DataError, OptionError

pytestmark = pytest.mark.one_environment

RNG = np.random.default_rng(0)
X = RNG.normal(size=(40, 4)).astype("float32")
Y = (X[:, 0] > 0).astype(int)


def build(units=4):
    import keras

    layers = keras.layers
    return keras.Sequential([keras.Input((4,)), layers.Dense(units, "relu"), layers.Dense(2, "softmax")])


def of_length(length):
    def build():
        import keras

        return keras.Sequential([keras.Input((length, 2)), keras.layers.SimpleRNN(3), keras.layers.Dense(2, "softmax")])

    return build


def test_a_model_of_open_length_predicts_samples_of_another_length(backend):
    classifier = trivium.Classifier(of_length(None), epochs=1).fit(RNG.normal(size=(40, 2, 2)), Y)
    longer = RNG.normal(size=(3, 5, 2)).astype("float32")
    expected = classifier.model_.predict(longer, verbose=0)
    np.testing.assert_allclose(classifier.predict_proba(longer), expected, atol=1e-6)


@pytest.mark.parametrize("shape", [(3, 5, 2), (3, 2, 3), (3, 4)])
def test_a_model_of_fixed_length_refuses_another_one(backend, shape):
    classifier = trivium.Classifier(of_length(2), epochs=1).fit(RNG.normal(size=(40, 2, 2)), Y)
    with pytest.raises(ValueError, match=r"features|has shape"):
        classifier.predict(np.zeros(shape))


def test_a_pipeline_is_scored_as_by_scikit_learn(backend):
    from sklearn.model_selection import cross_val_score

    pipeline = make_pipeline(StandardScaler(), trivium.Classifier(build, epochs=2))
    expected = cross_val_score(pipeline, X, Y, cv=2)
    np.testing.assert_array_equal(trivium.cross_val_score(pipeline, X, Y, cv=2), expected)


def test_what_is_no_estimator_is_refused_with_what_to_give(backend):
    for other in (build, "dense/small", trivium.Classifier):
        with pytest.raises(OptionError, match=r"cross_val_score takes an estimator, received .*trivium.Classifier\("):
            trivium.cross_val_score(other, X, Y)
    with pytest.raises(OptionError, match=r"a search takes .* an estimator: make one, Classifier\(…\)"):
        trivium.search(trivium.Classifier, {"units": [2]}, (X, Y))


def test_a_pipeline_is_searched_as_by_scikit_learn(backend):
    pipeline = make_pipeline(StandardScaler(), trivium.Classifier(build, epochs=2))
    grid = {"classifier__units": [2, 3], "standardscaler__with_mean": [True, False]}
    folds = StratifiedKFold(2, shuffle=True, random_state=1)
    expected = GridSearchCV(pipeline, grid, cv=folds, error_score="raise", return_train_score=True).fit(X, Y)
    found = trivium.search(pipeline, grid, (X, Y), folds=2, training_scores=True)
    places = {json.dumps(params): place for place, params in enumerate(expected.cv_results_["params"])}
    assert len(found.candidates) == len(places) == 4
    for candidate in found.candidates:
        place = places[json.dumps(candidate.params)]
        assert candidate.mean == pytest.approx(expected.cv_results_["mean_test_score"][place])
        assert np.mean(candidate.training_scores) == pytest.approx(expected.cv_results_["mean_train_score"][place])
    assert found.name == "Pipeline"
    assert found.estimator().get_params()["classifier__units"] == found.best.params["classifier__units"]


def test_a_search_of_a_pipeline_is_halved_and_goes_on_later(backend):
    pipeline = make_pipeline(StandardScaler(), trivium.Classifier(build, epochs=3))
    halved = trivium.search(pipeline, {"classifier__units": [2, 3, 4]}, (X, Y), folds=2, halving=True)
    assert sorted(candidate.epochs for candidate in halved.candidates) == [1, 1, 3]
    assert halved.estimator().get_params()["classifier__epochs"] == 3
    begun = trivium.search(pipeline, {"classifier__units": [2]}, (X, Y), folds=2)
    earlier = json.loads(json.dumps(begun.to_json()))
    assert trivium.search(pipeline, {"classifier__units": [2, 3]}, (X, Y), folds=2, earlier=earlier).fits == 2
    other = make_pipeline(StandardScaler(), trivium.Classifier(build, epochs=4))
    with pytest.raises(OptionError, match="had other settings"):
        trivium.search(other, {"classifier__units": [2, 3]}, (X, Y), folds=2, earlier=earlier)


@pytest.mark.plain
def test_an_estimator_without_a_network_is_searched():
    x = np.linspace(-1, 1, 40)[:, None]
    curve = make_pipeline(PolynomialFeatures(), Ridge(1e-6))
    found = trivium.search(curve, {"polynomialfeatures__degree": [1, 3]}, (x, x[:, 0] ** 3), folds=4)
    assert (found.metric, found.best.params) == ("r2", {"polynomialfeatures__degree": 3})
    assert found.best.mean > 0.999 > found.candidates[1].mean
    assert {candidate.epochs for candidate in found.candidates} == {0}
    grid = {"polynomialfeatures__degree": [1]}
    for options, message in (
        ({"halving": True}, "Pipeline has none"),
        ({"workers": 2}, "other estimators are scored in this process"),
        ({"epochs": 2}, "`epochs` is a parameter of a recipe"),
    ):
        with pytest.raises(OptionError, match=message):
            trivium.search(curve, grid, (x, x[:, 0]), **options)
    with pytest.raises(OptionError, match="Invalid parameter 'degree' for estimator Pipeline"):
        trivium.search(curve, {"degree": [1]}, (x, x[:, 0]))
    with pytest.raises(OptionError, match="needs data"):
        trivium.search(curve, grid)
    with pytest.raises(DataError, match="40 samples have 39 labels or values"):
        trivium.search(curve, grid, (x, x[:39, 0]))
    with pytest.raises(DataError, match=r"Pipeline cannot be fitted to the samples: .*NaN"):
        trivium.search(curve, grid, (np.full_like(x, np.nan), x[:, 0]))


def test_callbacks_go_through_a_grid_and_each_fit_gets_copies(backend):
    import keras

    stop = keras.callbacks.EarlyStopping("loss", patience=0, min_delta=10.0)
    classifier = trivium.Classifier(build, epochs=5, callbacks=[stop])
    search = GridSearchCV(classifier, {"units": [2, 3]}, cv=2, error_score="raise").fit(X, Y)
    assert len(search.best_estimator_.history_) == 2  # the second epoch is not better by 10
    assert len(classifier.fit(X, Y).history_) == len(classifier.fit(X, Y).history_) == 2
    assert not hasattr(stop, "stopped_epoch") or stop.stopped_epoch == 0


def test_a_builder_and_an_optimizer_are_searched_in_this_process(backend):
    import keras

    found = trivium.search(build, {"units": [2, 3]}, (X, Y), folds=2, epochs=1, optimizer=keras.optimizers.SGD(0.1))
    assert len(found.candidates) == 2
    scores = trivium.cross_val_score(
        trivium.Classifier(build, epochs=1, optimizer=keras.optimizers.SGD(0.1)), X, Y, cv=2
    )
    assert scores.shape == (2,)
    with pytest.raises(OptionError, match="cannot go to a worker"):
        trivium.search("dense/small", {"units": [2]}, (X, Y), workers=1, optimizer=keras.optimizers.SGD(0.1))


def test_the_names_that_keras_wrapper_had(backend, capfd):
    from sklearn.base import clone

    classifier = clone(trivium.Classifier(build_fn=build, units=3, epochs=2, verbose=1))
    assert (classifier.recipe, classifier.get_params()["verbose"]) == (build, 1)
    classifier.fit(X, Y)
    lines = [line for line in capfd.readouterr().out.splitlines() if line.startswith("Epoch ")]
    assert [line.partition(" - ")[0] for line in lines] == ["Epoch 1", "Epoch 2"]
    assert all("loss: " in line for line in lines)
    classifier.set_params(verbose=0).fit(X, Y)
    assert "Epoch" not in capfd.readouterr().out
