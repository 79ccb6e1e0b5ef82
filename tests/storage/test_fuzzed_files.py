"""Files with bytes flipped, cut off, copied and inserted: each is read, or refused with a one-line error.

There are some 800 cases in seconds, because reading needs no framework. To get past the checksums, some cases write the
right checksum over corrupted content. The slow test builds the models from corrupted files.
"""

import contextlib
import hashlib
import io
import json
import time
import zipfile
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trivium.data.preprocessing.feature_scaling import Scale
from trivium.data.preprocessing.pipeline import Chain, Preprocessing
from trivium.data.preprocessing.transforms import Reshape
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles import keras_files
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.inspection import inspect
from trivium.engine.runs import checkpoint, run_list
from trivium.engine.runs.history import History
from trivium.engine.runs.run_record import HISTORY, RECORD, write_history
from trivium.errors import CheckpointError, TriviumError
from trivium.functions import load_function
from trivium.storage import tensor_file

MAX_SECONDS = 5.0  # seconds
HOSTILE = Path(__file__).parents[1] / "helpers" / "hostile.py"
layer, with_member = load_function(f"{HOSTILE}:layer"), load_function(f"{HOSTILE}:with_member")
EPOCHS = [{"loss": 1.5, "val_loss": 2.0}, {"loss": 0.5, "val_loss": float("nan")}]


# --- honest files, written without a framework ----------------------------------------------------------------------


def keras_file():
    config = {
        "module": "keras",
        "class_name": "Sequential",
        "config": {
            "name": "small",
            "layers": [layer("InputLayer", batch_shape=[None, 3]), layer("Dense", units=2, activation="relu")],
        },
        "registered_name": None,
        "build_config": {"input_shape": [None, 3]},
        "compile_config": {"optimizer": "sgd", "loss": "mse", "metrics": ["mae"]},
    }
    weights = io.BytesIO()
    with h5py.File(weights, "w") as file:
        file["layers/dense/vars/0"] = np.arange(6, dtype="float32").reshape(3, 2)
        file["layers/dense/vars/1"] = np.ones(2, "float32")
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("metadata.json", '{"keras_version": "3.15.1"}')
        archive.writestr("config.json", json.dumps(config))
        archive.writestr("model.weights.h5", weights.getvalue())
    return stream.getvalue()


def record():
    return {
        "schema": 1,
        "recipe": "dense/small",
        "settings": {"epochs": 2, "options": {}},
        "dataset": {"name": "mnist:sample"},
        "history": History(EPOCHS).to_json(),
        "environment": {"backend": "jax"},
        "state": "finished",
    }


def bundle_file(folder):
    numbers = np.ones((4, 3), "float32")
    preprocessing = Preprocessing(Chain((Scale(), Reshape((3,)))))
    Bundle(keras_file(), preprocessing, ("a", "b"), record(), numbers, numbers[:, :2]).save(folder / "b.trivium")
    return (folder / "b.trivium").read_bytes()


