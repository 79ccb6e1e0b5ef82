"""Products of matrices have one precision on every backend: float32, unless TF32 is asked for."""

import os

import pytest

from trivium.backends import catalog, runtime
from trivium.errors import OptionError


def of_tensorflow():
    import tensorflow as tf

    return tf.config.experimental.tensor_float_32_execution_enabled()


def of_jax():
    import jax

    return {"float32": False, "tensorfloat32": True}[jax.config.jax_default_matmul_precision]


def of_torch():
    import torch

    matrices, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    assert (matrices == "high") == convolutions
    return convolutions


OF = {"tensorflow": of_tensorflow, "jax": of_jax, "torch": of_torch}


def test_a_framework_follows_the_setting_of_the_process(backend, monkeypatch):
    from trivium.engine.epochs import environment

    is_tf32 = OF[backend.name]
    monkeypatch.delenv(catalog.MATMUL_VARIABLE, raising=False)
    runtime.current()
    assert not is_tf32()
    assert environment.describe()["matmul_precision"] == "float32"
    monkeypatch.setenv(catalog.MATMUL_VARIABLE, "float32")  # so that it is put back
    catalog.use(backend.name, matmul_precision="tf32")
    assert os.environ[catalog.MATMUL_VARIABLE] == "tf32"
    runtime.current()
    assert is_tf32()
    assert environment.describe()["matmul_precision"] == "tf32"
    monkeypatch.setenv(catalog.MATMUL_VARIABLE, "float32")
    runtime.current()
    assert not is_tf32()


@pytest.mark.one_environment
def test_an_unknown_precision_is_refused(backend, monkeypatch):
    with pytest.raises(OptionError, match="`matmul_precision`: 'fp32' is none of float32, tf32"):
        catalog.use(backend.name, matmul_precision="fp32")
    monkeypatch.setenv(catalog.MATMUL_VARIABLE, "half")
    with pytest.raises(OptionError, match="TRIVIUM_MATMUL_PRECISION: 'half' is none of float32, tf32"):
        runtime.current()


@pytest.mark.one_environment
def test_an_option_of_the_command_line_sets_it_for_all_processes(backend, monkeypatch):
    import click
    from click.testing import CliRunner

    from trivium.cli.common import matmul_option

    monkeypatch.setenv(catalog.MATMUL_VARIABLE, "float32")
    command = click.command()(matmul_option(lambda: click.echo(catalog.matmul_precision())))
    assert CliRunner().invoke(command, ["--matmul-precision", "tf32"]).output == "tf32\n"
