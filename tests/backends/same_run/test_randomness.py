"""The same seed must give the same weights and sample order on every backend, with Keras' distributions."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from trivium.backends import catalog
from trivium.backends.same_run.randomness import portable_initial_weights, portable_permutation
from trivium.backends.workers import worker

FUNCTIONS = Path(__file__).parents[2] / "helpers" / "functions_for_initial_weights.py"

DENSE, KERNEL = (200, 300), (5, 5, 40, 60)

RANDOM = [
    ("GlorotUniform", {}, DENSE),
    ("GlorotUniform", {}, KERNEL),
    ("GlorotNormal", {}, KERNEL),
    ("HeUniform", {}, KERNEL),
    ("HeNormal", {}, DENSE),
    ("LecunUniform", {}, DENSE),
    ("LecunNormal", {}, KERNEL),
    ("VarianceScaling", {"scale": 3.0, "mode": "fan_out", "distribution": "untruncated_normal"}, KERNEL),
    ("VarianceScaling", {"mode": "fan_avg", "distribution": "uniform"}, (60_000,)),
    ("VarianceScaling", {"input_axes": (0, 1), "output_axes": (2,)}, (20, 30, 100)),
    ("RandomNormal", {"mean": 1.0, "stddev": 0.3}, DENSE),
    ("RandomUniform", {"minval": -0.2, "maxval": 0.7}, DENSE),
    ("TruncatedNormal", {"mean": -1.0, "stddev": 2.0}, DENSE),
    ("Orthogonal", {"gain": 1.5}, DENSE),
]


@pytest.fixture(scope="module")
def keras(backend):
    import keras

    return keras


def weight(keras, initializer, shape, seed=0, dtype="float32", name="layer"):
    """Return a portable initial weight that a layer adds, as an array."""
    with portable_initial_weights(seed):
        layer = keras.layers.Layer(name=name)
        settings = {"dtype": dtype, "trainable": "float" in dtype, "name": "kernel"}
        added = layer.add_weight(shape=shape, initializer=initializer, **settings)
    return keras.ops.convert_to_numpy(added)


def small_model(keras):
    inputs = keras.Input((4, 3))
    x = keras.layers.Dense(5)(keras.layers.LSTM(6)(inputs))
    return keras.Model(inputs, keras.layers.Dense(5)(x))


def weights_of(keras, seed):
    with portable_initial_weights(seed):
        return small_model(keras).get_weights()


# --- the order of samples -------------------------------------------------------------------------------------------


def test_an_order_is_a_permutation_that_never_changes():
    assert portable_permutation(0, 0, 8).dtype == np.int64
    assert portable_permutation(0, 0, 8).tolist() == [0, 5, 6, 3, 7, 2, 1, 4]
    assert portable_permutation(0, 1, 8).tolist() == [7, 3, 0, 1, 2, 5, 4, 6]
    assert sorted(portable_permutation(7, 3, 1000)) == list(range(1000))
    assert portable_permutation(0, 0, 0).shape == (0,)


def test_orders_differ_by_epoch_and_by_seed():
    orders = [portable_permutation(seed, epoch, 500) for seed in (0, 1, 2**32 - 1) for epoch in (0, 1, 2)]
    assert len({tuple(permutation) for permutation in orders}) == len(orders)
    assert max(abs(np.corrcoef(a, b)[0, 1]) for i, a in enumerate(orders) for b in orders[:i]) < 0.2


def test_each_sample_comes_anywhere_in_an_epoch():
    places = np.array([np.argsort(portable_permutation(seed, 0, 10)) for seed in range(1000)])
    for sample in range(10):
        assert stats.chisquare(np.bincount(places[:, sample], minlength=10)).pvalue > 1e-4


# --- the distributions ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "settings", "shape"), RANDOM, ids=lambda value: str(value))
def test_weights_are_distributed_as_keras_has_it(keras, name, settings, shape):
    initializer = getattr(keras.initializers, name)
    native = keras.ops.convert_to_numpy(initializer(**settings, seed=1)(shape)).ravel()
    owned = weight(keras, initializer(**settings), shape).ravel()
    assert not np.array_equal(native, owned)
    assert stats.ks_2samp(native, owned).pvalue > 1e-3
    assert owned.std() == pytest.approx(native.std(), rel=0.02)
    assert owned.mean() == pytest.approx(native.mean(), abs=0.02 * float(native.std()))
    if "ormal" not in name and name != "Orthogonal" and "normal" not in settings.get("distribution", ""):
        assert np.abs([owned.min(), owned.max()]) == pytest.approx(np.abs([native.min(), native.max()]), rel=0.01)


def test_truncated_weights_end_at_two_standard_deviations(keras):
    owned = weight(keras, keras.initializers.TruncatedNormal(stddev=1.0), DENSE)
    assert 1.99 < owned.max() <= 2.0
    assert -2.0 <= owned.min() < -1.99


@pytest.mark.parametrize("shape", [(40, 30), (30, 40), (3, 3, 5, 20), (2, 2, 3, 40)])
def test_orthogonal_weights_are_orthogonal(keras, shape):
    matrix = weight(keras, keras.initializers.Orthogonal(gain=2.0), shape).reshape(-1, shape[-1])
    matrix = matrix.T if matrix.shape[0] < matrix.shape[1] else matrix
    np.testing.assert_allclose(matrix.T @ matrix, 4.0 * np.eye(matrix.shape[1]), atol=1e-5)


def test_an_orthogonal_vector_is_refused(keras):
    with pytest.raises(ValueError, match=r"two axes or more, received shape \(3,\)"):
        weight(keras, "orthogonal", (3,))


@pytest.mark.parametrize(("dtype", "step"), [("float16", 2**-10), ("bfloat16", 2**-7)])
def test_a_narrow_dtype_gets_the_same_values_rounded(keras, dtype, step):
    narrow = weight(keras, "random_normal", DENSE, dtype=dtype).astype("float32")
    wide = weight(keras, "random_normal", DENSE)
    assert np.abs(narrow - wide).max() > 0
    np.testing.assert_allclose(narrow, wide, rtol=step, atol=1e-6)


def test_double_precision_goes_beyond_single(keras):
    wide = weight(keras, "random_normal", DENSE, dtype="float64")
    np.testing.assert_array_equal(wide.astype("float32"), weight(keras, "random_normal", DENSE))
    if wide.dtype == np.float64:  # JAX gives it only where it is told to
        assert (wide != wide.astype("float32")).mean() > 0.9


# --- what they depend on --------------------------------------------------------------------------------------------


def test_the_same_bits_on_every_backend(keras):
    """Fixed values, so that a backend that is installed alone is tested too."""
    with portable_initial_weights(0):
        dense, lstm = keras.layers.Dense(2, name="literal"), keras.layers.LSTM(1, name="lstm")
        dense.build((None, 2))
        lstm.build((None, 2, 1))
    bits = dense.get_weights()[0].view(np.int32)
    assert bits.tolist() == [[-1084255770, 1058628307], [-1082188939, -1087208463]]
    assert lstm.get_weights()[2].tolist() == [0, 1, 0, 0], "zeros, but ones for the forget gate"


@pytest.mark.several_backends
def test_a_whole_model_begins_alike_on_every_backend():
    weights = [worker.get(trainer.name).call(f"{FUNCTIONS}:initial_weights", 5) for trainer in catalog.trainers()]
    assert len(weights[0]) == 25
    for other in weights[1:]:
        for a, b in zip(weights[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


def test_initial_weights_do_not_depend_on_earlier_draws(keras):
    def attention(seed):
        with portable_initial_weights(seed):
            layer = keras.layers.MultiHeadAttention(2, 3)
            layer.build((1, 4, 5), (1, 4, 5))
        return layer.get_weights()

    first = attention(3)
    keras.layers.Dropout(0.5), keras.initializers.GlorotUniform()
    for a, b in zip(first, attention(3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_initial_weights_do_not_depend_on_layers_built_before(keras):
    first = weights_of(keras, 3)
    keras.layers.Dense(1), small_model(keras)
    for a, b in zip(first, weights_of(keras, 3), strict=True):
        np.testing.assert_array_equal(a, b)


def test_initial_weights_do_not_depend_on_layers_built_later(keras):
    with portable_initial_weights(3):
        model, after = small_model(keras), keras.layers.Dense(7)
        after.build((None, 3))
    for a, b in zip(weights_of(keras, 3), model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_seeds_layers_and_weights_differ(keras):
    drawn = [kernel for seed in (0, 1) for kernel in weights_of(keras, seed) if kernel.std() and kernel.ndim == 2]
    assert len(drawn) == 8
    beginnings = {tuple(np.round(kernel.ravel()[:5], 6)) for kernel in drawn}
    assert len(beginnings) == len(drawn)


def test_two_layers_of_one_name_get_weights_of_their_own(keras):
    with portable_initial_weights(0):
        twins = [keras.layers.Dense(3, name="twin") for _ in range(2)]
        for twin in twins:
            twin.build((None, 3))
    assert not np.array_equal(twins[0].get_weights()[0], twins[1].get_weights()[0])


def test_a_seed_given_to_an_initializer_counts(keras):
    def kernel(seed, initializer_seed):
        return weight(keras, keras.initializers.GlorotUniform(seed=initializer_seed), (3, 3), seed).tolist()

    generator = [keras.random.SeedGenerator(5) for _ in range(2)]
    assert kernel(0, 5) == kernel(0, 5) == kernel(0, generator[0]) == kernel(0, generator[1])
    assert len({str(kernel(seed, initializer_seed)) for seed in (0, 1) for initializer_seed in (None, 5, 6)}) == 6


def test_a_model_that_is_built_when_first_called_is_covered(keras):
    class Late(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden, self.out = keras.layers.Dense(4), keras.layers.Dense(4)

        def call(self, x):
            return self.out(self.hidden(x))

    def kernels(symbolic):
        model = Late()
        with portable_initial_weights(0):
            model(keras.Input((4,)) if symbolic else np.zeros((1, 4), "float32"))
        return [kernel.tolist() for kernel in model.get_weights()[::2]]

    assert kernels(True) == kernels(False)
    assert kernels(True)[0] != kernels(True)[1]
    assert np.std(kernels(True)) > 0.1


# --- what is left as it is ------------------------------------------------------------------------------------------


def test_initializers_that_draw_nothing_are_called_as_they_are(keras):
    calls = []

    def own(shape, dtype=None):
        calls.append((tuple(shape), dtype))
        return keras.ops.full(shape, 7.0, dtype)

    assert weight(keras, own, (2, 2)).tolist() == [[7, 7], [7, 7]]
    assert calls == [((2, 2), "float32")]
    assert weight(keras, "identity", (2, 2)).tolist() == [[1, 0], [0, 1]]
    assert weight(keras, keras.initializers.Constant(3), (1,)).tolist() == [3]


def test_a_weight_without_an_initializer_gets_the_default_of_keras(keras):
    unnamed = weight(keras, None, (3, 3), name="unnamed")
    assert unnamed.tolist() == weight(keras, "glorot_uniform", (3, 3), name="unnamed").tolist()
    assert weight(keras, None, (3,), dtype="int32").tolist() == [0, 0, 0]


def test_add_weight_takes_positional_arguments(keras):
    with portable_initial_weights(0):
        layer = keras.layers.Layer(name="layer")
        added = layer.add_weight((3, 3), "glorot_uniform", "float32", name="kernel")
    np.testing.assert_array_equal(keras.ops.convert_to_numpy(added), weight(keras, "glorot_uniform", (3, 3)))


def test_an_initializer_that_is_called_outside_a_layer_stays_native(keras):
    native = keras.ops.convert_to_numpy(keras.initializers.GlorotUniform(seed=1)((3, 3)))
    with portable_initial_weights(0):
        small_model(keras)
        within = keras.ops.convert_to_numpy(keras.initializers.GlorotUniform(seed=1)((3, 3)))
    np.testing.assert_array_equal(native, within)


def test_everything_is_put_back_also_after_an_exception(keras):
    classes = [keras.initializers.VarianceScaling, keras.initializers.Orthogonal, keras.initializers.RandomNormal]
    before = [keras.layers.Layer.add_weight, *(initializer.__call__ for initializer in classes)]

    def fail(shape, dtype=None):
        raise RuntimeError("from the initializer")

    weight(keras, "glorot_uniform", (2, 2))
    with pytest.raises(RuntimeError, match="from the initializer"):
        weight(keras, fail, (2, 2))
    assert [keras.layers.Layer.add_weight, *(initializer.__call__ for initializer in classes)] == before


def test_the_model_keeps_its_class_and_configuration(keras, tmp_path):
    with portable_initial_weights(0):
        model = small_model(keras)
    kernel = model.layers[-1].kernel_initializer
    assert type(kernel) is keras.initializers.GlorotUniform
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.layers] == [type(layer) for layer in model.layers]
    assert "trivium" not in model.to_json()
    for a, b in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
