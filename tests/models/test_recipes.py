"""The contract of every recipe: its size, its options, and saving in Keras' own file format."""

import numpy as np
import pytest

from trivium.data import datasets
from trivium.engine.keras_model.inference import outputs_of
from trivium.engine.training.trainer import Trainer
from trivium.errors import RecipeError
from trivium.models import recipe as recipes
from trivium.models.recipe import Option, step

RECIPES = sorted(recipes.registry())


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.one_environment
def test_the_parameter_count_is_the_documented_one(backend, name):
    recipe = recipes.find(name)
    assert recipe().count_params() == recipe.parameters


@pytest.mark.shared_out
@pytest.mark.parametrize("name", RECIPES)
def test_a_recipe_builds_an_uncompiled_model(backend, name):
    assert not recipes.find(name)().compiled


@pytest.mark.shared_out
@pytest.mark.parametrize("name", RECIPES)
def test_a_saved_model_is_the_same_model(backend, name, tmp_path, generator):
    import keras

    model = recipes.find(name)()
    x = generator.uniform(-1, 1, (3, *model.inputs[0].shape[1:])).astype("float32")
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(outputs_of(model, x), outputs_of(again, x))


def other_value(value):
    """Return a value of the same type that is not the default."""
    if isinstance(value, tuple):
        return tuple(entry + 1 for entry in value) or (3,)
    if isinstance(value, str):
        return {"lstm": "gru"}[value]
    return value / 2 if isinstance(value, float) else value + 1


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.one_environment
def test_every_option_changes_the_model(backend, name):
    recipe = recipes.find(name)
    before = [layer.get_config() for layer in recipe().layers]
    for option, default in recipe.options.items():
        after = [layer.get_config() for layer in recipe(**{option: other_value(default)}).layers]
        assert after != before, option


def test_pooling_and_striding_differ_only_in_how_they_halve_the_map(backend):
    pooling, striding = recipes.find("cnn/pooling")(), recipes.find("cnn/striding")()
    assert pooling.count_params() == striding.count_params()
    assert [w.shape for w in pooling.get_weights()] == [w.shape for w in striding.get_weights()]


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(RecipeError, match=r"unknown recipe 'cnn/pool'; did you mean 'cnn/pooling'"):
        recipes.find("cnn/pool")


def test_an_unknown_option_is_an_error_that_lists_the_known_ones():
    with pytest.raises(RecipeError, match=r"no option 'unit' \(it has: units\); did you mean 'units'"):
        recipes.find("dense/one-hidden").complete({"unit": 3})


def test_an_option_that_keras_refuses_raises_a_one_line_error(backend):
    with pytest.raises(RecipeError, match=r"dense/one-hidden\(units=-3\) cannot be built: ValueError: "):
        recipes.find("dense/one-hidden")(units=-3)


def test_an_option_reaches_the_steps_that_refer_to_it():
    recipe = recipes.find("rnn/lstm")
    assert any(isinstance(v, Option) for s in recipe.inputs for v in s.settings.values())
    assert dict(recipe.steps(recipe.inputs, {"window": 5})[1].settings) == {"length": 5}
    assert dict(recipe.steps(recipe.inputs, {})[1].settings) == {"length": 3}


@pytest.mark.parametrize(
    ("name", "rank", "data"), [("cnn/series", 1, "waveforms:200:steps=24"), ("cnn/volumes", 3, "solids:64")]
)
def test_recipes_convolve_over_one_and_three_axes_of_their_own_data(backend, name, rank, data):
    import keras

    run = Trainer(name, epochs=2, batch_size=16).fit(datasets.load(data))
    convolutions = [
        layer for layer in run.model.layers if isinstance(layer, (keras.layers.Conv1D, keras.layers.Conv3D))
    ]
    assert [len(layer.kernel_size) for layer in convolutions] == [rank, rank]
    assert run.history["loss"][-1] < run.history["loss"][0]
    assert run.evaluation.keys() == {"loss", "accuracy"}


@pytest.mark.parametrize("name", ["rnn/lstm", "rnn/two-lstm", "rnn/three-lstm"])
def test_recurrent_recipes_take_gru_cells(backend, name):
    import keras

    kinds = [type(layer) for layer in recipes.find(name)(cell="gru").layers]
    assert keras.layers.GRU in kinds
    assert keras.layers.LSTM not in kinds
    with pytest.raises(RecipeError, match="'gur' is none of lstm, gru; did you mean 'gru'"):
        recipes.find(name)(cell="gur")


