"""Files with bytes flipped, cut off, copied and inserted: each is read unchanged, or refused with a one-line error.

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

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mutations import CHANGES, changed
from readers import EPOCHS, bundle_file, checkpoint_file, keras_file, record

from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles import keras_files
from trivium.engine.inspection import inspect
from trivium.engine.runs import checkpoint, run_list
from trivium.engine.runs.history import History
from trivium.engine.runs.run_record import HISTORY, RECORD, write_history
from trivium.errors import CheckpointError, TriviumError
from trivium.functions import load_function
from trivium.storage import tensor_file

MAX_SECONDS = 5.0  # seconds
HOSTILE = Path(__file__).parents[1] / "helpers" / "hostile.py"
with_member = load_function(f"{HOSTILE}:with_member")


@pytest.fixture(scope="module")
def honest(tmp_path_factory):
    """The bytes of one file of each kind."""
    folder = tmp_path_factory.mktemp("honest")
    return {"bundle": bundle_file(folder), "checkpoint": checkpoint_file(folder), "keras": keras_file()}


def corrupted_bundle(content, name, changes):
    """Return a bundle with one corrupted member, and a manifest with the checksum of the corrupted content."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        manifest, member = json.loads(archive.read("manifest.json")), changed(archive.read(name), changes)
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
    path.write_bytes(changed(honest["bundle"], changes))
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
    path.write_bytes(changed(honest["keras"], changes))
    with only_trivium_errors():
        assert keras_files.examine(path).arrays == keras_files.examine(honest["keras"], "it").arrays
    with only_trivium_errors():
        inspect(path)


@cases(160)
@given(changes=CHANGES, name=st.sampled_from(("metadata.json", "config.json", "model.weights.h5")))
def test_a_keras_file_with_a_corrupted_member_is_refused_or_read(changes, name, watched, honest):
    with zipfile.ZipFile(io.BytesIO(honest["keras"])) as archive:
        member = changed(archive.read(name), changes)
    path = watched / "file"
    path.write_bytes(with_member(honest["keras"], name, member))
    with only_trivium_errors():
        json.dumps(inspect(path))


@cases(100)
@given(changes=CHANGES)
def test_a_corrupted_checkpoint_is_refused_or_unchanged(changes, watched, honest):
    path = watched / "file"
    path.write_bytes(changed(honest["checkpoint"], changes))
    with only_trivium_errors():
        loaded = checkpoint.load(path)
        assert (loaded.epoch, loaded.backend, len(loaded.history)) == (2, "jax", 2)
        with tensor_file.open_arrays(path) as read:
            np.testing.assert_array_equal(read("model/0000/kernel"), np.ones((3, 2)))


@cases(100)
@given(changes=CHANGES)
def test_a_corrupted_run_record_is_refused_or_read(changes, watched):
    (watched / RECORD).write_bytes(changed(json.dumps(record()).encode(), changes))
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
    (watched / HISTORY).write_bytes(changed((watched / HISTORY).read_bytes(), changes))
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
        member = changed(archive.read(name), changes)
    path = watched / "file"
    path.write_bytes(with_member(honest["keras"], name, member))
    with only_trivium_errors():
        keras_files.load_model(path)
