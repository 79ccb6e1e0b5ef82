"""Choosing a backend: it imports nothing, and the error of a wrong choice must say how to fix it."""

import dataclasses
import importlib.util
import json
import os
import sys
from importlib import metadata

import pytest

from trivium.backends import catalog
from trivium.errors import BackendError

NAMES = [backend.name for backend in catalog.BACKENDS]


@pytest.fixture
def install(monkeypatch):
    """Make exactly the named backends look installed."""
    original = importlib.util.find_spec

    def only(*names):
        packages = {backend.package: backend.name in names for backend in catalog.BACKENDS}

        def find_spec(name, package=None):
            if name in packages:
                return importlib.util.spec_from_loader(name, None) if packages[name] else None
            return original(name, package)

        monkeypatch.setattr(importlib.util, "find_spec", find_spec)

    return only


@pytest.fixture
def undecided(monkeypatch, tmp_path):
    """Simulate a process without a chosen backend; return a function that writes Keras' configuration file."""
    before = dict(os.environ)
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    monkeypatch.delenv(catalog.BACKEND_VARIABLE, raising=False)
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    yield lambda text: (tmp_path / "keras.json").write_text(text)
    os.environ.clear()
    os.environ.update(before)


def test_the_backends_are_listed_in_order():
    assert NAMES == ["tensorflow", "jax", "torch", "numpy"]


def test_an_unknown_backend_names_those_there_are_and_those_installed(install):
    install("jax", "torch")
    with pytest.raises(
        BackendError,
        match=r"unknown backend 'jaxx': choose one of tensorflow, jax, torch, numpy \(installed: jax, torch\)",
    ):
        catalog.find("jaxx")


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_backend_is_refused_with_the_line_that_installs_it(install, name):
    others = [other for other in NAMES if other != name and name not in catalog.find(other).needs]
    install(*others)
    with pytest.raises(BackendError) as refused:
        catalog.require(name)
    assert str(refused.value) == (
        f"backend '{name}' is not installed (installed: {', '.join(others)}); run: pip install 'trivium[{name}]'"
    )


def test_no_names_means_all_that_are_installed(install):
    install("tensorflow", "torch")
    assert [backend.name for backend in catalog.resolve([])] == ["tensorflow", "torch"]
    assert [backend.name for backend in catalog.resolve(["torch"])] == ["torch"]


def test_no_backend_at_all_says_how_to_get_one(install):
    install()
    assert catalog.installed() == []
    with pytest.raises(BackendError, match=r"no backend is installed; run: pip install 'trivium\[tensorflow\]'"):
        catalog.resolve([])


def test_a_package_that_is_not_there_is_not_installed_and_has_no_version():
    absent = dataclasses.replace(catalog.BACKENDS[0], package="no_such_framework", distributions=("no-such-framework",))
    assert not absent.installed
    assert absent.version is None


def test_the_version_is_that_of_the_first_distribution_found():
    entry = dataclasses.replace(catalog.BACKENDS[0], distributions=("no-such-framework", "numpy", "click"))
    assert entry.version == metadata.version("numpy")


def test_an_installed_backend_has_a_version(backend):
    assert backend.installed
    assert backend.version[0].isdigit()


# --- the order of choice --------------------------------------------------------------------------------------------


def test_the_backend_under_which_keras_was_imported_comes_first(backend, monkeypatch):
    other = next(name for name in NAMES if name != backend.name)
    monkeypatch.setenv(catalog.BACKEND_VARIABLE, other)
    assert catalog.imported_by_keras() == backend.name
    assert catalog.selected() == backend


def test_the_environment_variable_comes_second(undecided, install, monkeypatch):
    install(*NAMES)
    undecided('{"backend": "jax"}')
    monkeypatch.setenv(catalog.BACKEND_VARIABLE, "torch")
    assert catalog.imported_by_keras() is None
    assert catalog.selected().name == "torch"


@pytest.mark.parametrize("value", [None, ""])
def test_the_configuration_file_comes_third(undecided, install, monkeypatch, value):
    install(*NAMES)
    undecided('{"backend": "torch", "floatx": "float32"}')
    if value is not None:
        monkeypatch.setenv(catalog.BACKEND_VARIABLE, value)
    assert catalog.selected().name == "torch"


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"floatx": "float32"}', '{"backend": ""}', "\xff\xfe"])
def test_the_first_installed_backend_comes_last(undecided, install, text):
    install("jax", "torch")
    undecided(text)
    assert catalog.selected().name == "jax"


def test_the_entry_that_keras_writes_by_itself_does_not_count_without_tensorflow(undecided, install):
    install("torch")
    undecided('{"backend": "tensorflow"}')
    assert catalog.selected().name == "torch"


