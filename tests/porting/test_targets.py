"""What can be ported to is data; what is missing for it is told in one line, with the line that installs it."""

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
    """Let these backends alone look as if they were installed."""

    def hide(*names):
        monkeypatch.setattr(catalog.Backend, "installed", property(lambda backend: backend.name in names))

    return hide


def made_by(*hosts, packages=(THERE,), extra="thing"):
    return dataclasses.replace(FORMATS[0], name="thing", hosts=hosts, packages=packages, extra=extra)


def test_the_targets_are_the_backends_the_formats_and_source_code():
    assert targets.names() == [
        *("tensorflow", "jax", "torch"),
        *("savedmodel", "onnx", "openvino", "litert", "torch-export"),
        *("source:tensorflow", "source:jax", "source:torch"),
    ]


@pytest.mark.parametrize("target", FORMATS, ids=lambda target: target.name)
def test_a_format_names_hosts_that_exist_and_functions_that_do(target):
    assert [catalog.find(host.backend).name for host in target.hosts]
    for function in filter(None, (target.reader, target.describer)):
        assert load_function(function_name(function)) is function
        assert next(iter(inspect.signature(function).parameters)) == "path"


def test_an_unknown_target_is_refused_with_the_nearest():
    with pytest.raises(PortError, match="unknown target 'onyx'; did you mean 'onnx'"):
        targets.find("onyx")


def test_a_backend_that_is_not_installed_is_refused(only):
    only("jax")
    with pytest.raises(BackendError, match=r"pip install 'trivium\[torch\]'"):
        targets.find("torch")


def test_hosts_are_those_that_are_installed_in_their_order(only):
    only("jax", "torch")
    hosts = targets.hosts(made_by(Host("tensorflow"), Host("torch", (THERE,)), Host("jax"), Host("torch", (ABSENT,))))
    assert [host.backend for host in hosts] == ["torch", "jax"]


def test_a_runtime_that_is_missing_is_told_with_the_line_that_brings_it(only):
    only("jax")
    with pytest.raises(PortError, match=r"a port to thing needs no-such-package, not .*'trivium\[thing\]'$"):
        targets.hosts(made_by(Host("jax"), packages=(ABSENT,)))


def test_an_exporter_that_is_missing_is_asked_for_beside_the_framework_that_is_here(only):
    only("torch")
    with pytest.raises(PortError, match=r"needs no-such-package, not .*'trivium\[thing\]'$"):
        targets.hosts(made_by(Host("jax"), Host("torch", (ABSENT,))))


def test_a_framework_that_is_missing_is_asked_for(only):
    only("jax")
    with pytest.raises(PortError, match=r"needs PyTorch and no-such-package, .*'trivium\[thing,torch\]'$"):
        targets.hosts(made_by(Host("torch"), packages=(ABSENT,)))


def test_each_format_has_an_extra_that_names_its_packages():
    pyproject = Path(__file__).resolve().parents[2] / "pyproject.toml"
    extras = tomllib.loads(pyproject.read_text())["project"]["optional-dependencies"]
    for target in FORMATS:
        assert isinstance(target, Format)
        needed = {package.distribution for host in target.hosts for package in (*host.packages, *target.packages)}
        frameworks = {backend.package for backend in catalog.BACKENDS}
        listed = {line.partition(">")[0] for line in extras[target.extra]}
        assert needed - frameworks <= listed, target.name
