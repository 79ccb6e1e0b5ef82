"""A raw model, with preprocessing as Keras layers, predicts as its bundle does with preprocessing in NumPy."""

import subprocess
import sys

import numpy as np
import pytest

from trivium.data.preprocessing.feature_scaling import MinMax, Scale, Standardise
from trivium.data.preprocessing.pipeline import Chain, Preprocessing
from trivium.data.preprocessing.transforms import Cast, ChannelAxis, Reshape, Window
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.bundles.raw_model import raw_model
from trivium.engine.keras_model.inference import outputs_of
from trivium.engine.keras_model.model_bytes import keras_bytes
from trivium.engine.prediction.evaluation import predict
from trivium.errors import DataError

TABLE = np.random.default_rng(0).normal(50, [1, 20, 300, 0], (40, 4))


def bundle_of(steps, x):
    """Return the bundle of a small untrained model with these preprocessing steps, fitted to x."""
    import keras

    keras.utils.set_random_seed(0)
    preprocessing = Preprocessing(Chain(steps)).fit(x, x)
    prepared = preprocessing.inputs(x)
    layers = [keras.layers.Flatten(), keras.layers.Dense(5, activation="tanh"), keras.layers.Dense(3, "softmax")]
    model = keras.Sequential([keras.Input(prepared.shape[1:]), *layers])
    return Bundle(keras_bytes(model), preprocessing, (), {}, prepared, outputs_of(model, prepared))


@pytest.mark.parametrize(
    ("steps", "shape", "dtype"),
    [
        ((Scale(low=-1.0), ChannelAxis()), (28, 28), "uint8"),
        ((Scale(), Reshape(shape=(784,))), (28, 28), "uint8"),
        ((ChannelAxis(), Standardise()), (28, 28), "float32"),
        ((Cast(),), (28, 28), "uint8"),
        ((), (28, 28), "float32"),
    ],
    ids=["scale and channel", "scale and reshape", "channel and standardise", "cast", "nothing"],
)
def test_a_raw_model_predicts_images_as_its_bundle_does(backend, digits, steps, shape, dtype):
    images = digits.test.x if dtype == "uint8" else digits.test.x.astype("float32")
    bundle = bundle_of(steps, images)
    model = raw_model(bundle)
    assert (tuple(model.inputs[0].shape), str(model.inputs[0].dtype)) == ((None, *shape), dtype)
    np.testing.assert_allclose(outputs_of(model, images), predict(bundle, images).outputs, rtol=0, atol=1e-6)


@pytest.mark.parametrize("step", [MinMax(), Standardise(), Standardise(axis="all")])
def test_a_raw_model_predicts_tables_as_its_bundle_does(backend, step):
    bundle = bundle_of((step,), TABLE)
    model = raw_model(bundle)
    np.testing.assert_allclose(outputs_of(model, TABLE), predict(bundle, TABLE).outputs, rtol=0, atol=1e-6)


def test_the_inputs_have_the_dtype_that_is_asked_for(backend, digits):
    bundle = bundle_of((Scale(), Reshape(shape=(784,))), digits.test.x)
    model = raw_model(bundle, dtype="float32")
    assert model.inputs[0].dtype == "float32"
    outputs = outputs_of(model, digits.test.x.astype("float32"))
    np.testing.assert_allclose(outputs, predict(bundle, digits.test.x).outputs, rtol=0, atol=1e-6)


def test_a_trained_model_comes_with_its_weights(striding_run, digits):
    bundle = Bundle.of(striding_run)
    outputs = outputs_of(raw_model(bundle), digits.test.x)
    np.testing.assert_allclose(outputs, predict(bundle, digits.test.x).outputs, rtol=0, atol=1e-6)


def test_plain_keras_loads_a_raw_model_without_trivium(backend, digits, tmp_path):
    bundle = bundle_of((Scale(low=-1.0), ChannelAxis(), Standardise(axis=-1)), digits.test.x)
    raw_model(bundle).save(tmp_path / "raw.keras")
    np.save(tmp_path / "x.npy", digits.test.x)
    program = (
        "import sys, numpy, keras; model = keras.saving.load_model('raw.keras', safe_mode=True); "
        "numpy.save('y.npy', model.predict(numpy.load('x.npy'), verbose=0)); assert 'trivium' not in sys.modules"
    )
    subprocess.run([sys.executable, "-P", "-c", program], cwd=tmp_path, check=True, timeout=120)
    np.testing.assert_allclose(np.load(tmp_path / "y.npy"), predict(bundle, digits.test.x).outputs, rtol=0, atol=1e-6)


def test_preparation_that_cuts_a_series_is_refused(backend):
    with pytest.raises(DataError, match="the step 'window' has no Keras layer"):
        raw_model(bundle_of((MinMax(), Window(length=3)), np.arange(20.0)))
