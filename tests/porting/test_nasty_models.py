"""Source of models drawn at random, with names that try to become code: it computes the same, and no name is run."""

import ast
import contextlib
import sys

import numpy as np
import pytest
import written_models as models
from nasty_models import drawn

DAILY, MANY = 20, 2_000
TOLERANCE = 1e-4
# What code in a name would call.
HARMFUL = {"open", "exec", "eval", "compile", "__import__", "OWNED"}


def called(code):
    """Return the names that Python code calls as functions."""
    calls = [node.func for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Call)]
    return {function.id for function in calls if isinstance(function, ast.Name)}


def require_sound(seed, room, folder):
    """Fail unless the source of a drawn model computes what the model computes, and runs none of its names."""
    model = models.build_model(lambda: drawn(seed))
    models.randomise(model, seed)
    source = models.write_source(model, room, folder)
    for text in (source.model, source.predict, source.step):
        assert not HARMFUL & called(text), text
    for samples in (3, 1):
        inputs = models.random_inputs(model, samples, seed=seed)
        expected, received = models.keras_answers(model, inputs), models.source_answers(source, folder, inputs)
        assert max(map(difference, expected, received)) <= TOLERANCE or amplifies_rounding(model, seed)


def usual(values):
    """Return where values are finite and not as good as infinite."""
    return np.isfinite(values) & (abs(values) < 1e30)


def difference(expected, received):
    """Return the greatest difference of two outputs, of 1 or of the greatest value; infinite if their kinds differ."""
    assert expected.shape == received.shape
    where = usual(expected)
    if (where != usual(received)).any():
        return np.inf
    expected, received = (values[where].astype("float64") for values in (expected, received))
    return abs(expected - received).max(initial=0) / max(1.0, abs(expected).max(initial=0))


def amplifies_rounding(model, seed):
    """Return whether a model itself is off its exact answers, such as one that normalises values all near 65504."""
    inputs = models.random_inputs(model, 30, seed=seed)
    return max(map(difference, exact_answers(model, inputs), models.keras_answers(model, inputs))) > TOLERANCE


def exact_answers(model, inputs):
    """Return the answers of a model in float64."""
    from trivium.engine.keras_model.float64 import to_float64
    from trivium.engine.verification.model_under_test import fresh_keras

    with fresh_keras(float64=True):
        return models.keras_answers(to_float64(model), [values.astype("float64") for values in inputs])


@pytest.fixture
def room(backend):
    with without_remapping() if backend.name == "tensorflow" else contextlib.nullcontext():
        yield models.room_of(backend)


@contextlib.contextmanager
def without_remapping():
    """Spare the drawn models an error of TensorFlow (docs/upstream/tensorflow-maximum-of-a-multiple.md)."""
    import tensorflow as tf

    tf.config.optimizer.set_experimental_options({"remapping": False})
    yield
    tf.config.optimizer.set_experimental_options({"remapping": True})


def require_all_sound(seeds, room, folder, monkeypatch):
    monkeypatch.chdir(folder)
    failures = {}
    for seed in seeds:
        try:
            require_sound(seed, room, folder)
        except Exception as error:
            failures[seed] = f"{type(error).__name__}: {error}"[:500]
        if seed % 50 == 0:
            forget_models()
    assert not failures
    assert not list(folder.rglob("OWNED"))


def forget_models():
    """Forget the names of layers, and what JAX has compiled: code of thousands of models has no room in a process."""
    import keras

    keras.utils.clear_session()
    if "jax" in sys.modules:
        sys.modules["jax"].clear_caches()


def test_names_of_a_model_never_become_code(room, tmp_path, monkeypatch):
    require_all_sound(range(DAILY), room, tmp_path, monkeypatch)


@pytest.mark.slow
def test_names_of_many_models_never_become_code(room, tmp_path, monkeypatch):
    require_all_sound(range(MANY), room, tmp_path, monkeypatch)
