"""`trivium port`: a move is done only when it was verified, and a move that fails leaves nothing behind."""

import dataclasses
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import schemas

import trivium
from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles import keras_files
from trivium.engine.prediction.evaluation import predict
from trivium.errors import PortError
from trivium.functions import load_function
from trivium.porting import targets

PROGRAMS = Path(__file__).parents[1] / "helpers" / "written_programs.py"


def altered(source, path, by):
    """A bundle whose recorded answers are not those of its model."""
    original = bundles.load(source)
    dataclasses.replace(original, recorded_outputs=original.recorded_outputs + np.float32(by)).save(path)
    return path


@pytest.mark.one_environment
def test_a_port_is_kept_with_its_proof(cli, here, saved_runs, backend, shared_worker, digits):
    shown = cli("port", saved_runs["striding"], "--to", backend.name, "--out", "moved/there.trivium", "--json")
    assert shown.code == 0
    report = json.loads(shown.out)
    assert report["schema"] == 1
    assert (report["source"], report["target"], report["host"]) == (backend.name,) * 3
    assert report["artifact"] == "moved/there.trivium"
    assert report["verdict"] == "same"
    assert 0 <= report["largest_difference"] <= 1e-5
    predicted = {check["what"]: check for check in report["checks"] if check["what"].startswith("predictions")}
    assert {*predicted} == {f"predictions of {inputs} inputs" for inputs in ("recorded", "random", "single", "extreme")}
    assert report["largest_difference"] == max(check["difference"] for check in predicted.values())
    assert {check["top1_agreement"] for check in predicted.values()} == {1.0}
    assert {check["what"] for check in report["checks"]} > {"loss", "gradients", "weights after one more step"}
    assert all(check["passed"] and check["difference"] <= check["tolerance"] for check in report["checks"])
    x = digits.test.x[:7]
    moved, original = predict(here / "moved/there.trivium", x), predict(saved_runs["striding"], x)
    np.testing.assert_allclose(moved.outputs, original.outputs, rtol=0, atol=1e-6)
    assert bundles.load(here / "moved/there.trivium").run["ported"] == [report]


@pytest.mark.one_environment
def test_a_ported_bundle_lies_beside_its_source(cli, saved_runs, backend, tmp_path, shared_worker):
    run = shutil.copytree(saved_runs["lstm"], tmp_path / "run")
    shown = cli("port", run, "--to", backend.name)
    assert shown.code == 0
    artifact = run / f"bundle-{backend.name}.trivium"
    assert artifact.is_file()
    assert f"{backend.name} → {backend.name}: the same predictions, kept as {artifact}" in shown.out
    for inputs in ("recorded", "random", "single", "extreme"):
        assert any(line.split()[:1] == [inputs] for line in shown.out.splitlines())
    assert "weights after one more step" in shown.out


def test_a_model_that_answers_differently_is_not_kept(cli, here, saved_runs, backend, tmp_path, shared_worker):
    source = altered(saved_runs["striding"], tmp_path / "altered.trivium", by=0.01)
    shown = cli("port", source, "--to", backend.name, "--out", "out/moved.trivium", "--json")
    assert shown.code == 1
    report = json.loads(shown.out)
    assert (report["verdict"], report["artifact"]) == ("different", None)
    assert {check["what"]: check["passed"] for check in report["checks"]}["predictions of recorded inputs"] is False
    assert report["largest_absolute_difference"] == pytest.approx(0.01, rel=1e-2)
    assert list(here.iterdir()) == []
    text = " ".join(cli("port", source, "--to", backend.name).out.split())
    assert "DIFFERENT predictions (for recorded inputs, the port is off by" in text
    assert "nothing kept" in text


def test_a_target_that_cannot_be_is_refused(refused, saved_runs, others, not_installed):
    assert "unknown target 'nosuch'" in refused("port", saved_runs["lstm"], "--to", "nosuch")
    not_installed(*others)
    line = refused("port", saved_runs["lstm"], "--to", others[0])
    assert f"'{others[0]}' is not installed" in line
    assert f"pip install 'trivium[{others[0]}]'" in line


def test_a_source_that_cannot_be_read_is_refused(refused, backend, saved_runs, tmp_path):
    assert "no bundle at nosuch" in refused("port", "nosuch", "--to", backend.name)
    path = tmp_path / "short.trivium"
    path.write_bytes((saved_runs["lstm"] / "bundle.trivium").read_bytes()[:-50])
    assert f"{path} is not a bundle" in refused("port", path, "--to", backend.name)


def test_a_place_that_cannot_be_written_to_is_refused_before_the_work(refused, here, saved_runs, backend):
    (here / "folder").mkdir()
    (here / "file").write_text("something")
    messages = {"folder": "folder is a folder", "file/below.trivium": "file is a file"}
    for out, what in messages.items():
        line = refused("port", saved_runs["lstm"], "--to", backend.name, "--out", out)
        assert line == f"trivium: {what}: choose another --out"


def test_raw_inputs_are_refused_for_a_backend(refused, saved_runs, backend):
    line = refused("port", saved_runs["lstm"], "--to", backend.name, "--raw-inputs")
    assert "keeps its preprocessing beside the model" in line


def test_a_version_of_operators_is_refused_for_another_format(refused, saved_runs, backend):
    line = refused("port", saved_runs["lstm"], "--to", backend.name, "--opset", "17")
    assert "version of ONNX' operators, which a port to" in line
    assert "--opset" in refused("port", saved_runs["lstm"], "--to", "onnx", "--opset", "1")