def test_an_entry_that_the_user_wrote_counts_even_if_it_is_not_installed(undecided, install):
    install("tensorflow")
    undecided('{"backend": "jax"}')
    with pytest.raises(BackendError, match="backend 'jax' is not installed"):
        catalog.selected()


def test_an_unknown_backend_in_the_environment_is_refused(undecided, monkeypatch):
    monkeypatch.setenv(catalog.BACKEND_VARIABLE, "nosuch")
    with pytest.raises(BackendError, match="unknown backend 'nosuch'"):
        catalog.selected()


# --- use ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_use_sets_the_switch(undecided, install, name):
    install(*NAMES)
    assert catalog.use(name).name == name
    assert os.environ[catalog.BACKEND_VARIABLE] == name
    assert catalog.selected().name == name


@pytest.mark.parametrize("name", NAMES)
def test_use_limits_the_threads_by_every_variable_of_the_backend(undecided, install, name):
    install(*NAMES)
    variables = catalog.use(name, threads=3).thread_variables
    assert variables
    assert {os.environ[variable] for variable in variables} == {"3"}


def test_a_refused_choice_changes_nothing(undecided, install):
    install("jax")
    before = dict(os.environ)
    with pytest.raises(BackendError):
        catalog.use("torch", threads=2)
    assert dict(os.environ) == before


def test_use_of_the_backend_that_keras_runs_on_is_allowed(backend):
    assert catalog.use(backend.name) == backend
    assert catalog.use() == backend


@pytest.mark.several_backends
def test_another_backend_after_keras_was_imported_is_refused_with_both_ways_out(backend):
    other = next(candidate.name for candidate in catalog.installed() if candidate != backend)
    with pytest.raises(BackendError) as refused:
        catalog.use(other)
    text = str(refused.value)
    assert f"already imported under '{backend.name}'" in text
    assert "restart the kernel" in text
    assert "\n" not in text
    assert f"trivium.use('{other}') before importing keras" in text
    assert f"{catalog.BACKEND_VARIABLE}={other}" in text


def test_a_backend_that_keras_loads_under_another_is_kept_quiet_there_too(monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    assert catalog.find("torch").settings()["TF_CPP_MIN_LOG_LEVEL"] == "3"


def test_a_backend_is_kept_quiet_unless_the_user_wants_it_loud(monkeypatch):
    (variable, quiet), *_ = catalog.find("tensorflow").environment
    monkeypatch.delenv(variable, raising=False)
    assert catalog.find("tensorflow").settings()[variable] == quiet
    monkeypatch.setenv(variable, "0")
    assert catalog.find("tensorflow").settings()[variable] == "0"


def test_settings_hold_no_limit_unless_one_is_given():
    for backend in catalog.BACKENDS:
        assert not set(backend.settings()) & set(backend.thread_variables)
        assert json.dumps(backend.settings(2)), "all strings, as an environment wants them"
        assert all(isinstance(value, str) for value in backend.settings(2).values())


@pytest.mark.parametrize(
    ("environment", "arguments", "devices"),
    [
        ({}, {}, "3"),
        ({}, {"threads": 2}, "2"),
        ({}, {"threads": 64}, "8"),
        ({}, {"threads": 2, "devices": 3}, "3"),
        ({"NPROC": "1"}, {}, "1"),
        ({"JAX_NUM_CPU_DEVICES": "5"}, {}, "5"),
        ({"JAX_NUM_CPU_DEVICES": "5"}, {"threads": 1}, "1"),
        ({"XLA_FLAGS": "--xla_force_host_platform_device_count=4"}, {}, None),
    ],
)
def test_a_backend_that_shards_batches_has_a_device_for_each_thread(monkeypatch, environment, arguments, devices):
    for variable in ("NPROC", "JAX_NUM_CPU_DEVICES", "XLA_FLAGS"):
        monkeypatch.delenv(variable, raising=False)
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(catalog, "cores", lambda: 3)
    assert catalog.find("jax").settings(**arguments).get("JAX_NUM_CPU_DEVICES") == devices
    assert "TRIVIUM_CPU_DEVICES" not in catalog.find("tensorflow").settings(2)


@pytest.mark.parametrize("name", ["tensorflow", "jax", "torch", "numpy"])
def test_tensorflow_is_silenced_under_every_backend(name, monkeypatch):
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    assert catalog.find(name).settings()["TF_CPP_MIN_LOG_LEVEL"] == "3", "Keras may import it to read a file"
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "0")
    assert catalog.find(name).settings()["TF_CPP_MIN_LOG_LEVEL"] == "0", "the user's own value"
