"""A model answers for any number of samples, whatever batch it was built for, and forgets between two askings."""

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.data import datasets
from trivium.engine.keras_model.inference import fixed_batch, outputs_of, probabilities
from trivium.engine.training.trainer import Trainer
from trivium.errors import DataError, OptionError
from trivium.models import recipe as recipes


@pytest.fixture(scope="module")
def stateful(backend):
    return recipes.find("rnn/stateful")(batch=4, units=5)


def windows(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 3, 1)).astype("float32")


def test_a_last_batch_that_is_not_full_changes_nothing(stateful):
    assert fixed_batch(stateful) == 4
    whole = outputs_of(stateful, windows(8))
    assert whole.shape == (8, 1)
    for count in (1, 5, 7):
        np.testing.assert_allclose(outputs_of(stateful, windows(8)[:count]), whole[:count], rtol=0, atol=1e-6)


def test_a_model_that_remembers_forgets_before_it_is_asked_again(stateful):
    first = outputs_of(stateful, windows(8))
    np.testing.assert_array_equal(outputs_of(stateful, windows(8)), first)


def test_within_one_asking_it_remembers(stateful):
    """The second batch is answered otherwise than it would be as the first."""
    together, alone = outputs_of(stateful, windows(8))[4:], outputs_of(stateful, windows(8)[4:])
    assert np.abs(together - alone).max() > 1e-4


def test_remembering_leaves_no_trace_in_the_model(stateful):
    before = [variable.path for variable in stateful.variables]
    with runtime.current().remembering(stateful):
        pass
    assert [variable.path for variable in stateful.variables] == before
    assert "inner_loop" not in vars(stateful.layers[0])


def test_a_stateful_recipe_trains_on_whole_batches_and_lives_in_a_bundle(backend, tmp_path):
    run = Trainer("rnn/stateful", options={"batch": 1, "units": 4}, epochs=1).fit(datasets.load("waves:0:30"))
    Bundle.of(run).save(tmp_path / "b.trivium")
    found = bundles.load(tmp_path / "b.trivium")
    np.testing.assert_allclose(
        outputs_of(found.model, found.recorded_inputs), found.recorded_outputs, rtol=0, atol=1e-6
    )


def test_each_epoch_begins_with_nothing_remembered(stateful):
    from trivium.engine.epochs.callbacks import ResetStates

    callback = ResetStates()
    callback.set_model(stateful)
    stateful.predict(windows(8), batch_size=4, verbose=0)
    callback.on_epoch_begin(0)
    states = [np.asarray(state) for layer in stateful.layers[:2] for state in layer.states]
    assert len(states) == 4
    assert all((state == 0).all() for state in states)


def test_a_step_from_nothing_remembered_is_the_step_of_a_layer_that_never_remembers(backend):
    import keras

    def build(stateful):
        layers = [keras.Input(batch_shape=(4, 3, 1)), keras.layers.LSTM(2, stateful=stateful), keras.layers.Dense(1)]
        model = keras.Sequential(layers)
        model.compile(optimizer=keras.optimizers.SGD(0.1), loss="mse")
        return model

    remembers, forgets = build(True), build(False)
    forgets.set_weights(remembers.get_weights())
    x, y = windows(4), windows(4, seed=1)[:, 0]
    forgets.train_on_batch(x, y)
    with runtime.current().remembering(remembers):
        remembers.train_on_batch(x, y)
    for mine, theirs in zip(remembers.get_weights(), forgets.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)


def test_samples_that_do_not_fill_the_batches_are_an_error_that_says_which_would(backend):
    with pytest.raises(DataError, match=r"37 samples are no multiple of the 10 .* 7 would be left over"):
        Trainer("rnn/stateful", options={"batch": 10}, epochs=1).fit(datasets.load("waves:0:40"))


def test_another_batch_size_than_the_model_was_built_for_is_an_error(backend):
    with pytest.raises(OptionError, match="built for batches of 2, not of 8"):
        Trainer("rnn/stateful", options={"batch": 2}, batch_size=8, epochs=1).fit(datasets.load("waves:0:41"))


def test_one_output_stands_for_no_and_yes():
    np.testing.assert_allclose(probabilities(np.array([[0.2], [0.9]])), [[0.8, 0.2], [0.1, 0.9]])
    np.testing.assert_array_equal(probabilities(np.eye(3)), np.eye(3))
