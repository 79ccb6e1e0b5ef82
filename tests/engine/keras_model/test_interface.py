"""Arrays as a model takes them: in its nest, and in dtypes that every framework has."""

import numpy as np
import pytest

from trivium.data.deferred_array import DeferredArray
from trivium.engine.keras_model.interface import match_inputs, match_targets

pytestmark = pytest.mark.one_environment


@pytest.fixture
def model(backend):
    import keras

    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])


@pytest.mark.parametrize(
    ("dtype", "first", "expected"),
    [
        ("longdouble", 0, "float64"),
        ("float64", 0, "float64"),
        ("uint64", 5, "int64"),
        ("uint64", 2**63, "float64"),
        ("int64", 5, "int64"),
        ("int64", 3 * 10**9, "float64"),  # JAX has 32 bits, and would wrap it
        ("int64", -(2**31) - 1, "float64"),
        ("uint32", 2**31, "uint32"),
        ("uint8", 5, "uint8"),
    ],
)
@pytest.mark.parametrize("is_deferred", [False, True])
def test_numbers_that_a_framework_lacks_are_converted(model, dtype, first, expected, is_deferred):
    array = np.array([[first, 1], [2, 3]], dtype)
    x = match_inputs(model, DeferredArray(array) if is_deferred else array)[0:2]
    assert x.dtype == expected
    assert x.astype("float64").tolist() == array.astype("float64").tolist()


@pytest.mark.parametrize("is_deferred", [False, True])
def test_one_number_for_each_sample_fits_an_input_of_one(backend, is_deferred):
    import keras

    hour, place = keras.Input((1,), name="hour"), keras.Input((1,), name="place", dtype="int32")
    model = keras.Model([hour, place], keras.layers.Concatenate()([hour, keras.ops.cast(place, "float32")]))
    array = np.arange(4.0)
    x = match_inputs(model, dict.fromkeys(("hour", "place"), DeferredArray(array) if is_deferred else array))
    assert [(part.shape, part[0:4].tolist()) for part in x] == 2 * [((4, 1), [[0], [1], [2], [3]])]
    assert x[1].dtype == "int32"


@pytest.mark.parametrize("is_deferred", [False, True])
@pytest.mark.parametrize(
    ("declared", "received", "expected"),
    [
        ((6, 5, 1), (6, 5), (6, 5, 1)),
        ((None, None, 1), (6, 5), (6, 5, 1)),
        ((None, 1), (7,), (7, 1)),
        ((6, 5), (6, 5, 1), (6, 5)),
        ((7,), (7, 1), (7,)),
        ((6, 5, 1), (6, 5, 1), (6, 5, 1)),
        ((1, 6, 5), (6, 5), (6, 5)),
        ((6, 4, 1), (6, 5), (6, 5)),
        ((6, 5), (6, 5, 3), (6, 5, 3)),
    ],
)
def test_a_last_axis_of_one_is_as_the_input_has_it(backend, declared, received, expected, is_deferred):
    import keras

    inputs = keras.Input(declared)
    model = keras.Model(inputs, keras.layers.Activation("relu")(inputs))
    array = np.random.default_rng(0).uniform(size=(3, *received))
    x = match_inputs(model, DeferredArray(array) if is_deferred else array)
    assert x.shape == (3, *expected)
    np.testing.assert_array_equal(np.ravel(x[0:3]), array.ravel())


def test_an_array_of_another_length_keeps_its_shape(model):
    assert match_inputs(model, np.arange(4.0)).shape == (4,)


def test_so_are_targets(model):
    assert match_targets(model, np.ones(3, "longdouble")).dtype == "float64"
