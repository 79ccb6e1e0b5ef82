"""Networks of PyTorch and ONNX are ported to Keras and verified, or nothing is written."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import trivium
from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.engine.bundles import keras_files
from trivium.engine.verification import parity
from trivium.errors import FileError, OptionError, PortError
from trivium.functions import load_function
from trivium.porting.port import port

MODULES, WRITTEN = (
    Path(__file__).parents[1] / "helpers" / f"{name}.py" for name in ("modules_for_to_keras", "written_programs")
)
NAMES = (
    *("dense", "cnn", "depthwise and groups", "autoencoder", "lstm", "gru", "transformer", "arithmetic", "shapes"),
    *("unusual pools", "shared"),
)
MORE = ("along one axis", "in space", "decoder", "lstm, time first", "gru of several layers", "rnn", "merged")
ONNX = ("resnet", "lstm", "transformer", *(pytest.param(n, marks=pytest.mark.slow) for n in ("autoencoder", "shapes")))
program_bytes, honest = (load_function(f"{WRITTEN}:{name}") for name in ("program_bytes", "program"))


def needs(*packages):
    for package in packages:
        pytest.importorskip(package)


@pytest.mark.parametrize("name", [*NAMES, *(pytest.param(name, marks=pytest.mark.slow) for name in MORE)])
def test_a_rebuilt_module_predicts_the_same(backend, shared_worker, tmp_path, name):
    needs("torch")
    module, inputs = load_function(f"{MODULES}:make_module")(name)
    module.train()
    report = trivium.port_from_torch(module, inputs, tmp_path / "net.keras")
    assert report.passed, report.to_json()
    assert [check.difference.samples for check in report.checks] == [len(inputs[0]), 33, 1, 3]
    assert module.training
    assert sorted(path.name for path in tmp_path.iterdir()) == ["net.keras", "net.keras.port.json"]
    assert keras_files.examine(tmp_path / "net.keras").code == ()


def test_a_resnet_keeps_the_names_of_its_layers(backend, shared_worker, tmp_path):
    needs("torch")
    module, inputs = load_function(f"{MODULES}:make_module")("resnet")
    report = trivium.port_from_torch(module, inputs, tmp_path / "net.keras")
    assert report.passed, report.to_json()
    model = keras_files.load_model(report.artifact)
    names = {layer.name for layer in model.layers}
    assert names >= {"conv1", "bn1", "layer1_0_conv1", "layer2_0_downsample_0", "layer2_0_downsample_1", "fc"}
    counted = sum(parameter.numel() for parameter in module.parameters())
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == counted


def test_a_module_that_pytorch_cannot_export_is_refused_in_one_line(backend, tmp_path):
    needs("torch")
    import torch

    class Branching(torch.nn.Module):
        def forward(self, x):
            return x if x.sum() > 0 else -x

    with pytest.raises(PortError, match=r"torch\.export cannot export Branching") as caught:
        trivium.port_from_torch(Branching(), (torch.ones(2, 3),), tmp_path / "net.keras")
    assert len(str(caught.value).splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


def test_all_unknown_operators_of_a_module_are_named_in_one_error(backend, shared_worker, tmp_path):
    needs("torch")
    import torch

    class Strange(torch.nn.Module):
        def forward(self, x):
            return torch.special.bessel_j0(torch.cumprod(x, 1))

    with pytest.raises(PortError, match=r"aten\.cumprod\.default, aten\.special_bessel_j0\.default; teach it"):
        trivium.port_from_torch(Strange(), (torch.ones(2, 3),), tmp_path / "net.keras")
    assert list(tmp_path.iterdir()) == []


def test_a_hand_written_program_is_ported(backend, shared_worker, tmp_path):
    needs("torch")
    (tmp_path / "net.pt2").write_bytes(program_bytes())
    report = port(tmp_path / "net.pt2", "keras")
    assert report.passed
    assert report.artifact == tmp_path / "net-keras" / "model.keras"
    note = json.loads((tmp_path / "net-keras" / "port.json").read_text())
    assert (note["source"], note["target"], note["host"]) == ("torch", "keras", backend.name)
    assert note["operators"] == {"aten.linear.default": 1, "aten.relu.default": 1}
    assert [check["what"] for check in note["checks"]] == [
        f"predictions of {inputs} inputs" for inputs in ("recorded", "random", "single", "extreme")
    ]
    assert note["largest_difference"] <= parity.tolerance("float32")


def test_a_network_with_different_predictions_is_not_kept(backend, shared_worker, tmp_path, monkeypatch):
    """Wrongly read weights are noticed, because PyTorch reads the file itself."""
    needs("torch")
    from trivium.porting import to_keras

    (tmp_path / "net.pt2").write_bytes(program_bytes())
    right = to_keras.for_source
    monkeypatch.setattr(
        to_keras, "for_source", lambda *arguments: {k: [x + 0.01 for x in v] for k, v in right(*arguments).items()}
    )
    report = port(tmp_path / "net.pt2", "keras")
    assert not report.passed
    assert report.artifact is None
    assert [path.name for path in tmp_path.iterdir()] == ["net.pt2"]


def test_a_file_that_is_not_a_network_is_refused(tmp_path, backend):
    with pytest.raises(PortError, match=r"neither a torch.export program \(.pt2\) nor an ONNX graph"):
        port(tmp_path / "net.keras", "keras")
    with pytest.raises(FileError, match="no file at"):
        port(tmp_path / "net.onnx", "keras")
    with pytest.raises(PortError, match="--to keras; then port the result"):
        port(tmp_path / "net.pt2", "onnx")
    with pytest.raises(OptionError, match="brings no preprocessing"):
        port(tmp_path / "net.pt2", "keras", raw_inputs=True)


def test_a_program_is_refused_without_pytorch_with_its_pip_command(tmp_path, backend, monkeypatch):
    if catalog.find("torch").installed:
        pytest.skip("PyTorch is installed here; the other environments run this")
    (tmp_path / "net.pt2").write_bytes(program_bytes())
    with pytest.raises(PortError, match=r"pip install 'trivium\[torch\]'"):
        port(tmp_path / "net.pt2", "keras")


# --- several backends -------------------------------------------------------------------------------------------------


def train(path, seed=0):
    """Train a model file with plain Keras for a few epochs, and return the losses; runs in a worker."""
    import keras

    keras.utils.set_random_seed(seed)
    model = keras.saving.load_model(path)
    generator = np.random.default_rng(0)
    x = [
        generator.standard_normal((32, *(n or 8 for n in tensor.shape[1:]))).astype("float32")
        for tensor in model.inputs
    ]
    y = generator.standard_normal((32, *(n or 8 for n in model.outputs[0].shape[1:]))).astype("float32")
    model.compile(keras.optimizers.Adam(0.005), "mse")
    return model.fit(x if len(x) > 1 else x[0], y, epochs=5, batch_size=8, verbose=0).history["loss"]


@pytest.mark.several_backends
@pytest.mark.parametrize("name", ONNX)
def test_an_onnx_graph_from_pytorch_is_ported(backend, tmp_path, name):
    needs("onnx", "onnxscript")
    worker.get("torch").call(f"{MODULES}:export_onnx", name, str(tmp_path / "net.onnx"))
    report = port(tmp_path / "net.onnx", "keras")
    assert report.passed, report.to_json()
    assert report.source == "onnx"


@pytest.mark.several_backends
def test_a_program_of_fixed_batch_size_becomes_a_model_of_any_size_that_trains_on_every_backend(backend, tmp_path):
    worker.get("torch").call(f"{MODULES}:export", "cnn", str(tmp_path / "net.pt2"), "fixed")
    report = port(tmp_path / "net.pt2", "keras", tmp_path / "net.keras")
    assert report.passed, report.to_json()
    assert report.facts["fixed_batch"] == 2
    assert report.facts["inputs"][0]["shape"] == [None, 3, 12, 10]
    for trainer in catalog.trainers():
        losses = worker.get(trainer.name).call(f"{__file__}:train", str(tmp_path / "net.keras"))
        assert losses[-1] < 0.9 * losses[0], trainer.name


def export_source(folder, shape, path):
    """Export the native source in a folder as a `torch.export` program; runs in a worker."""
    import importlib
    import sys

    import torch

    sys.path.insert(0, folder)
    sys.modules.pop("model", None)
    written_source = importlib.import_module("model")
    sys.path.remove(folder)
    inputs = (torch.randn(4, *shape),)
    program = torch.export.export(written_source.load().eval(), inputs, dynamic_shapes=({0: torch.export.Dim.AUTO},))
    torch.export.save(program, path)


@pytest.fixture
def runs(saved_runs, backend, digits, tmp_path):
    """Return the folders of a dense, a convolutional and a recurrent run."""
    from trivium.engine.runs import run_folder
    from trivium.engine.training import saving
    from trivium.engine.training.trainer import Trainer

    run_folder.claim(tmp_path / "dense")
    saving.save(Trainer("dense/small", epochs=1, batch_size=64).fit(digits), tmp_path / "dense")
    return {**saved_runs, "dense": tmp_path / "dense"}


@pytest.mark.several_backends
@pytest.mark.parametrize("run", ["dense", "striding", "lstm"])
def test_a_recipe_survives_the_way_to_source_to_a_program_and_back_to_keras(backend, runs, tmp_path, run):
    assert port(runs[run], "source:torch", tmp_path / "source", raw_inputs=False).passed
    note = json.loads((tmp_path / "source" / "port.json").read_text())
    shape = note["inputs"][0]["shape"][1:]
    options = str(tmp_path / "source"), shape, str(tmp_path / "net.pt2")
    worker.get("torch").call(f"{__file__}:export_source", *options)
    report = port(tmp_path / "net.pt2", "keras", tmp_path / "back.keras")
    assert report.passed, report.to_json()
    x = np.random.default_rng(0).uniform(-1, 1, (16, *shape)).astype("float32")
    path = str(runs[run] / "bundle.trivium")
    (before,), (after,) = (
        worker.get(backend.name).call("trivium.porting.source_model:predict_batches", model_path, {"x": [x]})["x"]
        for model_path in (path, str(tmp_path / "back.keras"))
    )
    assert parity.difference(before, after).within(parity.tolerance("float32"))
    shutil.rmtree(tmp_path / "source")
