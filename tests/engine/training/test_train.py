"""`trivium.train` takes models, builders, arrays and every setting of the command line."""

import functions_for_several_inputs as several
import numpy as np
import pytest

import trivium
from trivium.data import datasets
from trivium.data.data_source import dataset_of
from trivium.data.from_arrays import dataset_from_arrays
from trivium.engine.bundles import bundle as bundles
from trivium.errors import DataError, OptionError, RecipeError

pytestmark = pytest.mark.one_environment


def classifier(inputs, classes, units=5):
    import keras

    layers = [keras.Input((inputs,)), keras.layers.Dense(units, "tanh"), keras.layers.Dense(classes, "softmax")]
    return keras.Sequential(layers)


def blobs(count=60, seed=0):
    generator = np.random.default_rng(seed)
    y = np.arange(count) % 3
    return (generator.normal(size=(count, 2)) + 4 * y[:, None]).astype("float32"), y


def test_a_builder_is_trained_on_arrays(backend):
    x, y = blobs()
    run = trivium.train(classifier, (x, y), epochs=20, learning_rate=0.05, units=6)
    assert run.settings["options"] == {"inputs": 2, "classes": 3, "units": 6}
    assert run.recipe.name == "classifier"
    assert run.dataset.labels == ("0", "1", "2")
    assert run.history["accuracy"][-1] > 0.9
    shown = repr(run).splitlines()
    assert len(shown) == 5
    assert shown[0].startswith(f"Run of classifier on {backend.name}, by ")
    assert shown[1:3] == ["data: the arrays, 60 samples", "epochs: 20 of 20"]
    assert f"accuracy {run.history['accuracy'][-1]:.4g}" in shown[3]
    assert shown[4] == "test: none"


def test_a_model_is_trained_itself(backend):
    model = classifier(2, 3)
    run = trivium.train(model, blobs(), epochs=1)
    assert run.model is model
    assert run.recipe.name == model.name


def test_words_are_classes(backend):
    x, y = blobs()
    run = trivium.train(classifier, (x, np.array(["red", "green", "blue"])[y]), epochs=1)
    assert run.dataset.labels == ("blue", "green", "red")


def test_validation_and_test_data_are_those_that_are_given(backend):
    run = trivium.train(classifier, blobs(), validation_data=blobs(30, 1), test_data=blobs(15, 2), epochs=3)
    record = run.dataset.describe()
    assert (record["train"], record["validation"], record["test"]) == (60, 30, 15)
    assert run.settings["validation_split"] == 0
    x, y = blobs(30, 1)
    loss, accuracy = run.model.evaluate(x, y, verbose=0)
    assert run.history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)
    assert run.history["val_accuracy"][-1] == pytest.approx(accuracy)
    assert run.evaluation["accuracy"] == pytest.approx(run.model.evaluate(*blobs(15, 2), verbose=0)[1])


def test_a_likely_mistake_is_a_warning_and_in_the_record(backend):
    y = np.repeat([0, 1], 20)
    x = np.arange(80, dtype="float32").reshape(40, 2)
    with pytest.warns(UserWarning, match="held out, so that the validation part lacks 0:"):
        run = trivium.train(classifier, (x, y), validation="last", epochs=1)
    assert run.warnings == run.to_json()["warnings"]
    assert f"warning: {run.warnings[0]}" in repr(run)
    assert "warnings" not in trivium.train(classifier, (x, y), epochs=1).to_json()


def test_an_npz_may_bring_its_validation_part(backend, tmp_path):
    (x, y), (x_val, y_val) = blobs(), blobs(30, 1)
    np.savez(tmp_path / "d.npz", x_train=x, y_train=y, x_val=x_val, y_val=y_val)
    dataset = datasets.load(tmp_path / "d.npz")
    assert (len(dataset.train), len(dataset.validation)) == (60, 30)
    with pytest.raises(
        OptionError, match=r"`validation_split` holds out a share .* have a validation part of their own"
    ):
        trivium.train(classifier, dataset, validation_split=0.2, epochs=1)


def test_named_arrays_may_bring_their_validation_part(backend, tmp_path):
    parts = {"train": several.arrays(40), "val": several.arrays(20, 1)}
    np.savez(tmp_path / "d.npz", **{f"{k}_{part}": v for part, named in parts.items() for k, v in named.items()})
    run = trivium.train(several.build, tmp_path / "d.npz", epochs=1)
    assert run.dataset.describe()["validation"] == 20
    assert "val_kind_accuracy" in run.history


