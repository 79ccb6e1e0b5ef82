"""A quantised artifact is smaller, is described, and is kept only if it loses little."""

import dataclasses
import importlib.util
import json
import shutil

import numpy as np
import pytest

import trivium
from trivium.data.preprocessing.pipeline import Preprocessing
from trivium.engine.bundles import bundle as bundles
from trivium.engine.keras_model.inference import outputs_of
from trivium.engine.keras_model.loss_names import LOGITS, PROBABILITIES, VALUES
from trivium.engine.keras_model.model_bytes import keras_bytes
from trivium.errors import DataError, OptionError, PortError
from trivium.porting import targets
from trivium.porting.port import port
from trivium.porting.quantization import methods, table
from trivium.porting.quantization.accuracy import OutputReader, Score
from trivium.porting.quantization.calibration import batches_of
from trivium.porting.quantization.result import Quantization


def require(target, method):
    """Skip if packages are missing: only the environment with all frameworks must have them."""
    try:
        targets.hosts(targets.find(target))
        return methods.resolve_options(target, method, None)
    except PortError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def run(backend, digits, tmp_path_factory):
    """The folder of a run on digits in a file, which can be read again."""
    folder = tmp_path_factory.mktemp("digits")
    arrays = {"x_train": digits.train.x, "y_train": digits.train.y, "x_test": digits.test.x, "y_test": digits.test.y}
    np.savez(folder / "digits.npz", **arrays)
    trivium.train("dense/small", folder / "digits.npz", out=folder / "run", epochs=5, batch_size=32)
    return folder / "run"


@pytest.fixture(scope="module")
def fragile_run(run, tmp_path_factory):
    """The same with one large weight for a pixel that is always black: in 8 bits all the other weights become zero."""
    bundle = bundles.load(run)
    weights = bundle.model.get_weights()
    weights[0][0] = 60
    model = bundle.build()
    model.set_weights(weights)
    recorded = outputs_of(model, bundle.recorded_inputs)
    folder = tmp_path_factory.mktemp("fragile")
    changed = dataclasses.replace(bundle, keras_file=keras_bytes(model), recorded_outputs=recorded)
    changed.save(folder / "bundle.trivium")
    return folder


@pytest.mark.several_backends
@pytest.mark.parametrize("method", methods.METHODS)
@pytest.mark.parametrize("target", methods.TOOLS)
def test_an_artifact_becomes_smaller_and_keeps_its_accuracy(target, method, run, digits, tmp_path):
    require(target, method)
    report = port(run, target, tmp_path / "there", quantize=method, max_drop=5)
    assert report.passed, report.to_json()
    result = report.quantization
    before, after = result.sizes
    assert after < (0.75 if method == "float16" else 0.6) * before
    assert all(0 < milliseconds < 1000 for milliseconds in result.latencies)
    (score,) = result.scores
    assert score.before == pytest.approx(trivium.evaluate(run)["accuracy"])
    assert score.before > 0.3
    note = json.loads((tmp_path / "there" / "port.json").read_text())
    assert note["files"] == sorted({path.name for path in (tmp_path / "there").iterdir()} - {"port.json"})
    assert after == sum((tmp_path / "there" / name).stat().st_size for name in note["files"])
    assert note["quantization"] == json.loads(json.dumps(result.to_json()))
    assert note["quantization"]["test"] == "100 samples of the test part"
    calibration = "128 samples of the training part" if method == "int8" else None
    assert note["quantization"]["calibration"] == calibration
    assert [tensor["dtype"] for tensor in note["inputs"] + note["outputs"]] == ["uint8", "float32"]


@pytest.mark.several_backends
def test_the_written_file_has_the_accuracy_that_is_reported_and_its_description(run, digits, tmp_path):
    require("onnx", "int8")
    import onnxruntime

    report = port(run, "onnx", tmp_path / "there.onnx", quantize="int8", max_drop=5)
    session = onnxruntime.InferenceSession(str(tmp_path / "there.onnx"), providers=["CPUExecutionProvider"])
    (outputs,) = session.run(None, {"raw": digits.test.x})
    assert (outputs.argmax(-1) == digits.test.y).mean() == pytest.approx(report.quantization.scores[0].after)
    entries = session.get_modelmeta().custom_metadata_map
    assert json.loads(entries["labels"]) == list("0123456789")
    assert json.loads(entries["quantization"]) == "int8"


