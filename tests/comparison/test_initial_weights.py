"""The initializer that drew a weight is recognised; weights of two models that were drawn otherwise are named."""

import numpy as np
import pytest

from trivium.comparison.compare import compare
from trivium.comparison.initial_weights import initializers_of

ONE = pytest.mark.one_environment
SHAPES = {"dense": (60, 150), "conv": (3, 3, 12, 40)}
UNIFORM = ("glorot_uniform", "he_uniform", "lecun_uniform", "random_uniform")
NORMAL = ("glorot_normal", "he_normal", "lecun_normal", "truncated_normal", "random_normal")


@ONE
@pytest.mark.parametrize("kind", SHAPES)
@pytest.mark.parametrize("name", [*UNIFORM, *NORMAL, "orthogonal", "zeros", "ones"])
def test_initializer_of_keras_is_recognised(backend, name, kind):
    import keras

    names = set()
    for seed in range(20):
        initializer = keras.initializers.get(name)
        if hasattr(initializer, "seed"):
            initializer = type(initializer)(seed=seed)
        values = keras.ops.convert_to_numpy(initializer(SHAPES[kind]))
        names.add(tuple(initializers_of(values, kind)))
    assert all(name in each for each in names)
    assert len(names) == 1


@ONE
@pytest.mark.parametrize("kind", ["dense", "conv", "lstm"])
def test_default_of_pytorch_is_recognised(kind):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    for seed in range(20):
        torch.manual_seed(seed)
        weight = {
            "dense": lambda: torch.nn.Linear(80, 60).weight.T,
            "conv": lambda: torch.nn.Conv2d(12, 16, 3).weight.permute(2, 3, 1, 0),
            "lstm": lambda: torch.nn.LSTM(20, 30).weight_ih_l0.T,
        }[kind]()
        assert "PyTorch's default" in initializers_of(weight.detach().numpy(), kind)


@ONE
@pytest.mark.parametrize("turned", [False, True])
def test_other_initializers_are_the_cause(backend, turned):
    import keras

    def build(initializer):
        hidden = keras.layers.Dense(75, kernel_initializer=initializer, name="hidden")
        return keras.Sequential([keras.Input((30,)), hidden, keras.layers.Dense(2, name="out")])

    names = ("he_normal", "glorot_uniform")[:: -1 if turned else 1]
    report = compare(*map(build, names), copy=False, steps=1)
    assert not report.passed
    assert f"hidden.kernel: drawn as by {names[0]} in the first model and {names[1]} in the second" in report.causes


@ONE
def test_numbers_that_nothing_is_known_of_have_no_initializer():
    assert initializers_of(np.arange(400.0).reshape(20, 20), "dense") == []
    assert initializers_of(np.ones((3, 3)) * 2, "dense") == []
