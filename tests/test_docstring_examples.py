"""The examples in the docstrings of the public names run, and print what they say.

They are run in one folder and one process, with `trivium`, `keras` and `np` imported. `runs/flowers`, which the example
of `trivium.train` writes, is there.
"""

import doctest
import importlib
import types

import numpy as np
import pytest

import trivium
from trivium.engine.plots import plots

OPTIONS = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
# What an example needs beside the backend of the process.
NEEDS = dict.fromkeys(("compare", "port", "port_from_torch", "transfer"), "torch") | {"port_from_jax": "jax"}
NAMES = [name for name in trivium.__all__ if not name.startswith("__")]
PLOTS = [
    name for name, value in vars(plots).items() if getattr(value, "__doc__", None) and ">>> trivium." in value.__doc__
]


@pytest.fixture(scope="module")
def folder(backend, tmp_path_factory):
    """A folder with the run that the example of `trivium.train` writes."""
    place = tmp_path_factory.mktemp("examples")
    trivium.train("dense/points", "iris", epochs=20, out=place / "runs/flowers")
    return place


@pytest.fixture
def run_example(folder, monkeypatch):
    """Run the example of an object's docstring; there must be one."""
    monkeypatch.chdir(folder)

    def run(name, subject):
        text = subject.__doc__ or ""
        names = {"trivium": trivium, "keras": importlib.import_module("keras"), "np": np}
        test = doctest.DocTestParser().get_doctest(text, names, name, None, 0)
        assert test.examples, f"the docstring of {name} has no example"
        report = []
        doctest.DocTestRunner(optionflags=OPTIONS).run(test, out=report.append)
        assert not report, "".join(report)

    return run


def case(name):
    """A name with the marks of what its example needs."""
    if name == "verify":
        return pytest.param(name, marks=pytest.mark.several_backends)
    return name if name == "port_from_jax" else pytest.param(name, marks=pytest.mark.one_environment)


@pytest.mark.parametrize("name", [case(name) for name in NAMES if name not in ("train", "use")])
def test_the_example_of_a_public_name_runs(name, run_example):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    run_example(name, getattr(trivium, name))


@pytest.mark.one_environment
@pytest.mark.parametrize("name", PLOTS)
def test_the_example_of_a_plot_runs(name, run_example):
    run_example(name, getattr(plots, name))


@pytest.mark.one_environment
def test_the_example_of_train_writes_the_run_that_the_others_read(run_example, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run_example("train", types.SimpleNamespace(__doc__=trivium.train.__doc__))
    assert (tmp_path / "runs/flowers/run.json").is_file()


@pytest.mark.one_environment
def test_the_example_of_use_runs_where_its_backend_is_that_of_the_process(run_example, backend):
    text = trivium.use.__doc__.replace('"torch"', f'"{backend.name}"').replace("PyTorch", backend.title)
    run_example("use", types.SimpleNamespace(__doc__=text))
