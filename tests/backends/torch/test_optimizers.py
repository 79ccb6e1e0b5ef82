"""PyTorch's tuned optimizer steps compute the same as Keras' own."""

import numpy as np
import pytest

from trivium.backends import runtime

LARGE, SMALL = (160, 128), (5,)


@pytest.fixture(autouse=True)
def _pytorch(backend):
    if backend.name != "torch":
        pytest.skip("this backend tunes no optimizers")


def optimizer_of(name):
    from keras import optimizers

    rate = optimizers.schedules.ExponentialDecay(0.1, decay_steps=2, decay_rate=0.5)
    return {
        "adam": lambda: optimizers.Adam(0.01),
        "adam, other moments": lambda: optimizers.Adam(0.01, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
        "adam by a schedule": lambda: optimizers.Adam(rate),
        "amsgrad": lambda: optimizers.Adam(0.01, amsgrad=True),
        "clipped, with an average": lambda: optimizers.Adam(0.01, clipnorm=0.5, use_ema=True),
        "adamw": lambda: optimizers.AdamW(0.01, weight_decay=0.1),
        "sgd": lambda: optimizers.SGD(0.1),
        "momentum": lambda: optimizers.SGD(0.1, momentum=0.9),
        "nesterov": lambda: optimizers.SGD(rate, momentum=0.9, nesterov=True),
    }[name]()


NAMES = (
    *("adam", "adam, other moments", "adam by a schedule", "amsgrad", "clipped, with an average", "adamw"),
    *("sgd", "momentum", "nesterov"),
)


def steps(optimizer, tuned, count=6):
    """Return all variables after `count` steps on a large and a small variable, with small and large gradients."""
    import keras

    from trivium.backends.torch import optimizers

    generator = np.random.default_rng(3)
    variables = [keras.Variable(generator.normal(size=shape).astype("float32")) for shape in (LARGE, SMALL)]
    optimizer.build(variables)
    for number in range(count):
        gradients = [
            keras.ops.convert_to_tensor((10.0 ** (number - 3) * generator.normal(size=v.shape)).astype("float32"))
            for v in variables
        ]
        if tuned:
            with optimizers.tuned(optimizer):
                optimizer.apply(gradients, variables)
        else:
            optimizer.apply(gradients, variables)
    return [np.array(v.numpy()) for v in (*variables, *optimizer.variables)]


@pytest.mark.parametrize("name", NAMES)
def test_a_tuned_step_computes_the_same_as_keras(name):
    expected, tuned_values = steps(optimizer_of(name), tuned=False), steps(optimizer_of(name), tuned=True)
    for one, other in zip(tuned_values, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-6 * np.abs(other).max())


@pytest.mark.parametrize("name", NAMES)
def test_supported_optimizers_are_tuned_and_restored_afterwards(name):
    """If Keras' private method moved, the test above would compare Keras with Keras; this one fails then."""
    from trivium.backends.torch import optimizers

    optimizer = optimizer_of(name)
    assert callable(getattr(optimizer, optimizers._STEP))
    before = set(vars(optimizer))
    with optimizers.tuned(optimizer):
        assert set(vars(optimizer)) - before == {optimizers._STEP}
    with pytest.raises(RuntimeError, match="within"), optimizers.tuned(optimizer):
        raise RuntimeError("within")
    assert set(vars(optimizer)) == before


def test_a_custom_optimizer_keeps_its_own_step():
    import keras

    from trivium.backends.torch import optimizers

    class Mine(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            variable.assign_sub(learning_rate * gradient)

    mine = Mine(0.5)
    with optimizers.tuned(mine), optimizers.tuned(None):
        assert optimizers._STEP not in vars(mine)


def test_the_fused_kernel_does_not_get_large_variables_in_transposed_memory():
    import torch

    from trivium.backends.torch.optimizers import _is_large

    whole = torch.zeros(LARGE)
    assert _is_large([whole, whole.clone()])
    assert not _is_large([whole, torch.zeros(LARGE[::-1]).t()])
    assert not _is_large([torch.zeros(SMALL)])


def test_the_optimizer_of_a_compiled_model_is_tuned(backend):
    import keras

    from trivium.backends.torch import optimizers

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with runtime.current().tuned(model):
        pass  # not compiled: the model has no optimizer
    model.compile("adam", "mean_squared_error")
    with runtime.current().tuned(model):
        assert optimizers._STEP in vars(model.optimizer)
