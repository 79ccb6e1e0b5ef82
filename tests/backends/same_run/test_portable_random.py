"""Portable random numbers must have the same bits on every backend and in every mode, be random, leave no trace."""

import inspect
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from trivium.backends import catalog, keras_internals, runtime
from trivium.backends.same_run import portable_random
from trivium.backends.same_run.portable_random import portable_draws
from trivium.backends.workers import worker

FUNCTIONS = Path(__file__).parents[2] / "helpers" / "functions_for_randomness.py"
MANY = 1_100_001  # odd, and more than are hashed in one piece, or without being compiled


@pytest.fixture(scope="module")
def keras(backend):
    import keras

    return keras


@pytest.fixture
def owned(keras):
    with portable_draws():
        yield


@pytest.fixture
def native(keras):
    module = keras_internals.backend_module("random")
    return {name: getattr(module, name) for name in portable_random.REPLACED}


def array(keras, value):
    return keras.ops.convert_to_numpy(value)


def drawn(keras, distribution, shape, *arguments, seed=3, **keywords):
    return array(keras, getattr(keras.random, distribution)(shape, *arguments, seed=seed, **keywords))


def mask(keras, rate=0.5, shape=(MANY,), seed=3):
    """Return which elements of this shape dropout keeps."""
    return array(keras, keras.random.dropout(keras.ops.ones(shape), rate, seed=seed)) > 0


def expected_words(seed, counter, count):
    """Return the published hash, computed in Python's integers."""

    def mixed(x, between=0):
        x = ((x ^ (x >> 16)) * 0x21F0AAAD) % 2**32
        x = ((x ^ (x >> 15) ^ between) * 0x735A2D97) % 2**32
        return x ^ (x >> 15)

    first, second = mixed((seed + 0x1E3779B9) % 2**32), mixed((seed + 0x6A09E667) % 2**32)
    first = mixed(first ^ counter)
    second = mixed(first ^ second)
    return mixed(np.arange(count, dtype=np.uint64) ^ np.uint64(first), np.uint64(second))


# --- Keras' private module ------------------------------------------------------------------------------------------


def test_keras_still_draws_by_the_functions_that_are_replaced(keras, native):
    for name in portable_random.REPLACED:
        ours, theirs = (
            inspect.signature(function).parameters
            for function in (getattr(portable_random.PortableRandom, name), native[name])
        )
        defaults = {key: parameter.default for key, parameter in ours.items() if key != "self"}
        assert defaults == {key: parameter.default for key, parameter in theirs.items()}, name
    before = drawn(keras, "uniform", (3,)).tolist()
    with portable_draws():
        assert drawn(keras, "uniform", (3,)).tolist() != before
        assert array(
            keras, keras.layers.GaussianNoise(1.0, seed=3)(np.zeros(3), training=True)
        ).tolist() == pytest.approx(drawn(keras, "normal", (3,)).tolist())
    assert drawn(keras, "uniform", (3,)).tolist() == before


def test_everything_is_put_back_also_after_an_exception_and_when_nested(keras, native):
    module = keras_internals.backend_module("random")
    with portable_draws():
        outer = {name: getattr(module, name) for name in portable_random.REPLACED}
        assert not any(outer[name] == native[name] for name in portable_random.REPLACED)
        with pytest.raises(RuntimeError, match="within"), portable_draws():
            raise RuntimeError("within")
        assert {name: getattr(module, name) for name in portable_random.REPLACED} == outer
        assert mask(keras, shape=(9,)).tolist() == mask(keras, shape=(9,)).tolist()
    assert {name: getattr(module, name) for name in portable_random.REPLACED} == native


# --- the bits -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "bits"),
    [
        ((0, 0), [1284521165, 3728619197, 723769228, 3189033757]),
        ((7, 3), [2420873311, 1049051560, 3694498174, 3757946923]),
        ((2**31 + 5, 0), [2187702259, 1006390084, 2547581942]),
    ],
)
def test_the_same_bits_on_every_backend(keras, owned, key, bits):
    """Fixed values, so that a backend that is installed alone is tested too."""
    assert expected_words(*key, len(bits)).tolist() == bits
    seed = keras.random.SeedGenerator(key[0]) if key[1] else key[0]
    for _ in range(key[1]):
        drawn(keras, "uniform", (1,), seed=seed)
    units = drawn(keras, "uniform", (len(bits),), seed=seed)
    assert (units * 2.0**24).astype(int).tolist() == [word >> 8 for word in bits]


