"""Files are described correctly, without building or importing anything."""

import io
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest

from trivium.engine.inspection import inspect
from trivium.engine.keras_model.architecture import layers_of_weights
from trivium.engine.runs import checkpoint
from trivium.errors import FileError, TriviumError
from trivium.functions import load_function
from trivium.models.recipe import registry
from trivium.storage.safe_hdf5 import StoredArray

pytestmark = pytest.mark.one_environment

layer = load_function(f"{Path(__file__).parents[1] / 'helpers' / 'hostile.py'}:layer")


def named(report):
    return {entry["name"]: entry["parameters"] for entry in report["layers"]}


def test_a_bundle_is_described(saved_runs, striding_run, backend):
    import keras

    report = inspect(saved_runs["striding"] / "bundle.trivium")
    identity = {key: report[key] for key in ("schema", "format", "recipe", "trained_on", "keras_version", "optimizer")}
    assert identity == {
        "schema": 1,
        "format": "bundle",
        "recipe": "cnn/striding",
        "trained_on": backend.name,
        "keras_version": keras.__version__,
        "optimizer": "Adam",
    }
    assert report["parameters"] == striding_run.model.count_params() == 114_502
    assert report["labels"] == list("0123456789")
    assert report["runs_code"] == []
    expected = {keras_layer.name: keras_layer.count_params() for keras_layer in striding_run.model.layers}
    assert {name: count for name, count in named(report).items() if name in expected} == expected
    assert set(report["members"]) == {"model.keras", "preprocessing.json", "labels.json", "run.json", "recorded.npz"}


def test_a_run_folder_is_described(saved_runs, lstm_run):
    report = inspect(saved_runs["lstm"])
    assert (report["format"], report["recipe"], report["parameters"]) == ("run", "rnn/lstm", 64)
    assert report["run"]["state"] == "finished"
    assert report["run"]["epochs_done"] == len(lstm_run.history) == 2


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".weights.h5"])
def test_the_parameter_counts_are_those_of_keras_in_each_format(suffix, tmp_path, backend):
    import keras

    inputs = keras.Input((6,))
    inner = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3), keras.layers.Dense(5)], name="within")
    first = keras.layers.Dense(4, name="first")
    model = keras.Model(inputs, keras.layers.Add()([inner(first(inputs)), keras.layers.Dense(5)(inputs)]))
    model.save_weights(tmp_path / "m.weights.h5") if "weights" in suffix else model.save(tmp_path / f"m{suffix}")
    report = inspect(tmp_path / f"m{suffix}")
    assert report["parameters"] == model.count_params()
    assert report["runs_code"] == []
    if suffix != ".weights.h5":
        assert report["keras_version"] == keras.__version__
        expected = {keras_layer.name: keras_layer.count_params() for keras_layer in model.layers}
        sizes = {entry["name"]: entry["parameters"] for entry in report["layers"] if entry["depth"] == 0}
        assert {name: sizes[name] for name in expected} == expected
        assert any(entry["depth"] == 1 for entry in report["layers"])
    if suffix == ".h5":
        assert report["trained_on"] == backend.name


def test_layers_of_one_class_and_their_states_are_counted_as_in_keras(tmp_path, backend):
    import keras

    model = keras.Sequential(
        [
            *(
                keras.Input((8, 8, 3)),
                keras.layers.Conv2D(2, 3, name="last"),
                keras.layers.BatchNormalization(name="b"),
            ),
            *(keras.layers.Conv2D(5, 3, name="first"), keras.layers.Dropout(0.5), keras.layers.Conv2DTranspose(2, 3)),
            *(keras.layers.Reshape((6, -1)), keras.layers.Bidirectional(keras.layers.SimpleRNN(2), name="both")),
        ]
    )
    model.compile("adam", loss="mse", metrics=["mae"])
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "m.keras")
    report = inspect(tmp_path / "m.keras")
    assert report["parameters"] == model.count_params()
    expected = {keras_layer.name: keras_layer.count_params() for keras_layer in model.layers}
    assert {name: named(report)[name] for name in expected} == expected


def test_an_architecture_is_described_as_json_and_yaml(tmp_path, backend):
    import keras

    model = registry()["dense/two-small"]()
    model.name = "two"
    (tmp_path / "m.json").write_text(model.to_json())
    report = inspect(tmp_path / "m.json")
    assert (report["format"], report["parameters"], report["runs_code"]) == ("architecture", None, [])
    assert [entry["name"] for entry in report["layers"] if entry["kind"] == "Dense"] == [
        keras_layer.name for keras_layer in model.layers if isinstance(keras_layer, keras.layers.Dense)
    ]
    yaml = pytest.importorskip("yaml")
    (tmp_path / "m.yaml").write_text(yaml.safe_dump(json.loads(model.to_json())))
    assert inspect(tmp_path / "m.yaml")["layers"] == report["layers"]


