"""Streams of batches are trained as they come: on every backend alike, to their end, and on from where they stopped."""

import json
import threading
import time
from pathlib import Path

import functions_for_streams as streams
import numpy as np
import pytest

import trivium
from trivium.backends import catalog, runtime
from trivium.backends.workers import worker
from trivium.data.dataset import Dataset
from trivium.data.from_streams import dataset_from_stream
from trivium.data.streams.recognition import stream_of
from trivium.errors import DataError, OptionError

X, Y, SIZE, STEPS = streams.X, streams.Y, streams.SIZE, streams.STEPS


@pytest.fixture(autouse=True)
def no_thread_is_left():
    yield
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("trivium-prefetch")]


def train(data, **settings):
    """Train on a stream; return the run and the warnings."""
    warnings = []

    def listen(event):
        if event["kind"] in ("note", "warning"):
            warnings.append(event["text"])

    return trivium.train(streams.build, data, listener=listen, **{"epochs": 2, **settings}), warnings


def assert_same(run, other):
    for value, expected in zip(run.model.get_weights(), other.model.get_weights(), strict=True):
        np.testing.assert_array_equal(value, expected)


def in_own_order(model, batches):
    """Train a model on batches by Keras' own step, and return its weights."""
    for batch in batches:
        model.train_on_batch(*batch)
    return model.get_weights()


def test_the_batches_are_those_of_keras_own_steps(backend):
    import keras

    plain = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(2, activation="softmax", kernel_initializer="ones")]
    )
    plain.compile("sgd", "sparse_categorical_crossentropy")
    start = plain.get_weights()
    run = trivium.train(plain, streams.batches, epochs=2, steps_per_epoch=STEPS)
    assert run.settings["plan"] == {"name": runtime.current().plans(plain, 2 * STEPS)[0].name}
    trained = run.model.get_weights()
    plain.set_weights(start)
    expected = in_own_order(plain, [*streams.batches(), *streams.batches()])
    for value, wanted in zip(trained, expected, strict=True):
        np.testing.assert_allclose(value, wanted, atol=1e-6)


def uneven():
    """Yield batches of two sizes in turn, and a last one of a single sample; some with a wait before them."""
    first = 0
    for number, size in enumerate([40, 40, 25, 40, 25, 25, 1]):
        time.sleep(0.15 * (number % 3))
        yield X[first : first + size], Y[first : first + size]
        first += size


@pytest.mark.parametrize("steps", [7, 3, 5])  # the second epoch begins anew, goes on, or meets the end of the stream
def test_every_plan_trains_batches_of_any_size_as_fit(backend, steps):
    settings = {"steps_per_epoch": steps, "validation_data": (X[:50], Y[:50])}
    streams_of_one = (iter(uneven()), iter(uneven())) if steps == 5 else (uneven, uneven)
    by_fit, warnings = train(streams_of_one[0], **settings, plan="fit")
    assert by_fit.settings["plan"] == {"name": "fit", "why": "asked for"}
    run, same_warnings = train(streams_of_one[1], **settings)
    assert run.settings["plan"]["name"] != "fit"
    assert warnings == same_warnings
    for epoch, in_fit in zip(run.history.epochs, by_fit.history.epochs, strict=True):
        assert epoch == pytest.approx(in_fit, rel=1e-5)
    for value, expected in zip(run.model.get_weights(), by_fit.model.get_weights(), strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-6)


def test_a_stream_to_validate_on_is_evaluated_as_by_fit(backend):
    class Loader:
        def __iter__(self):
            return uneven()

        def __len__(self):
            return 7

    by_fit, run = (train(Loader(), validation_data=Loader(), plan=plan)[0] for plan in ("fit", "auto"))
    assert run.settings["plan"]["name"] != "fit"
    for epoch, in_fit in zip(run.history.epochs, by_fit.history.epochs, strict=True):
        assert epoch == pytest.approx(in_fit, rel=1e-5)


def test_a_pass_and_steps_of_the_same_number_are_the_same_run(backend):
    class Loader:
        def __iter__(self):
            return streams.batches()

        def __len__(self):
            return STEPS

    sized, _ = train(Loader())
    unsized, _ = train(streams.batches, steps_per_epoch=STEPS)
    assert_same(sized, unsized)
    assert len(sized.history) == len(unsized.history) == 2


def test_single_samples_are_trained_in_the_order_of_arrays(backend):
    class Samples:
        def __len__(self):
            return len(X)

        def __getitem__(self, number):
            return X[number], Y[number]

    run, _ = train(Samples(), batch_size=SIZE)
    expected = trivium.train(streams.build, (X, Y), epochs=2, batch_size=SIZE, validation_split=0.0)
    assert_same(run, expected)


