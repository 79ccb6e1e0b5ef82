"""Estimators made from recipes fulfil scikit-learn's expectations."""

import pickle
import pickletools
import re
from pathlib import Path

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import check_estimator, estimator_checks_generator

import trivium
from trivium.errors import DataError, OptionError, RecipeError, SampleError

ROOT = Path(__file__).parents[3]
BUILDERS = ROOT / "tests" / "helpers" / "functions_for_estimators.py"
QUICK = {"epochs": 15, "batch_size": 512, "learning_rate": 0.1}
UNEQUAL_BATCHES = "check_sample_weight_equivalence_on_dense_data"

# The checks that train at most once. The others need some hundred fits and run with the slow tests.
QUICK_CHECKS = {
    *("check_estimator_cloneable", "check_estimator_repr", "check_no_attributes_set_in_init", "check_set_params"),
    *("check_get_params_invariance", "check_parameters_default_constructible", "check_valid_tag_types"),
    *("check_do_not_raise_errors_in_init_or_set_params", "check_estimators_unfitted", "check_complex_data"),
    *("check_estimator_sparse_array", "check_fit1d", "check_supervised_y_no_nan", "check_requires_y_none"),
    *("check_all_zero_sample_weights_error", "check_dict_unchanged", "check_dont_overwrite_parameters"),
    *("check_estimators_pickle", "check_n_features_in", "check_sample_weights_shape"),
}


@pytest.fixture
def flowers():
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    return x.astype("float32"), np.array(["setosa", "versicolor", "virginica"])[y]


@pytest.fixture(scope="module")
def fitted(backend):
    """A fitted classifier of three string labels, with its samples."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    return trivium.Classifier(f"{BUILDERS}:classes", **QUICK).fit(x, words), x, words


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_all_checks_of_scikit_learn_but_one_pass(backend, kind):
    builder = {"Classifier": "classes", "Regressor": "values"}[kind]
    estimator = getattr(trivium, kind)(f"{BUILDERS}:{builder}", **QUICK)
    outcomes = check_estimator(
        estimator, on_skip=None, on_fail=None, expected_failed_checks={UNEQUAL_BATCHES: "other batches"}
    )
    failed = {outcome["check_name"]: outcome["exception"] for outcome in outcomes if outcome["status"] == "failed"}
    assert failed == {}
    assert [outcome["check_name"] for outcome in outcomes if outcome["status"] == "xfail"] == [UNEQUAL_BATCHES]
    assert sum(outcome["status"] == "passed" for outcome in outcomes) > 40


def test_the_quick_checks_of_scikit_learn_pass(backend):
    estimator = trivium.Classifier(f"{BUILDERS}:classes", **QUICK)
    passed = set()
    for checked_estimator, check in estimator_checks_generator(estimator, mark="skip"):
        name = getattr(check, "func", check).__name__
        if name in QUICK_CHECKS and not getattr(check, "keywords", None):
            check(checked_estimator)
            passed.add(name)
    assert passed == QUICK_CHECKS


# --- parameters -----------------------------------------------------------------------------------------------------


def test_options_of_the_builder_are_parameters():
    estimator = trivium.Classifier("dense/dropout", units=8, epochs=3)
    params = estimator.get_params()
    assert (params["units"], params["layers"], params["epochs"], params["inputs"]) == (8, 2, 3, None)
    copy = clone(estimator.set_params(layers=4, epochs=5))
    assert copy.get_params() == {**params, "layers": 4, "epochs": 5}


def test_a_clone_does_not_copy_the_defaults_of_a_builder_that_a_grid_replaces():
    changed = clone(trivium.Classifier("dense/dropout", epochs=3)).set_params(recipe="dense/small")
    assert changed.get_params()["units"] == 64
    assert "layers" not in changed.get_params()


def test_an_unknown_parameter_is_refused_with_the_nearest_name():
    with pytest.raises(OptionError, match=r"has no parameter 'unit' .*did you mean 'units'"):
        trivium.Classifier("dense/dropout").set_params(unit=3)


@pytest.fixture(scope="module")
def plain(backend):
    """A classifier trained for three epochs of one step, with its samples."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    x, y = x[::3], y[::3]
    return trivium.Classifier(f"{BUILDERS}:classes", **{**QUICK, "epochs": 3}).fit(x, y), x, y


