"""Equal values have one order, and functions one derivative where they have none, on every backend."""

import contextlib
import math

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.backends.same_run.operations import portable_operations
from trivium.engine.verification.model_under_test import fresh_keras

EDGES = [-1.0, 0.0, 1.0, 2.0]
# The inputs of each function, and its derivatives there.
DERIVATIVES = {
    "absolute": (lambda ops, x: ops.absolute(x), EDGES, [-1, 0, 1, 1]),
    "clip": (lambda ops, x: ops.clip(x, 0.0, 1.0), EDGES, [0, 1, 1, 0]),
    "relu": (lambda ops, x: ops.relu(x), EDGES, [0, 0, 1, 1]),
    "leaky_relu": (lambda ops, x: ops.leaky_relu(x, 0.25), EDGES, [0.25, 0.25, 1, 1]),
    "elu": (lambda ops, x: ops.elu(x), EDGES, [np.exp(-1), 1, 1, 1]),
    "selu": (
        lambda ops, x: ops.selu(x),
        EDGES,
        1.0507009873554805 * np.array([1.6732632423543772 * np.exp(-1), 1.6732632423543772, 1, 1]),
    ),
    "celu": (lambda ops, x: ops.celu(x, 2.0), EDGES, [np.exp(-0.5), 1, 1, 1]),
    "hard_tanh": (lambda ops, x: ops.hard_tanh(x), EDGES, [1, 1, 1, 0]),
    "sparse_sigmoid": (lambda ops, x: ops.sparse_sigmoid(x), EDGES, [0, 0.5, 0, 0]),
    "maximum": (lambda ops, x: ops.maximum(x, 1.0), EDGES, [0, 0, 0.5, 1]),
    "minimum": (lambda ops, x: ops.minimum(1.0, x), EDGES, [1, 1, 0.5, 0]),
    "max": (lambda ops, x: ops.max(x), [2.0, 1.0, 2.0, 0.0], [0.5, 0, 0.5, 0]),
    "top_k": (lambda ops, x: ops.multiply(ops.top_k(x, 2)[0], [1.0, 3.0]), [2.0, 1.0, 2.0, 2.0], [1, 0, 3, 0]),
    "sort": (lambda ops, x: ops.multiply(ops.sort(x), [1.0, 2.0, 3.0, 4.0]), [2.0, 1.0, 2.0, 2.0], [2, 1, 3, 4]),
}
# What Keras still has otherwise. When a name can go here, its correction can go.
CORRECTED = {
    "tensorflow": {"maximum", "minimum", "selu", "celu"},
    "jax": {"absolute", "clip", "leaky_relu", "sparse_sigmoid"},
    "torch": {"hard_tanh", "top_k"},
}
EQUAL = np.tile([[1.0, 3.0, 2.0, 3.0, 1.0, 2.0]], (2, 20)).astype("float32")  # (2, 120): a long row shows more


@pytest.fixture
def keras(backend):
    import keras

    return keras


def derivatives(keras):
    """Return the derivatives of all functions at once, by name: compiling each would take a second."""

    class Functions(keras.layers.Layer):
        def build(self, shape):
            self.points = [
                self.add_weight(shape=(4,), name=name, initializer=keras.initializers.Constant(points))
                for name, (_, points, _) in DERIVATIVES.items()
            ]

        def call(self, inputs):
            functions = (function for function, _, _ in DERIVATIVES.values())
            values = [function(keras.ops, point.value) for function, point in zip(functions, self.points, strict=True)]
            return 0 * inputs + sum(keras.ops.sum(value) for value in values)

    with fresh_keras(float64=True):
        model = keras.Sequential([keras.Input((1,)), Functions()])
        model.compile("sgd", lambda y, outputs: outputs)
        _, gradients = runtime.current().gradients(model, np.zeros((1, 1)), np.zeros((1, 1)))
    return dict(zip(DERIVATIVES, gradients, strict=True))


def test_functions_have_one_derivative_where_they_have_none(keras):
    with portable_operations():
        for name, gradient in derivatives(keras).items():
            np.testing.assert_allclose(gradient, DERIVATIVES[name][2], rtol=1e-7, atol=1e-12, err_msg=name)


def test_keras_still_has_other_derivatives(keras, backend):
    different = {
        name
        for name, gradient in derivatives(keras).items()
        if not np.allclose(gradient, DERIVATIVES[name][2], rtol=1e-7, atol=1e-12)
    }
    assert different == CORRECTED[backend.name]


