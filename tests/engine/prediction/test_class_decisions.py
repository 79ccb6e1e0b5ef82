"""`predict`, `evaluate` and the estimators decide between classes alike: logits and margins at 0, or at a threshold."""

import numpy as np
import pytest

import trivium
from trivium.engine.bundles.bundle import Bundle
from trivium.errors import OptionError

pytestmark = pytest.mark.one_environment

X = np.array([[0.3], [-0.3], [0.8], [-0.9]] * 10, "float32")


def builder(loss, activation=None):
    def build():
        import keras

        layer = keras.layers.Dense(1, activation, kernel_initializer="ones")
        model = keras.Sequential([keras.Input((1,)), layer])
        model.compile(keras.optimizers.SGD(1e-9), loss, metrics=["accuracy"])
        return model

    return build


def hinge(labels):
    y = np.where(X[:, 0] > 0, labels[1], labels[0])
    return trivium.train(builder("hinge"), (X, y), test_data=(X, y), epochs=1, validation_split=0.0)


@pytest.mark.parametrize("labels", [(0, 1), (-1, 1), ("cold", "warm")])
def test_a_hinge_model_predicts_by_the_sign_of_its_margin(backend, labels):
    run = hinge(labels)
    predicted = trivium.predict(Bundle.of(run), [[0.3], [-0.3], [4.0]]).to_json()
    assert [each["label"] for each in predicted] == [str(labels[1]), str(labels[0]), str(labels[1])]
    np.testing.assert_allclose([each["probability"] for each in predicted], [0.65, 0.65, 1.0], atol=1e-6)
    assert run.evaluation["class_accuracy"] == 1.0
    # Keras' own asks for more than 0.5, and takes that for the class 1.
    assert run.evaluation["accuracy"] == (0.25 if labels == (-1, 1) else 0.75)


def test_a_hinge_classifier_predicts_by_the_sign_too(backend):
    y = np.where(X[:, 0] > 0, 7, 3)
    classifier = trivium.Classifier(builder("hinge"), epochs=1).fit(X, y)
    assert classifier.predict([[0.3], [-0.3]]).tolist() == [7, 3]
    np.testing.assert_allclose(classifier.predict_proba([[0.3]]), [[0.35, 0.65]], atol=1e-6)


def test_logits_beside_an_accuracy_at_a_half_get_a_class_accuracy(backend):
    import keras

    y = (X[:, 0] > 0).astype(int)
    build = builder(keras.losses.BinaryCrossentropy(from_logits=True))
    run = trivium.train(build, (X, y), test_data=(X, y), epochs=1, validation_split=0.0)
    assert (run.evaluation["accuracy"], run.evaluation["class_accuracy"]) == (0.75, 1.0)


def test_a_threshold_is_recorded_and_used(backend):
    y = (X[:, 0] > -0.5).astype(int)  # a sigmoid of -0.3 is 0.43, of -0.9 it is 0.29
    build = builder("binary_crossentropy", "sigmoid")
    run = trivium.train(build, (X, y), test_data=(X, y), epochs=1, validation_split=0.0, threshold=0.4)
    assert run.settings["threshold"] == 0.4
    assert (run.evaluation["accuracy"], run.evaluation["class_accuracy"]) == (0.75, 1.0)
    bundle = Bundle.of(run)
    assert bundle.run["settings"]["threshold"] == 0.4
    assert trivium.predict(bundle, X[:4]).values.tolist() == [1, 1, 1, 0]
    assert trivium.predict(bundle, X[:4], threshold=0.5).values.tolist() == [1, 0, 1, 0]


def test_a_threshold_without_two_classes_is_refused(backend):
    y = np.arange(40) % 3
    with pytest.raises(OptionError, match="decides between two classes, but the data have 3 classes"):
        trivium.train("dense/small", (np.zeros((40, 28, 28), "uint8"), y), epochs=1, threshold=0.4)
    with pytest.raises(OptionError, match="must be a probability between 0 and 1"):
        trivium.train("dense/small", epochs=1, threshold=1.5)
