"""A function of JAX, or a module of Flax, becomes a Keras model that predicts and trains the same, or is refused."""

import importlib.util
import json
import os
import re
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import trivium
from trivium.errors import PortError
from trivium.functions import load_function

# JAX is not imported here: it reads the number of its devices then, and tests are collected before that is set.
pytestmark = pytest.mark.skipif(importlib.util.find_spec("jax") is None, reason="needs JAX")

FUNCTIONS = Path(__file__).parents[1] / "helpers" / "functions_of_jax.py"
PAGE = Path(__file__).parents[2] / "docs" / "porting.md"


def network(name):
    return load_function(f"{FUNCTIONS}:{name}")()


def operations_of(report):
    """Return how often the model has each class of layer or operation."""
    config = json.loads(zipfile.ZipFile(report.artifact).read("config.json"))
    return Counter(layer["class_name"] for layer in config["config"]["layers"])


def layers_of(report):
    """Return how often the model has each class of layer that has weights."""
    counts = operations_of(report)
    kinds = ("Dense", "EinsumDense", "Embedding", "Conv2D", "Conv2DTranspose")
    return {kind: n for kind, n in counts.items() if kind in kinds or "Normalization" in kind}


@pytest.mark.parametrize(
    ("name", "layers"),
    [
        ("mlp", {"Dense": 3}),
        ("cnn", {"Conv2D": 2, "Conv2DTranspose": 1, "Dense": 1}),
        ("transformer", {"Embedding": 2, "LayerNormalization": 1, "EinsumDense": 4, "Dense": 1}),
        ("resnet", {"Conv2D": 2, "BatchNormalization": 2, "Dense": 1}),
        ("recurrent", {"Dense": 2}),
        ("stacked", {"Dense": 3}),
        ("own_arithmetic", {"Embedding": 5}),
        ("several_norms", {"Dense": 1, "LayerNormalization": 1, "RMSNormalization": 1}),
    ],
)
def test_a_function_is_rebuilt_and_trained_the_same(backend, shared_worker, tmp_path, name, layers):
    function, params, inputs = network(name)
    report = trivium.port_from_jax(function, params, inputs, tmp_path / "net.keras")
    assert report.passed, report.to_json()
    assert [check.difference.samples for check in report.checks] == [len(inputs[0]), 33, 1, 3]
    (step,) = report.training
    assert step.difference < 1e-4
    assert layers_of(report) == layers


def test_the_parameters_are_the_trainable_weights(backend, shared_worker, tmp_path):
    import jax
    import keras

    function, params, inputs = network("resnet")
    report = trivium.port_from_jax(function, params, inputs, tmp_path / "net.keras", inference_only=True)
    model = keras.saving.load_model(report.artifact)
    count = sum(leaf.size for leaf in jax.tree_util.tree_leaves(params))
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == count
    assert {layer.name for layer in model.layers} >= {"image", "stem", "bn1", "conv", "bn2", "head"}
    np.testing.assert_array_equal(model.get_layer("head").get_weights()[0], params["head"]["kernel"])


def test_both_forms_of_gelu_become_activations(backend, shared_worker, tmp_path):
    import jax
    import jax.numpy as jnp

    def net(kernel, x):
        return jax.nn.gelu(jax.nn.gelu(x @ kernel) @ kernel, approximate=False)

    report = trivium.port_from_jax(net, jnp.eye(3), (jnp.linspace(-3, 3, 6).reshape(2, 3),), tmp_path / "net.keras")
    assert report.passed, report.to_json()
    assert operations_of(report) == {"InputLayer": 1, "Dense": 1, "Gelu": 2}


def test_a_tied_weight_is_one_variable(backend, shared_worker, tmp_path):
    import keras

    function, params, inputs = network("transformer")
    report = trivium.port_from_jax(function, params, inputs, tmp_path / "net.keras", inference_only=True)
    model = keras.saving.load_model(report.artifact)
    tables = [variable for variable in model.trainable_variables if 11 in variable.shape]
    assert [tuple(table.shape) for table in tables] == [(11, 8)]


def test_what_a_function_closes_over_is_not_trained(backend, shared_worker, tmp_path):
    import jax.numpy as jnp
    import keras

    frozen = jnp.ones((3, 4))
    report = trivium.port_from_jax(
        lambda kernel, x: jnp.tanh(x @ frozen) @ kernel, jnp.ones((4, 2)), (jnp.ones((2, 3)),), tmp_path / "net.keras"
    )
    model = keras.saving.load_model(report.artifact)
    assert [tuple(variable.shape) for variable in model.trainable_variables] == [(4, 2)]


