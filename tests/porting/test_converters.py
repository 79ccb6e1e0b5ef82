"""A user's converters teach a port layers and operators, and a wrong one is found by the check of the port."""

import importlib.util
import re
from pathlib import Path

import numpy as np
import pytest

import trivium
from trivium.data.dataset import Dataset, Split
from trivium.errors import OptionError, PortError

PAGE = Path(__file__).parents[2] / "docs" / "porting.md"
LAYERS = """
import keras
import trivium
from keras import ops


@keras.saving.register_keras_serializable("teaching")
class Envelope(keras.layers.Layer):
    def build(self, shape):
        self.scale = self.add_weight(shape=(shape[-1],), name="scale", initializer="ones")

    def call(self, x):
        values = ops.convert_to_tensor(x)
        if "KerasTensor" in type(values).__name__:
            raise TypeError("this layer calls a framework, and cannot be traced")
        return ops.maximum(values, ops.abs(values) * self.scale)

    def compute_output_spec(self, x):
        return keras.KerasTensor(x.shape, x.dtype)
"""


@pytest.fixture
def converters(tmp_path):
    """The file of the documentation's example."""
    (example,) = (
        code for code in re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL) if "my_converters" in code
    )
    path = tmp_path / "my_converters.py"
    path.write_text(example)
    return path


@pytest.fixture
def model_file(backend, tmp_path, converters):
    """A model with a layer that cannot be traced; the file of converters registers its class too."""
    import keras

    from trivium.functions import load_file

    converters.write_text(converters.read_text() + LAYERS.replace("import keras\nimport trivium\n", ""))
    module = load_file(converters)
    x = keras.Input((4,))
    keras.Model(x, keras.layers.Dense(3)(module.Envelope()(x))).save(tmp_path / "own.keras")
    return tmp_path / "own.keras"


def test_a_layer_is_taught_to_every_target_with_its_weights(backend, shared_worker, model_file, converters, tmp_path):
    out = tmp_path / "source"
    converters.write_text(converters.read_text().replace("layer:Envelope", "layer:Other"))
    with pytest.raises(PortError, match=r"envelope: .*; a layer can be taught by @trivium.converter and `converters`"):
        trivium.port(model_file, f"source:{backend.name}", out, converters=converters)
    converters.write_text(converters.read_text().replace("layer:Other", "layer:Envelope"))
    report = trivium.port(model_file, f"source:{backend.name}", out, converters=converters)
    assert report.passed, report.to_json()
    assert report.training[0].passed
    assert re.search(r"(class Envelope|def envelope)\(", (out / "model.py").read_text())


def test_a_comparison_suggests_no_converters_which_it_does_not_take(model_file):
    import keras

    from trivium.porting.keras_to_graph.model import read_with_origins

    with pytest.raises(PortError, match=r"cannot be compared: envelope\w*: .*cannot be traced") as refusal:
        read_with_origins(keras.saving.load_model(model_file))
    assert "converter" not in str(refusal.value)


def test_a_wrong_converter_is_found_and_nothing_is_written(backend, shared_worker, model_file, converters, tmp_path):
    converters.write_text(converters.read_text().replace("keras.ops.abs(x)", "keras.ops.relu(x)"))
    report = trivium.port(model_file, f"source:{backend.name}", tmp_path / "source", converters=converters)
    assert report.finding.startswith("DIFFERENT predictions")
    assert not (tmp_path / "source").exists()


def test_an_operator_of_pytorch_is_taught(backend, shared_worker, converters, tmp_path):
    torch = pytest.importorskip("torch")

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = torch.nn.Linear(4, 3)

        def forward(self, x):
            return torch.frac(self.linear(x) * 3)

    arguments = Net(), (torch.randn(5, 4),), tmp_path / "net.keras"
    with pytest.raises(PortError, match=r'aten.frac.default; teach it by @trivium.converter\("torch:aten.frac.default'):
        trivium.port_from_torch(*arguments)
    report = trivium.port_from_torch(*arguments, converters=converters)
    assert report.passed, report.to_json()
    assert report.training[0].passed


def test_a_primitive_of_jax_is_taught(backend, shared_worker, converters, tmp_path):
    jax = pytest.importorskip("jax")

    def net(kernel, x):
        return jax.lax.erf_inv(jax.numpy.tanh(x @ kernel) * 0.9)

    arguments = net, jax.numpy.eye(3), (jax.numpy.linspace(-1, 1, 6).reshape(2, 3),), tmp_path / "net.keras"
    with pytest.raises(PortError, match=r'erf_inv .*; teach it by @trivium.converter\("jax:erf_inv"\)'):
        trivium.port_from_jax(*arguments)
    report = trivium.port_from_jax(*arguments, converters=converters)
    assert report.passed, report.to_json()
    assert report.training[0].passed


