"""Tests of the pytest plugin on small projects, by pytest within pytest.

The projects run in this process, so that they share its workers. Their marked tests run in the workers.
"""

import importlib.util
import os
import re
from importlib import metadata
from pathlib import Path

import pytest

from trivium import pytest_plugin
from trivium.backends import catalog

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parents[1]
PLANTED = ROOT / "tests" / "helpers" / "planted.py"
QUIET = ("-q", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:benchmark")


@pytest.fixture
def project(pytester, backend, shared_worker):
    """A function that runs pytest on a file with this source, in which NAME is this process' backend."""

    def run(source, *options):
        pytester.makepyfile(test_here=f"import pytest\nNAME = {backend.name!r}\n{source}")
        return pytester.runpytest_inprocess(*QUIET, *options)

    return run


@pytest.fixture
def alone(backend, monkeypatch):
    """Makes this process' backend the only one installed."""
    original = importlib.util.find_spec
    hidden = {other.package for other in catalog.BACKENDS if other != backend}
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name in hidden else original(name, *rest)
    )


def test_pytest_finds_it_by_its_entry_point():
    (entry_point,) = metadata.entry_points(group="pytest11", name="trivium")
    assert entry_point.load() is pytest_plugin


# --- once on each backend -------------------------------------------------------------------------------------------


def test_a_marked_test_runs_in_its_backends_process(project, shared_worker):
    project(
        f"""
@pytest.mark.backends(NAME)
def test_place():
    import keras, os
    assert keras.config.backend() == NAME
    assert os.getpid() == {shared_worker.pid} != {os.getpid()}
    assert keras.layers.Dense(1).name == "dense", "as in a fresh process"

@pytest.mark.backends(NAME)
def test_another_place():
    import keras
    assert keras.layers.Dense(1).name == "dense"

def test_unmarked():
    import os
    assert os.getpid() == {os.getpid()}
"""
    ).assert_outcomes(passed=3)


def test_a_failure_is_reported_with_its_traceback_and_its_output(project, backend):
    shown = project(
        """
@pytest.mark.backends(NAME)
def test_that_fails(first=1):
    print("so far so good")
    helper(first)

def helper(value):
    assert value == 2, "not two"

@pytest.mark.backends(NAME)
def test_that_raises():
    {}["key"]
"""
    )
    shown.assert_outcomes(failed=2)
    shown.stdout.fnmatch_lines_random(
        [f"on {backend.name}:", "*test_here.py*in test_that_fails", "*helper(first)", "AssertionError: not two"]
    )
    shown.stdout.fnmatch_lines_random(["so far so good", "KeyError: 'key'"])
    shown.stdout.no_fnmatch_line("*in run_in_worker*")


def test_skips_and_expected_failures_are_reported_with_their_reasons(project):
    shown = project(
        """
@pytest.mark.backends(NAME)
def test_skipping():
    pytest.skip("not on Sundays")

@pytest.mark.backends(NAME)
def test_expecting():
    pytest.xfail("known since Monday")

@pytest.mark.backends(NAME)
@pytest.mark.xfail(reason="marked", strict=True)
def test_marked():
    assert False

@pytest.mark.backends(NAME)
def test_failing():
    pytest.fail("said so")
""",
        "-rsx",
    )
    shown.assert_outcomes(skipped=1, xfailed=2, failed=1)
    for reason in ("*not on Sundays*", "*known since Monday*", "*said so*"):
        shown.stdout.fnmatch_lines(reason)


def test_parameters_and_paths_are_sent_to_the_worker(project):
    project(
        """
import numpy as np
from pathlib import Path

@pytest.mark.parametrize("number, listed", [(1, ["a", {"b": None}]), (2, ["a", {"b": None}])])
@pytest.mark.parametrize("array", [np.arange(3)], ids=["array"])
@pytest.mark.backends(NAME)
def test_values(number, listed, array, tmp_path):
    assert number in (1, 2) and listed == ["a", {"b": None}]
    np.testing.assert_array_equal(array, [0, 1, 2])
    assert isinstance(tmp_path, Path) and tmp_path.is_dir()
    (tmp_path / "written").write_text("there")

@pytest.fixture(autouse=True)
def look(tmp_path):
    yield
    assert (tmp_path / "written").read_text() == "there"
"""
    ).assert_outcomes(passed=2)


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (
            "@pytest.mark.backends(NAME)\ndef test_it(capsys): pass",
            "*test_it*: the fixture 'capsys' cannot be sent*takes values from parametrize and tmp_path*",
        ),
        (
            "class TestIt:\n    @pytest.mark.backends(NAME)\n    def test_it(self): pass",
            "*must be a function, not a method*",
        ),
    ],
)
def test_unsupported_fixtures_and_methods_are_refused_before_the_tests_begin(project, source, message):
    shown = project(source)
    assert shown.ret == pytest.ExitCode.USAGE_ERROR
    shown.stderr.fnmatch_lines(f"ERROR: {message}")


