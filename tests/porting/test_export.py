"""An artifact predicts in its own runtime what the model predicts, describes its inputs and outputs, or is not kept.

These tests port one recipe of each kind to every format; `python -m trivium.porting.matrix`, which is slow, ports all.
"""

import hashlib
import json
import subprocess
import sys

import numpy as np
import pytest

from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.prediction.evaluation import predict
from trivium.errors import DataError, OptionError, PortError
from trivium.porting import export, targets
from trivium.porting.port import port

FORMATS = [target.name for target in targets.FORMATS]


def require(name):
    """Skip if the format's packages are missing: only the environment with all frameworks must have them."""
    try:
        return targets.hosts(targets.find(name))
    except PortError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def sources(saved_runs, backend, tmp_path_factory):
    """Return the bundles of a dense, a convolutional and a recurrent recipe."""
    from trivium.porting.matrix import train_bundle

    path = tmp_path_factory.mktemp("dense") / "bundle.trivium"
    train_bundle("dense/small", str(path))
    return {"dense": path, **{name: folder / "bundle.trivium" for name, folder in saved_runs.items()}}


@pytest.fixture(scope="module")
def ported(sources, tmp_path_factory):
    """Return a function that ports a bundle to a format, each once, and returns the report and the folder."""
    reports = {}

    def report(name, recipe):
        if (name, recipe) not in reports:
            out = tmp_path_factory.mktemp(f"{recipe}-{name}") / "there"
            reports[name, recipe] = port(sources[recipe], name, out), out
        return reports[name, recipe]

    return report


@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", ["dense", "striding", "lstm"])
@pytest.mark.parametrize("name", FORMATS)
def test_an_artifact_predicts_what_the_model_predicts(name, recipe, sources, ported, backend):
    hosts = require(name)
    report, folder = ported(name, recipe)
    assert report.passed, report.to_json()
    assert [check.inputs for check in report.checks] == ["recorded", "random", "single", "extreme"]
    assert [check.difference.samples for check in report.checks] == [32, 33, 1, 3]
    assert all(check.tolerance == 1e-5 for check in report.checks)
    assert {check.against for check in report.checks} == {backend.name}
    assert report.host == hosts[0].backend
    note = json.loads((folder / "port.json").read_text())
    assert note["files"] == sorted({path.name for path in folder.iterdir()} - {"port.json"})
    assert note["source_file"]["sha256"] == hashlib.sha256(sources[recipe].read_bytes()).hexdigest()
    assert note["raw_inputs"] == (recipe != "lstm")
    if recipe == "lstm":
        assert "'window'" in note["prepared_because"]
        assert (note["inputs"][0]["shape"], note["outputs"][0]["shape"]) == ([None, 3, 1], [None, 1])
    else:
        assert note["labels"] == list("0123456789")
        assert note["inputs"][0]["shape"] == [None, 28, 28]
        assert (note["inputs"][0]["dtype"], note["outputs"][0]["dtype"]) == ("uint8", "float32")
        assert {check.agreement for check in report.checks} == {1.0}


RUNNING = {
    "savedmodel": "import tensorflow; model = tensorflow.saved_model.load('there'); outputs = model.serve(x).numpy()",
    "onnx": "import onnxruntime; outputs = onnxruntime.InferenceSession('there/model.onnx').run(None, {'raw': x})[0]",
    # Its default is half precision if the processor supports it.
    "openvino": "import openvino; precise = {'INFERENCE_PRECISION_HINT': 'f32'}; "
    "outputs = openvino.Core().compile_model('there/model.xml', 'CPU', precise)({'raw': x})[0]",
    "litert": "from ai_edge_litert.interpreter import Interpreter; "
    "runner = Interpreter('there/model.tflite').get_signature_runner(); outputs = runner(raw=x)['output_0']",
    "torch-export": "import torch; net = torch.export.load('there/model.pt2').module(); "
    "outputs = net(torch.from_numpy(x)).detach()",
}
LABELS = {
    "onnx": "session = onnxruntime.InferenceSession('there/model.onnx'); "
    "labels = json.loads(session.get_modelmeta().custom_metadata_map['labels'])",
    "openvino": "model = openvino.Core().read_model('there/model.xml'); "
    "labels = json.loads(model.get_rt_info(['trivium', 'labels']).value)",
    "litert": "import zipfile; labels = zipfile.ZipFile('there/model.tflite').read('labels.txt').decode().split()",
    "torch-export": "files = {'port.json': ''}; torch.export.load('there/model.pt2', extra_files=files); "
    "labels = json.loads(files['port.json'])['labels']",
    "savedmodel": "labels = json.load(open('there/port.json'))['labels']",
}


