"""A bundle is read as a whole or refused, and it contains a standard Keras model."""

import json
import os
import subprocess
import sys
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from trivium.backends import catalog
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.keras_model.model_bytes import keras_bytes
from trivium.errors import BundleError


@pytest.fixture(scope="module")
def path(saved_runs):
    return saved_runs["lstm"] / "bundle.trivium"


def rewritten(path, target, *, change=None, compression=zipfile.ZIP_STORED, extra=None):
    """Write a copy of a bundle with changed members, another compression, or an additional member."""
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w", compression) as new:
        for name in old.namelist():
            content = old.read(name)
            new.writestr(name, change(name, content) if change else content)
        if extra:
            new.writestr(*extra)
    return target


def test_a_bundle_gives_back_what_the_run_had(path, lstm_run):
    bundle = bundles.load(path)
    assert bundle.preprocessing == lstm_run.preprocessing
    assert bundle.run == json.loads(json.dumps(lstm_run.to_json()))
    for mine, theirs in zip(lstm_run.model.get_weights(), bundle.model.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, theirs)


def test_the_recorded_outputs_are_the_models(path):
    bundle = bundles.load(path)
    assert len(bundle.recorded_inputs) == 32
    np.testing.assert_allclose(
        bundle.model.predict(bundle.recorded_inputs, verbose=0), bundle.recorded_outputs, rtol=0, atol=1e-6
    )


def test_the_optimizer_state_is_in_the_bundle(path, lstm_run):
    optimizer = bundles.load(path).model.optimizer
    assert int(optimizer.iterations.numpy() if hasattr(optimizer.iterations, "numpy") else optimizer.iterations) > 0
    for mine, theirs in zip(lstm_run.model.optimizer.variables, optimizer.variables, strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(theirs))


def test_the_keras_file_loads_in_plain_keras(path, tmp_path, backend):
    import keras

    with zipfile.ZipFile(path) as archive:
        archive.extract("model.keras", tmp_path)
    model = keras.saving.load_model(tmp_path / "model.keras")
    assert [type(layer).__module__.split(".")[0] for layer in model.layers] == ["keras"] * len(model.layers)
    assert model.count_params() == 64


def test_whether_to_compile_steps_is_chosen_again_by_the_loading_backend(path, backend):
    import keras

    fresh = keras.Sequential([keras.Input((3, 1)), keras.layers.LSTM(3), keras.layers.Dense(1)])
    fresh.compile(optimizer="adam", loss="mse")
    for wrong in (True, False):
        model = bundles.load(path).model
        model.compile(optimizer=model.optimizer, loss="mse", jit_compile=wrong)
        copy = Bundle(keras_bytes(model), *list(vars(bundles.load(path)).values())[1:6])
        assert copy.model.jit_compile == fresh.jit_compile


def test_equal_contents_give_equal_files(path, tmp_path):
    bundle = bundles.load(path)
    bundle.save(tmp_path / "a.trivium")
    bundle.save(tmp_path / "b.trivium")
    assert (tmp_path / "a.trivium").read_bytes() == (tmp_path / "b.trivium").read_bytes()


def test_a_folder_stands_for_the_bundle_in_it(path):
    assert bundles.load(path.parent).run == bundles.load(path).run


def test_a_missing_bundle_says_how_to_make_one(tmp_path):
    with pytest.raises(BundleError, match=r"no bundle at .*bundle.trivium: `trivium train RECIPE --out"):
        bundles.load(tmp_path)


@pytest.mark.plain
@pytest.mark.parametrize("name", ["cnn/striding", "models.py:build"])
def test_what_is_not_trained_yet_says_how_to_train_it(name):
    with pytest.raises(BundleError, match=f"{name} is not trained: run `trivium train {name} --out runs/NAME`"):
        bundles.load(name)


