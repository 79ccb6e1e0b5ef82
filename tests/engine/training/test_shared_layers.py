"""Two models that share layers are trained in turn, by steps and by epochs, the same on every backend."""

from pathlib import Path

import numpy as np
import pytest

import trivium
from trivium.backends import catalog
from trivium.backends.workers import worker

HELPERS = Path(__file__).resolve().parents[2] / "helpers" / "models_over_shared_layers.py"


def test_each_step_trains_one_model_and_then_the_other_and_the_bundle_answers_for_both(backend, digits, tmp_path):
    from models_over_shared_layers import in_turn

    x, y = digits.train.x, {"digit": digits.train.y, "even": digits.train.y % 2}
    run = trivium.train(in_turn, (x, y), epochs=3, batch_size=32, out=tmp_path / "run")
    for name in ("digit", "even"):
        assert run.history[name][-1] < run.history[name][0]
    answers = run.model.predict(x[:20], verbose=0)
    for name, network in (("digit", "which"), ("even", "even")):
        np.testing.assert_allclose(run.networks[network].predict(x[:20], verbose=0), answers[name], atol=1e-6)
        assert (tmp_path / "run" / f"{network}.keras").is_file()
    kept = trivium.predict(tmp_path / "run", x[:20])
    for name in ("digit", "even"):
        np.testing.assert_allclose(kept.outputs[name], answers[name], atol=1e-6)


def test_models_that_are_trained_by_epochs_in_turn_move_each_other_and_keep_their_optimizers(backend, digits):
    from models_over_shared_layers import digit_and_even

    which, even = digit_and_even()
    which.compile("adam", "sparse_categorical_crossentropy")
    even.compile("adam", "binary_crossentropy")
    x, y = digits.train.x, digits.train.y
    before = even.predict(x[:20], verbose=0)
    for epoch in range(2):
        trivium.train(which, (x, y), epochs=1, batch_size=100, seed=epoch, validation_split=0)
        assert np.abs(even.predict(x[:20], verbose=0) - before).max() > 1e-4
        trivium.train(even, (x, y % 2), epochs=1, batch_size=100, seed=epoch, validation_split=0)
        before = even.predict(x[:20], verbose=0)
    assert int(which.optimizer.iterations) == int(even.optimizer.iterations) == 2 * len(x) / 100


@pytest.mark.several_backends
@pytest.mark.parametrize("way", ["train_in_turn", "train_by_epochs"])
def test_two_models_that_are_trained_in_turn_are_the_same_on_every_backend(way, digits):
    done = [
        worker.get(each.name).call(f"{HELPERS}:{way}", digits.train.x, digits.train.y) for each in catalog.trainers()
    ]
    for losses, answers in done[1:]:
        np.testing.assert_allclose(losses, done[0][0], rtol=1e-4)
        for own, first in zip(answers, done[0][1], strict=True):
            np.testing.assert_allclose(own, first, atol=1e-4)
