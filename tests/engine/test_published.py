"""What is published about the recipes, reached here: long runs, by `tox -e slow`.

The digits need the full MNIST: `TRIVIUM_FULL_DATA` names the folder that holds `mnist.npz`; without it they skip.
"""

import os

import pytest

from trivium.backends import catalog, worker

HERE = __file__
BACKENDS = [backend.name for backend in catalog.installed()]


def train(recipe, data, epochs):
    """Run in a worker: train and tell the last epoch's metrics, the evaluation, the time of a steady epoch."""
    from trivium.engine.training import train

    run = train(recipe, data, epochs=epochs)
    return {**run.history.epochs[-1], "test": run.evaluation, "seconds": run.timings.steady_epoch}


@pytest.fixture(scope="module")
def full_mnist():
    folder = os.environ.get("TRIVIUM_FULL_DATA")
    if not folder:
        pytest.skip("TRIVIUM_FULL_DATA names no folder with the full mnist.npz")
    return os.path.join(folder, "mnist.npz")


@pytest.mark.slow
@pytest.mark.parametrize("backend_name", BACKENDS)
@pytest.mark.parametrize(("recipe", "epochs", "least"), [("cnn/striding", 3, 0.975)])
def test_digits_reach_their_validation_accuracy(full_mnist, recipe, epochs, least, backend_name):
    found = worker.get(backend_name).call(f"{HERE}:train", recipe, full_mnist, epochs)
    print(f"\n{recipe} on {backend_name}, all of MNIST, {epochs} epochs: {found}")
    assert found["val_accuracy"] >= least


@pytest.mark.slow
@pytest.mark.parametrize("backend_name", BACKENDS)
def test_lstm_learns_the_wave(backend_name):
    found = worker.get(backend_name).call(f"{HERE}:train", "rnn/lstm", "waves:0", 100)
    print(f"\nrnn/lstm on {backend_name}, wave set 0, 100 epochs: {found}")
    assert found["test"]["rms_error"] <= 0.25
