"""The optimizer's step as it is tuned under PyTorch against Keras' own, step by step."""

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
    """All that the optimizer changes, after so many steps on a large and a small variable, with large gradients too."""
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
def test_a_tuned_step_is_the_step_of_keras(name):
    expected, found = steps(optimizer_of(name), tuned=False), steps(optimizer_of(name), tuned=True)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=1e-6 * np.abs(other).max())


@pytest.mark.parametrize("name", NAMES)
def test_what_should_be_tuned_is_and_nothing_of_it_stays(name):
    """Without it the other would compare Keras with Keras, should the private method move."""
    from trivium.backends.torch import optimizers

    optimizer = optimizer_of(name)
    assert callable(getattr(optimizer, optimizers._STEP))
    before = set(vars(optimizer))
    with optimizers.tuned(optimizer):
        assert set(vars(optimizer)) - before == {optimizers._STEP}
    with pytest.raises(RuntimeError, match="within"), optimizers.tuned(optimizer):
        raise RuntimeError("within")
    assert set(vars(optimizer)) == before


def test_an_optimizer_of_a_users_own_is_left_to_itself():
    import keras

    from trivium.backends.torch import optimizers

    class Mine(keras.optimizers.Adam):
        def update_step(self, gradient, variable, learning_rate):
            variable.assign_sub(learning_rate * gradient)

    mine = Mine(0.5)
    with optimizers.tuned(mine), optimizers.tuned(None):
        assert optimizers._STEP not in vars(mine)


def test_a_large_variable_whose_memory_is_turned_is_not_given_to_the_fused_kernel():
    import torch

    from trivium.backends.torch.optimizers import _is_large

    whole = torch.zeros(LARGE)
    assert _is_large([whole, whole.clone()])
    assert not _is_large([whole, torch.zeros(LARGE[::-1]).t()])
    assert not _is_large([torch.zeros(SMALL)])


def test_a_compiled_model_is_tuned_with_its_optimizer(backend):
    import keras

    from trivium.backends.torch import optimizers

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with runtime.current().tuned(model):
        pass  # not compiled: there is none
    model.compile("adam", "mean_squared_error")
    with runtime.current().tuned(model):
        assert optimizers._STEP in vars(model.optimizer)
