"""Generated code is as a person's would be after ruff and mypy."""

import subprocess
import sys

import pytest

from trivium.models import recipe as recipes
from trivium.porting.port import port

NAMES = ("cnn/pooling", "cnn/striding-batchnorm", "rnn/lstm", "functional/shared")


def run(folder, *command):
    done = subprocess.run([sys.executable, "-m", *command], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_ruff_and_mypy_have_nothing_to_say(backend, shared_worker, tmp_path, name):
    pytest.importorskip("safetensors")
    recipes.find(name)().save(tmp_path / "model.keras")
    report = port(tmp_path / "model.keras", f"source:{backend.name}", tmp_path / "source")
    assert report.passed, report.to_json()
    run(tmp_path / "source", "ruff", "check", "--isolated", ".")
    run(tmp_path / "source", "ruff", "format", "--isolated", "--check", ".")
    pytest.importorskip("mypy")
    options = ("--ignore-missing-imports", "--cache-dir", str(tmp_path / "cache"))
    run(tmp_path / "source", "mypy", *options, "model.py", "check.py")


def test_code_for_jax_is_differentiated_where_a_model_holds_integers(backend, shared_worker, tmp_path):
    if backend.name != "jax":
        pytest.skip("the code is for JAX")
    import keras
    from keras import ops

    places = keras.Input((4,), dtype="int32")
    numbered = ops.zeros_like(places) + ops.arange(4, dtype="int32")
    embedded = keras.layers.Embedding(16, 8)(numbered + ops.convert_to_tensor([[3, 1, 4, 1]], dtype="int32"))
    keras.Model(places, keras.layers.Dense(2)(embedded)).save(tmp_path / "model.keras")
    report = port(tmp_path / "model.keras", "source:jax", tmp_path / "source")
    assert report.passed, report.to_json()
    code = (tmp_path / "source" / "model.py").read_text()
    assert 'jnp.arange(4, dtype="int32").reshape((1, 4))' in code or 'jnp.arange(4, dtype="int32")' in code
    assert 'jnp.array([[3, 1, 4, 1]], dtype="int32")' in code
    program = """
import jax, jax.numpy as jnp
from model import apply, init, load
gradients = jax.grad(lambda params: apply(params, jnp.zeros((2, 4), "int32")).sum())(load())
assert set(gradients) == set(init(jax.random.key(0))) and len(gradients) == 2, gradients
"""
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path / "source", capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_augmentation_is_left_out_and_named(backend, shared_worker, tmp_path):
    import keras

    layers = keras.layers
    pictures = keras.Input((8, 8, 3))
    changed = layers.RandomZoom(0.1)(layers.RandomFlip(name="mirror")(layers.RandomRotation(0.1)(pictures)))
    keras.Model(pictures, layers.Dense(2)(layers.Flatten()(changed))).save(tmp_path / "model.keras")
    report = port(tmp_path / "model.keras", f"source:{backend.name}", tmp_path / "source")
    assert report.passed, report.to_json()
    assert [text.split(" ")[1] for text in report.facts["left_out"]] == [
        "(RandomRotation)",
        "(RandomFlip)",
        "(RandomZoom)",
    ]
    assert "mirror (RandomFlip)" in (tmp_path / "source" / "README.md").read_text()


def test_a_convolution_pads_itself_where_that_is_the_same(backend, shared_worker, tmp_path):
    import keras

    layers = keras.layers
    x = pictures = keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3)(layers.ZeroPadding2D(2)(x))
    x = layers.DepthwiseConv2D(3, strides=2)(layers.ZeroPadding2D(((0, 1), (0, 1)))(x))
    shared = layers.ZeroPadding2D(1)(x)  # what two layers read is padded once
    x = layers.Add()([layers.Conv2D(4, 3)(shared), layers.Conv2D(4, 3)(shared)])
    keras.Model(pictures, layers.Flatten()(x)).save(tmp_path / "model.keras")
    report = port(tmp_path / "model.keras", f"source:{backend.name}", tmp_path / "source")
    assert report.passed, report.to_json()
    code = (tmp_path / "source" / "model.py").read_text()
    pads = sum(code.count(f"{function}(x, (") for function in ("F.pad", "jnp.pad", "tf.pad"))
    assert pads == {"torch": 2, "jax": 1, "tensorflow": 3}[backend.name]
    assert ("padding=2" in code or "padding=((2, 2), (2, 2))" in code) == (backend.name != "tensorflow")


def test_an_unnamed_model_is_called_model(backend, shared_worker, tmp_path):
    import keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.save(tmp_path / "model.keras")
    assert port(tmp_path / "model.keras", f"source:{backend.name}", tmp_path / "source").passed
    assert '"""model, as it was trained in Keras.' in (tmp_path / "source" / "model.py").read_text()
