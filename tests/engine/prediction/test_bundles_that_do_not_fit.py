"""A bundle whose parts do not fit together is told in one line, and so is what a model makes of NaN."""

import dataclasses

import numpy as np
import pytest

import trivium
from trivium.data.dataset import Dataset, Split
from trivium.data.preprocessing.pipeline import Preprocessing
from trivium.engine.bundles import bundle as bundles
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.keras_model.model_bytes import keras_bytes
from trivium.errors import BundleError, DataError, TriviumError

pytestmark = pytest.mark.one_environment

X = np.arange(40, dtype="float32").reshape(20, 2)
Y = np.arange(20) % 3


def build(fill=0.1):
    import keras

    kernel = keras.initializers.Constant(fill)
    return keras.Sequential([keras.Input((2,)), keras.layers.Dense(3, "softmax", kernel_initializer=kernel)])


@pytest.fixture(scope="module")
def bundle(backend):
    return Bundle.of(trivium.train(build, (X, Y), test_data=(X, Y), epochs=1, validation_split=0.0))


STEPS = (
    *({"kind": kind} for kind in ("min-max", "standardise", "letters", "words", "one-hot", "channel-axis")),
    {"kind": "window", "length": -3},
    {"kind": "window", "length": 3, "stride": 0},
    {"kind": "cast", "dtype": "foo"},
    {"kind": "reshape", "shape": [-28, -28]},
)


@pytest.mark.parametrize("step", STEPS, ids=str)
def test_a_preparation_that_prepares_nothing_is_told(bundle, step):
    broken = dataclasses.replace(bundle, preprocessing=Preprocessing.from_json({"inputs": [step], "targets": []}))
    with pytest.raises(TriviumError):
        trivium.predict(broken, X)
    with pytest.raises(TriviumError):
        trivium.evaluate(broken, (X, Y))


@pytest.mark.parametrize("count", [1, 2, 11])
def test_labels_that_are_not_those_of_the_outputs_are_told(bundle, count):
    broken = dataclasses.replace(bundle, labels=tuple(map(str, range(count))))
    with pytest.raises(BundleError, match=f"names {count} classes for the output .*, which has 3"):
        trivium.predict(broken, X)


def test_targets_that_the_loss_does_not_take_are_told(bundle):
    model = build()
    model.compile("sgd", "categorical_crossentropy")
    broken = dataclasses.replace(bundle, keras_file=keras_bytes(model))
    with pytest.raises(BundleError, match="cannot be evaluated on these data"):
        trivium.evaluate(broken, Dataset("d", Split(X, Y), Split(X, Y), ("0", "1", "2"), "given"))


def test_a_class_of_nothing_but_nan_has_no_label(bundle):
    broken = dataclasses.replace(bundle, keras_file=keras_bytes(build(float("inf"))))
    nothing = {"0": None, "1": None, "2": None}
    expected = [{"label": None, "probability": None, "probabilities": nothing}]
    assert trivium.predict(broken, X[:1]).to_json() == expected
    values = dataclasses.replace(broken, labels=())
    assert trivium.predict(values, X[:1]).to_json() == [[None, None, None]]


def test_a_model_file_is_no_bundle_and_the_message_says_what_takes_it(backend, tmp_path):
    build().save(tmp_path / "m.keras")
    build().save(tmp_path / "m.h5")
    for name in ("m.keras", "m.h5"):
        with pytest.raises(BundleError, match="is a model without its preparation and its record"):
            bundles.load(tmp_path / name)
        with pytest.raises(DataError, match="is a model without data of its own: add `data`"):
            trivium.evaluate(tmp_path / name)
    (tmp_path / "saved").mkdir()
    (tmp_path / "saved" / "saved_model.pb").touch()
    with pytest.raises(BundleError, match="is a SavedModel, which holds a graph instead of layers"):
        trivium.predict(tmp_path / "saved", X)