def test_a_network_of_pytorch_comes_back_to_keras(cli, here, backend, shared_worker):
    pytest.importorskip("torch")
    (here / "net.pt2").write_bytes(load_function(f"{PROGRAMS}:program_bytes")())
    shown = cli("port", "net.pt2", "--to", "keras", "--out", "net.keras")
    assert shown.code == 0, shown
    assert sorted(path.name for path in here.iterdir()) == ["net.keras", "net.keras.port.json", "net.pt2"]
    assert "takes x (any, 3) float32" in shown.out
    assert "torch → keras: the same predictions, kept as net.keras" in shown.out
    model = keras_files.load_model(here / "net.keras")
    assert [layer.name for layer in model.layers] == ["x", "net_dense", "activation"]


def test_a_network_that_cannot_come_back_is_refused(refused, backend, tmp_path):
    pytest.importorskip("torch")
    strange = load_function(f"{PROGRAMS}:program")(
        extra=[("aten.thing.default", {"self": {"as_tensor": {"name": "relu"}}}, "y")]
    )
    (tmp_path / "net.pt2").write_bytes(load_function(f"{PROGRAMS}:program_bytes")(strange))
    line = refused("port", tmp_path / "net.pt2", "--to", "keras", with_progress=True)
    assert "net.pt2 has operators that cannot be rebuilt in Keras: aten.thing.default; teach it" in line


@pytest.mark.several_backends
def test_a_port_to_a_format_says_what_it_takes_and_gives(cli, here, saved_runs, backend):
    try:
        targets.hosts(targets.find("onnx"))
    except PortError as error:
        pytest.skip(str(error))
    shown = cli("port", saved_runs["striding"], "--to", "onnx", "--out", "digits.onnx")
    assert shown.code == 0, shown
    assert sorted(path.name for path in here.iterdir()) == ["digits.onnx", "digits.onnx.port.json"]
    assert "takes raw (any, 28, 28) uint8" in shown.out
    assert "(any, 10) float32, the probabilities of 0, 1, 2, " in shown.out
    assert f"{backend.name} → onnx: the same predictions, kept as digits.onnx" in shown.out


@pytest.mark.one_environment
@pytest.mark.parametrize(
    ("units", "said"),
    [(3, "the logits of 0, 1, 2 (softmax gives"), (1, "the logit of 1 (sigmoid gives")],
)
def test_a_port_of_logits_says_that_they_are_logits(cli, here, backend, shared_worker, units, said):
    import keras

    classes = max(2, units)
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(units)])
    run = trivium.train(model, (np.random.rand(30, 4).astype("float32"), np.arange(30) % classes), epochs=1)
    bundles.Bundle.of(run).save(here / "bundle.trivium")
    shown = cli("port", "bundle.trivium", "--to", f"source:{backend.name}", "--out", "net")
    assert f"(any, {units}) float32, {said} probabilities)" in " ".join(shown.out.split())
    record = json.loads((here / "net/port.json").read_text())
    schemas.validate("files/port", record)
    assert record["output_kinds"] == ["logits"]
    assert ": logits. A softmax" in (here / "net/README.md").read_text()


@pytest.mark.several_backends
def test_a_port_to_every_other_backend_gives_the_same_predictions(cli, here, saved_runs, backend, digits):
    x, name = digits.test.x[:7], backend.name
    original = predict(saved_runs["striding"], x).outputs
    for other in catalog.trainers():
        if other == backend:
            continue
        shown = cli("port", saved_runs["striding"], "--to", other.name, "--out", f"{other.name}.trivium", "--json")
        report = json.loads(shown.out)
        assert (shown.code, report["source"], report["target"], report["verdict"]) == (0, name, other.name, "same")
        assert {tuple(check["backends"]) for check in report["checks"]} == {(name, other.name)}
        prepared = bundles.load(here / f"{other.name}.trivium").preprocessing.inputs(x)
        answers = worker.get(other.name).call(
            "trivium.porting.source_model:predict_batches", str(here / f"{other.name}.trivium"), {"x": [prepared]}
        )
        np.testing.assert_allclose(answers["x"][0], original, rtol=0, atol=1e-5)


@pytest.mark.plain
def test_what_cannot_be_quantised_is_refused(refused):
    assert "a port to jax cannot be quantised" in refused("port", "nosuch", "--to", "jax", "--quantize", "int8")
    assert "--quantize 'int4' is no method" in refused("port", "nosuch", "--to", "onnx", "--quantize", "int4")
    assert "--max-drop" in refused("port", "nosuch", "--to", "onnx", "--max-drop", "1")


@pytest.mark.several_backends
def test_a_quantised_port_tells_what_it_saves(cli, here, saved_runs):
    pytest.importorskip("onnxruntime", reason="needs ONNX Runtime")
    options = ("--to", "onnx", "--out", "there.onnx", "--quantize", "float16", "--max-drop", "5")
    shown = cli("port", saved_runs["striding"], *options)
    assert shown.code == 0, shown
    rows = {line.split("  ")[0].strip(): line.split() for line in shown.out.splitlines()}
    before, after = (int(cell.replace(",", "")) for cell in rows["bytes"][-2:])
    assert (here / "there.onnx").stat().st_size == after < 0.7 * before
    assert rows["accuracy"][-2] == "1"
    assert "measured on the same answers for the 32 samples that the bundle recorded" in " ".join(shown.out.split())
