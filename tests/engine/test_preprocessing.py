"""Preparation: fitted on training data only, undone by its inverse, the same after a journey through JSON."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from trivium.engine.preprocessing import TRANSFORMS, Chain, Preprocessing
from trivium.engine.sources.text import to_codes
from trivium.engine.tokens import Letters, Words
from trivium.engine.transforms import After, Ahead, ChannelAxis, MinMax, OneHot, Reshape, Scale, Window
from trivium.errors import DataError
from trivium.models import recipe as recipes

PIXELS = np.arange(2 * 28 * 28, dtype="uint8").reshape(2, 28, 28)

# One example of each step, with values that it takes.
EXAMPLES = {
    "scale": (Scale(low=-1.0), PIXELS),
    "min-max": (MinMax(), np.array([3.0, -1.0, 5.0])),
    "reshape": (Reshape(shape=(4, 3)), np.arange(24.0).reshape(2, 12)),
    "channel-axis": (ChannelAxis(axis=3), PIXELS),
    "one-hot": (OneHot(), np.array([2, 0, 1])),
    "window": (Window(length=3), np.arange(6.0)),
    "after": (After(length=3), np.arange(6.0)),
    "letters": (Letters(), to_codes("letters, letters")),
    "words": (Words(size=3), to_codes("word after word after word")),
    "ahead": (Ahead(length=2, horizon=2), np.arange(6.0)),
}


def test_every_step_has_an_example():
    assert EXAMPLES.keys() == TRANSFORMS.keys()


@pytest.mark.parametrize("kind", EXAMPLES)
def test_a_fitted_step_survives_json(kind):
    step, values = EXAMPLES[kind]
    chain = Chain((step,)) if kind == "channel-axis" else Chain((step,)).fit(values)
    again = Chain.from_json(json.loads(json.dumps(chain.to_json())))
    assert again == chain
    np.testing.assert_array_equal(again(values), chain(values))


@pytest.mark.parametrize("kind", ["scale", "min-max", "reshape", "channel-axis", "one-hot", "letters", "words"])
def test_the_inverse_gives_back_the_values(kind):
    step, values = EXAMPLES[kind]
    fitted = step if kind == "channel-axis" else step.fit(values)
    np.testing.assert_allclose(fitted.inverse(fitted(values)), values, rtol=0, atol=1e-4)


def test_scale_maps_its_ends_exactly():
    np.testing.assert_allclose(Scale(low=-1.0)(np.array([0, 255], "uint8")), [-1, 1], atol=1e-7)
    assert Scale()(np.array([0, 51, 255], "uint8")).tolist() == pytest.approx([0, 0.2, 1])


def test_scale_gives_float32_whatever_comes_in():
    for dtype in ("uint8", "int64", "float64"):
        assert Scale()(np.array([0, 255], dtype)).dtype == np.float32


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.array([0.0, 300.0]), "values reach from 0 to 300, expected 0 to 255"),
        (np.array([-1.0, 1.0]), "values reach from -1 to 1, expected 0 to 255"),
        (np.array([0.0, 1.0]), "already scaled"),
    ],
)
def test_scale_refuses_what_is_no_picture_or_is_scaled_already(values, message):
    with pytest.raises(DataError, match=message):
        Scale().fit(values)


def test_min_max_takes_the_range_of_what_it_is_fitted_on_and_of_nothing_else():
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
    with pytest.raises(DataError, match=r"labels reach from -?\d+ to \d+, expected 0 to 9 for 10 classes"):
        OneHot(classes=10)(labels)


def test_labels_that_are_no_integers_are_an_error():
    with pytest.raises(DataError, match=r"expected integer labels \(n,\), received \(2, 1\) of float64"):
        OneHot(classes=10)(np.ones((2, 1)))


def test_the_inverse_of_one_hot_takes_probabilities():
    assert OneHot(classes=3).inverse(np.array([[0.2, 0.5, 0.3], [0.9, 0.1, 0.0]])).tolist() == [1, 0]


@given(st.integers(1, 7), st.integers(8, 30))
def test_every_window_is_followed_by_its_target(length, count):
    series = np.arange(float(count))
    prepared = Preprocessing(Chain((Window(length=length),)), Chain((After(length=length),)))
    x, y = prepared.pairs(series, series)
    assert x.shape == (count - length, length, 1)
    for window, target in zip(x, y, strict=True):
        assert window[:, 0].tolist() == list(range(int(target[0]) - length, int(target[0])))


@given(st.integers(1, 5), st.integers(1, 5), st.integers(12, 20))
def test_each_value_of_a_window_is_followed_by_the_values_ahead(length, horizon, count):
    series = np.arange(float(count))
    chains = Chain((Window(length=length, horizon=horizon),)), Chain((Ahead(length=length, horizon=horizon),))
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
        After(length=3)(np.arange(3.0))


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


def test_images_that_have_a_channel_axis_are_refused():
    with pytest.raises(DataError, match=r"expected grey images \(n, height, width\), received shape \(2, 28, 28, 1\)"):
        ChannelAxis(axis=3)(PIXELS[..., None])


def test_samples_that_cannot_be_reshaped_are_an_error():
    with pytest.raises(DataError, match=r"a sample has shape \(28, 28\), which cannot become \(100,\)"):
        Reshape(shape=(100,))(PIXELS)


def test_a_step_is_fitted_on_what_the_steps_before_it_make():
    chain = Chain((Scale(source=(0.0, 10.0), high=5.0), MinMax())).fit(np.array([2.0, 8.0]))
    assert (chain.steps[1].low, chain.steps[1].high) == (1.0, 4.0)


def test_chains_that_disagree_about_the_samples_are_an_error():
    with pytest.raises(DataError, match="3 prepared samples but 2 prepared targets"):
        Preprocessing().pairs(np.ones(3), np.ones(2))


def test_an_unknown_step_is_named():
    with pytest.raises(DataError, match="unknown step of preparation 'whiten'"):
        Chain.from_json([{"kind": "whiten"}])


@pytest.mark.parametrize("name", sorted(recipes.book()))
def test_every_recipe_names_steps_that_exist(name):
    recipe = recipes.find(name)
    for steps in (recipe.inputs, recipe.targets):
        assert len(Chain.from_steps(recipe.steps(steps, {})).steps) == len(steps)
