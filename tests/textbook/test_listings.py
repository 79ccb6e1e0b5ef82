"""The five listings that a reader types first: the chapters' own lines, but for the imports and `trivium.`."""

import numpy as np
import pytest

import trivium

pytestmark = pytest.mark.shared_out

RNG = np.random.default_rng(42)
X = RNG.uniform(size=(200, 12)).astype("float32")
Y = (X[:, :6].sum(axis=1) > X[:, 6:].sum(axis=1)).astype(int) + (X[:, 0] > 0.8)


def test_make_model_with_integer_labels_in_a_cross_validation(backend):
    from keras.layers import Dense
    from keras.models import Sequential
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    def make_model():
        model = Sequential()
        model.add(Dense(24, input_shape=[12], activation="relu"))
        model.add(Dense(3, activation="softmax"))
        model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
        return model

    kc_model = trivium.Classifier(build_fn=make_model, epochs=20, batch_size=16, verbose=0)
    kfold = StratifiedKFold(n_splits=3, shuffle=True, random_state=42)
    results = cross_val_score(kc_model, X, Y, cv=kfold)
    assert results.shape == (3,)
    assert results.mean() > 0.6


def test_the_schedule_of_one_argument(backend):
    from keras.callbacks import Callback, LearningRateScheduler
    from keras.layers import Dense
    from keras.models import Sequential

    class Rates(Callback):
        def __init__(self):
            super().__init__()
            self.seen = []

        def on_epoch_end(self, epoch, logs=None):
            self.seen.append(float(self.model.optimizer.learning_rate))

    def simple_schedule(epoch_number):
        if epoch_number < 2:
            return 0.1
        return 0.01

    model = Sequential()
    model.add(Dense(8, input_shape=[12], activation="relu"))
    model.add(Dense(3, activation="softmax"))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    lr_scheduler = LearningRateScheduler(simple_schedule)
    rates = Rates()
    trivium.train(model, (X, Y), epochs=4, batch_size=64, callbacks=[lr_scheduler, rates])
    np.testing.assert_allclose(rates.seen, [0.1, 0.1, 0.01, 0.01], rtol=1e-6)


def test_early_stopping_says_that_it_stopped(backend, capfd):
    from keras.callbacks import EarlyStopping
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential()
    model.add(Dense(8, input_shape=[12], activation="relu"))
    model.add(Dense(3, activation="softmax"))
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    early_stopper = EarlyStopping(monitor="val_loss", min_delta=10, patience=2, verbose=1)
    run = trivium.train(model, (X, Y), epochs=30, callbacks=[early_stopper])
    assert len(run.history) == 3
    assert "Epoch 3: early stopping" in capfd.readouterr().out
    weights = "the weights of the last epoch are kept, not those of epoch 1, which was best"
    assert run.stopped == f"after epoch 3 of 30: val_loss was not better by 10 for 2 epochs; {weights}"


def test_layers_are_frozen_and_thawed(backend):
    from keras.layers import Dense
    from keras.models import Sequential

    model = Sequential()
    model.add(Dense(8, input_shape=[12], activation="relu"))
    model.add(Dense(3, activation="softmax"))
    before = [layer.get_weights()[0] for layer in model.layers]
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    model = trivium.train(model, (X, Y), epochs=2).model
    frozen = [layer.get_weights()[0] for layer in model.layers]
    np.testing.assert_array_equal(frozen[0], before[0])
    assert np.abs(frozen[1] - before[1]).max() > 1e-4
    for layer in model.layers:
        layer.trainable = True
    model.compile(loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    thawed = trivium.train(model, (X, Y), epochs=2).model.layers[0].get_weights()[0]
    assert np.abs(thawed - before[0]).max() > 1e-4


def test_the_stateful_network(backend):
    from keras.layers import LSTM, Dense, Input
    from keras.models import Sequential

    series = np.sin(np.arange(60) / 5).astype("float32")
    windows = np.stack([series[start : start + 3] for start in range(56)])[:, :, None]
    values = series[3:59]
    model = Sequential()
    model.add(Input(batch_shape=(1, 3, 1)))
    model.add(LSTM(5, return_sequences=True, stateful=True))
    model.add(LSTM(5, stateful=True))
    model.add(Dense(1))
    model.compile(loss="mean_squared_error", optimizer="adam")
    run = trivium.train(model, (windows, values), epochs=3, batch_size=1, validation_split=0.0, shuffle=False)
    assert run.history["loss"][-1] < run.history["loss"][0]