def test_constants_have_the_precision_of_the_inputs(keras, generator):
    x = generator.normal(size=20)
    normal = np.vectorize(lambda value: 0.5 * (1 + math.erf(value / math.sqrt(2))))
    with fresh_keras(float64=True), portable_operations():
        values = [keras.ops.gelu(x, approximate=False), keras.ops.gelu(x), keras.ops.leaky_relu(x, 0.3)]
        values = [keras.ops.convert_to_numpy(array) for array in values]
        assert float(keras.ops.sqrt(keras.ops.maximum(2, 1))) == pytest.approx(math.sqrt(2), rel=1e-14)
    approximate = 0.5 * x * (1 + np.tanh(np.sqrt(2 / np.pi) * (x + 0.044715 * x**3)))
    for actual, expected in zip(values, [x * normal(x), approximate, np.where(x > 0, x, 0.3 * x)], strict=True):
        np.testing.assert_allclose(actual, expected, rtol=1e-13, atol=1e-15)


def test_functions_at_their_edges_have_the_values_of_keras(keras, generator):
    x = np.array([*EDGES, np.inf, -np.inf, np.nan, -0.0, *generator.normal(size=20)], "float32")
    for name, (function, _, _) in DERIVATIVES.items():
        if name in ("top_k", "sort"):
            continue
        native = keras.ops.convert_to_numpy(function(keras.ops, keras.ops.convert_to_tensor(x)))
        with portable_operations():
            corrected = keras.ops.convert_to_numpy(function(keras.ops, keras.ops.convert_to_tensor(x)))
        np.testing.assert_allclose(corrected, native, rtol=1e-6, atol=1e-7, err_msg=name)


def test_integers_keep_their_dtype(keras):
    with portable_operations():
        larger = keras.ops.maximum(np.array([1, 2], "int32"), np.array([2, 1], "int32"))
        clipped = keras.ops.clip(np.array([1, 5], "int32"), 2, 3)
        sizes = keras.ops.absolute(np.array([-1, 0], "int32"))
    for values, expected in ((larger, [2, 2]), (clipped, [2, 3]), (sizes, [1, 0])):
        assert keras.backend.standardize_dtype(values.dtype) == "int32"
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(values), expected)


@pytest.mark.parametrize("is_sorted", [True, False])
def test_the_first_of_equal_values_is_the_largest(keras, is_sorted):
    order = np.argsort(-EQUAL, axis=-1, kind="stable")[:, :50]
    with portable_operations():
        values, indices = map(keras.ops.convert_to_numpy, keras.ops.top_k(EQUAL, 50, sorted=is_sorted))
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_array_equal(values, np.take_along_axis(EQUAL, order, -1))


def test_indices_of_equal_values_are_in_their_order(keras):
    with portable_operations():
        for function in (keras.ops.argsort, lambda x: keras.ops.argpartition(x, 3)):
            indices = keras.ops.convert_to_numpy(function(EQUAL + 0.5))
            np.testing.assert_array_equal(indices, np.argsort(EQUAL, -1, kind="stable"))
        assert [int(index) for index in keras.ops.argmax(EQUAL, axis=-1)] == [1, 1]
        assert [int(index) for index in keras.ops.argmin(EQUAL, axis=-1)] == [0, 0]


def test_zero_is_above_negative_zero_for_argmax_and_argmin_and_equal_to_it_for_top_k(keras):
    zeros = np.array([[-0.0, 0.0, -0.0]], "float32")
    with portable_operations():
        assert int(keras.ops.argmax(zeros)) == 1
        assert int(keras.ops.argmin(zeros[:, 1:])) == 1
        assert int(keras.ops.top_k(zeros, 1)[1][0, 0]) == 0


def test_a_class_among_the_best_k_of_float64_is_known_on_every_backend(keras):
    with fresh_keras(float64=True), portable_operations():
        hits = keras.ops.in_top_k(np.array([2, 0]), EQUAL[:, :6].astype("float64"), 3)
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(hits), [True, False])


def test_a_class_among_the_best_k_counts_where_it_ties_with_the_last_of_them(keras):
    for context in (contextlib.nullcontext(), portable_operations()):
        with context:
            hits = keras.ops.in_top_k(np.array([0, 1]), EQUAL[:, :6], 4)
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(hits), [False, True])
            hits = keras.ops.in_top_k(np.array([2, 5]), EQUAL[:, :6], 3)
            np.testing.assert_array_equal(keras.ops.convert_to_numpy(hits), [True, True])