@pytest.mark.parametrize("count", [1, 2, 7, 65_536, MANY])
def test_each_half_of_a_word_decides_on_one_element(keras, owned, count):
    words = expected_words(3, 0, (count + 1) // 2)
    halves = np.concatenate([words & 0xFFFF, words >> 16])[:count]
    scaled = array(keras, keras.random.dropout(keras.ops.ones(count), 0.2, seed=3))
    np.testing.assert_array_equal(scaled, np.where(halves < 52_429, np.float32(1.25), 0))


@pytest.mark.parametrize("count", [7, 32_768, 32_769, 70_001])
def test_a_training_step_drops_what_the_hash_says(keras, owned, count):
    """A step is compiled, and the hash in it, for many elements, on its own."""
    model = keras.Sequential([keras.Input((count,)), keras.layers.Dropout(0.2, seed=3), keras.layers.Dense(1)])
    model.layers[-1].set_weights([np.zeros((count, 1)), np.zeros(1)])
    model.compile(keras.optimizers.SGD(1.0), "mse")
    model.train_on_batch(np.ones((1, count), "float32"), np.ones((1, 1), "float32"))
    words = expected_words(3, 0, (count + 1) // 2)
    halves = np.concatenate([words & 0xFFFF, words >> 16])[:count]
    # The gradient of a kernel of zeros is what was left of the ones, times twice the error.
    learned = model.layers[-1].get_weights()[0].ravel()
    np.testing.assert_array_equal(learned, np.where(halves < 52_429, np.float32(2.5), 0))


@pytest.mark.parametrize("shape", [(), (5,), (2, 3, 4), (0, 3), (MANY,)])
def test_words_are_drawn_in_any_shape(keras, owned, shape):
    units = drawn(keras, "uniform", shape)
    assert units.shape == shape
    expected = expected_words(3, 0, units.size) >> 8
    np.testing.assert_array_equal(units.ravel() * 2.0**24, expected.astype(float))


@pytest.mark.several_backends
def test_layers_draw_alike_on_every_backend():
    outputs_of = {
        trainer.name: worker.get(trainer.name).call(f"{FUNCTIONS}:layers_that_draw") for trainer in catalog.trainers()
    }
    first, *others = outputs_of.values()
    for name, outputs in first.items():
        assert not np.array_equal(outputs[0], outputs[1]), f"{name} draws the same twice"
        for other in others:
            np.testing.assert_allclose(np.array(other[name]), np.array(outputs), rtol=2e-4, atol=2e-5, err_msg=name)


@pytest.mark.several_backends
def test_training_with_dropout_is_the_same_run_on_every_backend():
    first, *others = (worker.get(trainer.name).call(f"{FUNCTIONS}:training_run") for trainer in catalog.trainers())
    for other in others:
        assert other["losses"] == pytest.approx(first["losses"], rel=1e-5)
        for a, b in zip(first["weights"], other["weights"], strict=True):
            np.testing.assert_allclose(a, b, atol=1e-5)


# --- every mode -----------------------------------------------------------------------------------------------------


@pytest.fixture
def noisy(keras):
    """A custom layer class that draws noise and dropout in each call."""

    class Noisy(keras.layers.Layer):
        def __init__(self):
            super().__init__()
            self.generator = keras.random.SeedGenerator(2)

        def call(self, inputs):
            noise = keras.random.normal(keras.ops.shape(inputs), seed=self.generator)
            return keras.random.dropout(inputs + noise, 0.4, seed=self.generator)

    return Noisy


@pytest.mark.parametrize("mode", [{"run_eagerly": True}, {"jit_compile": False}, {"jit_compile": True}], ids=str)
def test_eager_graph_and_compiled_steps_draw_the_same(keras, backend, owned, noisy, mode):
    if backend.name == "torch" and mode.get("jit_compile"):
        pytest.skip("its compiler takes minutes; the next test skips the last stage of it")
    ones, eager = np.ones((30, 40), "float32"), noisy()
    model = keras.Sequential([keras.Input((40,)), noisy()])
    model.compile(**mode)
    actual = model.predict(ones, batch_size=8, verbose=0)
    expected = np.concatenate([array(keras, eager(ones[at : at + 8])) for at in (0, 8, 16, 24)])
    assert 400 < (expected == 0).sum() < 560
    np.testing.assert_allclose(actual, expected, rtol=1e-5, atol=1e-6)


def test_a_step_that_pytorch_compiles_draws_the_same(keras, backend, owned, noisy):
    if backend.name != "torch":
        pytest.skip("about PyTorch's compiler")
    import torch

    ones, eager, layer = torch.ones((8, 40), requires_grad=True), noisy(), noisy()
    compiled = torch.compile(lambda inputs: layer(inputs), backend="aot_eager")
    for _ in range(3):
        actual, expected = compiled(ones), eager(ones)
        torch.testing.assert_close(actual, expected)
        torch.testing.assert_close(*(torch.autograd.grad(value.sum(), ones)[0] for value in (actual, expected)))


def test_each_step_of_a_compiled_loop_draws_new_numbers(keras, owned):
    ops = keras.ops

    def step(index, rows):
        seed = ops.stack([ops.full((), 3, "int32"), ops.cast(index, "int32")])
        return rows + ops.one_hot(index, 4)[:, None] * keras.random.uniform((5,), seed=seed)

    rows = array(keras, ops.fori_loop(0, 4, step, ops.zeros((4, 5))))
    expected = [expected_words(3, counter, 5) >> 8 for counter in range(4)]
    np.testing.assert_array_equal(rows * 2.0**24, np.array(expected, float))


def test_building_a_model_draws_nothing(keras, owned):
    layers = keras.layers
    model = keras.Sequential([layers.Input((8, 6)), layers.Dropout(0.3), layers.LSTM(4, dropout=0.2), layers.Dense(1)])
    assert model.output_shape == (None, 1)
    assert all(layer.seed_generator.state.numpy()[1] == 0 for layer in model.layers[:1])


def test_gradients_flow_where_an_element_was_kept(keras, owned):
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(50, use_bias=False), keras.layers.Dropout(0.4, seed=5)]
    )
    model.compile("sgd", "mse")
    _, (gradient,) = runtime.current().gradients(model, np.eye(8, dtype="float32"), np.zeros((8, 50), "float32"))
    kernel = model.get_weights()[0]
    factor = array(keras, keras.random.dropout(keras.ops.ones((8, 50)), 0.4, seed=5))
    assert 0 < (factor == 0).sum() < factor.size
    np.testing.assert_allclose(gradient, 2 * factor**2 * kernel / kernel.size, rtol=1e-5)


