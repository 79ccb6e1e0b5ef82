"""The plan `compiled`: the same run as by other plans, where a C++ compiler is found."""

import shutil

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.engine.training.trainer import Trainer
from trivium.errors import ModelError, OptionError

# 225 samples in two full batches and a smaller one.
SMALL = {"recipe": "dense/one-hidden", "options": {"units": 8}, "batch_size": 100, "epochs": 3}


@pytest.fixture(autouse=True)
def _pytorch(backend):
    if backend.name != "torch":
        pytest.skip("this backend has no costly plan")


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A folder in which the tests of this module keep what they compile."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def compiler(cache, monkeypatch):
    if shutil.which("g++") is None:
        pytest.skip("there is no C++ compiler")
    monkeypatch.setenv("XDG_CACHE_HOME", str(cache))
    monkeypatch.delenv("CXX", raising=False)
    monkeypatch.delenv("TORCHINDUCTOR_CACHE_DIR", raising=False)


def outcome(data, plan, **settings):
    """Train; return the history and the weights."""
    trainer = Trainer(**settings, plan=plan)
    run = trainer.fit(data)
    assert trainer.chosen_plan["name"] == plan
    return run.history, run.model.get_weights()


def require_same(actual, expected):
    (history, weights), (expected_history, expected_weights) = actual, expected
    assert history.metrics == expected_history.metrics
    for name in history.metrics:
        np.testing.assert_allclose(history[name], expected_history[name], rtol=1e-6, atol=1e-6, err_msg=name)
    for values, others in zip(weights, expected_weights, strict=True):
        np.testing.assert_allclose(values, others, rtol=1e-6, atol=1e-6)


def test_a_compiled_run_is_the_run_of_fit_and_is_cached_in_the_users_cache(digits, compiler, cache):
    expected = outcome(digits, "fit", **SMALL)
    require_same(outcome(digits, "compiled", **SMALL), expected)
    folder = cache / "trivium/inductor"
    files = sorted(folder.rglob("*.so"))
    assert files
    require_same(outcome(digits, "compiled", **SMALL), expected)
    assert sorted(folder.rglob("*.so")) == files, "the second run compiles nothing"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("rnn/lstm", {}),
        ("rnn/stateful", {}),
        ("dense/dropout", {"batch_size": 32}),
        ("cnn/striding", {"options": {"filters": (4, 4)}, "batch_size": 50}),
    ],
)
def test_recipes_train_the_same_by_the_compiled_plan(compiler, digits, recipe, settings):
    from trivium.data import datasets

    data = datasets.load("waves:0:60") if recipe.startswith("rnn") else digits
    captured, compiled = (outcome(data, plan, recipe=recipe, epochs=3, **settings) for plan in ("captured", "compiled"))
    require_same(compiled, captured)


def test_a_step_that_would_differ_is_refused(digits, compiler, monkeypatch):
    from trivium.backends.torch import captured_steps

    start, one = np.array([1.0, 2.0]), np.array([1.1, 2.1])
    assert captured_steps._differ_little(start, one, one + 1e-5)
    assert not captured_steps._differ_little(start, one, start + 0.05), "half the learning rate"
    assert captured_steps._differ_little(start, start, start)

    def idle(operations, batch):
        return (lambda: batch[0]), [tensor.clone() for tensor in batch]

    monkeypatch.setattr(captured_steps.compiled, "compile_step", idle)
    trainer = Trainer(**SMALL, plan="compiled")
    with pytest.raises(ModelError, match="the compiled step differs from the model's own: use another `plan`"):
        trainer.fit(digits)


def test_without_a_compiler_there_is_no_such_plan(digits, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CXX", raising=False)
    model, _ = Trainer(**SMALL).make_ready(digits)
    assert runtime.current().costly_plan(model) is None
    with pytest.raises(OptionError, match=r"`plan` compiled: there is no C\+\+ compiler g\+\+: install it"):
        Trainer(**SMALL, plan="compiled").fit(digits)


def test_a_compiler_that_fails_is_an_error_of_one_line(digits, compiler, monkeypatch):
    import torch

    def fail(*arguments, **keywords):
        raise RuntimeError("C++ compile error\nCommand: g++")

    monkeypatch.setattr(torch._inductor, "standalone_compile", fail)
    with pytest.raises(ModelError, match=r"^[^\n]*cannot compile the step \(C\+\+ compile error\): use another `plan`"):
        Trainer(**SMALL, plan="compiled").fit(digits)
