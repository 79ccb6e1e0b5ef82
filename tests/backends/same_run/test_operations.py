"""Operations of Keras must equal their definition on every backend, gradients included, and leave no trace."""

import inspect

import numpy as np
import pytest

from trivium.backends import keras_internals, runtime
from trivium.backends.epochs import build_metrics
from trivium.backends.same_run.operations import portable_operations
from trivium.engine.verification.model_under_test import fresh_keras
from trivium.engine.verification.verification import verify

HERE = __file__
QUERIES, KEYS, HEADS, FEATURES = 3, 4, 4, 2
# True where a query may see a key. The last query of `padded` and of both samples of `some_samples` sees none.
MASKS = {
    "none": None,
    "padded": np.array([[1, 1, 0, 0], [1, 0, 1, 0], [0, 0, 0, 0]], bool)[None, None],
    "some_samples": np.array([[[1, 1, 0, 0]] * 2 + [[0] * 4], [[0] * 4] * 3], bool)[:, None],
    "keys": np.array([[1, 1, 1, 0], [0, 0, 0, 0]], bool)[:, None, None],
}


@pytest.fixture
def keras(backend):
    import keras

    return keras


# --- attention ------------------------------------------------------------------------------------------------------


def attention_by_definition(query, key, value, mask=None, causal=False, bias=0.0):
    """Return (batch, queries, heads, features) in float64; a query without keys has the mean of all values."""
    key, value = (np.repeat(x, HEADS // x.shape[2], axis=2) for x in (key, value))
    scores = np.einsum("btnh,bsnh->bnts", query, key) / np.sqrt(FEATURES) + bias
    allowed = np.broadcast_to(True if mask is None else mask, scores.shape)
    scores = np.where(allowed & np.tri(QUERIES, KEYS, dtype=bool) if causal else allowed, scores, -1e300)
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return np.einsum("bnts,bsnh->btnh", weights / weights.sum(-1, keepdims=True), value)


def numerical_gradients(loss, arrays, step=1e-5):
    """Return the derivatives of a function of arrays, by central differences."""
    gradients = [np.empty_like(array) for array in arrays]
    for array, gradient in zip(arrays, gradients, strict=True):
        for index in np.ndindex(array.shape):
            original = array[index]
            array[index] = original + step
            above = loss(*arrays)
            array[index] = original - step
            gradient[index] = (above - loss(*arrays)) / (2 * step)
            array[index] = original
    return gradients


def attention_model(keras, arrays, **settings):
    """Return a model whose weights are query, key and value, and whose loss is the mean square of the attention."""

    class Attends(keras.layers.Layer):
        def build(self, shape):
            self.parts = [
                self.add_weight(shape=array.shape, initializer=keras.initializers.Constant(array)) for array in arrays
            ]

        def compute_output_shape(self, shape):
            return (shape[0], QUERIES, HEADS, FEATURES)

        def call(self, inputs):
            return keras.ops.dot_product_attention(*self.parts, **settings) + 0 * inputs[:, :, None, None]

    model = keras.Sequential([keras.Input((QUERIES,)), Attends()])
    model.compile("sgd", "mean_squared_error")
    return model


@pytest.mark.parametrize(
    ("mask", "causal", "key_heads"),
    [("none", True, 4), ("padded", False, 4), ("some_samples", True, 4), ("keys", False, 2)],
)
def test_attention_and_its_gradients_are_those_of_the_definition(keras, generator, mask, causal, key_heads):
    arrays = [generator.normal(size=(2, QUERIES, HEADS, FEATURES))]
    arrays += [generator.normal(size=(2, KEYS, key_heads, FEATURES)) for _ in range(2)]
    settings = {"mask": MASKS[mask], "is_causal": causal}

    def loss(*parts):
        return np.square(attention_by_definition(*parts, mask=MASKS[mask], causal=causal)).mean()

    with fresh_keras(float64=True), portable_operations():
        model = attention_model(keras, arrays, **settings)
        batch = np.zeros((2, QUERIES)), np.zeros((2, QUERIES, HEADS, FEATURES))
        value, gradients = runtime.current().gradients(model, *batch)
        output = np.array(keras.ops.convert_to_numpy(model(batch[0])))
    np.testing.assert_allclose(output, attention_by_definition(*arrays, MASKS[mask], causal), rtol=1e-13, atol=1e-13)
    assert value == pytest.approx(loss(*arrays), rel=1e-12)
    for gradient, expected in zip(gradients, numerical_gradients(loss, arrays), strict=True):
        np.testing.assert_allclose(gradient, expected, rtol=1e-8, atol=1e-9)


def test_attention_adds_a_bias(keras, generator):
    arrays = [generator.normal(size=(2, length, HEADS, FEATURES)) for length in (QUERIES, KEYS, KEYS)]
    bias = generator.normal(size=(2, HEADS, QUERIES, KEYS))
    with fresh_keras(float64=True), portable_operations():
        output = keras.ops.dot_product_attention(*map(keras.ops.convert_to_tensor, arrays), bias=bias)
        output = np.array(keras.ops.convert_to_numpy(output))
    np.testing.assert_allclose(output, attention_by_definition(*arrays, bias=bias), rtol=1e-13, atol=1e-13)


def test_keras_still_rounds_the_default_scale_of_attention(keras, backend, generator):
    """If this fails, `attention_with_exact_scale` can go."""
    if backend.name != "tensorflow":
        pytest.skip("for TensorFlow, under which Keras rounds it")
    arrays = [generator.normal(size=(1, 3, 1, 3)) for _ in range(3)]
    with fresh_keras(float64=True):
        default, exact = (keras.ops.dot_product_attention(*arrays, scale=scale) for scale in (None, 3**-0.5))
    assert 1e-10 < np.abs(np.array(default) - np.array(exact)).max() < 1e-6


def test_attention_in_half_precision_gives_a_query_without_keys_the_mean_of_the_values(keras, generator):
    arrays = [keras.ops.cast(100 * generator.normal(size=(1, 3, 2, 4)), "float16") for _ in range(3)]
    with portable_operations():
        output = keras.ops.dot_product_attention(*arrays, mask=np.zeros((1, 1, 3, 3), bool))
    mean = np.array(keras.ops.convert_to_numpy(arrays[2])).astype("float64").mean(1, keepdims=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(output), np.repeat(mean, 3, 1), rtol=2e-3, atol=0.1)


IDS = np.array([[1, 2, 3, 0, 0], [4, 5, 0, 0, 0], [0, 0, 0, 0, 0]], "int32")
TARGETS = np.array([[1.0], [-1.0], [0.5]], "float32")
ATTENTION = {
    "MultiHeadAttention": {"num_heads": 2, "key_dim": 3},
    "GroupQueryAttention": {"head_dim": 3, "num_query_heads": 4, "num_key_value_heads": 2},
    "Attention": {},
    "AdditiveAttention": {},
}


def masked_attention(name="MultiHeadAttention"):
    """Return a model in which Keras masks the keys of padded queries by itself."""
    import keras

    tokens = keras.Input((5,), dtype="int32")
    vectors = keras.layers.Embedding(6, 4, mask_zero=True)(tokens)
    layer = getattr(keras.layers, name)(**ATTENTION[name])
    attention = layer(vectors, vectors) if ATTENTION[name] else layer([vectors, vectors])
    model = keras.Model(tokens, keras.layers.Dense(1)(keras.layers.Flatten()(attention)))
    model.compile(keras.optimizers.SGD(0.5), "mean_squared_error")
    return model


def masked_grouped_attention():
    return masked_attention("GroupQueryAttention")


def masked_plain_attention():
    return masked_attention("Attention")


def masked_additive_attention():
    return masked_attention("AdditiveAttention")


def test_every_plan_trains_masked_attention_by_its_gradients(keras, backend):
    if backend.name != "torch":
        pytest.skip("for PyTorch, whose gradients Keras has wrong; elsewhere it takes long to compile")
    with portable_operations():
        for plan in runtime.current().plans(masked_attention(), 10**9):
            model = masked_attention()
            _, gradients = runtime.current().gradients(model, IDS, TARGETS)
            before = [np.array(v.numpy()) for v in model.trainable_variables]
            build_metrics(model, IDS, TARGETS)
            epochs = runtime.current().compile_epochs(model, (IDS, TARGETS), len(IDS), plan)
            epochs.begin(np.arange(len(IDS)))
            epochs.run(0, 1)
            epochs.end()
            for variable, value, gradient in zip(model.trainable_variables, before, gradients, strict=True):
                np.testing.assert_allclose(variable.numpy(), value - 0.5 * gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("kind", ["masked", "masked_grouped", "masked_plain", "masked_additive"])
def test_masked_attention_is_the_same_on_every_backend(kind, backend):
    report = verify(f"{HERE}:{kind}_attention", steps=3, float64=True)
    assert report.passed, report.finding


# --- the context ----------------------------------------------------------------------------------------------------


def test_keras_has_its_own_operations_back_afterwards(keras):
    module = keras_internals.backend_module("nn")
    native = module.dot_product_attention
    with portable_operations(), portable_operations():
        assert module.dot_product_attention is not native
    assert module.dot_product_attention is native


def test_keras_still_has_the_arguments_that_the_corrections_know(keras):
    names = list(inspect.signature(keras_internals.backend_module("nn").dot_product_attention).parameters)
    assert names[:5] == ["query", "key", "value", "bias", "mask"]
    assert set(names[5:]) == {"scale", "is_causal", "flash_attention", "attn_logits_soft_cap"}


# --- optimizers -----------------------------------------------------------------------------------------------------


def test_schedule_free_adamw_averages_with_the_momentum_before_the_step(keras):
    rate, beta_1, beta_2, gradient = 0.1, 0.9, 0.999, 0.5
    variable = keras.Variable(np.ones(1, "float32"))
    momentum = average = 1.0
    velocity = 0.0
    with portable_operations():
        optimizer = keras.optimizers.ScheduleFreeAdamW(rate, beta_1=beta_1, beta_2=beta_2)
        for step in (1, 2, 3):
            optimizer.apply([keras.ops.convert_to_tensor([gradient])], [variable])
            velocity = beta_2 * velocity + (1 - beta_2) * gradient**2
            momentum -= rate * gradient / (np.sqrt(velocity / (1 - beta_2**step)) + 1e-8)
            average = (1 - 1 / step) * average + momentum / step
    assert float(variable.numpy()[0]) == pytest.approx((1 - beta_1) * momentum + beta_1 * average, rel=1e-5)
