"""Weights out of a file into another model: by the layers' places, or by their names."""

import keras_files
import numpy as np
import pytest

from trivium.engine.bundles.stored_weights import StoredWeights
from trivium.errors import OptionError

FILES = ("m.weights.h5", "m.keras", "m.h5")


@pytest.fixture
def saved(backend, tmp_path):
    model = keras_files.trained()
    model.save_weights(tmp_path / "m.weights.h5")
    model.save(tmp_path / "m.keras")
    model.save(tmp_path / "m.h5")
    return model


@pytest.mark.parametrize("name", FILES)
def test_all_weights_go_into_a_model_like_the_one_in_the_file(saved, tmp_path, name):
    model = keras_files.classifier()
    StoredWeights.read(tmp_path / name).load_into(model, "mine")
    for one, other in zip(model.get_weights(), saved.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"units": 7},
            r"does not fit mine: the layer first has weights \(4, 7\), \(7,\), in the file \(4, 6\), \(6,\)",
        ),
        ({"classes": 2}, r"the layer answer has weights \(6, 2\), \(2,\), in the file \(6, 3\), \(3,\)"),
    ],
)
def test_the_first_layer_that_differs_is_named_and_nothing_is_changed(saved, tmp_path, name, options, message):
    model = keras_files.classifier(**options)
    before = model.get_weights()
    with pytest.raises(OptionError, match=message):
        StoredWeights.read(tmp_path / name).load_into(model, "mine")
    for one, other in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("name", FILES)
def test_layers_are_taken_by_their_names_into_another_model(saved, tmp_path, name):
    import keras

    layers = keras.layers
    model = keras.Sequential(
        [keras.Input((4,)), layers.Dense(4, name="new"), layers.Dense(6, name="first"), layers.Dense(2, name="answer")]
    )
    new = model.get_layer("new").get_weights()
    stored = StoredWeights.read(tmp_path / name)
    stored.load_into(model, "mine", ["fir*"])
    for one, other in zip(model.get_layer("first").get_weights(), saved.get_layer("first").get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(model.get_layer("new").get_weights()[0], new[0])
    with pytest.raises(OptionError, match=r"new is not in it, the layer answer has weights \(6, 2\)"):
        stored.load_into(model, "mine", ["*"])
    with pytest.raises(OptionError, match=r"`layers` conv\*: mine has no layer with weights of such a name"):
        stored.load_into(model, "mine", ["conv*"])


def test_automatic_names_are_those_of_a_fresh_process(backend, tmp_path):
    import keras

    def two():
        return keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(3)])

    source = two()
    source.save_weights(tmp_path / "m.weights.h5")
    target = two()  # its layers are called dense_2 and dense_3, or later
    StoredWeights.read(tmp_path / "m.weights.h5").load_into(target, "mine", [target.layers[1].name])
    np.testing.assert_array_equal(target.layers[1].kernel, source.layers[1].kernel)
    assert not np.array_equal(target.layers[0].kernel, source.layers[0].kernel)