@pytest.mark.several_backends
@pytest.mark.parametrize("name", FORMATS)
def test_the_artifact_alone_gives_labelled_probabilities_for_pixels(name, sources, ported, digits, backend):
    """Run a user's script, without trivium and Keras."""
    require(name)
    folder = ported(name, "dense")[1].parent
    np.save(folder / "x.npy", digits.test.x[:7])
    program = (
        "import sys, json, numpy; sys.modules['keras'] = sys.modules['trivium'] = None; x = numpy.load('x.npy'); "
        f"{RUNNING[name]}; {LABELS[name]}; numpy.save('y.npy', outputs); assert labels == list('0123456789'), labels"
    )
    subprocess.run([sys.executable, "-P", "-c", program], cwd=folder, check=True, timeout=120)
    expected = predict(sources["dense"], digits.test.x[:7]).outputs
    np.testing.assert_allclose(np.load(folder / "y.npy"), expected, rtol=0, atol=2e-6)


@pytest.mark.several_backends
def test_an_artifact_takes_prepared_inputs_on_request(sources, backend, tmp_path):
    require("onnx")
    report = port(sources["dense"], "onnx", tmp_path / "digits.onnx", raw_inputs=False)
    assert report.passed
    assert report.artifact == tmp_path / "digits.onnx"
    assert report.facts["inputs"][0]["shape"] == [None, 784]
    assert report.facts["inputs"][0]["dtype"] == "float32"
    assert report.facts["preparation"] == bundles.load(sources["dense"]).preprocessing.to_json()


@pytest.mark.several_backends
@pytest.mark.one_environment
@pytest.mark.parametrize("opset", [13, 17])
def test_a_graph_has_operators_of_the_version_that_is_requested(opset, sources, backend, tmp_path):
    require("onnx")
    onnx = pytest.importorskip("onnx")
    report = port(sources["dense"], "onnx", tmp_path / "digits.onnx", opset=opset)
    assert report.passed
    assert {entry.domain: entry.version for entry in onnx.load(report.artifact).opset_import}[""] == opset
    assert json.loads((tmp_path / "digits.onnx.port.json").read_text())["opset"] == opset


@pytest.mark.several_backends
@pytest.mark.one_environment
def test_a_version_that_no_exporter_writes_is_refused(sources, backend, tmp_path):
    require("onnx")
    with pytest.raises(PortError, match=r"(?i)unsupported.*opset.*99.*opset 99 is not supported"):
        port(sources["dense"], "onnx", tmp_path / "digits.onnx", opset=99)
    assert list(tmp_path.iterdir()) == []


def test_only_a_graph_of_onnx_has_a_version_of_operators(saved_runs, backend):
    with pytest.raises(OptionError, match="`opset` is the version of ONNX' operators, which a port to litert"):
        port(saved_runs["lstm"], "litert", opset=17)
    with pytest.raises(OptionError, match="the earliest that a runtime of ONNX knows is 7"):
        port(saved_runs["lstm"], "onnx", opset=1)


@pytest.mark.several_backends
def test_an_artifact_with_different_predictions_is_not_kept(sources, backend, tmp_path):
    require("onnx")
    bundle = bundles.load(sources["dense"])
    fields = {name: getattr(bundle, name) for name in Bundle.__dataclass_fields__}
    Bundle(**{**fields, "recorded_outputs": bundle.recorded_outputs + np.float32(1e-3)}).save(tmp_path / "b.trivium")
    report = port(tmp_path / "b.trivium", "onnx")
    assert (report.passed, report.artifact) == (False, None)
    assert [check.passed for check in report.checks] == [False, True, True, True]
    reasons = [f"what Keras on {host.backend} writes predicts differently" for host in require("onnx")]
    assert all(map(str.startswith, report.facts["passed_over"], reasons))
    assert len(report.facts["passed_over"]) == len(reasons)
    assert [path.name for path in tmp_path.iterdir()] == ["b.trivium"]


@pytest.mark.several_backends
@pytest.mark.parametrize("layer", ["GRU", "LSTM"])
def test_the_next_host_is_taken_where_the_first_cannot_write_the_model(layer, backend, tmp_path):
    """PyTorch's export would make the length of the sample a constant; TensorFlow's keeps it open."""
    import keras

    require("onnx")
    import onnxruntime

    model = keras.Sequential([keras.Input((None, 4)), getattr(keras.layers, layer)(5), keras.layers.Dense(3)])
    model.save(tmp_path / "net.keras")
    report = port(tmp_path / "net.keras", "onnx")
    assert report.passed, report.to_json()
    assert report.host == "tensorflow"
    assert "PyTorch's exporters unroll" in report.facts["passed_over"][0]
    assert json.loads((tmp_path / "net-onnx" / "port.json").read_text())["passed_over"] == report.facts["passed_over"]
    session = onnxruntime.InferenceSession(report.artifact)
    for length in (1, 3, 17, 200):
        x = np.random.default_rng(length).normal(size=(2, length, 4)).astype("float32")
        (received,) = session.run(None, {session.get_inputs()[0].name: x})
        np.testing.assert_allclose(received, model.predict(x, verbose=0), atol=1e-5)


