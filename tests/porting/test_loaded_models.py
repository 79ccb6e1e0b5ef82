"""The model that a worker loaded last is used again while its file is the same, and never as another caller left it."""

import numpy as np
import pytest

from trivium.porting import source_model

X = np.arange(6, dtype="float32").reshape(3, 2)


@pytest.fixture
def path(backend, tmp_path):
    return save(tmp_path / "m.keras", 1.0)


def save(path, weight):
    """Write a model that multiplies the sum of a sample by a number."""
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1, use_bias=False)])
    model.set_weights([np.full((2, 1), weight, "float32")])
    model.save(path)
    return str(path)


def answers(path):
    return source_model.predict_batches(path, {"x": [X]})["x"][0]


def test_a_model_is_loaded_once(path):
    assert source_model.share(path) is source_model.share(path)


def test_a_file_that_was_replaced_is_loaded_anew(path, tmp_path):
    before = answers(path)
    save(tmp_path / "m.keras", 2.0)
    np.testing.assert_allclose(answers(path), 2 * before)


def test_what_a_caller_changes_is_not_shared(path):
    before = answers(path)
    source_model.take(path).set_weights([np.zeros((2, 1), "float32")])
    np.testing.assert_array_equal(answers(path), before)


def test_random_generators_begin_as_in_the_file(backend, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((2,)), keras.layers.GaussianNoise(1.0, seed=7)])
    model.save(tmp_path / "m.keras")
    first, second = (source_model.share(str(tmp_path / "m.keras"))(X, training=True) for _ in range(2))
    np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (first, second)))