def test_a_deselected_test_is_not_checked(project):
    project(
        "@pytest.mark.backends(NAME)\ndef test_it(capsys): pass\n\ndef test_other(): pass", "-k", "other"
    ).assert_outcomes(passed=1, deselected=1)


def test_a_value_that_cannot_be_sent_is_refused(project):
    shown = project(
        "@pytest.mark.parametrize('value', [object()])\n@pytest.mark.backends(NAME)\ndef test_it(value): pass"
    )
    shown.assert_outcomes(failed=1)
    shown.stdout.fnmatch_lines("*the value <object*of 'value' cannot be sent to a backend's process*")


def test_an_unknown_backend_is_an_error_that_lists_the_known_ones(project):
    shown = project("@pytest.mark.backends('theano')\ndef test_it(): pass")
    shown.assert_outcomes(errors=1)
    shown.stdout.fnmatch_lines("*test_it: unknown backend 'theano': choose one of tensorflow, jax, torch*")


def test_a_missing_backend_is_skipped_with_the_line_that_installs_it(project, alone, backend):
    shown = project("@pytest.mark.backends()\ndef test_it(): pass", "-rs")
    trainers = [candidate for candidate in catalog.BACKENDS if candidate.trains]
    shown.assert_outcomes(passed=1, skipped=len(trainers) - 1)
    for other in trainers:
        if other != backend:
            shown.stdout.fnmatch_lines(f"*{other.title} is missing: pip install 'trivium?{other.name}?'*")


# --- the same on every backend --------------------------------------------------------------------------------------


def test_one_backend_alone_is_not_compared(project, alone):
    shown = project("def test_it(verify_model):\n    verify_model('dense/small')", "-rs")
    shown.assert_outcomes(skipped=1)
    shown.stdout.fnmatch_lines("*comparing takes two installed backends or more*")


def test_requested_backends_must_be_installed(project, alone):
    names = [backend.name for backend in catalog.BACKENDS]
    shown = project(f"def test_it(verify_model):\n    verify_model('dense/small', backends={names})")
    shown.assert_outcomes(failed=1)
    shown.stdout.fnmatch_lines("*BackendError: backend * is not installed*")


@pytest.mark.several_backends
def test_a_model_that_differs_fails_and_names_the_layer(project, pytester):
    pytester.makepyfile(my_model=PLANTED.read_text())
    shown = project(
        """
def test_sound(verify_model):
    assert verify_model("my_model.py:sound", steps=1).finding.startswith("the same on")

def test_transposed(verify_model):
    verify_model("my_model.py:transposed", steps=1)
"""
    )
    shown.assert_outcomes(passed=1, failed=1)
    shown.stdout.fnmatch_lines("my_model.py:transposed: different: forward pass, layer culprit at *")


# --- the documentation ----------------------------------------------------------------------------------------------


def test_the_example_of_the_documentation_passes(pytester, shared_worker):
    (example,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "testing.md").read_text(), re.DOTALL)
    pytester.makepyfile(test_model=example)
    backends = len(catalog.trainers())
    skipped = 2 * (sum(backend.trains for backend in catalog.BACKENDS) - backends)
    expected = (
        {"passed": 2 * backends + 1, "skipped": skipped} if backends > 1 else {"passed": 2, "skipped": skipped + 1}
    )
    pytester.runpytest_inprocess(*QUIET).assert_outcomes(**expected)


# --- two models that were written independently -----------------------------------------------------------------------


def test_two_models_are_compared(project, pytester):
    pytester.makepyfile(
        my_models="""
def sound(units=3):
    import keras
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(units, activation="tanh"), keras.layers.Dense(2)])

def other():
    import keras
    return keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="relu"), keras.layers.Dense(2)])
"""
    )
    shown = project("""
def test_sound(compare_models):
    assert compare_models("my_models.py:sound", "my_models.py:sound", steps=1).passed

def test_other(compare_models):
    compare_models("my_models.py:sound", "my_models.py:other", steps=1)
""")
    shown.assert_outcomes(passed=1, failed=1)
    shown.stdout.fnmatch_lines(["different: forward pass, *(tanh) against *(relu*"])