def observed(estimator):
    """Return the results that parameters may change."""
    return {
        "weights": estimator.model_.count_params(),
        "epochs": len(estimator.history_),
        "loss": estimator.history_["loss"][-1],
        "validation": "val_loss" in estimator.history_,
    }


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"units": 4}, "weights"),
        ({"epochs": 2}, "epochs"),
        ({"batch_size": 20}, "loss"),
        ({"optimizer": "sgd"}, "loss"),
        ({"learning_rate": 0.01}, "loss"),
        ({"random_state": 2}, "loss"),
        ({"validation_split": 0.2}, "validation"),
        ({"rng": "native"}, "loss"),
    ],
)
def test_every_parameter_has_its_effect(plain, change, names):
    before, x, y = plain
    changed = clone(before).set_params(**change).fit(x, y)
    assert observed(before)[names] != observed(changed)[names]


def test_a_training_option_reaches_a_builder_that_takes_it_too(backend, flowers):
    import keras

    def compiled(inputs, classes, optimizer="sgd"):
        model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(classes, "softmax")])
        model.compile(optimizer, "sparse_categorical_crossentropy")
        return model

    estimator = trivium.Classifier(compiled, optimizer="rmsprop", epochs=1).fit(*flowers)
    assert type(estimator.model_.optimizer).__name__ == "RMSprop"


# --- samples and labels ---------------------------------------------------------------------------------------------


def test_labels_may_be_strings(fitted):
    estimator, x, words = fitted
    assert list(estimator.classes_) == ["setosa", "versicolor", "virginica"]
    assert estimator.score(x, words) > 0.9
    probabilities, odds = estimator.predict_proba(x), estimator.decision_function(x)
    np.testing.assert_array_equal(estimator.classes_[odds.argmax(1)], estimator.predict(x))
    np.testing.assert_allclose(odds, np.log(probabilities) - np.log1p(-probabilities.astype("float64")), rtol=1e-3)


@pytest.mark.parametrize("from_logits", [False, True])
def test_a_single_output_tells_two_classes_apart(backend, flowers, from_logits):
    x, words = flowers
    x, words = x[:100], words[:100]
    estimator = trivium.Classifier(f"{BUILDERS}:yes_or_no", from_logits=from_logits, **{**QUICK, "epochs": 60})
    estimator.fit(x, words)
    probabilities = estimator.predict_proba(x)
    assert probabilities.shape == (100, 2)
    np.testing.assert_allclose(probabilities.sum(1), 1, rtol=1e-6)
    assert estimator.score(x, words) > 0.9
    np.testing.assert_array_equal(estimator.decision_function(x) > 0, estimator.predict(x) == "versicolor")


def test_pixels_are_scaled_as_the_recipe_says_and_other_samples_are_not(backend, digits):
    from trivium.engine.search.recipe_from_arrays import adapt_recipe
    from trivium.models.recipe import find

    kinds = {
        np.uint8: ["scale", "cast"],
        np.float64: ["cast"],
    }
    for dtype, expected in kinds.items():
        x = digits.train.x.reshape(300, -1).astype(dtype)
        assert [step.kind for step in adapt_recipe(find("dense/dropout"), x, classifies=True).inputs] == expected


@pytest.mark.one_environment
def test_rows_are_reshaped_for_an_image_recipe(backend, digits):
    rows = digits.train.x[:64].reshape(64, -1)
    estimator = trivium.Classifier("cnn/striding", epochs=1, batch_size=32).fit(rows, digits.train.y[:64])
    assert estimator.model_.input_shape == (None, 28, 28, 1)
    pictures = trivium.Classifier("cnn/striding", epochs=1, batch_size=32).fit(digits.train.x[:64], digits.train.y[:64])
    np.testing.assert_array_equal(estimator.predict_proba(rows), pictures.predict_proba(digits.train.x[:64]))


def test_sample_weights_decide_between_contradicting_samples(backend, generator):
    x = np.repeat(generator.normal(size=(40, 2)), 2, axis=0)
    y = np.tile(["no", "yes"], 40)
    weight = np.tile([1.0, 9.0], 40)
    estimator = trivium.Classifier(f"{BUILDERS}:classes", **QUICK).fit(x, y, sample_weight=weight)
    assert set(estimator.predict(x)) == {"yes"}
    np.testing.assert_allclose(estimator.predict_proba(x)[:, 1].mean(), 0.9, atol=0.1)


