"""A model predicts any number of samples, whatever batch size it was built for, and is reset between calls."""

import numpy as np
import pytest

from trivium.backends import runtime
from trivium.data import datasets
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.keras_model.class_scores import probabilities
from trivium.engine.keras_model.inference import fixed_batch, outputs_of
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


def test_a_stateful_model_is_reset_before_each_call(stateful):
    first = outputs_of(stateful, windows(8))
    np.testing.assert_array_equal(outputs_of(stateful, windows(8)), first)


def test_a_stateful_model_carries_its_states_within_one_call(stateful):
    """The outputs of the second batch differ from those it would have as the first batch."""
    together, alone = outputs_of(stateful, windows(8))[4:], outputs_of(stateful, windows(8)[4:])
    assert np.abs(together - alone).max() > 1e-4


def test_carrying_states_leaves_no_trace_in_the_model(stateful):
    before = [variable.path for variable in stateful.variables]
    with runtime.current().carry_rnn_states(stateful):
        pass
    assert [variable.path for variable in stateful.variables] == before
    assert "inner_loop" not in vars(stateful.layers[0])


def test_a_stateful_recipe_trains_on_full_batches_and_fits_into_a_bundle(backend, tmp_path):
    run = Trainer("rnn/stateful", options={"batch": 1, "units": 4}, epochs=1).fit(datasets.load("waves:0:30"))
    Bundle.of(run).save(tmp_path / "b.trivium")
    bundle = bundles.load(tmp_path / "b.trivium")
    np.testing.assert_allclose(
        outputs_of(bundle.model, bundle.recorded_inputs), bundle.recorded_outputs, rtol=0, atol=1e-6
    )


def test_each_epoch_begins_with_reset_states(stateful):
    from trivium.engine.epochs.callbacks import ResetStates

    callback = ResetStates()
    callback.set_model(stateful)
    stateful.predict(windows(8), batch_size=4, verbose=0)
    callback.on_epoch_begin(0)
    states = [np.asarray(state) for layer in stateful.layers[:2] for state in layer.states]
    assert len(states) == 4
    assert all((state == 0).all() for state in states)


def test_a_step_from_reset_states_equals_a_step_of_a_stateless_layer(backend):
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
    with runtime.current().carry_rnn_states(remembers):
        remembers.train_on_batch(x, y)
    for mine, theirs in zip(remembers.get_weights(), forgets.get_weights(), strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=1e-6)


def test_samples_that_do_not_fill_the_batches_are_refused_with_a_batch_size_that_fits(backend):
    with pytest.raises(DataError, match=r"37 samples are no multiple of the 10 .* 7 would be left over"):
        Trainer("rnn/stateful", options={"batch": 10}, epochs=1).fit(datasets.load("waves:0:40"))


def test_another_batch_size_than_the_model_was_built_for_is_an_error(backend):
    with pytest.raises(OptionError, match="built for batches of 2, not of 8"):
        Trainer("rnn/stateful", options={"batch": 2}, batch_size=8, epochs=1).fit(datasets.load("waves:0:41"))


def test_a_single_output_becomes_two_probabilities():
    np.testing.assert_allclose(probabilities(np.array([[0.2], [0.9]])), [[0.8, 0.2], [0.1, 0.9]])
    np.testing.assert_array_equal(probabilities(np.eye(3)), np.eye(3))


@pytest.mark.parametrize(("count", "batches"), [(1, [32]), (33, [32, 32]), (128, [32] * 4), (129, [256])])
def test_few_samples_are_predicted_in_small_batches(backend, count, batches):
    import keras

    sizes = []

    class Counting(keras.Model):
        def predict_on_batch(self, x):
            sizes.append(len(x))
            return super().predict_on_batch(x)

    numbers = keras.Input((2,))
    model = Counting(numbers, keras.layers.Dense(1)(numbers))
    x = np.random.default_rng(0).normal(size=(count, 2)).astype("float32")
    np.testing.assert_allclose(outputs_of(model, x), x @ np.asarray(model.get_weights()[0]), rtol=1e-5, atol=1e-6)
    assert sizes == batches
