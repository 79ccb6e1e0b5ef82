"""The networks of `keras.applications` as recipes: with their own preparation, frozen if they have learned before."""

import importlib

import numpy as np
import pytest

from trivium.backends import keras_internals
from trivium.engine.bundles.named_recipe import find
from trivium.engine.keras_model import applications
from trivium.errors import FileError, RecipeError

SHAPE = (32, 32, 3)


def test_the_networks_are_those_that_keras_publishes(backend):
    import keras

    names = applications.application_names()
    assert {"VGG16", "MobileNetV2", "ResNet50", "EfficientNetB0"} <= set(names)
    assert all(callable(getattr(keras.applications, name)) for name in names)


@pytest.mark.one_environment
@pytest.mark.parametrize("name", applications.application_names())
def test_pixels_are_prepared_as_the_network_does(backend, name):
    import keras

    pixels = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3)).astype("float32")
    inputs = keras.Input((4, 5, 3))
    model = keras.Model(inputs, applications._prepare(inputs, name))
    expected = applications._module_of(name).preprocess_input(pixels.copy(), data_format="channels_last")
    prepared = keras.ops.convert_to_numpy(model(pixels))
    np.testing.assert_allclose(prepared, expected, atol=2e-5 * max(1.0, abs(expected).max()))


@pytest.mark.one_environment
def test_a_network_with_weights_is_frozen_but_for_its_head(backend, tmp_path):
    import keras

    recipe = find("applications/MobileNetV2")
    new = recipe(picture_shape=SHAPE, classes=3)
    assert not [layer for layer in new.layers if layer.weights and not layer.trainable]
    body = keras.applications.MobileNetV2(include_top=False, weights=None, input_shape=SHAPE)
    body.save_weights(tmp_path / "body.weights.h5")
    model = recipe(picture_shape=SHAPE, classes=3, weights=str(tmp_path / "body.weights.h5"), dropout=0.2)
    assert [layer.name for layer in model.layers if layer.trainable_weights] == ["head_classes"]
    assert model.output_shape == (None, 3)
    pixels = np.random.default_rng(0).integers(0, 256, (2, *SHAPE)).astype("float32")
    features = keras.Model(model.inputs[0], model.get_layer("head_dropout").input)(pixels)
    expected = body(keras.applications.mobilenet_v2.preprocess_input(pixels.copy()))
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(features), keras.ops.convert_to_numpy(expected).mean((1, 2)), atol=1e-4
    )


@pytest.mark.one_environment
@pytest.mark.parametrize("shape", [(32, 32), (32, 32, 1)])
def test_grey_pictures_become_three_channels(backend, shape):
    assert find("applications/MobileNetV2")(picture_shape=shape, classes=2).input_shape == (None, *shape)


def test_nothing_is_downloaded_without_being_asked_for(backend, tmp_path, monkeypatch):
    monkeypatch.setattr(keras_internals, "_keras_home", lambda: tmp_path)
    recipe = find("applications/MobileNetV2")
    with pytest.raises(FileError, match=r"there is no .*no_top.h5: put https://.*no_top.h5 there, or let it be downl"):
        recipe(picture_shape=SHAPE, classes=2, weights="imagenet")
    with pytest.raises(FileError, match=r"weights=nix.h5: no such file"):
        recipe(picture_shape=SHAPE, classes=2, weights="nix.h5")


def test_a_file_in_the_cache_is_taken_if_it_is_whole(backend, tmp_path, monkeypatch):

    home = tmp_path / "models"
    home.mkdir()
    (home / "file").write_bytes(b"weights")
    monkeypatch.setattr(keras_internals, "_keras_home", lambda: tmp_path)
    with keras_internals.downloads(allowed=False):
        get_file = importlib.import_module("keras.src.utils.file_utils").get_file
        assert get_file("file", origin="https://there", cache_subdir="models") == str(home / "file")
        with pytest.raises(FileError, match="put https://there there"):
            get_file("file", origin="https://there", cache_subdir="models", file_hash="0" * 32)


def test_an_unknown_network_and_another_shape_are_refused(backend):
    with pytest.raises(RecipeError, match=r"Keras has no network 'MobilNet' in keras\.applications; did you mean"):
        find("applications/MobilNet")
    with pytest.raises(RecipeError, match="the network takes pictures of"):
        find("applications/MobileNetV2")(picture_shape=(32, 32, 4), classes=2)


@pytest.mark.one_environment
def test_a_network_learns_pictures_of_a_folder_and_its_bundle_goes_on(backend):
    from trivium.data.dataset import PICTURES, Dataset, Split
    from trivium.engine.bundles.bundle import Bundle
    from trivium.engine.training.trainer import Trainer

    x = np.random.default_rng(0).integers(0, 256, (12, *SHAPE)).astype("uint8")
    data = Dataset(
        "pictures", Split(x, np.arange(12) % 2), Split(x[:4], np.arange(4) % 2), ("a", "b"), "", kind=PICTURES
    )
    run = Trainer("applications/MobileNetV2", epochs=1, batch_size=6).fit(data)
    assert run.notes[0].startswith("applications/MobileNetV2 begins with random weights")
    assert run.settings["options"]["picture_shape"] == SHAPE
    again = Trainer(start=Bundle.of(run), freeze=["*"], unfreeze=["head_*"], epochs=1, batch_size=6).fit(data)
    assert [layer.name for layer in again.model.layers if layer.trainable_weights] == ["head_classes"]