@pytest.mark.several_backends
def test_a_quantised_artifact_that_loses_too_much_is_not_kept(fragile_run):
    require("onnx", "int8-dynamic")
    report = port(fragile_run, "onnx", quantize="int8-dynamic")
    assert all(check.passed for check in report.checks)
    assert (report.passed, report.artifact) == (False, None)
    (score,) = report.quantization.scores
    assert score.drop > 10
    expected = f"int8-dynamic LOSES {score.drop:.2f} percentage points of accuracy (0.5 allowed)"
    assert report.finding == f"the same predictions; {expected}"
    note = report.to_json()
    assert (note["verdict"], note["quantization"]["passed"]) == ("less accurate", False)
    assert note["quantization"]["largest_drop"] == pytest.approx(score.drop)
    assert [path.name for path in fragile_run.iterdir()] == ["bundle.trivium"]
    assert port(fragile_run, "onnx", fragile_run / "port", quantize="int8-dynamic", max_drop=100).passed
    shutil.rmtree(fragile_run / "port")


@pytest.mark.several_backends
def test_recorded_inputs_are_taken_if_the_data_are_not_there_any_more(run, tmp_path):
    require("onnx", "int8")
    bundle = bundles.load(run)
    record = {**bundle.run, "dataset": {**bundle.run["dataset"], "name": str(tmp_path / "gone.npz")}}
    dataclasses.replace(bundle, run=record).save(tmp_path / "b.trivium")
    result = port(tmp_path / "b.trivium", "onnx", quantize="int8", max_drop=5).quantization
    assert result.calibration.startswith("32 samples that the bundle recorded (")
    assert "gone.npz" in result.test
    assert result.scores[0].before == 1.0


@pytest.mark.several_backends
def test_a_model_file_has_no_data_to_measure_on(run, tmp_path):
    require("onnx", "float16")
    (tmp_path / "net.keras").write_bytes(bundles.load(run).keras_file)
    with pytest.raises(PortError, match=r"net\.keras is a model without data"):
        port(tmp_path / "net.keras", "onnx", quantize="float16")


@pytest.mark.plain
@pytest.mark.parametrize(
    ("target", "method", "max_drop", "message"),
    [
        ("onnx", "int4", None, "'int4' is no method"),
        ("onnx", "int8", -1.0, "from 0 to 100"),
        ("onnx", "int8", float("nan"), "from 0 to 100"),
        ("onnx", None, 0.5, "add `quantize`"),
    ],
)
def test_a_wrong_option_is_refused(target, method, max_drop, message):
    with pytest.raises(OptionError, match=message):
        methods.resolve_options(target, method, max_drop)


@pytest.mark.plain
@pytest.mark.parametrize("target", ["jax", "savedmodel", "torch-export", "source:torch", "keras"])
def test_a_target_without_a_tool_is_refused_before_the_source_is_read(target):
    with pytest.raises(PortError, match=f"a port to {target} cannot be quantised: port to onnx, openvino, litert"):
        port("nosuch", target, quantize="int8")


@pytest.mark.plain
def test_a_missing_tool_is_refused_with_the_command_that_installs_it(monkeypatch):
    original = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *rest: None if name == "nncf" else original(name))
    with pytest.raises(PortError, match=r"openvino in int8 needs nncf, .* pip install 'trivium\[quantize\]'"):
        port("nosuch", "openvino", quantize="int8")
    assert methods.resolve_options("openvino", "float16", None).max_drop == 0.5


def reader(kind, labels=(), threshold=None):
    return OutputReader("answer", kind, tuple(labels), Preprocessing(), threshold)