def checkpoint_file(folder, written=("a.safetensors",)):
    metadata = {
        "schema": checkpoint.SCHEMA,
        "epoch": 2,
        "stopped": False,
        "backend": "jax",
        "seconds": [[1.0], [0.1]],
        "history": History(EPOCHS).to_json(),
        "callbacks": [],
        "written": [list(written)],
        "generators": 0,
    }
    arrays = {"model/0000/kernel": tensor_file.LazyArray.of(np.ones((3, 2), "float32"))}
    tensor_file.write(folder / "c.safetensors", metadata, arrays)
    return (folder / "c.safetensors").read_bytes()


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The bytes of one file of each kind."""
    folder = tmp_path_factory.mktemp("honest")
    return {"bundle": bundle_file(folder), "checkpoint": checkpoint_file(folder), "keras": keras_file()}


# --- corrupting -----------------------------------------------------------------------------------------------------

PLACE = st.floats(0, 1, exclude_max=True)
LENGTH = st.integers(1, 64)
CHANGES = st.lists(
    st.one_of(
        st.tuples(st.just("flip"), PLACE, st.integers(0, 7)),
        st.tuples(st.just("cut"), PLACE, st.just(0)),
        st.tuples(st.just("drop"), PLACE, LENGTH),
        st.tuples(st.just("double"), PLACE, LENGTH),
        st.tuples(st.just("splice"), PLACE, PLACE),
        st.tuples(st.just("put"), PLACE, st.binary(min_size=1, max_size=12)),
        st.tuples(
            st.just("put"), PLACE, st.sampled_from((b"\0" * 8, b"\xff" * 8, b"NaN", b"1e999", b"[" * 200, b"../"))
        ),
    ),
    min_size=1,
    max_size=4,
)


def corrupted(content, changes):
    for kind, where, what in changes:
        at = int(where * len(content))
        if kind == "flip" and content:
            content = content[:at] + bytes([content[at] ^ (1 << what)]) + content[at + 1 :]
        elif kind == "cut":
            content = content[:at]
        elif kind == "drop":
            content = content[:at] + content[at + what :]
        elif kind == "double":
            content = content[: at + what] + content[at:]
        elif kind == "splice":
            other = int(what * len(content))
            content = content[:at] + content[other : other + 32] + content[at + 32 :]
        elif kind == "put":
            content = content[:at] + what + content[at + len(what) :]
    return content


def corrupted_bundle(content, name, changes):
    """Return a bundle with one corrupted member, and a manifest with the checksum of the corrupted content."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        manifest, member = json.loads(archive.read("manifest.json")), corrupted(archive.read(name), changes)
    manifest["sha256"][name] = hashlib.sha256(member).hexdigest()
    return with_member(with_member(content, name, member), "manifest.json", json.dumps(manifest).encode())


def cases(count):
    """Return the settings for `count` cases, the same in every run."""
    return settings(
        max_examples=count,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """A folder for the corrupted file; at the end, it and the current folder must hold no other file."""
    for name in ("here", "target"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path / "here")
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "here"))
    yield tmp_path / "target"
    assert {path.name for path in tmp_path.rglob("*")} <= {"here", "target", "file", RECORD, HISTORY}


@contextlib.contextmanager
def only_trivium_errors():
    """Assert that the block raises nothing but a one-line `TriviumError`, and ends within `MAX_SECONDS` seconds."""
    began = time.monotonic()
    refusals: list[str] = []
    try:
        yield
    except TriviumError as error:
        refusals = str(error).splitlines()
    assert len(refusals) <= 1
    assert time.monotonic() - began < MAX_SECONDS


# --- each kind of file ----------------------------------------------------------------------------------------------


def test_an_honest_file_is_read(watched, honest):
    for name, load in (("bundle", bundles.load), ("keras", keras_files.examine), ("checkpoint", checkpoint.load)):
        (watched / "file").write_bytes(honest[name])
        assert load(watched / "file")
    (watched / "file").unlink()
    (watched / RECORD).write_text(json.dumps(record()))
    write_history(watched / HISTORY, History(EPOCHS))
    assert len(run_list.read(watched).history) == 2


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../evil", "a/./b", "a//b", "C:/evil", "a\\b", ".git/config", "..", 1, None]
)
def test_a_checkpoint_that_would_have_other_files_deleted_is_refused(name, tmp_path):
    checkpoint_file(tmp_path, written=[name])
    with pytest.raises(CheckpointError, match=r"is no checkpoint of trivium .* is not the name of a file"):
        checkpoint.load(tmp_path / "c.safetensors")


@cases(120)
@given(changes=CHANGES)
def test_a_corrupted_bundle_is_refused_or_unchanged(changes, watched, honest):
    path = watched / "file"
    path.write_bytes(corrupted(honest["bundle"], changes))
    with only_trivium_errors():
        bundle = bundles.load(path)
        assert bundle.keras_file == honest["keras"]
        assert bundle.run == record()
    with only_trivium_errors():
        inspect(path)


