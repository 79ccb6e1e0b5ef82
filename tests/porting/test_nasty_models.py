"""Source of models drawn at random, with names that try to become code: it computes the same, and no name is run."""

import ast

import numpy as np
import pytest
import written_models as models
from nasty_models import drawn

DAILY, MANY = 20, 2_000
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
        compare(models.keras_answers(model, inputs), models.source_answers(source, folder, inputs))


def compare(expected, received):
    """Fail unless outputs are the same; numbers that are not finite, or as good as that, must be so in both."""
    for one, other in zip(expected, received, strict=True):
        assert one.shape == other.shape
        usual = np.isfinite(one) & (abs(one) < 1e30)
        assert (usual == (np.isfinite(other) & (abs(other) < 1e30))).all()
        if usual.any():
            one, other = (values[usual].astype("float64") for values in (one, other))
            assert abs(one - other).max() <= 1e-4 * max(1.0, abs(one).max())


@pytest.fixture
def room(backend):
    return models.room_of(backend)


def require_all_sound(seeds, room, folder, monkeypatch):
    monkeypatch.chdir(folder)
    failures = {}
    for seed in seeds:
        try:
            require_sound(seed, room, folder)
        except Exception as error:
            failures[seed] = f"{type(error).__name__}: {error}"[:500]
        if seed % 50 == 0:
            forget_names()
    assert not failures
    assert not list(folder.rglob("OWNED"))


def forget_names():
    import keras

    keras.utils.clear_session()


def test_names_of_a_model_never_become_code(room, tmp_path, monkeypatch):
    require_all_sound(range(DAILY), room, tmp_path, monkeypatch)


@pytest.mark.slow
def test_names_of_many_models_never_become_code(room, tmp_path, monkeypatch):
    require_all_sound(range(MANY), room, tmp_path, monkeypatch)