def test_a_pytorch_loader_is_a_stream_on_any_backend(backend):
    torch = pytest.importorskip("torch", reason="needs PyTorch")
    samples = torch.utils.data.TensorDataset(torch.tensor(X, requires_grad=True), torch.tensor(Y))
    expected, _ = train(streams.batches, steps_per_epoch=STEPS)
    assert_same(train(torch.utils.data.DataLoader(samples, batch_size=SIZE))[0], expected)
    by_number, _ = train(samples, batch_size=SIZE)  # a Dataset of PyTorch: in the order of the run
    assert_same(by_number, trivium.train(streams.build, (X, Y), epochs=2, batch_size=SIZE, validation_split=0.0))


def test_a_tensorflow_dataset_is_a_stream_on_any_backend(backend):
    tf = pytest.importorskip("tensorflow", reason="needs TensorFlow")
    dataset = tf.data.Dataset.from_tensor_slices((X, Y)).batch(SIZE)
    expected, _ = train(streams.batches, steps_per_epoch=STEPS, validation_data=(X, Y))
    run, _ = train(dataset, validation_data=dataset)
    assert_same(run, expected)
    assert run.history["val_loss"] == pytest.approx(expected.history["val_loss"], rel=1e-5)
    endless, _ = train(dataset.repeat(), steps_per_epoch=STEPS)
    assert_same(endless, expected)


@pytest.mark.several_backends
def test_every_backend_trains_the_same_run():
    weights = {backend.name: worker.get(backend.name).call(streams.weights_of_a_run) for backend in catalog.trainers()}
    first, *others = weights.values()
    assert len(first) == 12  # three runs of four arrays
    for other in others:
        for name, value in first.items():
            np.testing.assert_allclose(other[name], value, atol=1e-5, err_msg=name)


@pytest.mark.shared_out
@pytest.mark.parametrize(("steps", "epochs", "count"), [(5, 2, 7), (50, 1, 7), (STEPS, 1, 7)])
def test_an_iterator_that_ends_leaves_the_model_that_was_trained(backend, steps, epochs, count):
    run, warnings = train(streams.batches(), epochs=4, steps_per_epoch=steps)
    assert len(run.history) == epochs
    (warning,) = (text for text in warnings if "ended" in text)
    assert warning.startswith(
        f"The data (a generator) ended after {count} batches, fewer than 4 epochs of {steps} take"
    )
    expected, others = train(streams.batches, epochs=1, steps_per_epoch=STEPS)
    assert_same(run, expected)
    assert not [text for text in others if "ended" in text]


def test_an_iterator_that_is_just_long_enough_is_no_warning(backend):
    _, warnings = train(streams.batches(), epochs=1, steps_per_epoch=STEPS)
    assert warnings == ["Nothing is held out of a stream for validation."]


def test_validation_by_arrays_and_by_a_stream_are_the_same(backend):
    by_arrays, warnings = train(streams.py_dataset(), validation_data=(X, Y), test_data=(X, Y))
    by_stream, _ = train(streams.py_dataset(), validation_data=streams.py_dataset())
    assert not warnings
    assert_same(by_arrays, by_stream)
    for name in ("val_loss", "val_accuracy"):
        assert by_stream.history[name] == pytest.approx(by_arrays.history[name], rel=1e-5)
    assert by_arrays.evaluation["loss"] == pytest.approx(by_arrays.history["val_loss"][-1], rel=1e-5)


def test_weights_of_the_samples_are_the_third_part_of_a_batch(backend):
    def weighted():
        for x, y in streams.batches():
            yield x, y, np.where(y == 0, 3.0, 1.0)

    run, _ = train(weighted, steps_per_epoch=STEPS)
    plain, _ = train(streams.batches, steps_per_epoch=STEPS)
    assert np.abs(run.model.get_weights()[0] - plain.model.get_weights()[0]).max() > 1e-4


def test_named_arrays_of_a_batch_are_matched_to_the_model(backend):
    def named():
        for x, y in streams.batches():
            yield {"label": y, "numbers": x}

    def build():
        import keras

        numbers = keras.Input((4,), name="numbers")
        return keras.Model(numbers, keras.layers.Dense(2, activation="softmax", name="label")(numbers))

    by_name = trivium.train(build, named, epochs=1, steps_per_epoch=STEPS)
    in_order = trivium.train(build, streams.batches, epochs=1, steps_per_epoch=STEPS)
    assert_same(by_name, in_order)
    assert by_name.dataset.labels == ("0", "1")


def bad_batches(kind):
    """Yield two good batches, then a bad one."""
    good = list(streams.batches())[:2]
    x, y = good[0]
    bad = {
        "shape": (x[:, :3], y),
        "class": (x, y + 5),
        "nan": (np.where(x > 1, np.nan, x), y),
        "weight": (x, y, np.ones(len(y))),
        "length": (x, y[:4]),
    }[kind]
    yield from (*good, bad)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("shape", r"a sample of x has shape \(3,\), in batch 1 it had \(4,\)"),
        ("class", r"its classes range from 5 to 6, but the model has outputs for 2"),
        ("nan", r"x holds values that are NaN or infinite"),
        ("weight", r"has the arrays x, y with weights; batch 1 had x, y"),
        ("length", r"different numbers of samples \(x 30, y 4\)"),
    ],
)
def test_a_bad_batch_is_named(backend, kind, message):
    with pytest.raises(DataError, match=f"batch 3 of the function .*{message}"):
        train(lambda: bad_batches(kind), steps_per_epoch=STEPS)