@pytest.mark.one_environment
def test_class_weights_equal_the_sample_weights_of_scikit_learn(backend, flowers):
    from sklearn.utils.class_weight import compute_sample_weight

    x, words = flowers
    x, words = x[30:], words[30:]  # one class is rarer than the others
    pace = {"epochs": 2, "batch_size": 40, "learning_rate": 0.05}
    for class_weight in ("balanced", {"setosa": 9, "versicolor": 1, "virginica": 0.5, "rose": 3}):
        weighing = trivium.Classifier(f"{BUILDERS}:classes", class_weight=class_weight, **pace)
        assert clone(weighing).get_params()["class_weight"] == class_weight
        weights = compute_sample_weight(class_weight, words)
        plain = trivium.Classifier(f"{BUILDERS}:classes", **pace)
        expected = plain.fit(x, words, weights).predict_proba(x)
        np.testing.assert_allclose(weighing.fit(x, words).predict_proba(x), expected, rtol=1e-4)
        assert np.abs(expected - plain.fit(x, words).predict_proba(x)).max() > 1e-3


@pytest.mark.one_environment
def test_equal_sample_weights_change_nothing(backend, flowers):
    x, words = flowers
    estimator = trivium.Classifier(f"{BUILDERS}:classes", epochs=3, batch_size=40, learning_rate=0.05)
    without = estimator.fit(x, words).predict_proba(x)
    np.testing.assert_allclose(estimator.fit(x, words, np.ones(150)).predict_proba(x), without, atol=1e-5)


def test_a_regressor_predicts_several_outputs(backend, flowers):
    x, _ = flowers
    estimator = trivium.Regressor(f"{BUILDERS}:values", **{**QUICK, "epochs": 150}).fit(x[:, :2], x[:, 2:])
    assert estimator.predict(x[:5, :2]).shape == (5, 2)
    assert estimator.score(x[:, :2], x[:, 2:]) > 0.7


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda x, y: trivium.Classifier("dense/dropout").fit(x, ["same"] * 150), SampleError, "one class"),
        (
            lambda x, y: trivium.Classifier("dense/dropout").fit(x, np.array(["a", 1] * 75, object)),
            SampleError,
            "labels must be of one kind, received int and str: give all as text",
        ),
        (
            lambda x, y: trivium.Classifier("dense/dropout", class_weight={"rose": 3}).fit(x, y),
            OptionError,
            "`class_weight`: none of rose is a label",
        ),
        (
            lambda x, y: trivium.Classifier("dense/dropout").fit(x, y, sample_weight=-np.ones(150)),
            ValueError,
            "Negative values in data passed to",
        ),
        (lambda x, y: trivium.Regressor("dense/dropout").fit(x, x[:, 0]), OptionError, "use trivium.Classifier"),
        (lambda x, y: trivium.Classifier("rnn/lstm").fit(x, y), OptionError, "trivium.train"),
        (lambda x, y: trivium.Classifier("dense/dropuot").fit(x, y), RecipeError, "did you mean 'dense/dropout'"),
        (lambda x, y: trivium.Classifier("dense/dropout", unit=3).fit(x, y), RecipeError, "did you mean 'units'"),
        (lambda x, y: trivium.Classifier("dense/small", epochs=1).fit(x, y), DataError, "cannot become"),
        (lambda x, y: trivium.Classifier(3).fit(x, y), RecipeError, "expected a recipe"),
        (
            lambda x, y: trivium.Classifier("dense/dropout", class_weight="even").fit(x, y),
            OptionError,
            "class_weight even: expected balanced",
        ),
    ],
)
def test_invalid_parameters_are_refused_in_one_line(backend, flowers, make, error, words):
    with pytest.raises(error, match=re.escape(words)):
        make(*flowers)


# --- the trained model ----------------------------------------------------------------------------------------------


def test_a_pickle_holds_a_keras_file_and_nothing_of_a_framework(fitted):
    estimator, x, _ = fitted
    pickled = pickle.dumps(estimator)
    modules = {
        str(argument).split()[0]
        for operation, argument, _ in pickletools.genops(pickled)
        if operation.name in ("SHORT_BINUNICODE", "GLOBAL") and argument
    }
    assert not modules & {"keras", "tensorflow", "jax", "torch"}
    assert not any(name.startswith(("keras.", "tensorflow.", "jax.", "torch.")) for name in modules)
    copy = pickle.loads(pickled)
    np.testing.assert_array_equal(copy.predict(x), estimator.predict(x))
    np.testing.assert_allclose(copy.predict_proba(x), estimator.predict_proba(x), atol=1e-6)
    assert pickle.loads(pickle.dumps(copy)).predict(x[:2]).tolist() == estimator.predict(x[:2]).tolist()


