"""Generating new digits with an autoencoder's decoder."""

import numpy as np
import pytest

from trivium.engine.bundles.bundle import Bundle
from trivium.engine.prediction.decoder import code_grid, decode, random_codes
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, OptionError


@pytest.fixture(scope="module")
def trained(backend):
    from trivium.data import datasets
    from trivium.data.dataset import Dataset, Split

    full = datasets.load("digit-images:sample")
    few = Dataset(
        full.name, Split(full.train.x[:600], full.train.x[:600]), Split(full.test.x[:50], full.test.x[:50]), (), ""
    )
    return Trainer("functional/autoencoder", epochs=4, learning_rate=0.003).fit(few)


def test_the_loss_is_cross_entropy_plus_divergence(trained, generator):
    """Kingma and Welling (2013), equation 10, computed by hand in inference mode, without noise."""
    import keras

    model = trained.model
    x = generator.uniform(0, 1, (20, 784)).astype("float32")
    heads = keras.Model(model.inputs, [model.get_layer(n).output for n in ("mean", "log_variance")])
    mean, log_variance = (np.asarray(value, "float64") for value in heads.predict(x, verbose=0))
    reconstruction = np.clip(np.asarray(model.predict(x, verbose=0), "float64"), 1e-7, 1 - 1e-7)
    entropy = -(x * np.log(reconstruction) + (1 - x) * np.log(1 - reconstruction)).mean()
    divergence = -0.5 * (1 + log_variance - mean**2 - np.exp(log_variance)).sum(1).mean() / 784
    assert model.evaluate(x, x, batch_size=20, verbose=0) == pytest.approx(entropy + divergence, rel=1e-4)
    assert divergence > 1e-5


def test_decoded_images_have_the_shape_and_range_of_the_raw_data(trained):
    pictures = decode(Bundle.of(trained), code_grid(3))
    assert pictures.shape == (9, 28, 28)
    assert 0 <= pictures.min() < pictures.max() <= 255
    assert pictures.max() > 60
    assert len({picture.tobytes() for picture in pictures}) == 9


def test_decoding_the_code_of_a_digit_gives_the_models_reconstruction(trained):
    import keras

    model = trained.model
    x, _ = trained.preprocessing.pairs(trained.dataset.test.x[:5], trained.dataset.test.y[:5])
    codes = np.asarray(keras.Model(model.inputs, model.get_layer("mean").output).predict(x, verbose=0))
    reconstruction = trained.preprocessing.targets.inverse(np.asarray(model.predict(x, verbose=0)))
    np.testing.assert_allclose(decode(Bundle.of(trained), codes), reconstruction, atol=1e-2)


def test_a_code_grid_cuts_the_normal_distribution_into_equal_shares():
    codes = code_grid(2)
    np.testing.assert_allclose(
        codes, [(-0.6745, 0.6745), (0.6745, 0.6745), (-0.6745, -0.6745), (0.6745, -0.6745)], atol=1e-4
    )
    with pytest.raises(OptionError, match="1 row or more"):
        code_grid(0)


def test_random_codes_are_normal_and_repeatable():
    codes = random_codes(4000, 3, seed=1)
    assert codes.shape == (4000, 3)
    assert abs(codes.mean()) < 0.05
    assert abs(codes.std() - 1) < 0.05
    np.testing.assert_array_equal(codes, random_codes(4000, 3, seed=1))


def test_codes_of_another_length_and_models_without_a_decoder_are_refused(trained, striding_run):
    with pytest.raises(DataError, match=r"codes have shape \(4, 3\), expected \(n, 2\)"):
        decode(Bundle.of(trained), random_codes(4, 3, 0))
    with pytest.raises(DataError, match="the bundle of cnn/striding has no decoder: train functional/autoencoder"):
        decode(Bundle.of(striding_run), code_grid(2))