@cases(160)
@given(
    changes=CHANGES,
    name=st.sampled_from(("model.keras", "preprocessing.json", "labels.json", "run.json", "recorded.npz")),
)
def test_a_bundle_with_a_corrupted_member_and_the_right_checksum_is_refused_or_read(changes, name, watched, honest):
    path = watched / "file"
    path.write_bytes(corrupted_bundle(honest["bundle"], name, changes))
    with only_trivium_errors():
        bundle = bundles.load(path)
        assert isinstance(bundle.run["environment"]["backend"], str)
        keras_files.examine(bundle.keras_file, "it")
    with only_trivium_errors():
        json.dumps(inspect(path))


@cases(120)
@given(changes=CHANGES)
def test_a_corrupted_keras_file_is_refused_or_unchanged(changes, watched, honest):
    path = watched / "file"
    path.write_bytes(corrupted(honest["keras"], changes))
    with only_trivium_errors():
        assert keras_files.examine(path).arrays == keras_files.examine(honest["keras"], "it").arrays
    with only_trivium_errors():
        inspect(path)


@cases(160)
@given(changes=CHANGES, name=st.sampled_from(("metadata.json", "config.json", "model.weights.h5")))
def test_a_keras_file_with_a_corrupted_member_is_refused_or_read(changes, name, watched, honest):
    with zipfile.ZipFile(io.BytesIO(honest["keras"])) as archive:
        member = corrupted(archive.read(name), changes)
    path = watched / "file"
    path.write_bytes(with_member(honest["keras"], name, member))
    with only_trivium_errors():
        json.dumps(inspect(path))


@cases(100)
@given(changes=CHANGES)
def test_a_corrupted_checkpoint_is_refused_or_unchanged(changes, watched, honest):
    path = watched / "file"
    path.write_bytes(corrupted(honest["checkpoint"], changes))
    with only_trivium_errors():
        loaded = checkpoint.load(path)
        assert (loaded.epoch, loaded.backend, len(loaded.history)) == (2, "jax", 2)
        with tensor_file.open_arrays(path) as read:
            np.testing.assert_array_equal(read("model/0000/kernel"), np.ones((3, 2)))


@cases(100)
@given(changes=CHANGES)
def test_a_corrupted_run_record_is_refused_or_read(changes, watched):
    (watched / RECORD).write_bytes(corrupted(json.dumps(record()).encode(), changes))
    (watched / HISTORY).unlink(missing_ok=True)
    with only_trivium_errors():
        json.dumps(run_list.read(watched).to_json())
    with only_trivium_errors():
        json.dumps(inspect(watched))


@cases(100)
@given(changes=CHANGES)
def test_a_corrupted_history_is_refused_or_read(changes, watched):
    (watched / RECORD).write_text(json.dumps(record()))
    write_history(watched / HISTORY, History(EPOCHS))
    (watched / HISTORY).write_bytes(corrupted((watched / HISTORY).read_bytes(), changes))
    with only_trivium_errors():
        run = run_list.read(watched)
        assert all(isinstance(value, float) for logs in run.history.epochs for value in logs.values())
        json.dumps(run.to_json(), allow_nan=False)
    with only_trivium_errors():
        inspect(watched)


@pytest.mark.slow
@settings(cases(150), suppress_health_check=list(HealthCheck))
@given(changes=CHANGES, name=st.sampled_from(("config.json", "model.weights.h5")))
def test_a_corrupted_model_file_is_built_or_refused(changes, name, watched, honest, backend):
    with zipfile.ZipFile(io.BytesIO(honest["keras"])) as archive:
        member = corrupted(archive.read(name), changes)
    path = watched / "file"
    path.write_bytes(with_member(honest["keras"], name, member))
    with only_trivium_errors():
        keras_files.load_model(path)
