"""Shards of a batch, and the methods of Keras that are replaced to synchronize the devices' steps."""

import inspect

import numpy as np
import pytest

from trivium.backends import shard
from trivium.backends.distribution import sharding
from trivium.backends.distribution.sharding import Collective
from trivium.backends.shard import Shard, on_shard, shard_of


@pytest.mark.parametrize(("whole", "parts"), [(16, 2), (5, 2), (7, 3), (1, 2), (2, 3), (9, 4)])
def test_each_row_is_in_one_shard_and_shards_differ_by_one_row_at_most(whole, parts):
    shards = [shard_of(whole, part, parts) for part in range(parts)]
    rows = [row for part in shards if part.contributes for row in range(part.first, part.first + part.size)]
    assert rows == list(range(whole))
    sizes = [part.size if part.contributes else 0 for part in shards]
    assert max(sizes) - min(sizes) <= 1
    assert sum(part.weight for part in shards) == pytest.approx(1)


def test_an_empty_shard_gets_a_padding_row_without_weight():
    assert shard_of(1, 1, 2) == Shard(0, 1, 1, contributes=False)
    assert shard_of(1, 1, 2).weight == 0


def test_a_shard_is_current_within_its_context_only():
    with on_shard(Shard(3, 2, 5)):
        assert shard.current_shard() == Shard(3, 2, 5)
        assert shard.whole_batch_shape((2, 7)) == (5, 7)
        assert shard.whole_batch_shape((4, 7)) == (4, 7)
        np.testing.assert_array_equal(shard.shard_rows(np.arange(5), (2,)), [3, 4])
        np.testing.assert_array_equal(shard.shard_rows(np.arange(3), (3,)), [0, 1, 2])
    assert shard.current_shard() is None
    assert shard.whole_batch_shape((2, 7)) == (2, 7)


class Alone(Collective):
    """Collective operations of a single device."""

    def all_reduce_sum(self, value):
        return value

    def all_reduce_sums(self, values):
        return list(values)


class Doubled(Alone):
    """Collective operations of two devices with equal values."""

    def all_reduce_sum(self, value):
        return value * 2

    def all_reduce_sums(self, values):
        return [value * 2 for value in values]


def normalising():
    import keras

    model = keras.Sequential([keras.Input((4, 3)), keras.layers.BatchNormalization(), keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    return model


@pytest.mark.parametrize("masked", [False, True])
def test_synchronized_statistics_equal_those_of_the_whole_batch(backend, generator, masked):
    import keras

    model = normalising()
    layer = model.layers[0]
    x = keras.ops.convert_to_tensor(generator.normal(size=(6, 4, 3)).astype("float32") + 3)
    mask = keras.ops.convert_to_tensor(generator.random((6, 4)) < 0.6) if masked else None
    expected = layer._moments(x, mask)
    with sharding.synchronized(model, Alone()), on_shard(shard_of(6, 0, 1)):
        alone = layer._moments(x, mask)
    with sharding.synchronized(model, Doubled()), on_shard(Shard(0, 6, 12)):
        twice = layer._moments(x, mask)
    for moments in (alone, twice):
        for one, other in zip(moments, expected, strict=True):
            np.testing.assert_allclose(
                keras.ops.convert_to_numpy(one), keras.ops.convert_to_numpy(other), rtol=2e-5, atol=1e-6
            )


def test_synchronizing_leaves_no_trace_and_replaces_methods_that_keras_has(backend):
    import keras

    model = normalising()
    kind = keras.layers.BatchNormalization
    assert list(inspect.signature(getattr(kind, sharding.MOMENTS)).parameters) == ["self", "inputs", "mask"]
    before = [dict(vars(owner)) for owner in (model.layers[0], model.optimizer)]
    with sharding.synchronized(model, Alone()):
        assert sharding.MOMENTS in vars(model.layers[0])
        assert {"apply", "scale_loss"} <= set(vars(model.optimizer))
    assert [dict(vars(owner)).keys() for owner in (model.layers[0], model.optimizer)] == [b.keys() for b in before]


def test_the_draws_of_all_shards_together_are_those_of_the_whole_batch(backend):
    import keras

    from trivium.backends.same_run.portable_random import PortableRandom

    generator = PortableRandom.for_current_backend()
    seed = keras.ops.convert_to_tensor([5, 2], "int32" if backend.name != "jax" else "uint32")
    ones = keras.ops.ones((7, 3, 2))
    calls = {
        "uniform": lambda rows: generator.uniform((rows, 3), seed=seed),
        "normal": lambda rows: generator.normal((rows, 3), seed=seed),
        "randint": lambda rows: generator.randint((rows, 3), 0, 9, seed=seed),
        "dropout": lambda rows: generator.dropout(ones[:rows], 0.4, seed=seed),
        "noise shape": lambda rows: generator.dropout(ones[:rows], 0.4, noise_shape=(None, 1, 2), seed=seed),
    }
    for name, call in calls.items():
        whole = keras.ops.convert_to_numpy(call(7))
        parts = []
        for part in range(2):
            own_shard = shard_of(7, part, 2)
            with on_shard(own_shard):
                parts.append(keras.ops.convert_to_numpy(call(own_shard.size)))
        # The bits are the same; the last digit of what is computed from them depends on where it lies in an array.
        np.testing.assert_allclose(np.concatenate(parts), whole, rtol=1e-6, atol=1e-7, err_msg=name)
        assert len(np.unique(whole)) > 1