def test_a_draw_without_a_seed_follows_the_seed_of_the_process(keras):
    def unseeded():
        keras.utils.set_random_seed(4)
        with portable_draws():
            return [drawn(keras, "uniform", (3,), seed=None).tolist() for _ in range(2)]

    first, again = unseeded(), unseeded()
    assert first == again
    assert first[0] != first[1]


# --- the distributions ----------------------------------------------------------------------------------------------

DISTRIBUTIONS = [
    ("uniform", {}, stats.uniform()),
    ("uniform", {"minval": -2.0, "maxval": 3.0}, stats.uniform(-2, 5)),
    ("normal", {}, stats.norm()),
    ("normal", {"mean": 3.0, "stddev": 0.5}, stats.norm(3, 0.5)),
    ("truncated_normal", {"mean": 1.0, "stddev": 2.0}, stats.truncnorm(-2, 2, 1, 2)),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("name", "settings", "expected"), DISTRIBUTIONS, ids=["uniform", "stretched", "normal", "moved", "truncated"]
)
def test_floats_are_distributed_as_they_should(keras, owned, name, settings, expected, dtype):
    values = drawn(keras, name, (MANY,), dtype=dtype, **settings)
    assert stats.kstest(values, expected.cdf).pvalue > 1e-3
    assert values.mean() == pytest.approx(expected.mean(), abs=0.005 * expected.std())
    assert values.std() == pytest.approx(expected.std(), rel=0.005)
    low, high = expected.support()
    assert low <= values.min()
    assert values.max() <= high


@pytest.mark.parametrize(("dtype", "bits"), [("float16", 11), ("bfloat16", 8), ("float32", 24)])
def test_a_narrow_float_is_never_rounded_up_to_one(keras, owned, dtype, bits):
    values = drawn(keras, "uniform", (MANY,), dtype=dtype)
    assert str(values.dtype) == dtype
    whole = values.astype("float64") * 2**bits
    assert (whole == whole.round()).all()
    assert values.min() >= 0
    assert 1 - 2.0**-7 <= values.max() < 1


def test_double_precision_is_finer_than_single(keras, owned):
    values = drawn(keras, "uniform", (1000,), dtype="float64")
    if values.dtype == np.float64:  # JAX gives it only where it is told to
        assert (values != values.astype("float32")).mean() > 0.9
        np.testing.assert_allclose(values, drawn(keras, "uniform", (1000,)), atol=2.0**-24)


@pytest.mark.parametrize(("low", "high", "dtype"), [(0, 10, "int32"), (-5, 2, "int64"), (250, 256, "uint8")])
def test_whole_numbers_are_even(keras, owned, low, high, dtype):
    values = drawn(keras, "randint", (70_000,), low, high, dtype=dtype)
    assert values.dtype.kind == np.dtype(dtype).kind
    counts = np.bincount(values.astype(int) - low)
    assert len(counts) == high - low
    assert stats.chisquare(counts).pvalue > 1e-3


