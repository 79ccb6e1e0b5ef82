"""A model that takes any length is ported for any length, or refused with the reason.

Every model in every format is a long proof; the cells in `DAILY` are what once was wrong at some length.
"""

import json

import models_of_any_length as open_models
import numpy as np
import pytest

from trivium.engine.keras_model import open_axes
from trivium.errors import PortError, WorkerError
from trivium.porting import targets
from trivium.porting.port import port

TARGETS = [target.name for target in targets.FORMATS] + [f"source:{name}" for name in ("torch", "jax", "tensorflow")]
# The host that writes what the first one writes wrongly or not at all.
HOSTS = {("attention", "openvino"): "tensorflow"} | {
    (loop, name): "tensorflow" for loop in open_models.LOOPS for name in ("onnx", "openvino", "litert")
}
DAILY = [("gru", "litert"), ("masked", "openvino"), ("attention", "openvino"), ("picture", "torch-export")]
CELLS = [(model, target) for model in open_models.MODELS for target in TARGETS]


@pytest.fixture
def ported(backend, tmp_path):
    """Return a function that builds and ports a model, and returns it with the report."""

    def build(name, target, **options):
        if not target.startswith(targets.SOURCE):
            try:
                targets.hosts(targets.find(target))
            except PortError as error:
                pytest.skip(str(error))
        model = open_models.MODELS[name]()
        model.save(tmp_path / "net.keras")
        return model, port(tmp_path / "net.keras", target, tmp_path / "there", **options)

    return build


def check(name, target, ported, folder):
    if name in open_models.LOOPS and target == "torch-export":
        with pytest.raises(PortError, match=r"unroll .* needs a known length: declare it"):
            ported(name, target)
        return
    model, report = ported(name, target)
    assert report.passed, report.to_json()
    assert report.host == HOSTS.get((name, target), report.host)
    batches = open_models.batches_of(model)
    received = open_models.run_port(report, batches, folder)
    for key, (x,) in batches.items():
        expected = model.predict(x, verbose=0)
        np.testing.assert_allclose(received[key][0], expected, rtol=0, atol=1e-5 * abs(expected).max(), err_msg=key)


@pytest.mark.several_backends
@pytest.mark.one_environment
@pytest.mark.parametrize(("name", "target"), DAILY)
def test_a_port_is_right_at_any_length(name, target, ported, tmp_path):
    check(name, target, ported, tmp_path / "copy")


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize(("name", "target"), [cell for cell in CELLS if cell not in DAILY])
def test_every_port_is_right_at_any_length(name, target, ported, tmp_path):
    check(name, target, ported, tmp_path / "copy")


@pytest.mark.several_backends
@pytest.mark.one_environment
def test_an_artifact_that_is_right_at_one_length_only_does_not_pass(ported):
    """Attention as PyTorch writes it predicts wrongly in OpenVINO if the first length was 1."""
    _, report = ported("attention", "openvino")
    assert (report.passed, report.host) == (True, "tensorflow")
    assert report.facts["passed_over"][0].startswith("what Keras on torch writes predicts differently (by ")
    lengths = ["length 1", "length 3", "length 17", "length 200"]
    assert [check.inputs for check in report.checks] == [*lengths, "recorded", "random", "single", "extreme"]


@pytest.mark.several_backends
@pytest.mark.one_environment
def test_a_runtime_that_fails_at_some_length_says_at_which(ported, tmp_path):
    _, report = ported("convolution", "onnx")
    with pytest.raises(WorkerError, match=r"^narrow inputs of shape \(2, 3, 1\): InvalidArgument: "):
        open_models.run_port(report, {"narrow": [np.ones((2, 3, 1), "float32")]}, tmp_path)


@pytest.mark.several_backends
@pytest.mark.one_environment
def test_the_axes_of_a_graph_have_names(ported, tmp_path):
    _, report = ported("bidirectional", "onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(report.artifact)
    assert session.get_inputs()[0].shape == ["batch", "time", 4]
    assert session.get_outputs()[0].shape == ["batch", "time", 3]
    assert json.loads((tmp_path / "there" / "port.json").read_text())["axes"]["inputs"] == [["batch", "time", None]]


@pytest.mark.several_backends
@pytest.mark.one_environment
def test_the_axes_of_a_picture_have_names(ported):
    _, report = ported("picture", "openvino")
    openvino = pytest.importorskip("openvino")
    network = openvino.Core().read_model(report.artifact)
    assert openvino.layout_helpers.height_idx(network.inputs[0].node.layout) == 1
    assert openvino.layout_helpers.width_idx(network.inputs[0].node.layout) == 2
    assert "HEIGHT" in str(network.outputs[0].node.layout).upper()  # half of the input's, so its own axis


def test_a_model_is_tried_at_the_sizes_that_it_takes(backend):
    import keras

    layers = keras.layers
    assert [*open_axes.output_shapes(open_models.lstm())] == open_models.LENGTHS
    assert [*open_axes.output_shapes(open_models.picture())] == open_models.SIZES
    narrow = keras.Sequential([keras.Input((None, 4)), layers.Conv1D(2, 20)])
    assert [*open_axes.output_shapes(narrow)] == [(200,), (32,), (64,), (128,)]
    assert open_axes.usual_size(narrow) == (32,)
    assert open_axes.output_shapes(keras.Sequential([keras.Input((3,)), layers.Dense(2)])) == {}


def test_a_model_with_a_table_of_positions_is_tried_at_lengths_within_it(backend):
    import keras

    x = keras.Input((None,), dtype="int32")
    positions = keras.ops.cumsum(keras.ops.ones_like(x), axis=1)
    model = keras.Model(x, keras.layers.Embedding(20, 3)(positions))
    assert [*open_axes.output_shapes(model)] == [(1,), (3,), (17,)]


def test_an_output_axis_has_the_name_of_the_input_axis_that_is_as_long(backend):
    import keras

    layers = keras.layers
    x = keras.Input((None, 4))
    outputs = [layers.Conv1D(3, 1)(x), layers.MaxPooling1D(2, padding="same")(x)]
    assert names_of(keras.Model(x, outputs))["outputs"] == [["batch", "time", None], ["batch", "output_1_time", None]]


def test_the_axes_of_several_inputs_have_names_of_their_own(backend):
    import keras

    inputs = [keras.Input((None, 4), name="first"), keras.Input((None, 2), name="second")]
    names = names_of(keras.Model(inputs, keras.layers.Dense(3)(inputs[1])))
    assert names["inputs"] == [["batch", "first_time", None], ["batch", "second_time", None]]
    # Both inputs were tried at the same lengths, which does not tell whose axis this is.
    assert names["outputs"] == [["batch", "output_time", None]]


def names_of(model):
    return open_axes.axis_names(model, open_axes.output_shapes(model))
