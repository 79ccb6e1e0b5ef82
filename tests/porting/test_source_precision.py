"""A model in another precision than float32 becomes source in float32, which predicts the same up to its rounding."""

import subprocess
import sys

import pytest

from trivium.porting.port import port


def classifier(policy):
    """Return a model whose layers have a dtype policy, and whose outputs are far from each other."""
    import keras

    layers = keras.layers
    x = keras.Input((6, 6, 2))
    y = layers.Conv2D(4, 3, activation="relu", dtype=policy)(x)
    y = layers.BatchNormalization(dtype=policy)(y)
    y = layers.Dense(3, activation="softmax", dtype=policy)(layers.Flatten(dtype=policy)(y))
    return keras.Model(x, y)


@pytest.mark.parametrize(
    ("policy", "dtype", "tolerance"),
    [("mixed_float16", "float16", 1e-2), ("bfloat16", "bfloat16", 2e-2), ("float64", "float64", 1e-5)],
)
def test_the_source_is_in_float32_and_predicts_the_same(backend, shared_worker, tmp_path, policy, dtype, tolerance):
    classifier(policy).save(tmp_path / "model.keras")
    report = port(tmp_path / "model.keras", f"source:{backend.name}", tmp_path / "source")
    assert report.passed, report.to_json()
    assert {check.tolerance for check in report.checks} == {tolerance}
    assert report.facts["outputs"][0]["dtype"] == "float32"
    readme = (tmp_path / "source" / "README.md").read_text()
    assert (f"It computes in float32; the Keras model computes in {dtype}." in readme) == (dtype != "float64")
    done = subprocess.run([sys.executable, "-B", "check.py"], cwd=tmp_path / "source", capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "float16" not in (tmp_path / "source" / "model.py").read_text()


def test_a_copy_in_float32_has_the_weights_and_a_model_in_float32_is_not_copied(backend):
    import numpy as np

    from trivium.engine.keras_model.float32 import to_float32

    model = classifier("mixed_bfloat16")
    copy = to_float32(model)
    assert {layer.compute_dtype for layer in copy.layers} == {"float32"}
    for one, other in zip(model.get_weights(), copy.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    assert to_float32(copy) is copy
