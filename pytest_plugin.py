"""A pytest plugin with which any Keras project can test that a model is the same on every backend.

`@pytest.mark.backends("jax", "torch")` runs a test once on each backend, in that backend's worker process: Keras uses
one backend for the life of a process, so pytest's own process has only one. The fixture `verify_model` compares a model
on several backends, and `compare_models` two models. `docs/testing.md` shows all three.

pytest loads this plugin wherever trivium is installed, so it imports almost nothing until a test uses it.
"""

from __future__ import annotations

import contextlib
import inspect
import io
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .comparison.report import ComparisonReport
    from .engine.verification.verification import Report

MARK = "backends"
_ON = "_on_backend"  # the hidden parameter that holds the backend's name
_PATHS = ("tmp_path",)  # the fixtures that can be sent to a worker: paths, sent as text


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(*names): run the test once on each backend, in a process of its own")


# --- once on each backend -------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make one test per backend; a backend that is not installed is skipped with a reason."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    from .backends import catalog
    from .errors import BackendError

    try:
        trainers = [backend for backend in catalog.BACKENDS if backend.trains]
        backends = [catalog.find(name) for name in mark.args] or trainers
    except BackendError as error:
        pytest.fail(f"{metafunc.definition.nodeid}: {error}", pytrace=False)
    parameters = [
        pytest.param(
            backend.name,
            marks=[] if backend.installed else pytest.mark.skip(f"{backend.title} is missing: {backend.install_hint}"),
        )
        for backend in backends
    ]
    metafunc.fixturenames.append(_ON)
    metafunc.parametrize(_ON, parameters)


@pytest.hookimpl(trylast=True)  # after deselection: deselected tests are not checked
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse marked tests whose arguments cannot be sent to a worker.

    Raises:
        UsageError: a test uses a fixture other than a path, or is a method of a class.
    """
    for item in items:
        if not (isinstance(item, pytest.Function) and item.get_closest_marker(MARK)):
            continue
        if item.cls is not None:
            raise pytest.UsageError(f"{item.nodeid}: a test marked {MARK} must be a function, not a method")
        refused = [name for name in _arguments(item) if name not in {*_parameters(item), *_PATHS}]
        if refused:
            raise pytest.UsageError(
                f"{item.nodeid}: the fixture {refused[0]!r} cannot be sent to a backend's process; a test marked "
                f"{MARK} takes values from parametrize and {', '.join(_PATHS)}: create the rest within the test"
            )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a marked test in its backend's worker, and report its outcome."""
    if pyfuncitem.get_closest_marker(MARK) is None:
        return None
    from .backends.workers import worker

    arguments = {name: pyfuncitem.funcargs[name] for name in _arguments(pyfuncitem)}
    values = {name: str(value) if name in _PATHS else value for name, value in arguments.items()}
    backend = str(_parameters(pyfuncitem)[_ON])
    result = worker.get(backend).call(
        run_in_worker, str(pyfuncitem.path), pyfuncitem.originalname, _portable(pyfuncitem, values)
    )
    print(result["printed"], end="")
    if result["outcome"] == "skipped":
        pytest.skip(result["text"])
    if result["outcome"] == "xfailed":
        pytest.xfail(result["text"])
    if result["outcome"] == "failed":
        pytest.fail(f"on {backend}:\n{result['text']}", pytrace=False)
    return True