def test_a_difference_in_training_is_found_unless_answers_alone_are_compared(backend, shared_worker, tmp_path):
    import jax
    import jax.numpy as jnp

    @jax.custom_jvp
    def doubled_gradient(x):
        return x

    doubled_gradient.defjvp(lambda primals, tangents: (primals[0], 2 * tangents[0]))
    kernels, x = [jnp.eye(3) + 0.1, jnp.ones((3, 2))], jnp.ones((2, 3)) * 0.3
    arguments = lambda kernels, x: doubled_gradient(x @ kernels[0]) @ kernels[1], kernels, (x,), tmp_path / "net.keras"
    report = trivium.port_from_jax(*arguments)
    assert report.finding == "the same predictions, but a DIFFERENT training step"
    assert list(tmp_path.iterdir()) == []
    assert trivium.port_from_jax(*arguments, inference_only=True).passed


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("draws", r"random_bits \(functions_of_jax.py:\d+\), which draws random numbers$"),
        ("repeats", r"while \(functions_of_jax.py:\d+\), which decides by the values of arrays$"),
        ("loops_long", r"scan \(functions_of_jax.py:\d+\), whose loop has too many rounds to be unrolled$"),
        ("branches", r"cond \(functions_of_jax.py:\d+\), which decides by the values of arrays$"),
        (
            "transforms",
            r"transforms has .*: fft \(functions_of_jax.py:\d+\), real \(functions_of_jax.py:\d+\); teach it",
        ),
        ("compares_samples", r"reduce_sum at functions_of_jax.py:\d+ .* it reduces over the samples of a batch$"),
        ("counts_samples", r"div at functions_of_jax.py:\d+ .* depends on the batch size$"),
        ("numbers_samples", r"add at functions_of_jax.py:\d+ .* differs from sample to sample"),
        ("returns_one", r"its output 0 has no batch axis"),
        ("asks_python", r"JAX cannot trace asks_python at a batch of 2: Attempted boolean conversion"),
    ],
)
def test_what_cannot_be_rebuilt_is_refused_in_one_line(tmp_path, name, message):
    import jax.numpy as jnp

    function = load_function(f"{FUNCTIONS}:{name}")
    with pytest.raises(PortError, match=message) as caught:
        trivium.port_from_jax(function, jnp.ones((3, 3)), (jnp.ones((2, 3)),), tmp_path / "net.keras")
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((3, {}, (np.ones((2, 3)),)), "expected a function of JAX or a module of Flax NNX, received int"),
        ((lambda params, x: x, {}), "the example inputs are missing"),
        ((lambda params, x: x, {}, (3,)), "an example input is int, expected arrays"),
        ((lambda params, x: x, {"a": np.ones(3, "float16")}, (np.ones((2, 3)),)), "the parameter a is float16"),
        ((lambda params, x: x, {"a": "b"}, (np.ones((2, 3)),)), "the parameter a is str, expected an array of numbers"),
    ],
)
def test_wrong_arguments_are_named(tmp_path, arguments, message):
    with pytest.raises(PortError, match=message):
        trivium.port_from_jax(*arguments)


def test_a_module_of_flax_is_rebuilt_in_eval_mode(backend, shared_worker, tmp_path):
    nnx = pytest.importorskip("flax.nnx")
    import jax.numpy as jnp

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.conv, self.norm = nnx.Conv(3, 4, (3, 3), rngs=rngs), nnx.BatchNorm(4, rngs=rngs)
            self.dropout, self.scale = nnx.Dropout(0.5, rngs=rngs), nnx.LayerNorm(4, rngs=rngs)
            self.attention = nnx.MultiHeadAttention(2, 4, decode=False, rngs=rngs)
            self.head = nnx.Linear(4, 3, rngs=rngs)

        def __call__(self, image):
            x = nnx.relu(self.norm(self.conv(image)))
            x = self.attention(self.scale(x.reshape(x.shape[0], -1, 4)))
            return self.head(self.dropout(x.mean(1)))

    module = Net(nnx.Rngs(0))
    images = jnp.asarray(np.random.default_rng(0).normal(size=(4, 6, 6, 3)).astype("float32"))
    report = trivium.port_from_jax(module, (images,), tmp_path / "net.keras")
    assert report.passed, report.to_json()
    assert report.training[0].passed
    assert layers_of(report) == {
        "Conv2D": 1,
        "BatchNormalization": 1,
        "LayerNormalization": 1,
        "EinsumDense": 4,
        "Dense": 1,
    }
    assert not module.dropout.deterministic


def test_a_recurrent_module_of_flax_is_rebuilt(backend, shared_worker, tmp_path):
    nnx = pytest.importorskip("flax.nnx")
    import jax.numpy as jnp

    class Net(nnx.Module):
        def __init__(self, rngs):
            self.table, self.head = nnx.Embed(10, 4, rngs=rngs), nnx.Linear(5, 3, rngs=rngs)
            self.cells = nnx.RNN(nnx.LSTMCell(4, 5, rngs=rngs))

        def __call__(self, tokens):
            return self.head(self.cells(self.table(tokens))[:, -1])

    tokens = jnp.asarray(np.random.default_rng(0).integers(0, 10, (4, 5)))
    report = trivium.port_from_jax(Net(nnx.Rngs(0)), (tokens,), tmp_path / "net.keras")
    assert report.passed, report.to_json()
    assert report.training[0].passed


@pytest.mark.several_backends
@pytest.mark.parametrize("backend_name", ["tensorflow", "torch"])
def test_a_function_is_rebuilt_on_another_backend_than_its_own(tmp_path, backend_name):
    code = (
        "import sys, trivium; from trivium.functions import load_function; "
        "report = trivium.port_from_jax(*load_function(sys.argv[1])(), sys.argv[2]); print(report.host, report.finding)"
    )
    command = [sys.executable, "-c", code, f"{FUNCTIONS}:transformer", str(tmp_path / "net.keras")]
    environment = {**os.environ, "KERAS_BACKEND": backend_name}
    finished = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300)
    assert finished.stdout.split("\n")[-2] == f"{backend_name} the same predictions", finished.stderr


def test_the_example_of_the_documentation_runs(backend, shared_worker, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (example,) = (
        code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "from_jax" in code
    )
    names = {}
    exec(example, names)
    assert names["report"].passed
    assert names["model"].get_layer("hidden").units == 16