@pytest.mark.several_backends
def test_raw_inputs_are_refused_if_the_preprocessing_has_no_layers(sources, backend, tmp_path):
    require("onnx")
    with pytest.raises(DataError, match="the step 'window' has no Keras layer"):
        port(sources["lstm"], "onnx", tmp_path / "there", raw_inputs=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.several_backends
def test_a_stateful_model_is_refused(backend, tmp_path):
    import keras

    require("onnx")
    layers = [keras.Input(batch_shape=(2, 3, 1)), keras.layers.LSTM(2, stateful=True, name="memory")]
    keras.Sequential(layers).save(tmp_path / "net.keras")
    with pytest.raises(PortError, match="memory remembers from one batch to the next, which ONNX does not"):
        port(tmp_path / "net.keras", "onnx")


@pytest.mark.several_backends
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_a_plain_model_file_is_ported_too(ending, backend, tmp_path):
    import keras

    require("onnx")
    layers = [keras.Input((4,)), keras.layers.Dense(3, activation="softmax")]
    model = keras.Sequential(layers)
    model.save(tmp_path / f"net{ending}")
    report = port(tmp_path / f"net{ending}", "onnx")
    assert report.passed
    assert report.source == "keras"
    assert report.artifact == tmp_path / "net-onnx" / "model.onnx"
    assert report.facts["raw_inputs"] is False


@pytest.mark.several_backends
@pytest.mark.parametrize("name", FORMATS)
def test_several_inputs_and_outputs_keep_their_order(name, backend, tmp_path):
    import keras

    require(name)
    inputs = [keras.Input((5,), name="wide"), keras.Input((2,), name="narrow")]
    both = keras.layers.concatenate([keras.layers.Dense(3)(inputs[0]), keras.layers.Dense(4)(inputs[1])])
    outputs = [keras.layers.Dense(2, name="small")(both), keras.layers.Dense(6, name="large")(both)]
    keras.Model(inputs, outputs).save(tmp_path / "net.keras")
    report = port(tmp_path / "net.keras", name)
    assert report.passed
    assert [tensor["shape"] for tensor in report.facts["inputs"]] == [[None, 5], [None, 2]]
    assert [tensor["shape"] for tensor in report.facts["outputs"]] == [[None, 2], [None, 6]]


def test_a_port_to_a_backend_refuses_raw_inputs(saved_runs, backend):
    with pytest.raises(OptionError, match="keeps its preprocessing beside the model"):
        port(saved_runs["lstm"], backend.name, raw_inputs=True)


def test_a_cast_to_integers_rounds_and_stays_in_range():
    values = np.array([-3.0, 0.4999, 126.99999, 254.6, 300.0])
    np.testing.assert_array_equal(export.as_dtype(values, "uint8"), np.array([0, 0, 127, 255, 255], "uint8"))
    assert export.as_dtype(values, "float32").dtype == "float32"


@pytest.mark.several_backends
def test_patches_are_written_by_pytorch_too(backend, tmp_path):
    """PyTorch's exporter to ONNX refuses a kernel, and a shape to normalize, that it must compute."""
    import keras

    require("onnx")
    pictures = keras.Input((16, 16, 3))
    patches = keras.ops.reshape(keras.ops.image.extract_patches(pictures, 8), (-1, 4, 192))
    patches = keras.layers.LayerNormalization()(keras.layers.Dense(5)(patches))
    keras.Model(pictures, patches).save(tmp_path / "net.keras")
    report = port(tmp_path / "net.keras", "onnx")
    assert report.passed, report.to_json()
    assert (report.host, report.facts.get("passed_over")) == ("torch", None)


def test_weights_that_pytorch_does_not_know_as_parameters_are_written(backend, tmp_path):
    """KerasHub's vision transformer sets its attributes past PyTorch, whose exporter to ONNX then refuses them."""
    if backend.name != "torch":
        pytest.skip("PyTorch writes this file")
    require("onnx")
    import keras
    import onnxruntime

    from trivium.porting.keras_export import _export

    class Aside(keras.Model):
        __setattr__ = object.__setattr__

    inputs = keras.Input((4,), name="features")
    model = Aside(inputs, keras.layers.Dense(3)(inputs))
    assert not list(model.parameters())
    _export(model, targets.find("onnx"), False, str(tmp_path / "net.onnx"), {})
    x = np.random.default_rng(0).normal(size=(5, 4)).astype("float32")
    (answer,) = onnxruntime.InferenceSession(tmp_path / "net.onnx").run(None, {"features": x})
    np.testing.assert_allclose(answer, model.predict_on_batch(x), rtol=1e-5, atol=1e-6)
    assert all(variable.value.requires_grad for variable in model.trainable_variables)


def test_only_what_has_loops_is_copied_for_unrolling(backend):
    import keras

    from trivium.porting.keras_export import _has_loops

    assert _has_loops(keras.Sequential([keras.Input((5, 2)), keras.layers.Bidirectional(keras.layers.LSTM(2))]))
    assert not _has_loops(keras.Sequential([keras.Input((5, 2)), keras.layers.Dense(2)]))