def run_in_worker(path: str, name: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Run a test function of a file in this process.

    Returns:
        `outcome`: passed, skipped, xfailed or failed. `text`: the reason, or the traceback. `printed`: the output.
    """
    from .functions import load_function

    test = load_function(f"{path}:{name}")
    _refresh_keras()
    arguments = {name: Path(value) if name in _PATHS else value for name, value in values.items()}
    printed = io.StringIO()
    outcome, text = "passed", ""
    with contextlib.redirect_stdout(printed):
        try:
            test(**arguments)
        except pytest.skip.Exception as reason:
            outcome, text = "skipped", str(reason)
        except pytest.xfail.Exception as reason:
            outcome, text = "xfailed", str(reason)
        except (Exception, pytest.fail.Exception) as error:
            error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)  # from the test on
            outcome, text = "failed", "".join(traceback.format_exception(error)).rstrip()
    return {"outcome": outcome, "text": text, "printed": printed.getvalue()}


def _refresh_keras() -> None:
    """Reset the seed and the layer names as in a fresh process, so that one test does not affect the next."""
    from .backends import keras_internals, runtime

    runtime.current()
    import keras

    keras.utils.clear_session(free_memory=False)
    keras_internals.set_random_seed(0)


def _arguments(test: pytest.Function) -> list[str]:
    """Return the names of the parameters that pytest fills in: those without a default."""
    parameters = inspect.signature(test.function).parameters
    return [name for name, parameter in parameters.items() if parameter.default is parameter.empty]


def _parameters(test: pytest.Function) -> Mapping[str, Any]:
    """Return the values that `parametrize` sets for a test."""
    callspec = getattr(test, "callspec", None)
    return callspec.params if callspec else {}


def _portable(test: pytest.Function, values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values after checking that each can be sent to a worker.

    Raises:
        UsageError: a value is neither JSON nor an array.
    """
    from .backends.workers.messages import pack

    for name, value in values.items():
        try:
            pack({name: value})
        except (TypeError, ValueError) as error:
            raise pytest.UsageError(
                f"{test.nodeid}: the value {value!r} of {name!r} cannot be sent to a backend's process, which takes "
                "numbers, text, lists, dictionaries and NumPy arrays"
            ) from error
    return dict(values)


# --- the same on every backend --------------------------------------------------------------------------------------


@pytest.fixture
def verify_model(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """Return a function that asserts that a model computes the same on several backends, and returns the report.

    Args (of the function):
        source: `file.py:function`, relative to the test's folder or the current folder; or a recipe, bundle or run.
        data: as for `trivium.verify`.
        steps: training steps; 5 by default.
        settings: other arguments of `trivium.verify`, such as `backends` and `float64`.

    The test fails with the report's finding when the backends differ. It is skipped if fewer than two backends are
    installed, unless it names the backends.
    """

    def verify_model(source: str | Path, data: Any = None, *, steps: int = 5, **settings: Any) -> Report:
        from .backends import catalog
        from .engine.verification.verification import verify

        if not settings.get("backends") and len(catalog.trainers()) < 2:
            pytest.skip("comparing takes two installed backends or more")
        report = verify(_resolve_source(request.path, str(source)), data, steps=steps, **settings)
        if not report.passed:
            pytest.fail(f"{source}: {report.finding}", pytrace=False)
        return report

    return verify_model


@pytest.fixture
def compare_models(request: pytest.FixtureRequest) -> Callable[..., ComparisonReport]:
    """Return a function that asserts that two models compute and train the same, and returns the report.

    Args (of the function):
        a, b: as for `trivium.compare`; a `file.py:function` is relative to the test's folder or the current folder.
        steps: training steps; 5 by default.
        settings: other arguments of `trivium.compare`, such as `copy` and `float64`.

    The test fails with the report's finding when the two differ.
    """

    def compare_models(a: Any, b: Any, *, steps: int = 5, **settings: Any) -> ComparisonReport:
        from .comparison.compare import compare

        sides = (_resolve_source(request.path, str(side)) if isinstance(side, (str, Path)) else side for side in (a, b))
        report = compare(*sides, steps=steps, **settings)
        if not report.passed:
            pytest.fail(report.finding, pytrace=False)
        return report

    return compare_models


def _resolve_source(test: Path, source: str) -> str:
    """Return the source, with the path of its file beside the test if there is one."""
    beside = test.parent / source
    return str(beside) if Path(str(beside).partition(":")[0]).is_file() else source