def test_yaml_that_would_take_minutes_is_refused_at_once(tmp_path):
    pytest.importorskip("yaml")
    (tmp_path / "deep.yaml").write_text("[" * 50_000)
    with pytest.raises(FileError, match="nested deeper than 100 levels"):
        inspect(tmp_path / "deep.yaml")
    (tmp_path / "long.yaml").write_text("class_name: a\nconfig: [" + "a," * 600_000 + "]\n")
    with pytest.raises(FileError, match="has more than 500,000 values"):
        inspect(tmp_path / "long.yaml")


def test_yaml_with_aliases_is_refused(tmp_path):
    pytest.importorskip("yaml")
    (tmp_path / "m.yaml").write_text("a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n")
    with pytest.raises(FileError, match="holds aliases"):
        inspect(tmp_path / "m.yaml")


def test_a_checkpoint_is_described(striding_run, tmp_path, backend):
    path = tmp_path / "c.safetensors"
    checkpoint.save(path, striding_run.model, 2, striding_run.history)
    report = inspect(path)
    assert (report["format"], report["trained_on"], report["epoch"]) == ("checkpoint", backend.name, 2)
    assert report["parameters"] == striding_run.model.count_params()


def test_another_safetensors_file_is_described(tmp_path):
    from safetensors.numpy import save_file

    save_file({"a": np.ones((3, 4), "float32"), "b": np.ones(2, "int8")}, tmp_path / "w.safetensors")
    report = inspect(tmp_path / "w.safetensors")
    assert (report["format"], report["parameters"], report["arrays"]) == ("tensors", 14, 2)


def test_weights_are_listed_by_the_names_they_are_stored_under():
    arrays = {"layers/dense/vars/0": StoredArray((3, 2), "f4"), "layers/dense/vars/1": StoredArray((2,), "f4")}
    arrays |= {
        "optimizer/vars/0": StoredArray((3,), "f4"),
        "layers/dropout/seed_generator/vars/0": StoredArray((2,), "u4"),
    }
    assert [(keras_layer.name, keras_layer.parameters) for keras_layer in layers_of_weights(arrays)] == [("dense", 8)]


def test_code_that_would_run_is_listed_and_not_run(tmp_path):
    config = {"class_name": "Sequential", "config": {"layers": [layer("Lambda", name="trap"), layer("X", "evil")]}}
    (tmp_path / "m.json").write_text(json.dumps(config))
    assert inspect(tmp_path / "m.json")["runs_code"] == [
        "the code of a Lambda (layer 'trap')",
        "the class 'X' (layer 'planted')",
    ]


@pytest.mark.parametrize(
    ("name", "content", "match"),
    [
        ("a.bin", b"nothing", "has an unknown format: expected a bundle"),
        ("a.keras", b"PK\x03\x04nothing", "is no zip archive, or was truncated"),
        ("a.h5", b"\x89HDF\r\n\x1a\nnothing", "cannot be read as HDF5"),
        ("a.safetensors", b"\xff" * 20, "is no file of tensors, or was truncated"),
        ("a.json", b"{", "is not JSON, or was truncated"),
        ("a.json", b"[1]", "is no architecture of a model"),
        ("a.json", b"", "is not JSON"),
    ],
)
def test_a_file_of_another_format_is_refused_in_one_line(tmp_path, name, content, match):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(FileError, match=match):
        inspect(tmp_path / name)


def test_a_missing_file_or_run_is_refused_in_one_line(tmp_path):
    with pytest.raises(FileError, match="No such file"):
        inspect(tmp_path / "none.keras")
    with pytest.raises(FileError, match=r"is no run: there is no run.json in it"):
        inspect(tmp_path)


def test_another_archive_is_no_model(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.keras", "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(TriviumError, match=r"is no .keras file: expected config.json"):
        inspect(tmp_path / "a.keras")


def test_the_format_is_read_from_the_content_and_not_the_name(saved_runs, tmp_path):
    shutil.copy(saved_runs["lstm"] / "bundle.trivium", tmp_path / "a.txt")
    assert inspect(tmp_path / "a.txt")["format"] == "bundle"
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file["layers/dense/vars/0"] = np.ones(3)
    (tmp_path / "b.txt").write_bytes(stream.getvalue())
    assert inspect(tmp_path / "b.txt")["format"] == "weights"


def test_neither_keras_nor_a_framework_is_imported(saved_runs, backend):
    script = (
        "import sys; from trivium.engine.inspection import inspect; inspect(sys.argv[1]); "
        "print([name for name in sys.modules if name in ('keras', 'tensorflow', 'jax', 'torch', 'matplotlib')])"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", script, str(saved_runs["striding"])], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip() == "[]", done.stderr
