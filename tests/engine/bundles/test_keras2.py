"""Files of Keras 2 become models of Keras 3 that predict and train as they did; `helpers/keras2_files.py` writes them.

The expected predictions are computed with NumPy.
"""

import json

import numpy as np
import pytest
from keras2_files import adam, archive, dense, hdf5, in_module, input_layer, layer, training

from trivium.engine.bundles import architecture_file, keras_files, model_file
from trivium.engine.bundles.keras2.compilation import translate_compilation
from trivium.engine.bundles.keras2.configuration import translate_model
from trivium.errors import BundleError

pytestmark = pytest.mark.one_environment

SEQUENTIAL = {
    "class_name": "Sequential",
    "config": {
        "name": "sequential",
        "layers": [input_layer((4,), "input_1"), dense(3, "dense", "relu"), dense(2, "dense_1")],
    },
}
ACCURACY = {
    "class_name": "MeanMetricWrapper",
    "config": {"name": "accuracy", "dtype": "float32", "fn": "sparse_categorical_accuracy"},
}


@pytest.fixture
def arrays(generator):
    """A kernel and a bias for each of the two dense layers, by layer."""
    shapes = {"dense": {"kernel": (4, 3), "bias": (3,)}, "dense_1": {"kernel": (3, 2), "bias": (2,)}}
    return {
        name: {weight: generator.normal(size=shape).astype("f4") for weight, shape in own.items()}
        for name, own in shapes.items()
    }


def expected(arrays, x):
    hidden = np.maximum(x @ arrays["dense"]["kernel"] + arrays["dense"]["bias"], 0)
    return hidden @ arrays["dense_1"]["kernel"] + arrays["dense_1"]["bias"]


def memories(arrays, generator):
    """Return what Adam remembers of each weight: by weight, first the mean, then the square."""
    weights = [(name, weight, array) for name, own in arrays.items() for weight, array in own.items()]
    return {
        (memory, f"{name}/{weight}"): generator.random(array.shape).astype("f4")
        for name, weight, array in weights
        for memory in "mv"
    }


def loaded(content, name, folder):
    path = folder / name
    path.write_bytes(content)
    return model_file.load(path)


def test_an_h5_file_with_its_adam_is_the_same_compiled_model(backend, arrays, generator, tmp_path):
    state = memories(arrays, generator)
    stored = [("iteration:0", np.int64(7)), *((f"Adam/{m}/{w}:0", array) for (m, w), array in state.items())]
    compilation = training(adam(), "sparse_categorical_crossentropy", [[ACCURACY]])
    model = loaded(hdf5(SEQUENTIAL, arrays, compilation, stored), "old.h5", tmp_path)
    x = generator.normal(size=(5, 4)).astype("f4")
    np.testing.assert_allclose(model.predict(x, verbose=0), expected(arrays, x), rtol=1e-5, atol=1e-6)
    assert model.loss == "sparse_categorical_crossentropy"
    assert_state(model.optimizer, state, steps=7)
    assert "accuracy" in model.evaluate(x, np.zeros(5), verbose=0, return_dict=True)


def test_the_state_of_an_older_optimizer_is_taken_memory_by_memory(backend, arrays, generator, tmp_path):
    state = memories(arrays, generator)
    by_memory = [(f"Adam/{w}/{m}:0", state[m, w]) for memory in "mv" for m, w in state if m == memory]
    stored = [("Adam/iter:0", np.int64(3)), *by_memory]
    model = loaded(hdf5(SEQUENTIAL, arrays, training(adam(older=True)), stored), "old.h5", tmp_path)
    assert_state(model.optimizer, state, steps=3)


def assert_state(optimizer, state, steps):
    import keras

    assert isinstance(optimizer, keras.optimizers.Adam)
    assert float(optimizer.learning_rate) == pytest.approx(0.01)
    assert int(optimizer.iterations) == steps
    restored = [keras.ops.convert_to_numpy(variable) for variable in optimizer.variables[2:]]
    assert len(restored) == len(state)
    for own, array in zip(restored, state.values(), strict=True):
        np.testing.assert_array_equal(own, array)


