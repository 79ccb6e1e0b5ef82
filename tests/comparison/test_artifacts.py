"""A model against an artifact that a runtime computes: the same, or different from some layer on, inside of it too."""

import json

import numpy as np
import pytest

from trivium.comparison.compare import compare
from trivium.errors import OptionError
from trivium.porting.port import port

FORMATS = ("onnx", "openvino", "litert", "savedmodel")
WITH_INSIDE = FORMATS[:3]

pytestmark = pytest.mark.several_backends


def network(epsilon=1e-3, slope=0.2):
    """Return a network with two branches, over pictures."""
    import keras
    from keras import layers

    keras.utils.set_random_seed(3)
    inputs = keras.Input((8, 8, 2), name="picture")
    x = layers.Conv2D(5, 3, padding="same", activation="relu", name="conv")(inputs)
    x = layers.MaxPooling2D(2, name="pool")(x)
    left = layers.BatchNormalization(epsilon=epsilon, name="norm")(x)
    right = layers.Conv2D(5, 1, name="point")(x)
    x = layers.LeakyReLU(negative_slope=slope, name="leaky")(layers.Add(name="sum")([left, right]))
    x = layers.Dense(6, activation="tanh", name="hidden")(layers.Flatten(name="flat")(x))
    return keras.Model(inputs, layers.Dense(3, name="out")(x))


@pytest.fixture(scope="module")
def artifacts(backend, tmp_path_factory):
    """The artifacts of one network by format, and the file of the network."""
    folder = tmp_path_factory.mktemp("artifacts")
    model = network()
    model.save(folder / "net.keras")
    reports = {name: port(folder / "net.keras", name, folder / name) for name in FORMATS}
    files = {name: report.artifact for name, report in reports.items()}
    return {**files, "keras": str(folder / "net.keras")}


@pytest.mark.parametrize("name", FORMATS)
def test_artifact_is_the_same_as_its_model(artifacts, name, monkeypatch):
    monkeypatch.setenv("TRIVIUM_TRUST", "1")
    for pair in ((artifacts["keras"], artifacts[name]), (artifacts[name], artifacts["keras"])):
        report = compare(*pair)
        assert report.passed, report.finding
        assert report.a == artifacts["keras"]
    layers = {layer.mine: layer for layer in report.layers}
    assert all(layer.passed for layer in layers.values())
    assert bool(layers) == (name in WITH_INSIDE)
    if layers:
        assert {"pool", "sum", "leaky", "hidden", "out"} <= layers.keys()


@pytest.mark.parametrize(
    ("change", "places"), [({"epsilon": 0.3}, ("norm",)), ({"slope": 0.25}, ("leaky",))], ids=["norm", "leaky"]
)
@pytest.mark.parametrize("name", WITH_INSIDE)
def test_first_layer_that_differs_is_found_inside(artifacts, name, change, places):
    other = network(**change)
    report = compare(other, artifacts[name])
    assert not report.passed
    assert report.place[0] in places
    assert f"nor of what reads it; the nearest, {report.place[1]}, has " in report.causes[0]
    assert json.loads(json.dumps(report.to_json()))["place"] == list(report.place)


def test_savedmodel_is_run_only_if_it_is_trusted(artifacts, monkeypatch):
    monkeypatch.delenv("TRIVIUM_TRUST", raising=False)
    with pytest.raises(OptionError, match="the operations of a SavedModel may read and write files: --trust runs it"):
        compare(artifacts["keras"], artifacts["savedmodel"])


def test_module_of_tensorflow_against_keras(backend):
    tf = pytest.importorskip("tensorflow", reason="needs TensorFlow")
    model = network()
    weights = [tf.constant(array) for array in model.get_weights()]

    class Network(tf.Module):
        def __call__(self, picture):
            kernel, bias, gamma, beta, mean, variance, point, shift, *rest = self.ordered()
            x = tf.nn.relu(tf.nn.conv2d(picture, kernel, 1, "SAME") + bias)
            x = tf.nn.max_pool2d(x, 2, 2, "VALID")
            left = tf.nn.batch_normalization(x, mean, variance, beta, gamma, 1e-3)
            x = tf.nn.leaky_relu(left + tf.nn.conv2d(x, point, 1, "SAME") + shift, 0.2)
            x = tf.tanh(tf.reshape(x, (-1, 80)) @ rest[0] + rest[1])
            return x @ rest[2] + rest[3]

        def ordered(self):
            names = [variable.path for variable in model.weights]
            order = ["conv/kernel", "conv/bias", "norm/gamma", "norm/beta", "norm/moving_mean", "norm/moving_variance"]
            order += ["point/kernel", "point/bias", "hidden/kernel", "hidden/bias", "out/kernel", "out/bias"]
            return [weights[names.index(name)] for name in order]

    assert compare(model, Network()).passed
    report = compare(network(slope=0.25), (Network(), (np.zeros((1, 8, 8, 2), "float32"),)))
    assert not report.passed


def test_graph_that_cannot_be_rebuilt_is_computed_by_its_runtime(artifacts, tmp_path):
    onnx = pytest.importorskip("onnx", reason="needs ONNX")
    graph = onnx.load(str(artifacts["onnx"]))
    output = graph.graph.output[0].name
    last = next(node for node in graph.graph.node if output in node.output)
    last.output[list(last.output).index(output)] = "before"
    graph.graph.node.append(onnx.helper.make_node("Det", ["before"], ["unused"]))
    graph.graph.node[-1].op_type, graph.graph.node[-1].output[0] = "Identity", output
    graph.graph.node.append(onnx.helper.make_node("Shrink", ["before"], ["ignored"], lambd=0.5))
    graph.graph.output.append(onnx.helper.make_empty_tensor_value_info("ignored"))
    del graph.graph.output[1]
    onnx.save(graph, str(tmp_path / "net.onnx"))
    report = compare(artifacts["keras"], tmp_path / "net.onnx")
    assert report.passed, report.finding


def test_what_an_artifact_cannot_do_is_refused(artifacts, tmp_path):
    with pytest.raises(OptionError, match="are both artifacts: compare each with the model it came from"):
        compare(artifacts["litert"], artifacts["openvino"])
    with pytest.raises(OptionError, match="an artifact computes as it is"):
        compare(artifacts["keras"], artifacts["litert"], copy=tmp_path / "copy.keras")