def test_a_dictionary_is_matched_by_name(backend):
    run = trivium.train(several.build, several.arrays(40), test_data=several.arrays(20, 1), epochs=1)
    assert run.dataset.labels == {"kind": ("0", "1", "2")}
    assert "price_rms_error" in run.evaluation


def test_weights_that_come_with_the_arrays_count(backend):
    x, y = blobs()
    weight = np.ones(60)
    weight[::2] = 0
    changed = x.copy()
    changed[::2] += 100
    runs = [trivium.train(classifier, (part, y, weight), epochs=2, validation_split=0.0) for part in (x, changed)]
    for mine, theirs in zip(runs[0].model.get_weights(), runs[1].model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_a_run_in_a_folder_is_saved_and_resumed(backend, tmp_path):
    settings = {"early_stopping": {"patience": 50}, "checkpoints": [{"every": 1, "keep": 2}], "units": 4}
    trivium.train(classifier, blobs(), epochs=1, out=tmp_path / "run", **settings)
    run = trivium.train(classifier, blobs(), epochs=3, out=tmp_path / "run", resume=True, **settings)
    assert len(run.history) == 3
    assert len(list((tmp_path / "run/checkpoints").iterdir())) == 2
    assert bundles.load(tmp_path / "run").run["settings"]["early_stopping"] == "patience=50"


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"epoch": 3}, OptionError, r"no setting 'epoch', .*did you mean 'epochs'"),
        ({"unit": 3}, OptionError, r"no setting 'unit', .*did you mean 'units'"),
        ({"resume": True}, OptionError, "`resume` continues the run in a folder: add `out`"),
        ({"early_stopping": {"patients": 3}}, OptionError, "did you mean 'patience'"),
    ],
)
def test_a_setting_that_nothing_has_gets_the_nearest_names(backend, settings, error, message):
    with pytest.raises(error, match=message):
        trivium.train(classifier, blobs(), **settings)


def test_what_is_no_model_and_no_data_is_refused(backend):
    with pytest.raises(RecipeError, match="expected a recipe, its name, a function that builds a model, or a model"):
        trivium.train(3, blobs())
    with pytest.raises(DataError, match=r"train: expected \(x, y\), or a dictionary of named arrays, received tuple"):
        dataset_from_arrays((1, 2, 3, 4))
    with pytest.raises(DataError, match="train: x has 60 samples but y has 59"):
        dataset_from_arrays((blobs()[0], blobs()[1][:59]))
    with pytest.raises(DataError, match="x of test: 1 of its values are NaN or infinite"):
        dataset_from_arrays(blobs(), test=(np.array([[np.nan, 1]]), np.array([1])))
    with pytest.raises(OptionError, match="stand beside arrays or a stream"):
        trivium.train(classifier, "moons", validation_data=blobs())


# --- data by a function ---------------------------------------------------------------------------------------------


@pytest.fixture
def functions(tmp_path):
    """A file with functions that return data."""
    np.savez(tmp_path / "stored.npz", x_train=blobs()[0], y_train=blobs()[1])
    path = tmp_path / "mine.py"
    path.write_text(
        "import numpy as np\n"
        "def pairs():\n    return np.arange(80.0).reshape(40, 2), np.arange(40) % 2\n"
        f"def stored():\n    return {str(tmp_path / 'stored.npz')!r}\n"
        "def number():\n    return 3\n"
        "def failing():\n    raise OSError('no disk')\n"
    )
    return path


def test_a_function_returns_the_data(backend, functions):
    run = trivium.train(classifier, f"{functions}:pairs", epochs=1)
    assert run.dataset.describe()["name"] == f"{functions}:pairs"
    assert run.settings["options"]["classes"] == 2
    assert len(dataset_of(f"{functions}:stored").train) == 60


@pytest.mark.parametrize(
    ("function", "message"),
    [
        ("number", r"number returned int, expected \(x, y\), a dictionary of arrays by name, a data frame"),
        ("failing", "failing failed: OSError: no disk"),
    ],
)
def test_a_function_that_returns_no_data_is_refused(backend, functions, function, message):
    with pytest.raises(DataError, match=message):
        dataset_of(f"{functions}:{function}")


def test_a_bundle_does_not_decide_which_function_runs(backend, functions):
    bundle = bundles.Bundle.of(trivium.train(classifier, f"{functions}:pairs", epochs=1))
    with pytest.raises(DataError, match="unknown dataset"):
        trivium.evaluate(bundle)
