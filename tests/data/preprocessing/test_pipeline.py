"""Preprocessing: fitted on training data only, inverted by its inverse, and the same after JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trivium.data.axes import reshape_advice, shape_matches
from trivium.data.columns import WORDS, Column
from trivium.data.dataset import Dataset, Split
from trivium.data.preprocessing.feature_scaling import MinMax, Scale, Standardise, StandardiseValues
from trivium.data.preprocessing.pipeline import TRANSFORMS, Chain, Preprocessing
from trivium.data.preprocessing.table_columns import TableColumns
from trivium.data.preprocessing.text_words import TextWords
from trivium.data.preprocessing.tokens import CharTokenizer, WordTokenizer
from trivium.data.preprocessing.transforms import (
    Cast,
    ChannelAxis,
    NextValue,
    NextValues,
    OneHot,
    Reshape,
    Signs,
    Window,
)
from trivium.data.sources.text import to_codes
from trivium.data.tables.text_column import encode_texts
from trivium.errors import DataError
from trivium.models import recipe as recipes

PIXELS = np.arange(2 * 28 * 28, dtype="uint8").reshape(2, 28, 28)
SENTENCES = encode_texts(["a word after a word", "word after word"])
CELLS = np.array([[1.0, 0], [3.0, 1], [np.nan, 1], [8.0, np.nan]])
TABLE = np.array([[1.0, 200, 7], [3, 600, 7], [8, 100, 7]])

# One example of each step, with valid values. The keys are the names in recipes and bundles: data, never renamed.
EXAMPLES = {
    "table": (TableColumns(columns=(Column("age"), Column("town", WORDS, ("Bonn", "Köln")))), CELLS),
    "text": (TextWords(), SENTENCES),
    "standardise-values": (StandardiseValues(), np.array([3.0, -1.0, 5.0])),
    "cast": (Cast(), PIXELS),
    "scale": (Scale(low=-1.0), PIXELS),
    "min-max": (MinMax(), np.array([3.0, -1.0, 5.0])),
    "standardise": (Standardise(), TABLE),
    "reshape": (Reshape(shape=(4, 3)), np.arange(24.0).reshape(2, 12)),
    "channel-axis": (ChannelAxis(axis=3), PIXELS),
    "one-hot": (OneHot(), np.array([2, 0, 1])),
    "signs": (Signs(), np.array([1, 0, 1])),
    "window": (Window(length=3), np.arange(6.0)),
    "after": (NextValue(length=3), np.arange(6.0)),
    "letters": (CharTokenizer(), to_codes("letters, letters")),
    "words": (WordTokenizer(size=3), to_codes("word after word after word")),
    "ahead": (NextValues(length=2, horizon=2), np.arange(6.0)),
}


def test_every_step_has_an_example():
    assert EXAMPLES.keys() == TRANSFORMS.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_fitted_step_is_the_same_after_json(kind):
    step, values = EXAMPLES[kind]
    chain = Chain((step,)) if kind == "channel-axis" else Chain((step,)).fit(values)
    again = Chain.from_json(json.loads(json.dumps(chain.to_json())))
    assert again == chain
    np.testing.assert_array_equal(again(values), chain(values))


PER_SAMPLE = ["cast", "scale", "min-max", "table", "standardise", "reshape", "channel-axis", "one-hot"]


@pytest.mark.parametrize("kind", [*PER_SAMPLE, "letters", "words", "text"])
def test_the_inverse_restores_the_values(kind):
    step, values = EXAMPLES[kind]
    fitted = step if kind == "channel-axis" else step.fit(values)
    np.testing.assert_allclose(fitted.inverse(fitted(values)), values, rtol=0, atol=1e-4)


@pytest.mark.parametrize("kind", PER_SAMPLE)
def test_the_layers_of_a_step_compute_the_same_as_the_step(backend, kind):
    import keras

    step, values = EXAMPLES[kind]
    fitted = step if kind == "channel-axis" else step.fit(values)
    inputs = outputs = keras.Input(
        values.shape[1:], dtype={"f": "float32", "i": "int32", "u": "uint8"}[values.dtype.kind]
    )
    for layer in fitted.layers(values.shape[1:]):
        outputs = layer(outputs)
    predicted = np.asarray(keras.Model(inputs, outputs).predict(values, verbose=0))
    np.testing.assert_allclose(predicted, fitted(values), rtol=0, atol=1e-6)
    assert predicted.shape == fitted(values).shape


@pytest.mark.parametrize("kind", sorted(EXAMPLES.keys() - {*PER_SAMPLE, "standardise-values"}))
def test_a_step_that_turns_a_series_into_samples_has_no_layers(kind):
    with pytest.raises(DataError, match=f"the step '{kind}' has no Keras layer"):
        EXAMPLES[kind][0].layers((3,))


@pytest.mark.parametrize("kind", ["scale", "reshape", "channel-axis", "table"])
def test_the_shape_before_a_step_is_that_of_the_raw_values(kind):
    step, values = EXAMPLES[kind]
    fitted = step if kind == "channel-axis" else step.fit(values)
    assert fitted.shape_before(fitted(values).shape[1:]) == values.shape[1:]


@pytest.mark.parametrize(
    "step", [MinMax(), Standardise(), Standardise(axis="all"), Standardise(axis=-1)], ids=["m", "s", "s all", "s -1"]
)
def test_large_numbers_close_to_each_other_keep_their_precision_in_layers(backend, step):
    years = np.arange(1990.0, 2020.0)[:, None]
    fitted, outputs = step.fit(years), years.astype("float32")
    for layer in fitted.layers((1,)):
        outputs = layer(outputs)
    import keras

    np.testing.assert_allclose(keras.ops.convert_to_numpy(outputs), fitted(years), rtol=0, atol=1e-6)


def test_each_feature_is_standardised_by_itself_and_a_constant_one_becomes_0():
    scaled = Standardise().fit(TABLE)(TABLE)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-6)
    np.testing.assert_allclose(scaled.std(0), [1, 1, 0], atol=1e-6)


@pytest.mark.parametrize("constant", [0.1, 1e9 + 1, -7])
def test_a_constant_that_float32_cannot_hold_becomes_0_too(constant):
    table = np.stack([np.full(1000, constant), np.arange(1000.0)], axis=1)
    scaled = Standardise().fit(table)(table)
    assert (scaled[:, 0] == 0).all()
    assert scaled[:, 1].std() == pytest.approx(1)


def test_seconds_since_1970_are_standardised_too():
    scaled = Standardise().fit(1.7e9 + TABLE)(1.7e9 + TABLE)
    np.testing.assert_allclose(scaled.mean(0), 0, atol=1e-3)
    np.testing.assert_allclose(scaled.std(0), [1, 1, 0], atol=1e-3)


def test_images_are_standardised_as_a_whole_unless_an_axis_is_named():
    colours = np.stack([PIXELS, PIXELS // 2, PIXELS // 4], axis=-1)
    whole = Standardise().fit(colours)
    assert len(whole.mean) == 1
    np.testing.assert_allclose([whole(colours).mean(), whole(colours).std()], [0, 1], atol=1e-6)
    for axis, images in ((3, colours), (-1, colours), (1, np.moveaxis(colours, 3, 1))):
        scaled = Standardise(axis=axis).fit(images)(images)
        rest = (0, 2, 3) if axis == 1 else (0, 1, 2)
        np.testing.assert_allclose(scaled.std(rest), [1, 1, 1], atol=1e-6)


def test_standardise_refuses_a_different_number_of_features():
    with pytest.raises(DataError, match=r"expected 3 features on axis 1, received \(3, 2\)"):
        Standardise().fit(TABLE)(TABLE[:, :2])
    with pytest.raises(DataError, match="values of 1 axes have no features on axis 0"):
        Standardise(axis=0).fit(np.arange(3.0))


def test_a_standard_deviation_that_keras_treats_as_0_has_no_layer(backend):
    with pytest.raises(DataError, match="give it in a smaller unit"):
        Standardise().fit(TABLE * 1e-12).layers((3,))


@pytest.mark.parametrize("step", [MinMax(), Standardise(axis="all")], ids=["min-max", "standardise"])
def test_a_test_split_is_scaled_by_the_range_of_the_training_split(step):
    train, test = np.linspace(0, 1, 11), np.linspace(0, 255, 11)
    prepared = Preprocessing(Chain((step,))).fit(train, train)
    x, _ = prepared.pairs(test, test)
    np.testing.assert_allclose(x, (test - train.mean()) / train.std() if step.kind == "standardise" else test, 1e-5)
    assert x.max() > 200


def test_training_fits_its_preprocessing_only_on_the_training_split(backend):
    from trivium.engine.training.trainer import Trainer

    train, test = np.linspace(0, 1, 40), np.linspace(0, 255, 40)
    data = Dataset("series", Split(train, train), Split(test, test), (), "made here")
    preprocessing = Trainer("rnn/lstm", validation_split=0.0).prepare(data)[0]
    assert (preprocessing.inputs.steps[0].low, preprocessing.inputs.steps[0].high) == (0.0, 1.0)
    assert preprocessing.pairs(test, test)[0].max() > 200


def test_integer_images_without_preprocessing_are_cast_to_float32():
    prepared = Preprocessing().fit(PIXELS, np.arange(2))
    assert prepared.inputs.steps == (Cast(before="uint8"),)
    x, _ = prepared.pairs(PIXELS, np.arange(2))
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x, PIXELS)
    assert prepared.inputs.inverse(x).dtype == np.uint8


def test_a_users_model_learns_the_same_from_integer_pixels_as_from_floats(backend, digits):
    import keras

    from trivium.engine.training.trainer import Trainer

    def build():
        layers = [keras.layers.Conv2D(2, 3), keras.layers.Flatten(), keras.layers.Dense(10, activation="softmax")]
        return keras.Sequential([keras.Input((28, 28, 1)), *layers])

    def losses(dtype):
        x = digits.train.x[..., None].astype(dtype)
        data = Dataset("mine", Split(x, digits.train.y), None, digits.labels, "here")
        return Trainer(recipes.Recipe("mine", "", build), epochs=2, deterministic=True).fit(data).history["loss"]

    np.testing.assert_allclose(losses("uint8"), losses("float32"), rtol=1e-6)


@pytest.mark.parametrize("values", [np.ones((2, 3, 3)), np.ones((2, 5), "int32"), np.arange(4)])
def test_tokens_and_floats_without_preprocessing_are_not_cast(values):
    assert Preprocessing().fit(values, np.arange(len(values))).inputs.steps == ()


def test_scale_maps_its_ends_exactly():
    np.testing.assert_allclose(Scale(low=-1.0)(np.array([0, 255], "uint8")), [-1, 1], atol=1e-7)
    assert Scale()(np.array([0, 51, 255], "uint8")).tolist() == pytest.approx([0, 0.2, 1])


def test_scale_gives_float32_whatever_comes_in():
    for dtype in ("uint8", "int64", "float64"):
        assert Scale()(np.array([0, 255], dtype)).dtype == np.float32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0.0, 300.0]), "values range from 0 to 300, expected 0 to 255"),
        (np.array([-1.0, 1.0]), "values range from -1 to 1, expected 0 to 255"),
        (np.array([0.0, 1.0]), "already scaled"),
    ],
)
def test_scale_refuses_values_out_of_range_or_already_scaled(values, message):
    with pytest.raises(DataError, match=message):
        Scale().fit(values)


def test_min_max_uses_only_the_range_it_was_fitted_on():
    fitted = MinMax().fit(np.array([0.0, 10.0]))
    assert fitted(np.array([-5.0, 20.0])).tolist() == [-0.5, 2.0]


def test_min_max_of_a_constant_is_an_error():
    with pytest.raises(DataError, match="every value is 4"):
        MinMax().fit(np.full(3, 4.0))


@given(arrays.arrays("float64", st.integers(2, 30), elements=st.floats(-1e6, 1e6), unique=True))
def test_min_max_inverts_to_float32_precision(values):
    fitted = MinMax().fit(values)
    assert fitted(values).min() == 0
    span = values.max() - values.min()
    np.testing.assert_allclose(fitted.inverse(fitted(values)), values, rtol=0, atol=1e-6 * span)


@pytest.mark.parametrize("labels", [np.array([0, 10]), np.array([-1, 3])])
def test_labels_out_of_range_are_an_error_that_shows_the_range(labels):
    with pytest.raises(DataError, match=r"labels range from -?\d+ to \d+, expected 0 to 9 for 10 classes"):
        OneHot(classes=10)(labels)


def test_labels_out_of_range_are_an_error_that_says_what_to_do():
    with pytest.raises(DataError, match=r"for 10 classes: take a model with 12 outputs \(one of your own is path/to/"):
        OneHot(classes=10)(np.array([0, 11]))
    with pytest.raises(DataError, match="for 10 classes: number them from 0"):
        OneHot(classes=10)(np.array([-1, 1]))


def test_the_classes_are_those_of_the_whole_dataset_not_of_the_training_split():
    prepared = Preprocessing(targets=Chain((OneHot(),)))
    assert prepared.fit(np.ones(2), np.array([0, 1])).targets(np.array([1])).shape == (1, 2)
    assert prepared.fit(np.ones(2), np.array([0, 1]), classes=5).targets(np.array([4])).tolist() == [[0, 0, 0, 0, 1]]


def test_a_model_with_more_outputs_than_classes_keeps_them_and_one_with_fewer_is_refused():
    prepared = Preprocessing(targets=Chain((OneHot(classes=10),)))
    assert prepared.fit(np.ones(2), np.array([0, 1]), classes=7).targets(np.array([1])).shape == (1, 10)
    with pytest.raises(
        DataError, match="the data have 12 classes but the model has outputs for 10: take a model with 12"
    ):
        prepared.fit(np.ones(2), np.array([0, 1]), classes=12)


def test_labels_that_are_not_integers_are_an_error():
    with pytest.raises(DataError, match=r"expected integer labels \(n,\), received \(2, 1\) of float64"):
        OneHot(classes=10)(np.ones((2, 1)))


def test_the_inverse_of_one_hot_accepts_probabilities():
    assert OneHot(classes=3).inverse(np.array([[0.2, 0.5, 0.3], [0.9, 0.1, 0.0]])).tolist() == [1, 0]


@given(st.integers(1, 7), st.integers(8, 30))
def test_every_window_is_followed_by_its_target(length, count):
    series = np.arange(float(count))
    prepared = Preprocessing(Chain((Window(length=length),)), Chain((NextValue(length=length),)))
    x, y = prepared.pairs(series, series)
    assert x.shape == (count - length, length, 1)
    for window, target in zip(x, y, strict=True):
        assert window[:, 0].tolist() == list(range(int(target[0]) - length, int(target[0])))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(12, 20))
def test_each_value_of_a_window_is_followed_by_the_values_ahead(length, horizon, count):
    series = np.arange(float(count))
    chains = Chain((Window(length=length, horizon=horizon),)), Chain((NextValues(length=length, horizon=horizon),))
    x, y = Preprocessing(*chains).pairs(series, series)
    assert len(x) == count - length - horizon + 1
    for window, targets in zip(x, y, strict=True):
        for value, following in zip(window[:, 0], targets, strict=True):
            assert following.tolist() == [value + 1 + step for step in range(horizon)]


def test_windows_without_targets_reach_to_the_end():
    assert Window(length=3)(np.arange(5.0))[-1, :, 0].tolist() == [2, 3, 4]


def test_windows_keep_features_apart():
    series = np.stack([np.arange(5.0), 10 * np.arange(5.0)], axis=1)
    assert Window(length=2)(series)[1].tolist() == [[1, 10], [2, 20]]


def test_a_series_shorter_than_its_window_is_an_error():
    with pytest.raises(DataError, match="a series of 2 values is shorter than the window of 3"):
        Window(length=3)(np.arange(2.0))
    with pytest.raises(DataError, match="a series of 3 values has none after a window of 3"):
        NextValue(length=3)(np.arange(3.0))


def test_the_channel_axis_follows_keras(backend):
    import keras

    before = keras.config.image_data_format()
    try:
        keras.config.set_image_data_format("channels_first")
        assert ChannelAxis().fit(PIXELS)(PIXELS).shape == (2, 1, 28, 28)
        keras.config.set_image_data_format("channels_last")
        assert ChannelAxis().fit(PIXELS)(PIXELS).shape == (2, 28, 28, 1)
    finally:
        keras.config.set_image_data_format(before)


@pytest.mark.parametrize("axis", [1, 3])
@pytest.mark.parametrize("place", [1, 3])
def test_an_existing_channel_axis_is_moved_to_its_place(axis, place):
    images = ChannelAxis(axis=axis)(np.expand_dims(PIXELS, place))
    np.testing.assert_array_equal(images, np.expand_dims(PIXELS, axis))


@pytest.mark.parametrize(
    ("shape", "advice"),
    [
        ((2, 28, 28, 3), r"axis 3 holds 3 channels, expected one; their mean is grey: x = x.mean\(3\)"),
        ((2, 3, 28, 28), r"axis 1 holds 3 channels, expected one; their mean is grey: x = x.mean\(1\)"),
        ((2, 784), r"if its 784 values are an image, .*: x = x.reshape\(len\(x\), 28, 28\)"),
    ],
)
def test_images_of_a_wrong_shape_are_refused_with_the_line_that_fixes_them(shape, advice):
    x = np.zeros(shape, "uint8")
    with pytest.raises(
        DataError, match=r"expected grey images \(n, height, width\), received shape .*: " + advice
    ) as caught:
        ChannelAxis(axis=3)(x)
    assert ChannelAxis(axis=3)(apply_advice(x, str(caught.value))).shape == (2, 28, 28, 1)


def apply_advice(x, message):
    """Apply the line of NumPy at the end of a message to x."""
    return eval(message.rpartition(": x = ")[2], {"x": x, "np": np, "len": len})


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        *[((1, 28, 28), (28, 28, 1)), ((28, 28, 1), (1, 28, 28)), ((28, 28), (28, 28, 1)), ((28, 28), (1, 28, 28))],
        *[((28, 28, 1), (28, 28)), ((1, 28, 28), (28, 28)), ((3, 32, 32), (32, 32, 3)), ((32, 32, 3), (3, 32, 32))],
        *[((28, 28), (784,)), ((784,), (28, 28)), ((784,), (28, 28, 1)), ((784,), (1, 28, 28))],
        *[
            ((32, 32, 3), (32, 32, 1)),
            ((3, 32, 32), (None, None)),
            ((5, 20), (20, 5)),
            ((20,), (20, 1)),
            ((20, 1), (20,)),
        ],
    ],
)
def test_the_advice_on_axes_brings_samples_to_the_expected_shape(received, expected):
    advice = reshape_advice(received, lambda shape: shape_matches(expected, shape))
    assert shape_matches(expected, apply_advice(np.zeros((2, *received)), advice).shape[1:]), advice


@pytest.mark.parametrize("received", [(), (5,), (28, 28), (3, 28, 28), (2, 3, 4, 5)])
def test_there_is_no_advice_if_no_single_step_helps(received):
    assert reshape_advice(received, lambda shape: shape_matches((30, 30), shape)) == ""


def test_a_series_is_not_an_image():
    with pytest.raises(DataError, match=r"expected grey images \(n, height, width\), received shape \(200,\)$"):
        ChannelAxis(axis=3)(np.zeros(200))


def test_colour_images_for_a_flat_model_are_refused_with_the_line_that_fixes_them():
    with pytest.raises(
        DataError, match=r"cannot become \(784,\): axis 3 holds 3 channels, expected one; .* x.mean\(3\)"
    ):
        Reshape(shape=(784,)).fit(np.zeros((2, 28, 28, 3)))(np.zeros((2, 28, 28, 3)))


def test_samples_that_cannot_be_reshaped_are_an_error():
    with pytest.raises(DataError, match=r"a sample has shape \(28, 28\), which cannot become \(100,\)"):
        Reshape(shape=(100,))(PIXELS)


def test_a_step_is_fitted_on_the_output_of_the_steps_before_it():
    chain = Chain((Scale(source=(0.0, 10.0), high=5.0), MinMax())).fit(np.array([2.0, 8.0]))
    assert (chain.steps[1].low, chain.steps[1].high) == (1.0, 4.0)


def test_chains_that_give_different_numbers_of_samples_are_an_error():
    with pytest.raises(DataError, match="3 prepared samples but 2 prepared targets"):
        Preprocessing().pairs(np.ones(3), np.ones(2))


def test_the_error_names_an_unknown_step():
    with pytest.raises(DataError, match="unknown preprocessing step 'whiten'"):
        Chain.from_json([{"kind": "whiten"}])


@pytest.mark.parametrize("name", sorted(recipes.registry()))
def test_the_steps_of_every_recipe_exist(name):
    recipe = recipes.find(name)
    for steps in (recipe.inputs, recipe.targets):
        assert len(Chain.from_steps(recipe.steps(steps, {})).steps) == len(steps)
