"""The targets are data; a missing package is reported in one line with the pip command that installs it."""

import dataclasses
import inspect
import tomllib
from pathlib import Path

import pytest

from trivium.backends import catalog
from trivium.errors import BackendError, PortError
from trivium.functions import function_name, load_function
from trivium.porting import targets
from trivium.porting.targets import FORMATS, Format, Host, Package

pytestmark = pytest.mark.plain

THERE, ABSENT = Package("json", "there"), Package("no_such_module", "no-such-package")


@pytest.fixture
def only(monkeypatch):
    """Make only these backends look installed."""

    def hide(*names):
        monkeypatch.setattr(catalog.Backend, "installed", property(lambda backend: backend.name in names))

    return hide


def format_of(*hosts, packages=(THERE,), extra="thing"):
    return dataclasses.replace(FORMATS[0], name="thing", hosts=hosts, packages=packages, extra=extra)


def test_the_targets_are_the_backends_the_formats_and_source_code():
    assert targets.names() == [
        *("tensorflow", "jax", "torch", "numpy"),
        *("savedmodel", "onnx", "openvino", "litert", "torch-export"),
        *("source:tensorflow", "source:jax", "source:torch"),
    ]


@pytest.mark.parametrize("target", FORMATS, ids=lambda target: target.name)
def test_a_format_names_existing_hosts_and_functions(target):
    assert [catalog.find(host.backend).name for host in target.hosts]
    for function in filter(None, (target.reader, target.write_metadata)):
        assert load_function(function_name(function)) is function
        assert next(iter(inspect.signature(function).parameters)) == "path"


def test_an_unknown_target_is_refused_with_the_nearest_name():
    with pytest.raises(PortError, match="unknown target 'onyx'; did you mean 'onnx'"):
        targets.find("onyx")


def test_a_backend_that_is_not_installed_is_refused(only):
    only("jax")
    with pytest.raises(BackendError, match=r"pip install 'trivium\[torch\]'"):
        targets.find("torch")


def test_the_installed_hosts_come_in_order_of_preference(only):
    only("jax", "torch")
    hosts = targets.hosts(format_of(Host("tensorflow"), Host("torch", (THERE,)), Host("jax"), Host("torch", (ABSENT,))))
    assert [host.backend for host in hosts] == ["torch", "jax"]


def test_a_missing_runtime_is_reported_with_its_pip_command(only):
    only("jax")
    with pytest.raises(PortError, match=r"a port to thing needs no-such-package, not .*'trivium\[thing\]'$"):
        targets.hosts(format_of(Host("jax"), packages=(ABSENT,)))


def test_a_missing_exporter_is_reported_for_the_installed_framework(only):
    only("torch")
    with pytest.raises(PortError, match=r"needs no-such-package, not .*'trivium\[thing\]'$"):
        targets.hosts(format_of(Host("jax"), Host("torch", (ABSENT,))))


def test_a_missing_framework_is_reported_with_its_exporter(only):
    only("jax")
    with pytest.raises(PortError, match=r"needs PyTorch and no-such-package, .*'trivium\[thing,torch\]'$"):
        targets.hosts(format_of(Host("torch"), packages=(ABSENT,)))


def test_each_format_has_an_extra_that_names_its_packages():
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    extras = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]
    for target in FORMATS:
        assert isinstance(target, Format)
        needed = {package.distribution for host in target.hosts for package in (*host.packages, *target.packages)}
        frameworks = {backend.package for backend in catalog.BACKENDS}
        listed = {line.partition(">")[0] for line in extras[target.extra]}
        assert needed - frameworks <= listed, target.name