@pytest.mark.parametrize("steps", [1, 2, 3])  # in a later epoch, at its beginning, in the first
def test_an_error_of_the_source_reaches_the_user(backend, steps):
    def fails():
        yield from list(streams.batches())[:2]
        raise OSError("the disk is gone")

    with pytest.raises(DataError, match="batch 3 of the function fails failed: OSError: the disk is gone"):
        train(fails, epochs=4, steps_per_epoch=steps)


@pytest.mark.one_environment
@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({}, "does not say how many batches an epoch has: add `steps_per_epoch` N"),
        ({"validation_split": 0.2}, "`validation_split`: nothing is held out of a stream"),
        ({"class_weight": "balanced"}, "give the weights as the third part of each batch"),
        ({"augment": {"rotation": 3}}, "`augment` is for arrays"),
        ({"validation_data": streams.batches}, "`validation_data`: the function batches does not say"),
        ({"test_data": streams.batches}, r"`test_data`: expected arrays \(x, y\) beside a stream, received function"),
    ],
)
def test_what_does_not_go_with_a_stream_is_refused(settings, message):
    with pytest.raises((OptionError, DataError), match=message):
        train(streams.batches, **settings)


@pytest.mark.one_environment
def test_a_recipe_that_learns_its_scale_needs_arrays():
    recipe = trivium.Recipe("mine/scaled", "scaled inputs", streams.build, inputs=(trivium.step("standardise"),))
    with pytest.raises(DataError, match="the step 'standardise' is fitted on all of the training data, which a stream"):
        trivium.train(recipe, streams.batches, steps_per_epoch=STEPS)


@pytest.mark.one_environment
def test_sizes_of_the_data_must_be_named():
    with pytest.raises(OptionError, match="the sizes of all data are not seen in a stream: add `options` classes=N"):
        trivium.train(lambda classes: streams.build(), streams.batches, steps_per_epoch=STEPS)


def test_a_recipe_prepares_raw_batches_by_steps_that_need_no_fitting(backend, digits):
    def raw():
        for start in range(0, 300, 50):
            yield digits.train.x[start : start + 50], digits.train.y[start : start + 50]

    run = trivium.train("dense/small", raw, epochs=1, steps_per_epoch=6)
    assert run.dataset.labels == tuple("0123456789")
    assert len(trivium.predict(trivium.Bundle.of(run), digits.test.x[:3]).to_json()) == 3


@pytest.mark.shared_out
@pytest.mark.parametrize("data", [streams.py_dataset, lambda: streams.endless])
def test_a_run_goes_on_with_the_batches_that_would_have_followed(backend, data, tmp_path):
    settings = {"steps_per_epoch": STEPS, "checkpoints": [{"every": 1}]}
    unbroken, _ = train(data(), epochs=4, **settings)
    train(data(), epochs=2, out=tmp_path / "run", **settings)
    resumed, _ = train(data(), epochs=4, out=tmp_path / "run", resume=True, **settings)
    assert [entry["after_epoch"] for entry in resumed.resumed] == [2]
    assert_same(resumed, unbroken)


def test_hooks_of_a_py_dataset_are_called_for_the_epochs_before(backend, tmp_path):
    unbroken, _ = train(streams.py_dataset(), epochs=4)
    train(streams.py_dataset(), epochs=2, out=tmp_path / "run")
    resumed, _ = train(streams.py_dataset(), epochs=4, out=tmp_path / "run", resume=True)
    assert_same(resumed, unbroken)


def test_what_can_be_read_once_cannot_be_resumed(backend, tmp_path):
    train(streams.batches(), epochs=1, steps_per_epoch=3, out=tmp_path / "run")
    with pytest.raises(
        OptionError, match="the data are a generator, which can be read once: its run cannot be resumed"
    ):
        train(streams.batches(), epochs=2, steps_per_epoch=3, out=tmp_path / "run", resume=True)


@pytest.mark.one_environment
def test_a_dataset_of_streams_may_bring_its_validation():
    dataset = dataset_from_stream(stream_of(streams.batches), streams.py_dataset())
    assert isinstance(dataset, Dataset)
    run, warnings = train(dataset, steps_per_epoch=STEPS)
    assert "val_loss" in run.history.metrics
    assert not warnings


@pytest.mark.one_environment
def test_the_record_names_the_stream(tmp_path):
    train(streams.batches, steps_per_epoch=STEPS, out=tmp_path / "run")
    record = json.loads((tmp_path / "run" / "run.json").read_text())
    assert record["dataset"]["stream"] == "the function batches"
    assert record["settings"]["steps_per_epoch"] == STEPS
    assert Path(tmp_path / "run" / "bundle.trivium").is_file()
