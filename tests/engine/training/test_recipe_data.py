"""Whole numbers are values where the model's loss is one of values, and classes elsewhere."""

import numpy as np
import pytest

import trivium
from trivium.engine.bundles.bundle import Bundle

pytestmark = pytest.mark.one_environment

X = np.array([[0.0], [1.0]] * 20, "float32")
Y = np.where(X[:, 0] > 0, 20, 10)


def builder(loss=None, activation=None, units=1):
    def build():
        import keras

        model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(units, activation)])
        if loss:
            model.compile(keras.optimizers.SGD(0.3), loss)
        return model

    return build


@pytest.mark.parametrize("loss", ["mse", "mae", "huber", "mean_squared_error"])
def test_a_compiled_loss_of_values_keeps_the_numbers(backend, loss):
    run = trivium.train(builder(loss), (X, Y), epochs=30, validation_split=0.0)
    assert run.dataset.labels == ()
    assert run.dataset.train.y.tolist() == Y.tolist()


def test_a_line_through_two_values_is_found(backend, tmp_path):
    np.savez(tmp_path / "d.npz", x_train=X, y_train=Y, x_test=X, y_test=Y)
    run = trivium.train(builder("mse"), tmp_path / "d.npz", epochs=100, validation_split=0.0)
    bundle = Bundle.of(run)
    np.testing.assert_allclose(np.ravel(trivium.predict(bundle, [[0.0], [1.0]]).values), [10, 20], atol=1e-2)
    assert trivium.evaluate(bundle, tmp_path / "d.npz")["rms_error"] < 1e-2


def test_more_values_than_outputs_are_values_too(backend):
    y = np.arange(40) + 5
    run = trivium.train(builder(), (X, y), loss="mae", epochs=1, validation_split=0.0)
    assert (run.dataset.labels, run.dataset.train.y[0]) == ((), 5.0)


def test_a_table_loses_the_note_that_they_are_classes(backend, tmp_path):
    rows = "".join(f"{x:g},{y}\n" for x, y in zip(X[:, 0], Y, strict=True))
    (tmp_path / "t.csv").write_text("x,y\n" + rows)
    run = trivium.train(builder("mse"), tmp_path / "t.csv", epochs=1)
    assert (run.dataset.labels, run.dataset.notes, set(run.dataset.train.y)) == ((), (), {10.0, 20.0})


@pytest.mark.parametrize(
    "build", [builder("mse", "sigmoid"), builder("binary_crossentropy", "sigmoid"), builder(), builder("mse", units=2)]
)
def test_other_models_take_classes(backend, build):
    y = np.eye(2)[(Y > 10).astype(int)] if build().outputs[0].shape[-1] == 2 else Y
    run = trivium.train(build, (X, y), epochs=1, validation_split=0.0)
    assert run.dataset.labels == (() if y.ndim > 1 else ("10", "20"))


def test_a_classifier_keeps_the_classes_that_it_was_given(backend):
    classifier = trivium.Classifier(builder("mse"), epochs=1).fit(X, Y)
    assert classifier.classes_.tolist() == [10, 20]


def test_the_layers_are_named_as_if_the_model_was_built_once(backend):
    import keras

    keras.utils.clear_session()
    run = trivium.train(builder("mse"), (X, Y), epochs=1, validation_split=0.0)
    assert run.model.layers[-1].name == "dense"


def classifier(loss="categorical_crossentropy", units=3):
    def build(classes=units):
        import keras

        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(classes, "softmax")])
        model.compile(keras.optimizers.Adam(0.1), loss, metrics=["accuracy"])
        return model

    return build


POINTS = np.random.default_rng(0).normal(size=(60, 2)).astype("float32")
KINDS = np.column_stack([POINTS, -POINTS.sum(axis=1)]).argmax(axis=1)  # three sectors of the plane


@pytest.mark.parametrize("loss", ["categorical_crossentropy", "categorical_focal_crossentropy", "kl_divergence"])
@pytest.mark.parametrize("names", [False, True])
def test_classes_become_rows_for_a_loss_of_probabilities(backend, loss, names):
    y = np.array(["left", "right", "upper"])[KINDS] if names else KINDS
    run = trivium.train(classifier(loss), (POINTS, y), epochs=30)
    assert run.dataset.notes[-1] == f"class numbers are rows of 3 for the loss, {loss}"
    assert run.notes.count(run.dataset.notes[-1]) == 1
    assert run.history["accuracy"][-1] > 0.8
    bundle = Bundle.of(run)
    assert set(trivium.predict(bundle, POINTS).values) <= {0, 1, 2}
    assert trivium.evaluate(bundle, _with_test(y))["accuracy"] > 0.8


def _with_test(y):
    from trivium.data.from_arrays import dataset_from_arrays

    return dataset_from_arrays((POINTS, y), None, (POINTS, y))


def test_the_loss_is_that_of_class_numbers(backend):
    settings = {"epochs": 3, "validation_split": 0.0}
    rows, numbers = (
        trivium.train(classifier(loss), (POINTS, KINDS), **settings)
        for loss in ("categorical_crossentropy", "sparse_categorical_crossentropy")
    )
    np.testing.assert_allclose(rows.history["loss"], numbers.history["loss"], rtol=1e-5)
    assert not any("rows" in note for note in numbers.notes)


def test_an_estimator_takes_a_model_that_is_compiled_for_rows(backend):
    words = np.array(["left", "right", "upper"])[KINDS]
    network = trivium.Classifier(classifier(), epochs=30).fit(POINTS, words)
    assert network.score(POINTS, words) > 0.8
    scores = trivium.cross_val_score(trivium.Classifier(classifier(), epochs=30), POINTS, words, cv=2, workers=0)
    assert scores.mean() > 0.7


def test_rows_have_as_many_places_as_the_model_has_outputs(backend):
    run = trivium.train(lambda: classifier()(classes=5), (POINTS, KINDS), epochs=1)
    assert run.preprocessing.targets(np.array([1])).tolist() == [[0, 1, 0, 0, 0]]
    with pytest.raises(trivium.TriviumError, match="3 classes but the model has outputs for 2"):
        trivium.train(lambda: classifier()(classes=2), (POINTS, KINDS), epochs=1)


def test_one_hot_rows_of_the_user_stay_what_they_are(backend):
    run = trivium.train(classifier(), (POINTS, np.eye(3)[KINDS]), epochs=1)
    assert not any("rows" in note for note in run.notes)
