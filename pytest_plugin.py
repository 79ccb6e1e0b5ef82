"""A pytest plugin, so that any Keras project can have "the same on every backend" in its own tests.

`@pytest.mark.backends("jax", "torch")` runs a test once on each, in that backend's worker: Keras takes one backend for
the life of a process, so the process of pytest can be no other. The fixture `verify_model` compares a model on several.
`docs/testing.md` shows both.

pytest loads this in every project beside which trivium is installed: it imports next to nothing until a test asks.
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
    from .engine.verification.verification import Report

MARK = "backends"
_ON = "_on_backend"  # the hidden parameter that holds the backend's name
_PATHS = ("tmp_path",)  # fixtures that a worker can be given: paths, which travel as text


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", f"{MARK}(*names): run the test once on each backend, in a process of its own")


# --- once on each backend -------------------------------------------------------------------------------------------


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Make a test of each backend; those that are not installed skip with their reason."""
    mark = metafunc.definition.get_closest_marker(MARK)
    if mark is None:
        return
    from .backends import catalog
    from .errors import BackendError

    try:
        named = [catalog.find(name) for name in mark.args] or list(catalog.BACKENDS)
    except BackendError as error:
        pytest.fail(f"{metafunc.definition.nodeid}: {error}", pytrace=False)
    asked = [
        pytest.param(
            backend.name,
            marks=[] if backend.installed else pytest.mark.skip(f"{backend.title} is missing: {backend.install_hint}"),
        )
        for backend in named
    ]
    metafunc.fixturenames.append(_ON)
    metafunc.parametrize(_ON, asked)


@pytest.hookimpl(trylast=True)  # what was deselected may be what it likes
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Refuse marked tests whose arguments cannot travel to a worker.

    Raises:
        UsageError: a fixture other than a path, or a method of a class.
    """
    for item in items:
        if not (isinstance(item, pytest.Function) and item.get_closest_marker(MARK)):
            continue
        if item.cls is not None:
            raise pytest.UsageError(f"{item.nodeid}: a test marked {MARK} must be a function of its file, no method")
        refused = [name for name in _arguments(item) if name not in {*_parameters(item), *_PATHS}]
        if refused:
            raise pytest.UsageError(
                f"{item.nodeid}: the fixture {refused[0]!r} cannot travel to a backend's process; a test marked {MARK} "
                f"takes values from parametrize and {', '.join(_PATHS)}: make the rest within the test"
            )


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a marked test in its backend's worker, and end here as it ended there."""
    if pyfuncitem.get_closest_marker(MARK) is None:
        return None
    from .backends.workers import worker

    given = {name: pyfuncitem.funcargs[name] for name in _arguments(pyfuncitem)}
    values = {name: str(value) if name in _PATHS else value for name, value in given.items()}
    backend = str(_parameters(pyfuncitem)[_ON])
    found = worker.get(backend).call(
        f"{__name__}:run_in_worker", str(pyfuncitem.path), pyfuncitem.originalname, _portable(pyfuncitem, values)
    )
    print(found["printed"], end="")
    if found["outcome"] == "skipped":
        pytest.skip(found["text"])
    if found["outcome"] == "xfailed":
        pytest.xfail(found["text"])
    if found["outcome"] == "failed":
        pytest.fail(f"on {backend}:\n{found['text']}", pytrace=False)
    return True


def run_in_worker(path: str, name: str, values: Mapping[str, Any]) -> dict[str, str]:
    """Run a test function of a file in this process.

    Returns:
        `outcome`: passed, skipped, xfailed or failed. `text`: the reason, or the traceback. `printed`.
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
            error = error.with_traceback(error.__traceback__ and error.__traceback__.tb_next)  # begins in the test
            outcome, text = "failed", "".join(traceback.format_exception(error)).rstrip()
    return {"outcome": outcome, "text": text, "printed": printed.getvalue()}


def _refresh_keras() -> None:
    """The seed and the names of layers as in a fresh process: what one test did must not reach the next."""
    from .backends import runtime

    runtime.current()
    import keras

    keras.utils.clear_session(free_memory=False)
    keras.utils.set_random_seed(0)


def _arguments(test: pytest.Function) -> list[str]:
    """The names that pytest fills in: those without a default."""
    parameters = inspect.signature(test.function).parameters
    return [name for name, parameter in parameters.items() if parameter.default is parameter.empty]


def _parameters(test: pytest.Function) -> Mapping[str, Any]:
    """What `parametrize` gives to a test."""
    callspec = getattr(test, "callspec", None)
    return callspec.params if callspec else {}


def _portable(test: pytest.Function, values: Mapping[str, Any]) -> dict[str, Any]:
    """The values, each of which must be able to travel.

    Raises:
        UsageError: one is neither what JSON holds nor an array.
    """
    from .backends.workers.messages import pack

    for name, value in values.items():
        try:
            pack({name: value})
        except (TypeError, ValueError) as error:
            raise pytest.UsageError(
                f"{test.nodeid}: the value {value!r} of {name!r} cannot travel to a backend's process, which takes "
                "numbers, text, lists, dictionaries and NumPy arrays"
            ) from error
    return dict(values)


# --- the same on every backend --------------------------------------------------------------------------------------


@pytest.fixture
def verify_model(request: pytest.FixtureRequest) -> Callable[..., Report]:
    """A function that asserts that a model computes the same on several backends, and returns the report.

    Args (of the function):
        source: `file.py:function`, the file beside the test or below the current folder; or a recipe, bundle or run.
        data: as `trivium.verify` takes them.
        steps: of training; 5.
        settings: the others of `trivium.verify`, such as `backends` and `float64`.

    The test fails with the finding when the backends differ. It skips where fewer than two are installed, unless it
    names those that it wants.
    """

    def verify_model(source: str | Path, data: Any = None, *, steps: int = 5, **settings: Any) -> Report:
        from .backends import catalog
        from .engine.verification.verification import verify

        if not settings.get("backends") and len(catalog.installed()) < 2:
            pytest.skip("comparing takes two installed backends or more")
        report = verify(_beside(request.path, str(source)), data, steps=steps, **settings)
        if not report.passed:
            pytest.fail(f"{source}: {report.finding}", pytrace=False)
        return report

    return verify_model


def _beside(test: Path, source: str) -> str:
    """The source, its file found beside the test where it lies there."""
    beside = test.parent / source
    return str(beside) if Path(str(beside).partition(":")[0]).is_file() else source
