"""What a model computed is recorded in a file, against which another backend, machine or version is checked."""

from pathlib import Path

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.engine.verification import golden
from trivium.errors import FileError, OptionError, RecipeError
from trivium.storage import tensor_file

MODEL = """
def build(units=6, activation="tanh"):
    import keras
    layers = [keras.layers.Dense(units, activation=activation, name="hidden"), keras.layers.Dense(2)]
    return keras.Sequential([keras.Input((4,)), *layers])

def other():
    return build(activation="relu")
"""


@pytest.fixture
def model(tmp_path, backend):
    path = tmp_path / "model.py"
    path.write_text(MODEL)
    return f"{path}:build"


@pytest.fixture
def file(model, tmp_path):
    path = tmp_path / "golden.trivium"
    golden.record(model, path, steps=2)
    return path


@pytest.mark.one_environment
def test_the_same_model_passes(model, file, backend):
    report = golden.check(model, file)
    assert report.passed
    assert report.finding.startswith(f"the same on {backend.name} as recorded on {backend.name} (keras 3")
    assert {check.what for check in report.checks} >= {"forward pass", "gradients", "loss curve"}


@pytest.mark.one_environment
def test_a_model_whose_options_follow_from_the_data_is_built_by_the_same_data(model, tmp_path):
    path = Path(model.partition(":")[0])
    path.write_text(
        MODEL + "\n\ndef sized(inputs, classes):\n    import keras\n    return keras.Sequential("
        "[keras.Input((inputs,)), keras.layers.Dense(classes, activation='softmax')])\n"
    )
    generator = np.random.default_rng(0)
    np.savez(tmp_path / "d.npz", x_train=generator.normal(size=(30, 3)), y_train=np.arange(30) % 2)
    golden.record(f"{path}:sized", tmp_path / "g", tmp_path / "d.npz", steps=1)
    assert golden.check(f"{path}:sized", tmp_path / "g", tmp_path / "d.npz").passed


@pytest.mark.one_environment
def test_another_model_fails_at_its_layer(model, file):
    report = golden.check(model.replace(":build", ":other"), file)
    assert not report.passed
    assert report.first_failure.where.startswith("layer hidden")


@pytest.mark.one_environment
def test_another_shape_fails(model, tmp_path):
    golden.record(model, tmp_path / "g", steps=1)
    Path(model.partition(":")[0]).write_text(MODEL.replace("units=6", "units=7"))
    report = golden.check(model, tmp_path / "g")
    assert not report.passed
    assert report.checks[0].what == "initial weights"


@pytest.mark.one_environment
def test_float64_here_against_float32_there(model, file):
    assert golden.check(model, file, float64=True).passed


@pytest.mark.one_environment
def test_options_are_those_of_the_recording(model, tmp_path):
    golden.record("dense/small", tmp_path / "g", steps=1, options={"units": 8})
    assert golden.check("dense/small", tmp_path / "g", options={"units": 8}).passed
    with pytest.raises(OptionError, match="was recorded with --set units=8: set the same"):
        golden.check("dense/small", tmp_path / "g")


@pytest.mark.several_backends
def test_every_backend_against_every_other(model, tmp_path):
    for recorded in catalog.trainers():
        golden.record(model, tmp_path / "g", backend=recorded.name, steps=3, float64=True)
        for other in catalog.trainers():
            report = golden.check(model, tmp_path / "g", backend=other.name)
            assert report.passed, report.finding


def rewritten(file, **changes):
    record = tensor_file.read_record(file)
    with tensor_file.open_arrays(file) as array:
        arrays = {str(n): array(str(n)) for n in range(len(record["variables"]) + 2)}
    tensor_file.write(file, {**record, **changes}, {n: tensor_file.LazyArray.of(a) for n, a in arrays.items()})


@pytest.mark.one_environment
@pytest.mark.parametrize(
    "changes",
    [
        {"kind": "checkpoint"},
        {"schema": 99},
        {"settings": {"seed": "x", "batch_size": None, "float64": False, "steps": 2}},
        {"settings": 3},
        {"batches": {"x": [["", 10**9]], "y": []}},
        {"variables": "abc"},
        {"versions": [1]},
        {"limits": {}},
    ],
    ids=str,
)
def test_record_of_a_stranger(model, file, changes):
    rewritten(file, **changes)
    with pytest.raises(FileError, match=str(file)):
        golden.check(model, file)


@pytest.mark.one_environment
def test_altered_and_missing_files(model, file, tmp_path):
    content = bytearray(file.read_bytes())
    content[-3] ^= 1
    file.write_bytes(content)
    with pytest.raises(FileError, match="altered"):
        golden.check(model, file)
    file.write_bytes(b"nothing")
    with pytest.raises(FileError, match="is no golden"):
        golden.check(model, file)
    with pytest.raises(FileError, match="cannot read"):
        golden.check(model, tmp_path / "missing")
    with pytest.raises(RecipeError):
        golden.record("nosuch", tmp_path / "g")


@pytest.mark.one_environment
def test_recorded_arrays_are_those_that_are_read(file):
    read = golden.read(file)
    assert next(name for name, _ in read.variables).endswith("hidden/kernel")
    assert read.batches["x"][0].shape == (2, 32, 4)
    assert np.isfinite(read.results["loss"][0][1])