def test_whole_numbers_at_the_edges(keras, owned):
    assert drawn(keras, "randint", (4,), 5, 5).tolist() == [5, 5, 5, 5]
    widest = drawn(keras, "randint", (1000,), 0, 2**31 - 1)
    assert widest.min() >= 0
    assert widest.max() > 2**30


# --- dropout --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0.001, 0.2, 0.5, 0.9])
def test_the_share_that_is_dropped_is_the_rate(keras, owned, rate):
    count = int(mask(keras, rate).sum())
    assert stats.binomtest(count, MANY, 1 - rate).pvalue > 1e-3


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
def test_kept_elements_are_scaled_in_their_dtype(keras, owned, dtype):
    inputs = keras.ops.cast(np.linspace(1, 2, 1000), dtype)
    outputs = keras.random.dropout(inputs, 0.3, seed=1)
    assert outputs.dtype == inputs.dtype
    outputs, values = array(keras, outputs).astype("float64"), array(keras, inputs).astype("float64")
    mask = outputs != 0
    step = {"float16": 2e-3, "bfloat16": 2e-2, "float32": 2e-7, "float64": 2e-7 if "32" in str(inputs.dtype) else 1e-15}
    np.testing.assert_allclose(outputs[mask], values[mask] / 0.7, rtol=step[dtype])


@pytest.mark.parametrize("rate", [0, 0.0, 1, 1.0])
def test_nothing_and_everything_can_be_dropped_and_nothing_is_drawn_for_it(keras, owned, rate):
    generator = keras.random.SeedGenerator(1)
    outputs = array(keras, keras.random.dropout(keras.ops.ones((2, 3)), rate, seed=generator))
    assert outputs.tolist() == (np.ones((2, 3)) * (1 - rate)).tolist()
    assert array(keras, generator.state.value).tolist() == [1, 0]


def test_a_noise_shape_drops_whole_rows(keras, owned):
    outputs = array(keras, keras.random.dropout(keras.ops.ones((40, 7, 5)), 0.5, noise_shape=(None, 1, 5), seed=2))
    assert (outputs == outputs[:, :1]).all()
    assert 60 < (outputs[:, 0] > 0).sum() < 140


# --- independence ---------------------------------------------------------------------------------------------------


def correlation(a, b):
    """Return Pearson's correlation, in standard deviations of that of independent values."""
    return abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) * np.sqrt(a.size)


def test_steps_and_layers_are_independent(keras, owned):
    generators = [keras.random.SeedGenerator(seed) for seed in (0, 1, 2, 12345)]
    masks = [mask(keras, 0.3, (100_000,), generator) for generator in generators for _ in range(5)]
    worst = max(correlation(a, b) for i, a in enumerate(masks) for b in masks[:i])
    assert worst < 4.5  # of 190 pairs


@pytest.mark.parametrize("lag", [1, 2, 3, 28, 28 * 28, 300_001, 300_002])
def test_neighbours_rows_and_halves_are_independent(keras, owned, lag):
    for values in (mask(keras, 0.3).astype(float), drawn(keras, "uniform", (MANY,))):
        assert correlation(values[:-lag], values[lag:]) < 4


def test_every_pattern_of_eight_neighbours_is_as_frequent(keras, owned):
    patterns = np.packbits(mask(keras)[: MANY // 8 * 8].reshape(-1, 8), axis=1).ravel()
    assert stats.chisquare(np.bincount(patterns, minlength=256)).pvalue > 1e-3


def test_each_bit_of_the_key_flips_half_of_the_mask(keras, owned):
    first = mask(keras, shape=(20_000,), seed=0)
    for bit in range(31):
        assert abs((mask(keras, shape=(20_000,), seed=1 << bit) != first).mean() - 0.5) < 0.016


# --- no trace -------------------------------------------------------------------------------------------------------


def test_a_model_that_was_trained_with_our_draws_is_plain_keras(keras, tmp_path):
    layers = keras.layers
    model = keras.Sequential([layers.Input((6,)), layers.Dense(4), layers.Dropout(0.5), layers.Dense(1)])
    model.compile("sgd", "mse")
    before, classes = model.to_json(), [type(layer) for layer in model.layers]
    with portable_draws():
        model.fit(np.ones((10, 6)), np.ones((10, 1)), batch_size=4, epochs=2, verbose=0)
    assert model.to_json() == before
    assert [type(layer) for layer in model.layers] == classes
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == classes
    x = np.random.default_rng(0).normal(size=(5, 6))
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-6)
