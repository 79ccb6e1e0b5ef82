"""A difference in the middle of a deep network is reduced to a few layers, which a script reproduces."""

import os
import re
import subprocess
import sys

import pytest

from trivium.comparison.compare import compare
from trivium.errors import OutputError

pytestmark = pytest.mark.one_environment


@pytest.fixture
def deep(backend):
    """Return a function that builds a network of fifty layers, of which one has another activation."""
    import keras

    def build(planted="relu", prefix="", residual=False):
        x = inputs = keras.Input((12,))
        for number in range(50):
            activation = planted if number == 25 else "relu"
            y = keras.layers.Dense(12, activation=activation, name=f"{prefix}dense{number}")(x)
            x = keras.layers.Add(name=f"{prefix}add{number}")([x, y]) if residual else y
        return keras.Model(inputs, keras.layers.Dense(2, name=f"{prefix}out")(x))

    return build


@pytest.mark.parametrize("residual", [False, True])
def test_reduced_to_the_layer(deep, here, backend, residual):
    report = compare(deep(residual=residual), deep("leaky_relu", "z_", residual), reduce="small", steps=1)
    assert not report.passed
    assert report.reduction.difference > 1e-3
    assert max(report.reduction.layers) <= 3
    assert sorted(os.listdir("small")) == ["first.keras", "first.npz", "reproduce.py", "second.keras", "second.npz"]
    environment = {**os.environ, "KERAS_BACKEND": backend.name, "PYTHONPATH": ""}
    shown = subprocess.run(
        [sys.executable, "small/reproduce.py"], env=environment, capture_output=True, text=True, check=True
    ).stdout
    assert float(re.search(r"largest difference: (\S+)", shown)[1]) > 0
    assert "dense25" in shown


def test_nothing_is_written_where_nothing_differs(deep, here):
    report = compare(deep(), deep(prefix="z_"), reduce="small", steps=1)
    assert report.passed
    assert report.reduction is None
    assert not os.path.exists("small")


def test_folder_that_is_not_empty(deep, here):
    os.mkdir("small")
    open("small/mine.txt", "w").close()
    with pytest.raises(OutputError, match="holds other files"):
        compare(deep(), deep(), reduce="small")