def onnx_file(folder):
    onnx = pytest.importorskip("onnx")
    helper = onnx.helper
    values = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [None, 3]) for name in ("x", "y")]
    kernel = onnx.numpy_helper.from_array(np.eye(3, dtype="float32") * 2, "kernel")
    nodes = [
        helper.make_node("MatMul", ["x", "kernel"], ["z"]),
        helper.make_node("ThresholdedRelu", ["z"], ["y"], alpha=0.5),
    ]
    graph = helper.make_graph(nodes, "net", values[:1], values[1:], [kernel])
    opsets = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opsets, ir_version=9), folder / "net.onnx")
    return folder / "net.onnx"


THRESHOLD = """
import keras, trivium
@trivium.converter("onnx:ThresholdedRelu")
def thresholded(x, alpha=1.0):
    return keras.ops.threshold(x, alpha, 0.0)
"""


def test_an_operator_of_onnx_is_taught_with_its_attributes(backend, shared_worker, tmp_path):
    path, converters = onnx_file(tmp_path), tmp_path / "converters.py"
    converters.write_text(THRESHOLD)
    assert trivium.port(path, "keras", tmp_path / "net.keras", converters=converters).passed
    converters.write_text(THRESHOLD.replace(", alpha=1.0", "").replace("x, alpha, 0.0", "x, 0.5, 0.0"))
    with pytest.raises(PortError, match="the converter thresholded takes no alpha: add it to its arguments"):
        trivium.port(path, "keras", tmp_path / "other.keras", converters=converters)


@pytest.mark.parametrize("target", ["torch", "frac", "aten:frac", 3, "onnx:"])
def test_a_target_that_no_port_has_is_refused(target):
    with pytest.raises(OptionError, match="a converter is for a class of layers"):
        trivium.converter(target)


def test_a_class_of_layers_is_told_from_the_one_of_keras(backend):
    import keras

    own = type("Dense", (keras.layers.Layer,), {"__module__": "mine"})
    targets = [trivium.converter(layer)(len).target for layer in (own, keras.layers.Dense)]
    assert targets == ["layer:Dense", "layer:keras.Dense"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "has no converters: decorate its functions by @trivium.converter"),
        ("x = 1 / 0", "`converters`: .*ZeroDivisionError"),
        (THRESHOLD + THRESHOLD.replace("def thresholded", "def other"), "two converters of onnx:ThresholdedRelu"),
    ],
)
def test_a_file_without_use_is_refused(tmp_path, content, message):
    from trivium.porting.converters import load_converters

    path = tmp_path / "converters.py"
    path.write_text(content)
    with pytest.raises(OptionError, match=message):
        load_converters(path)


@pytest.mark.parametrize(("content", "has_converters"), [("", False), (THRESHOLD, True)])
def test_a_recipe_need_not_have_converters(backend, tmp_path, content, has_converters):
    from trivium.porting.converters import register_converters

    path = tmp_path / "recipe.py"
    path.write_text(content)
    assert register_converters(str(path), required=False) is has_converters


def test_a_target_that_takes_no_converters_says_so(tmp_path):
    with pytest.raises(OptionError, match="`converters` are for source:BACKEND and keras, which a port to onnx"):
        trivium.port(tmp_path / "a.keras", "onnx", converters=tmp_path / "converters.py")
    if importlib.util.find_spec("torch"):
        with pytest.raises(OptionError, match="no file at"):
            trivium.port(tmp_path / "a.pt2", "keras", converters=tmp_path / "converters.py")


def test_a_file_that_is_missing_is_refused_before_a_module_is_exported(backend, tmp_path):
    torch = pytest.importorskip("torch")
    arguments = torch.nn.Linear(2, 1), (torch.ones(1, 2),), tmp_path / "net.keras"
    with pytest.raises(OptionError, match=r"`converters`: no file at .*converters\.py"):
        trivium.port_from_torch(*arguments, converters=tmp_path / "converters.py")


def test_the_file_of_a_trusted_recipe_teaches_without_being_named(
    backend, shared_worker, converters, tmp_path, monkeypatch
):
    from trivium.engine.bundles.bundle import Bundle
    from trivium.engine.training.trainer import Trainer

    build = "\n\ndef build():\n    return keras.Sequential([keras.Input((3,)), Envelope(), keras.layers.Dense(1)])\n"
    converters.write_text(converters.read_text() + LAYERS.replace("import keras\nimport trivium\n", "") + build)
    generator = np.random.default_rng(0)
    split = Split(generator.normal(size=(40, 3)).astype("float32"), generator.normal(size=(40, 1)).astype("float32"))
    run = Trainer(f"{converters}:build", epochs=1, loss="mse").fit(Dataset("rows", split, split, (), ""))
    Bundle.of(run).save(tmp_path / "own.trivium")
    monkeypatch.setenv("TRIVIUM_TRUST", "1")
    assert trivium.port(tmp_path / "own.trivium", f"source:{backend.name}", tmp_path / "source").passed
