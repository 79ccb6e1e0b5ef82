"""What scikit-learn may expect of a recipe that is made its estimator."""

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

# Those that train once or not at all; the others, some hundred fits, are among the long proofs.
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
    """A classifier of three words, fitted, with its samples."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    words = np.array(["setosa", "versicolor", "virginica"])[y]
    return trivium.Classifier(f"{BUILDERS}:classes", **QUICK).fit(x, words), x, words


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["Classifier", "Regressor"])
def test_all_of_scikit_learns_own_checks_pass_but_for_one(backend, kind):
    builder = {"Classifier": "classes", "Regressor": "values"}[kind]
    estimator = getattr(trivium, kind)(f"{BUILDERS}:{builder}", **QUICK)
    outcomes = check_estimator(
        estimator, on_skip=None, on_fail=None, expected_failed_checks={UNEQUAL_BATCHES: "other batches"}
    )
    failed = {each["check_name"]: each["exception"] for each in outcomes if each["status"] == "failed"}
    assert failed == {}
    assert [each["check_name"] for each in outcomes if each["status"] == "xfail"] == [UNEQUAL_BATCHES]
    assert sum(each["status"] == "passed" for each in outcomes) > 40


def test_the_quick_ones_of_scikit_learns_checks_pass(backend):
    estimator = trivium.Classifier(f"{BUILDERS}:classes", **QUICK)
    passed = set()
    for each, check in estimator_checks_generator(estimator, mark="skip"):
        name = getattr(check, "func", check).__name__
        if name in QUICK_CHECKS and not getattr(check, "keywords", None):
            check(each)
            passed.add(name)
    assert passed == QUICK_CHECKS


# --- parameters -----------------------------------------------------------------------------------------------------


def test_options_of_the_builder_are_parameters_like_any_other():
    estimator = trivium.Classifier("dense/dropout", units=8, epochs=3)
    params = estimator.get_params()
    assert (params["units"], params["layers"], params["epochs"], params["inputs"]) == (8, 2, 3, None)
    copy = clone(estimator.set_params(layers=4, epochs=5))
    assert copy.get_params() == {**params, "layers": 4, "epochs": 5}


def test_a_clone_keeps_no_defaults_of_the_builder_that_a_grid_replaces():
    changed = clone(trivium.Classifier("dense/dropout", epochs=3)).set_params(recipe="dense/small")
    assert changed.get_params()["units"] == 64
    assert "layers" not in changed.get_params()


def test_a_parameter_that_there_is_none_of_brings_the_nearest():
    with pytest.raises(OptionError, match=r"has no parameter 'unit' .*did you mean 'units'"):
        trivium.Classifier("dense/dropout").set_params(unit=3)


@pytest.fixture(scope="module")
def plain(backend):
    """A classifier that was trained for three epochs of one step, with its samples."""
    from sklearn.datasets import load_iris

    x, y = load_iris(return_X_y=True)
    x, y = x[::3], y[::3]
    return trivium.Classifier(f"{BUILDERS}:classes", **{**QUICK, "epochs": 3}).fit(x, y), x, y


def seen_of(estimator):
    """What parameters may change."""
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
def test_every_parameter_changes_what_it_is_named_for(plain, change, names):
    before, x, y = plain
    changed = clone(before).set_params(**change).fit(x, y)
    assert seen_of(before)[names] != seen_of(changed)[names]


def test_a_training_option_reaches_a_builder_that_takes_it_too(backend, flowers):
    import keras

    def compiled(inputs, classes, optimizer="sgd"):
        model = keras.Sequential([keras.Input((inputs,)), keras.layers.Dense(classes, "softmax")])
        model.compile(optimizer, "sparse_categorical_crossentropy")
        return model

    estimator = trivium.Classifier(compiled, optimizer="rmsprop", epochs=1).fit(*flowers)
    assert type(estimator.model_.optimizer).__name__ == "RMSprop"


# --- samples and labels ---------------------------------------------------------------------------------------------


def test_words_come_in_and_go_out(fitted):
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


def test_pixels_are_prepared_as_the_recipe_says_and_other_samples_left_as_they_are(backend, digits):
    from trivium.engine.search.recipe_from_arrays import adapted
    from trivium.models.recipe import find

    kinds = {
        np.uint8: ["scale", "cast"],
        np.float64: ["cast"],
    }
    for dtype, expected in kinds.items():
        x = digits.train.x.reshape(300, -1).astype(dtype)
        assert [each.kind for each in adapted(find("dense/dropout"), x, classifies=True).inputs] == expected


def test_rows_become_the_pictures_that_a_recipe_takes(backend, digits):
    rows = digits.train.x[:64].reshape(64, -1)
    estimator = trivium.Classifier("cnn/striding", epochs=1, batch_size=32).fit(rows, digits.train.y[:64])
    assert estimator.model_.input_shape == (None, 28, 28, 1)
    pictures = trivium.Classifier("cnn/striding", epochs=1, batch_size=32).fit(digits.train.x[:64], digits.train.y[:64])
    np.testing.assert_array_equal(estimator.predict_proba(rows), pictures.predict_proba(digits.train.x[:64]))


def test_weights_decide_between_samples_that_contradict_each_other(backend, generator):
    x = np.repeat(generator.normal(size=(40, 2)), 2, axis=0)
    y = np.tile(["no", "yes"], 40)
    weight = np.tile([1.0, 9.0], 40)
    estimator = trivium.Classifier(f"{BUILDERS}:classes", **QUICK).fit(x, y, sample_weight=weight)
    assert set(estimator.predict(x)) == {"yes"}
    np.testing.assert_allclose(estimator.predict_proba(x)[:, 1].mean(), 0.9, atol=0.1)


def test_weights_of_classes_are_those_of_their_samples(backend, flowers):
    from sklearn.utils.class_weight import compute_sample_weight

    x, words = flowers
    x, words = x[30:], words[30:]  # one class is rarer than the others
    pace = {"epochs": 2, "batch_size": 40, "learning_rate": 0.05}
    for given in ("balanced", {"setosa": 9, "versicolor": 1, "virginica": 0.5, "rose": 3}):
        weighing = trivium.Classifier(f"{BUILDERS}:classes", class_weight=given, **pace)
        assert clone(weighing).get_params()["class_weight"] == given
        weights = compute_sample_weight(given, words)
        plain = trivium.Classifier(f"{BUILDERS}:classes", **pace)
        expected = plain.fit(x, words, weights).predict_proba(x)
        np.testing.assert_allclose(weighing.fit(x, words).predict_proba(x), expected, rtol=1e-4)
        assert np.abs(expected - plain.fit(x, words).predict_proba(x)).max() > 1e-3


def test_equal_weights_train_as_none_do(backend, flowers):
    x, words = flowers
    estimator = trivium.Classifier(f"{BUILDERS}:classes", epochs=3, batch_size=40, learning_rate=0.05)
    without = estimator.fit(x, words).predict_proba(x)
    np.testing.assert_allclose(estimator.fit(x, words, np.ones(150)).predict_proba(x), without, atol=1e-5)


def test_several_values_at_once(backend, flowers):
    x, _ = flowers
    estimator = trivium.Regressor(f"{BUILDERS}:values", **{**QUICK, "epochs": 150}).fit(x[:, :2], x[:, 2:])
    assert estimator.predict(x[:5, :2]).shape == (5, 2)
    assert estimator.score(x[:, :2], x[:, 2:]) > 0.7


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda x, y: trivium.Classifier("dense/dropout").fit(x, ["same"] * 150), SampleError, "one class"),
        (lambda x, y: trivium.Regressor("dense/dropout").fit(x, x[:, 0]), OptionError, "use trivium.Classifier"),
        (lambda x, y: trivium.Classifier("rnn/lstm").fit(x, y), OptionError, "trivium.train"),
        (lambda x, y: trivium.Classifier("dense/dropuot").fit(x, y), RecipeError, "did you mean 'dense/dropout'"),
        (lambda x, y: trivium.Classifier("dense/dropout", unit=3).fit(x, y), RecipeError, "did you mean 'units'"),
        (lambda x, y: trivium.Classifier("dense/small", epochs=1).fit(x, y), DataError, "cannot become"),
        (lambda x, y: trivium.Classifier(3).fit(x, y), OptionError, "expected a recipe"),
        (
            lambda x, y: trivium.Classifier("dense/dropout", class_weight="even").fit(x, y),
            OptionError,
            "class_weight even: expected balanced",
        ),
    ],
)
def test_what_cannot_be_is_one_line(backend, flowers, make, error, words):
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
    again = pickle.loads(pickled)
    np.testing.assert_array_equal(again.predict(x), estimator.predict(x))
    np.testing.assert_allclose(again.predict_proba(x), estimator.predict_proba(x), atol=1e-6)
    assert pickle.loads(pickle.dumps(again)).predict(x[:2]).tolist() == estimator.predict(x[:2]).tolist()


def test_joblib_keeps_one_too(fitted, tmp_path):
    import joblib

    estimator, x, _ = fitted
    joblib.dump(estimator, tmp_path / "kept")
    np.testing.assert_array_equal(joblib.load(tmp_path / "kept").predict(x), estimator.predict(x))


def test_a_layer_is_found_by_name_by_number_and_by_the_name_of_a_fresh_process(fitted):
    estimator, x, _ = fitted
    hidden = estimator.layer_outputs(x, 0)
    assert hidden.shape == (150, 8)
    assert np.abs(hidden).max() <= 1
    np.testing.assert_array_equal(estimator.layer_outputs(x, "dense"), hidden)
    np.testing.assert_array_equal(estimator.layer_outputs(x, estimator.model_.layers[0].name), hidden)
    np.testing.assert_allclose(estimator.layer_outputs(x, "dense_1"), estimator.predict_proba(x), atol=1e-6)
    with pytest.raises(OptionError, match=r"no layer 'dense_2' \(it has: dense, dense_1"):
        estimator.layer_outputs(x, "dense_2")


def test_an_answer_does_not_depend_on_how_many_are_asked_for(fitted):
    estimator, x, _ = fitted
    all_at_once = estimator.predict_proba(x)
    np.testing.assert_allclose(estimator.predict_proba(x[:7]), all_at_once[:7], atol=1e-6)
    assert estimator.predict_proba(np.tile(x, (2, 1))).shape == (300, 3)


def test_a_decision_boundary_is_drawn(backend, tmp_path, generator):
    from PIL import Image
    from sklearn.linear_model import LogisticRegression

    x = generator.normal(size=(60, 2))
    for classes, name in ((2, "two"), (3, "three")):
        y = np.arange(60) % classes
        path = tmp_path / f"{name}.png"
        trivium.plots.decision_boundary(LogisticRegression().fit(x, y), x, y, path, title=name, resolution=40)
        with Image.open(path) as drawn:
            assert drawn.width > 2 * drawn.height
            assert len(drawn.convert("RGB").getcolors(2**24)) > 50
    with pytest.raises(DataError, match=r"expected samples \(n, 2\), received \(60, 1\)"):
        trivium.plots.decision_boundary(None, x[:, :1], y, path)


# --- the documentation ----------------------------------------------------------------------------------------------


def blocks():
    """The code of the documentation: (whether it is slow, the code)."""
    text = (ROOT / "docs" / "scikit-learn.md").read_text()
    return [(bool(mark), code) for mark, code in re.findall(r"(<!-- slow -->\n)?```python\n(.*?)```", text, re.DOTALL)]


def execute(chosen, folder, monkeypatch):
    monkeypatch.chdir(folder)
    namespace = {"__name__": "documentation"}
    for code in chosen:
        exec(compile(code, "docs/scikit-learn.md", "exec"), namespace)


def test_the_examples_of_the_documentation_hold(backend, tmp_path, monkeypatch):
    execute([code for slow, code in blocks() if not slow], tmp_path, monkeypatch)
    assert (tmp_path / "moons.png").stat().st_size > 10_000
    assert (tmp_path / "features.png").stat().st_size > 10_000


@pytest.mark.slow
def test_the_long_examples_of_the_documentation_hold_too(backend, tmp_path, monkeypatch):
    execute([code for _, code in blocks()], tmp_path, monkeypatch)