@pytest.mark.plain
def test_the_accuracy_is_that_of_class_numbers_one_hot_rows_and_two_classes():
    before = np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6], [0.3, 0.7]])
    after = before[:, ::-1].copy()
    after[:3] = before[:3]
    numbers = np.array([0, 1, 1, 1])
    expected = Score("answer", "accuracy", 1.0, 0.75)
    assert reader(PROBABILITIES, "ab").score(before, after, numbers) == expected
    assert reader(PROBABILITIES).score(before, after, np.eye(2, dtype="float32")[numbers]) == expected
    logits = np.log(before[:, 1:] / before[:, :1]), np.log(after[:, 1:] / after[:, :1])
    assert reader(LOGITS, "ab").score(*logits, numbers[:, None]) == expected
    assert reader(PROBABILITIES, "ab", 0.65).score(before, before, numbers).before == 0.75
    assert expected.drop == pytest.approx(25)
    assert reader(PROBABILITIES, "ab").score(before, after, None) == expected


@pytest.mark.plain
def test_the_error_of_values_is_relative_to_the_spread_of_the_targets():
    targets_of_values = np.array([1.0, -1.0, 1.0, -1.0])
    before, after = targets_of_values[:, None] + 0.1, targets_of_values[:, None] + 0.3
    score = reader(VALUES).score(before, after, targets_of_values)
    assert (score.measure, score.before, score.after) == ("rms_error", pytest.approx(0.1), pytest.approx(0.3))
    assert score.drop == pytest.approx(20)
    assert reader(VALUES).score(before, before, None).before == 0


@pytest.mark.plain
@pytest.mark.parametrize(
    ("after", "passed", "finding"),
    [
        (0.895, True, "int8 loses 0.50 percentage points of accuracy (0.51 allowed)"),
        (0.894, False, "int8 LOSES 0.60 percentage points of accuracy (0.51 allowed)"),
        (0.91, True, "int8 gains 1.00 percentage points of accuracy (0.51 allowed)"),
        (float("nan"), False, "int8 gives outputs that are NOT finite"),
    ],
)
def test_the_worst_output_decides(after, passed, finding):
    scores = Score("first", "accuracy", 0.5, 0.6), Score("second", "accuracy", 0.9, after)
    result = Quantization("int8", 0.51, "", "", (2, 1), (1.0, 1.0), scores)
    assert (result.passed, result.finding) == (passed, finding)
    assert json.dumps(result.to_json(), allow_nan=False)


@pytest.mark.plain
def test_the_table_has_a_column_per_method_and_marks_what_was_refused():
    def outcome(method, after, refusal=""):
        score = Score("answer", "accuracy", 0.9, after)
        result = Quantization(method, 0.5, "", "", (400_000, 100_000), (0.5, 0.25), (score,))
        return table.QuantizedPort("dense/a", "onnx", method, None if refusal else result, refusal)

    ports = [outcome("int8", 0.9), outcome("int8-dynamic", 0.8), outcome("float16", 0.9, "it crashed")]
    lines = table.table(ports).splitlines()
    assert "| recipe | format | float32 | int8 | int8-dynamic | float16 |" in lines
    cells = "100 kB, 0.25 of 0.5 ms, 90.0% | **100 kB, 0.25 of 0.5 ms, 80.0%: refused** | –"
    assert f"| `dense/a` | onnx | 400 kB, 90.0% | {cells} |" in lines
    assert "- `dense/a` to onnx in float16: it crashed" in lines


@pytest.mark.plain
def test_a_document_without_a_place_for_the_table_is_refused(tmp_path):
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(DataError, match="expected the lines <!-- quantised"):
        table.main(["--write", str(tmp_path / "page.md")])


@pytest.mark.plain
def test_a_model_of_one_batch_size_is_calibrated_on_batches_of_that_size():
    samples = [np.arange(5), np.arange(10, 15)]
    assert [[part.tolist() for part in batch] for batch in batches_of(samples, 2)] == [
        [[0, 1], [10, 11]],
        [[2, 3], [12, 13]],
        [[4, 4], [14, 14]],
    ]
    assert [batch[0].tolist() for batch in batches_of(samples, None)] == [[0], [1], [2], [3], [4]]
