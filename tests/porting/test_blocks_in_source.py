"""Repeated structure is written as a class or function, and predicts what the Keras model predicts."""

import ast
import subprocess
import sys

import pytest
import written_models as models
from models_with_blocks import MODELS

from trivium.porting.port import port

# The longest `model.py` that is allowed, by model and framework.
LINES = {
    "dense": {"torch": 120, "jax": 225, "tensorflow": 150},
    "transformer": {"torch": 140, "jax": 200, "tensorflow": 140},
    "residual": {"torch": 160, "jax": 320, "tensorflow": 200},
    "masked": {"torch": 140, "jax": 200, "tensorflow": 140},
}


@pytest.fixture(scope="module")
def room(backend):
    return models.room_of(backend)


@pytest.mark.parametrize("name", MODELS)
def test_blocks_are_written_once_and_predict_the_same(name, backend, room, tmp_path):
    model = models.build_model(MODELS[name])
    models.randomise(model)
    source = models.write_source(model, room, tmp_path)
    models.require_same_answers(model, source, tmp_path)
    assert source.model.count("\n") <= LINES[name][backend.name]
    names = {node.name.lower() for node in ast.parse(source.model).body if hasattr(node, "name")}
    assert any(name.endswith("block") for name in names), names


@pytest.mark.parametrize("name", ["dense", "transformer"])
def test_blocks_train_the_same_and_are_clean_source(name, backend, shared_worker, tmp_path):
    pytest.importorskip("safetensors")
    model = models.build_model(MODELS[name])
    models.randomise(model)
    model.save(tmp_path / "model.keras")
    report = port(tmp_path / "model.keras", f"source:{backend.name}", tmp_path / "source")
    assert report.passed, report.to_json()
    assert report.training, report.to_json()
    for command in (("ruff", "check", "--isolated"), ("ruff", "format", "--isolated", "--check")):
        done = subprocess.run([sys.executable, "-m", *command, "."], cwd=tmp_path / "source", capture_output=True)
        assert done.returncode == 0, done.stdout


def test_the_types_of_blocks_are_right(backend, room, tmp_path):
    pytest.importorskip("mypy")
    models.write_source(models.build_model(MODELS["transformer"]), room, tmp_path)
    options = ("--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache"))
    done = subprocess.run([sys.executable, "-m", "mypy", *options, "model.py"], cwd=tmp_path, capture_output=True)
    assert done.returncode == 0, done.stdout
