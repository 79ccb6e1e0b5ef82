"""A module that comes back to Keras is trained as its author trains it, not only computed the same."""

from pathlib import Path

import numpy as np
import pytest

import trivium
from trivium.errors import PortError
from trivium.functions import load_function

MODULES = Path(__file__).parents[1] / "helpers" / "modules_for_training.py"
ROWS, PICTURES = (4, 6), (4, 3, 8, 8)


def make(name, *arguments):
    pytest.importorskip("torch")
    return load_function(f"{MODULES}:{name}")(*arguments)


def rebuilt(module, tmp_path, shape=ROWS):
    import keras
    import torch

    report = trivium.port_from_torch(module, (torch.ones(shape),), tmp_path / "net.keras")
    assert report.passed, report.to_json()
    return keras.saving.load_model(report.artifact)


def test_what_is_frozen_stays_frozen(backend, shared_worker, tmp_path):
    model = rebuilt(make("frozen", ["first.weight", "first.bias"]), tmp_path)
    assert sum(int(np.prod(variable.shape)) for variable in model.trainable_variables) == 12
    assert [layer.trainable for layer in model.layers if layer.weights] == [False, True]
    with pytest.raises(PortError, match="some of its weights are trained and others are not"):
        rebuilt(make("frozen", ["second.bias"]), tmp_path)


def test_what_is_detached_gets_no_gradient(backend, shared_worker, tmp_path):
    import keras

    model = rebuilt(make("Two", True), tmp_path)
    model.compile(keras.optimizers.SGD(0.1), "mse")
    before = [layer.get_weights()[0] for layer in model.layers if layer.get_weights()]
    model.fit(np.ones((8, 6), "float32"), np.ones((8, 2), "float32"), verbose=0)
    after = [layer.get_weights()[0] for layer in model.layers if layer.get_weights()]
    np.testing.assert_array_equal(after[0], before[0])
    assert np.abs(after[1] - before[1]).max() > 1e-3


@pytest.mark.parametrize("inplace", [False, True])
@pytest.mark.parametrize(
    ("dropout", "shape", "kind"),
    [
        ("Dropout", ROWS, "Dropout"),
        ("AlphaDropout", ROWS, "AlphaDropout"),
        ("Dropout2d", PICTURES, "Dropout"),
        ("FeatureAlphaDropout", PICTURES, "AlphaDropout"),
    ],
)
def test_a_dropout_drops_what_its_author_drops(backend, shared_worker, tmp_path, dropout, shape, kind, inplace):
    model = rebuilt(make("with_dropout", dropout, inplace, shape == PICTURES), tmp_path, shape)
    (found,) = (each for each in model.layers if "Dropout" in type(each).__name__)
    assert (type(found).__name__, found.rate) == (kind, 0.3)
    drawn = found.get_config().get("noise_shape")
    if shape == ROWS:
        assert drawn is None
    else:  # one draw for each map of each sample; the maps lie last in a Keras model
        assert tuple(drawn) == (None, 1, 1, None)


@pytest.mark.parametrize("kind", ["max", "min"])
def test_the_place_of_the_largest_comes_with_its_value(backend, shared_worker, tmp_path, kind):
    torch = pytest.importorskip("torch")
    module = make("Extreme", kind)
    x = np.random.default_rng(0).normal(size=(7, 6)).astype("float32")
    values, places = (np.asarray(output) for output in rebuilt(module, tmp_path).predict(x, verbose=0))
    expected = [output.detach().numpy() for output in module(torch.from_numpy(x))]
    np.testing.assert_allclose(values, expected[0], atol=1e-6)
    np.testing.assert_array_equal(places, expected[1])


def test_a_step_of_both_is_compared(backend, shared_worker, tmp_path):
    torch = pytest.importorskip("torch")
    report = trivium.port_from_torch(make("Two"), (torch.ones(ROWS),), tmp_path / "net.keras")
    (check,) = report.training
    assert check.passed
    assert check.difference < 1e-4


def test_a_weight_of_windows_is_added_to_more_of_them_than_there_are_samples(backend, shared_worker, tmp_path):
    torch = pytest.importorskip("torch")
    report = trivium.port_from_torch(make("Windows"), (torch.randn(2, 16, 3),), tmp_path / "net.keras")
    assert report.passed, report.finding
    assert report.training


@pytest.mark.parametrize("name", ["Tied", "Padded"])
def test_what_is_trained_otherwise_is_not_kept(backend, shared_worker, tmp_path, name):
    torch = pytest.importorskip("torch")
    tokens = torch.tensor([[1, 2, 0], [3, 4, 8], [0, 5, 6]])
    report = trivium.port_from_torch(make(name), (tokens,), tmp_path / "net.keras")
    assert report.finding.startswith("the same predictions, but a DIFFERENT training step")
    assert ("TRAINED OTHERWISE" in report.finding) == (name == "Padded")
    assert all(check.passed for check in report.checks)
    assert not (tmp_path / "net.keras").exists()
    report = trivium.port_from_torch(make(name), (tokens,), tmp_path / "net.keras", inference_only=True)
    assert report.passed
    assert report.training == ()