def test_joblib_saves_an_estimator(fitted, tmp_path):
    import joblib

    estimator, x, _ = fitted
    joblib.dump(estimator, tmp_path / "kept")
    np.testing.assert_array_equal(joblib.load(tmp_path / "kept").predict(x), estimator.predict(x))


def test_a_layer_is_named_by_name_index_or_the_name_in_a_fresh_process(fitted):
    estimator, x, _ = fitted
    hidden = estimator.layer_outputs(x, 0)
    assert hidden.shape == (150, 8)
    assert np.abs(hidden).max() <= 1
    np.testing.assert_array_equal(estimator.layer_outputs(x, "dense"), hidden)
    np.testing.assert_array_equal(estimator.layer_outputs(x, estimator.model_.layers[0].name), hidden)
    np.testing.assert_allclose(estimator.layer_outputs(x, "dense_1"), estimator.predict_proba(x), atol=1e-6)
    with pytest.raises(OptionError, match=r"no layer 'dense_2' \(it has: dense, dense_1"):
        estimator.layer_outputs(x, "dense_2")


def test_a_prediction_does_not_depend_on_the_number_of_samples(fitted):
    estimator, x, _ = fitted
    all_at_once = estimator.predict_proba(x)
    np.testing.assert_allclose(estimator.predict_proba(x[:7]), all_at_once[:7], atol=1e-6)
    assert estimator.predict_proba(np.tile(x, (2, 1))).shape == (300, 3)


def test_a_decision_boundary_is_drawn(backend, tmp_path, generator):
    from PIL import Image
    from sklearn.cluster import KMeans
    from sklearn.linear_model import LogisticRegression, RidgeClassifier
    from sklearn.model_selection import GridSearchCV

    x = generator.normal(size=(60, 2))
    for classes, name in ((2, "two"), (3, "three")):
        y = np.arange(60) % classes
        path = tmp_path / f"{name}.png"
        trivium.plots.decision_boundary(LogisticRegression().fit(x, y), x, y, path, title=name, resolution=40)
        with Image.open(path) as image:
            assert image.width > 2 * image.height
            assert len(image.convert("RGB").getcolors(2**24)) > 50
    searched = GridSearchCV(RidgeClassifier(), {"alpha": [1.0, 9.0]})
    for estimator in (RidgeClassifier(), KMeans(3, random_state=0), searched):
        for classes in (2, 3):
            y = np.arange(60) % classes
            trivium.plots.decision_boundary(estimator.fit(x, y), x, y, path, resolution=30, limits=(-9, 9, -5, 5))
    with pytest.raises(OptionError, match=r"`limits`: expected \(left, right, lower, upper\)"):
        trivium.plots.decision_boundary(estimator, x, y, path, limits=(3, 1, 0, 2))
    with pytest.raises(DataError, match=r"expected samples \(n, 2\), received \(60, 1\)"):
        trivium.plots.decision_boundary(None, x[:, :1], y, path)


# --- the documentation ----------------------------------------------------------------------------------------------


def blocks():
    """Return the code blocks of the documentation: (whether the block is slow, the code)."""
    text = (ROOT / "docs" / "scikit-learn.md").read_text()
    return [(bool(mark), code) for mark, code in re.findall(r"(<!-- slow -->\n)?```python\n(.*?)```", text, re.DOTALL)]


def execute(blocks, folder, monkeypatch):
    monkeypatch.chdir(folder)
    namespace = {"__name__": "documentation"}
    for code in blocks:
        exec(compile(code, "docs/scikit-learn.md", "exec"), namespace)


@pytest.mark.one_environment
def test_the_examples_of_the_documentation_run(backend, tmp_path, monkeypatch):
    execute([code for slow, code in blocks() if not slow], tmp_path, monkeypatch)
    assert (tmp_path / "moons.png").stat().st_size > 10_000
    assert (tmp_path / "features.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_long_examples_of_the_documentation_run(backend, tmp_path, monkeypatch):
    execute([code for _, code in blocks()], tmp_path, monkeypatch)