def test_hidden_layers_have_a_width_and_a_dropout_each(backend):
    import keras

    model = recipes.find("dense/dropout")(units=(50, 10, 30), dropout=(0.5, 0, 0.25))
    dense = [layer.units for layer in model.layers if isinstance(layer, keras.layers.Dense)]
    rates = [layer.rate for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert (dense, rates) == ([50, 10, 30, 10], [0.5, 0.25])
    with pytest.raises(RecipeError, match="cannot be built"):
        recipes.find("dense/dropout")(units=(50, 10), dropout=(0.5, 0, 0.25))


def test_several_layers_are_applied_at_each_step_of_a_sequence(backend):
    import keras

    for hidden, units in (((16, 8), [16, 8, 5]), (7, [7, 5]), ((), [5])):
        model = recipes.find("rnn/time-distributed")(hidden=hidden)
        applied = [layer.layer for layer in model.layers if isinstance(layer, keras.layers.TimeDistributed)]
        assert [layer.units for layer in applied] == units
        assert model.output_shape == (None, 10, 5)


OWN = '''
import keras
import trivium

def build(units=4):
    """A model of one's own."""
    return keras.Sequential([keras.Input((28, 28)), keras.layers.Flatten(), keras.layers.Dense(units),
                             keras.layers.Dense(10, activation="softmax")])

@trivium.recipe("mine/scaled", "scaled", inputs=(trivium.step("scale"),), epochs=2)
def scaled():
    return build()

def not_a_model():
    return 3
'''


@pytest.fixture
def own_file(tmp_path):
    path = tmp_path / "own.py"
    path.write_text(OWN)
    return path


def test_a_plain_function_in_a_file_is_a_recipe(backend, own_file, digits):
    recipe = recipes.find(f"{own_file}:build")
    assert (recipe.summary, recipe.family, recipe.options) == ("A model of one's own.", "file", {"units": 4})
    run = Trainer(recipe, options={"units": 6}, epochs=1).fit(digits)
    assert run.model.loss == "sparse_categorical_crossentropy"
    assert run.model.layers[1].units == 6
    assert 0 <= run.evaluation["accuracy"] <= 1


def test_a_decorated_function_in_a_file_keeps_its_settings(backend, own_file):
    recipe = recipes.find(f"{own_file}:scaled")
    assert recipe.inputs == (step("scale"),)
    assert Trainer(recipe).epochs == 2


def test_a_function_that_returns_no_model_is_refused(backend, own_file):
    with pytest.raises(RecipeError, match=r"not_a_model returned int, expected a keras.Model"):
        recipes.find(f"{own_file}:not_a_model")()


def test_the_error_names_a_missing_function_or_file(own_file, tmp_path):
    with pytest.raises(RecipeError, match=r"has no function 'biuld'; did you mean 'build'"):
        recipes.find(f"{own_file}:biuld")
    with pytest.raises(RecipeError, match="no such file"):
        recipes.find(f"{tmp_path}/other.py:build")


def test_a_file_that_raises_gives_a_one_line_error(tmp_path):
    path = tmp_path / "broken.py"
    path.write_text("1 / 0\n")
    with pytest.raises(RecipeError, match="ZeroDivisionError: division by zero"):
        recipes.find(f"{path}:build")


@pytest.mark.plain
def test_a_builder_may_collect_further_options():
    def build(units=8, *sizes, **more):
        return None

    collecting = recipes.Recipe("mine", "", build)
    assert collecting.options == {"units": 8}
    assert collecting.complete({"depth": 3}) == {"units": 8, "depth": 3}


@pytest.mark.plain
def test_a_text_is_neither_true_nor_false():
    recipe = recipes.recipe_of(lambda bn=True: None)
    assert recipe.complete({"bn": False}) == {"bn": False}
    with pytest.raises(RecipeError, match="the option bn is true or false, received 'no': write bn=false or bn=true"):
        recipe.complete({"bn": "no"})


def test_options_by_position_alone_and_by_keyword_alone_are_options(backend):
    import keras

    def build(units=2, /, *, depth):
        return keras.Sequential([keras.Input((3,)), *(keras.layers.Dense(units) for _ in range(depth))])

    recipe = recipes.recipe_of(build)
    assert recipe(depth=2).output_shape == (None, 2)
    assert recipe(units=5, depth=1).output_shape == (None, 5)


@pytest.mark.parametrize("data", ["iris", "digits", "blobs:300:centers=4", "spirals"])
@pytest.mark.one_environment
def test_points_fit_themselves_to_the_number_of_values_and_classes(backend, data):
    import trivium

    dataset = trivium.load_data(data)
    run = trivium.train("dense/points", dataset, epochs=20)
    assert run.model.output_shape == (None, len(dataset.labels))
    assert run.model.count_params() == 32 * (dataset.train.x[0].size + 1) + 33 * 32 + 33 * len(dataset.labels)
    assert run.evaluation["accuracy"] > 1.5 / len(dataset.labels)
