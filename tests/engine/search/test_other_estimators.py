"""Estimators beside the usual: open lengths, pipelines, builders, optimizers and callbacks as objects."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import trivium
from trivium.errors import OptionError

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
    with pytest.raises(OptionError, match="a search takes a recipe or a builder, received Pipeline"):
        trivium.search(make_pipeline(StandardScaler(), trivium.Classifier(build)), {"units": [2]}, (X, Y))


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