def test_a_keras_file_with_a_nested_model_and_functions_of_tensorflow(backend, arrays, generator, tmp_path):
    """The inner model counts its calls from 1 in Keras 2; `1 - 2 * x` is a layer of TensorFlow's function there."""
    calls = [[["input_1", 0, 0, {}]]]
    inner = {"name": "inner", "layers": [input_layer((4,), "input_2"), dense(3, "dense", "relu")]}
    doubled = layer(
        "TFOpLambda", "tf.math.multiply", [["inner", 1, 0, {"y": 2.0, "name": None}]], function="math.multiply"
    )
    reduced = layer(
        "TFOpLambda",
        "tf.math.subtract",
        [["_CONSTANT_VALUE", -1, 1.0, {"y": ["tf.math.multiply", 0, 0], "name": None}]],
        function="math.subtract",
    )
    part = layer(
        "SlicingOpLambda",
        "tf.__operators__.getitem",
        [["tf.math.subtract", 0, 0, {"slice_spec": [{"start": None, "stop": None, "step": None}, 0]}]],
        function="__operators__.getitem",
    )
    place = "tf_keras.src.layers.core.tf_op_layer"
    functional = {
        "name": "model",
        "trainable": True,
        "layers": [
            in_module(input_layer((4,), "input_1", [])),
            in_module({"class_name": "Sequential", "config": inner, "name": "inner", "inbound_nodes": calls}, "keras"),
            in_module(doubled, place, "TFOpLambda"),
            in_module(reduced, place, "TFOpLambda"),
            in_module(part, place, "SlicingOpLambda"),
        ],
        "input_layers": [["input_1", 0, 0]],
        "output_layers": [["tf.math.subtract", 0, 0], ["tf.__operators__.getitem", 0, 0]],
    }
    config = in_module(
        {"class_name": "Functional", "config": functional}, "tf_keras.src.engine.functional", "Functional"
    )
    place = "layers/sequential/layers/dense/vars"
    weights = {f"{place}/0": arrays["dense"]["kernel"], f"{place}/1": arrays["dense"]["bias"]}
    model = loaded(archive(config, weights), "old.keras", tmp_path)
    x = generator.normal(size=(5, 4)).astype("f4")
    whole = 1 - 2 * np.maximum(x @ arrays["dense"]["kernel"] + arrays["dense"]["bias"], 0)
    for output, own in zip(model.predict(x, verbose=0), (whole, whole[:, 0]), strict=True):
        np.testing.assert_allclose(output, own, rtol=1e-5, atol=1e-6)


def test_a_functional_model_with_slashes_and_initial_states(backend, generator, tmp_path):
    """A recurrent layer is called with its states in a list in Keras 2."""
    calls = [[["a/x", 0, 0, {}], ["h", 0, 0, {}]]]
    rnn = layer("SimpleRNN", "rnn", calls, units=2, activation="linear", time_major=False, return_sequences=False)
    inputs = [input_layer((3, 2), "a/x", []), input_layer((2,), "h", [])]
    ends = {"input_layers": [["a/x", 0, 0], ["h", 0, 0]], "output_layers": [["rnn", 0, 0]]}
    config = {"class_name": "Functional", "config": {"name": "model", "layers": [*inputs, rnn], **ends}}
    kernel, recurrent = np.zeros((2, 2), "f4"), np.eye(2, dtype="f4") * 2
    weights = {"rnn": {"kernel": kernel, "recurrent_kernel": recurrent, "bias": np.ones(2, "f4")}}
    model = loaded(hdf5(config, weights), "old.h5", tmp_path)
    h = generator.normal(size=(2, 2)).astype("f4")
    outputs = model.predict([np.ones((2, 3, 2), "f4"), h], verbose=0)
    np.testing.assert_allclose(outputs, 8 * h + 7, rtol=1e-5)


@pytest.mark.parametrize(
    ("before", "kind", "after"),
    [
        (layer("LSTM", "a", units=2, time_major=False, implementation=2), "LSTM", {"units": 2}),
        (layer("LSTM", "a", units=2, time_major=True), "LSTM", {"units": 2, "time_major": True}),
        (layer("DepthwiseConv2D", "a", groups=1), "DepthwiseConv2D", {}),
        (layer("DepthwiseConv2D", "a", groups=2), "DepthwiseConv2D", {"groups": 2}),
        (layer("Conv2D", "a", groups=1), "Conv2D", {"groups": 1}),
        (layer("LeakyReLU", "a", alpha=0.5), "LeakyReLU", {"negative_slope": 0.5}),
        (layer("ThresholdedReLU", "a", theta=0.5), "ReLU", {"threshold": 0.5}),
        (layer("BatchNormalization", "a/b", axis=[3]), "BatchNormalization", {"axis": 3}),
        (layer("LayerNormalization", "a", axis=[1, 2]), "LayerNormalization", {"axis": [1, 2]}),
        (layer("Dropout", "a", noise_shape=None), "Dropout", {"noise_shape": None}),
        (layer("SpatialDropout2D", "a", noise_shape=None), "SpatialDropout2D", {}),
    ],
)
def test_arguments_that_say_nothing_are_dropped_and_others_are_left_to_keras(before, kind, after):
    translated = translate_model(before)
    assert (translated["module"], translated["class_name"]) == ("keras.layers", kind)
    common = {"name": before["config"]["name"].replace("/", "_"), "trainable": True, "dtype": "float32"}
    assert translated["config"] == {**common, **after}