def test_every_truncation_is_refused(path, tmp_path):
    whole = path.read_bytes()
    cut = tmp_path / "cut.trivium"
    for length in range(0, len(whole), len(whole) // 50):
        cut.write_bytes(whole[:length])
        with pytest.raises(BundleError, match="is not a bundle"):
            bundles.load(cut)


def test_a_flipped_byte_is_refused_or_harmless(path, tmp_path):
    whole, truth = path.read_bytes(), bundles.load(path)
    flipped = tmp_path / "flipped.trivium"
    refused = 0
    for place in range(7, len(whole), len(whole) // 150):
        flipped.write_bytes(whole[:place] + bytes([whole[place] ^ 0x10]) + whole[place + 1 :])
        try:
            bundle = bundles.load(flipped)
        except BundleError:
            refused += 1
        else:
            assert bundle.keras_file == truth.keras_file
            assert bundle.run == truth.run
    assert refused > 140


def test_an_altered_member_is_named(path, tmp_path):
    altered = rewritten(
        path,
        tmp_path / "altered.trivium",
        change=lambda name, content: content.replace(b"lstm", b"LSTM") if name == "run.json" else content,
    )
    with pytest.raises(BundleError, match=r"was altered: the checksum of run.json"):
        bundles.load(altered)


def test_an_additional_member_is_refused(path, tmp_path):
    with pytest.raises(BundleError, match="is not a bundle: expected"):
        bundles.load(rewritten(path, tmp_path / "more.trivium", extra=("evil.py", "print()")))


def test_a_member_that_would_leave_its_folder_is_refused(path, tmp_path):
    with pytest.raises(BundleError, match=r"is not a bundle, .* named '../../evil.py', which could leave the folder"):
        bundles.load(rewritten(path, tmp_path / "more.trivium", extra=("../../evil.py", "print()")))


@pytest.mark.parametrize("name", ["recipe", "settings", "dataset", "environment"])
def test_a_record_without_what_others_rely_on_is_refused(path, tmp_path, name):
    bundle = bundles.load(path)
    record = {key: value for key, value in bundle.run.items() if key != name}
    replace(bundle, run=record).save(tmp_path / "less.trivium")
    with pytest.raises(BundleError, match="is not a bundle"):
        bundles.load(tmp_path / "less.trivium")


def test_a_compressed_member_is_refused_before_it_is_expanded(path, tmp_path):
    bomb = rewritten(
        path,
        tmp_path / "bomb.trivium",
        compression=zipfile.ZIP_DEFLATED,
        change=lambda name, content: bytes(50_000_000) if name == "model.keras" else content,
    )
    with pytest.raises(BundleError, match="compressed or longer than the file"):
        bundles.load(bomb)


def test_another_schema_says_to_update(path, tmp_path):
    newer = rewritten(
        path,
        tmp_path / "newer.trivium",
        change=lambda name, content: (
            content.replace(b'"schema": 1', b'"schema": 9') if name == "manifest.json" else content
        ),
    )
    with pytest.raises(BundleError, match="schema 9, this trivium reads 1: update trivium"):
        bundles.load(newer)


def test_a_model_with_code_in_it_is_refused(path, tmp_path, backend):
    import keras

    model = keras.Sequential([keras.Input((3, 1)), keras.layers.Lambda(lambda x: x + 1)])
    bundle = bundles.load(path)
    hostile = Bundle(keras_bytes(model), *list(vars(bundle).values())[1:6])
    with pytest.raises(BundleError, match=r"the model in the bundle would run the code of a Lambda \(layer 'lambda"):
        _ = hostile.model


BLOCKED = """
import sys

class Blocked:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {packages!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}")

sys.meta_path.insert(0, Blocked())
import keras, numpy as np

model = keras.saving.load_model({path!r})
x = np.zeros((2, *model.input_shape[1:]), "float32")
model.fit(x, np.eye(model.output_shape[-1], dtype="float32")[:2], verbose=0)
print(keras.backend.backend(), type(model.optimizer).__name__, int(model.optimizer.iterations))
"""


@pytest.mark.several_backends
def test_an_extracted_model_trains_in_plain_keras_without_its_own_backend_installed(striding_run, backend, tmp_path):
    bundle = Bundle.of(striding_run)
    (tmp_path / "model.keras").write_bytes(bundle.keras_file)
    other = next(b for b in catalog.trainers() if b.name != backend.name and not b.serves_others)
    absent = [backend.package] if not backend.serves_others else []
    script = BLOCKED.format(packages=absent, path=str(tmp_path / "model.keras"))
    environment = {**os.environ, "KERAS_BACKEND": other.name}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-800:]
    name, optimizer, iterations = done.stdout.split()
    assert (name, optimizer) == (other.name, "Adam")
    assert int(iterations) == int(striding_run.model.optimizer.iterations) + 1


def test_keras_still_writes_its_backend_into_saved_models(striding_run, backend, tmp_path):
    """If this fails, `model_bytes.for_any_backend` may no longer be needed."""
    striding_run.model.save(tmp_path / "model.keras")
    with zipfile.ZipFile(tmp_path / "model.keras") as archive:
        compiled = json.loads(archive.read("config.json"))["compile_config"]
    assert isinstance(compiled["jit_compile"], bool)
    module = compiled["optimizer"]["module"]
    assert module == "keras.optimizers" or f".backend.{backend.name}." in module


def test_a_bundle_records_fewer_large_pictures(backend):
    large = np.broadcast_to(np.float32(0), (32, 1_000, 1_000))
    inputs, outputs = bundles._few({"z": large, "a": large}, large)
    assert list(inputs) == ["z", "a"], "in the order of the model"
    assert len(inputs["a"]) == len(outputs) == 4
    assert len(bundles._few(large, large[:, 0, :1])[0]) == 9
    assert len(bundles._few(large[:, :28, :28], large[:, 0, :10])[0]) == 32