@pytest.mark.parametrize(
    "node",
    [
        layer("Dense", "a") | {"module": "keras.layers", "registered_name": "mine>Dense"},
        layer("Dense", "a") | {"module": "mine.layers"},
        layer("Custom>Dense", "a"),
        layer("system", "a") | {"module": "tf_keras.src.engine.functional", "registered_name": "system"},
    ],
)
def test_a_class_that_is_not_keras_own_stays_what_it_is(node):
    assert translate_model(node) == node


def test_an_optimizer_of_the_users_own_is_not_taken_for_keras(arrays):
    own = {"class_name": "Custom>Adam", "config": {"name": "Adam", "learning_rate": 0.1}}
    content = hdf5(SEQUENTIAL, arrays, training(own))
    with pytest.raises(BundleError, match=r"old.h5, which Keras 2.21.0 wrote, would run the class 'Custom>Adam'"):
        keras_files.load_model(content, "old.h5", trusted=False)


@pytest.mark.parametrize(
    ("optimizer", "rate"),
    [
        (adam(older=True, lr=0.5), 0.5),
        (
            adam(older=True, decay=0.1),
            {
                "module": "keras.optimizers.schedules",
                "class_name": "InverseTimeDecay",
                "config": {"initial_learning_rate": 0.01, "decay_steps": 1, "decay_rate": 0.1, "staircase": False},
                "registered_name": None,
            },
        ),
    ],
)
def test_the_learning_rate_of_an_older_optimizer(optimizer, rate):
    translated = translate_compilation(training(optimizer))["optimizer"]
    assert translated["module"] == "keras.optimizers"
    assert translated["config"]["learning_rate"] == rate
    assert not {"decay", "lr"} & set(translated["config"])


def test_losses_and_metrics_by_their_names():
    settings = {"name": "loss", "from_logits": True, "reduction": "auto", "fn": "binary_crossentropy"}
    loss = {"class_name": "BinaryCrossentropy", "config": settings}
    metrics = [[ACCURACY, {"class_name": "MeanMetricWrapper", "config": {"name": "mine", "fn": "mean_squared_error"}}]]
    translated = translate_compilation(training(adam(), {"o": loss}, metrics))
    own = {"name": "loss", "from_logits": True, "reduction": "sum_over_batch_size"}
    assert translated["loss"]["o"] == {
        "module": "keras.losses",
        "class_name": "BinaryCrossentropy",
        "config": own,
        "registered_name": None,
    }
    assert translated["metrics"] == [["accuracy", "mean_squared_error"]]


def test_an_architecture_as_json(backend, tmp_path):
    path = tmp_path / "old.json"
    path.write_text(json.dumps({**SEQUENTIAL, "keras_version": "2.21.0", "backend": "tensorflow"}))
    assert architecture_file.build(path).output_shape == (None, 2)


def test_what_keras_3_cannot_read_is_refused_with_the_version_that_wrote_it(backend, arrays):
    def functional(node):
        ends = {"input_layers": [["input_1", 0, 0]], "output_layers": [["a", 0, 0]]}
        config = {"name": "model", "layers": [input_layer((4,), "input_1", []), node], **ends}
        return hdf5({"class_name": "Functional", "config": config}, {})

    unknown = layer("TFOpLambda", "a", [["input_1", 0, 0, {}]], function="signal.fft")
    with pytest.raises(BundleError, match=r"old.h5, which Keras 2.21.0 wrote, calls tf.signal.fft, for which"):
        keras_files.load_model(functional(unknown), "old.h5", trusted=True)
    time_first = layer("LSTM", "a", [[["input_1", 0, 0, {}]]], units=2, time_major=True)
    with pytest.raises(BundleError, match=r"cannot load old.h5, which Keras 2.21.0 wrote: .*time_major"):
        keras_files.load_model(functional(time_first), "old.h5", trusted=False)
