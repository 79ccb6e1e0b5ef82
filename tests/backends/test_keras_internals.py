"""What trivium uses of Keras' private API is still there, and still does what trivium relies on.

One test for each entry of `keras_internals.py`: these fail first when Keras moves something.
"""

import importlib
import inspect
import random
import subprocess
import sys

import numpy as np
import pytest

from trivium.backends import catalog, keras_internals


@pytest.fixture
def keras(backend):
    import keras

    return keras


def dense(keras, optimizer="adam"):
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2, name="dense")])
    model.compile(optimizer, "mse", metrics=["mae"])
    return model


def test_keras_is_of_a_version_that_is_known(keras):
    assert keras.__version__.rpartition(".")[0] in keras_internals.KNOWN_VERSIONS


def test_keras_own_layers_call_the_operations_of_this_module(keras, monkeypatch):
    called = []
    module = keras_internals.operations_module()
    monkeypatch.setattr(module, "matmul", lambda *a, **k: called.append(a) or keras.ops.matmul(*a, **k))
    keras.layers.Dense(2)(np.ones((1, 3), "float32"))
    assert len(called) == 1


def test_every_random_layer_draws_by_the_random_module(keras, monkeypatch):
    drawn = []
    module = keras_internals.backend_module("random")
    keras_dropout = module.dropout
    monkeypatch.setattr(module, "dropout", lambda *a, **k: drawn.append(a) or keras_dropout(*a, **k))
    keras.layers.Dropout(0.5)(np.ones((2, 3), "float32"), training=True)
    assert len(drawn) == 1


def test_every_activation_computes_by_the_nn_module(keras, monkeypatch):
    called = []
    module = keras_internals.backend_module("nn")
    keras_relu = module.relu
    monkeypatch.setattr(module, "relu", lambda x: called.append(x) or keras_relu(x))
    keras.layers.Activation("relu")(np.ones((2, 3), "float32"))
    assert called


def test_keras_own_classes_lie_in_its_private_package(keras):
    assert keras_internals.is_keras_module(keras.layers.Dense.__module__)
    assert not keras_internals.is_keras_module(__name__)


@pytest.mark.one_environment
def test_a_model_that_is_only_looked_at_leaves_no_names(keras):
    first = int(keras.layers.Dense(1).name.partition("_")[2] or 0)
    with keras_internals.names_restored():
        assert [keras.layers.Dense(1).name for _ in range(2)] == ["dense", "dense_1"]
    assert keras.layers.Dense(1).name == f"dense_{first + 1}"


def test_a_seed_gives_the_numbers_that_keras_own_gives(keras):
    def draws():
        return random.random(), np.random.random(), keras.ops.convert_to_numpy(keras.random.normal((3,))).tolist()

    keras.utils.set_random_seed(7)
    expected = draws()
    keras_internals.set_random_seed(7)
    assert draws() == expected


@pytest.mark.several_backends
def test_a_training_imports_no_framework_for_a_seed_alone(backend):
    """TensorFlow takes seconds to import; `keras.utils.set_random_seed` imports it under every backend."""
    others = {other.package for other in catalog.trainers() if other.serves_others and other.name != backend.name}
    script = (
        "import sys, numpy as np, keras, trivium; from keras import layers;"
        "build = lambda: keras.Sequential([keras.Input((2,)), layers.Dropout(0.5), layers.Dense(1)]);"
        "x = np.ones((8, 2), 'float32'); run = trivium.train(build, (x, x[:, 0]), epochs=1);"
        "trivium.predict(trivium.Bundle.of(run), x); print(*sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=300, check=True)
    assert not others & set(done.stdout.split())


def test_float64_is_preserved_within_the_context_only(keras):
    before = keras.backend.result_type("float64", "float64")
    with keras_internals.float64_preserved():
        assert keras.backend.result_type("float64", "float64") == "float64"
    assert keras.backend.result_type("float64", "float64") == before


def test_metrics_and_the_optimizer_get_their_variables_without_a_step(keras):
    model = dense(keras)
    assert not model.optimizer.built
    keras_internals.build_metrics(model, np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
    assert model.optimizer.built
    assert len(model.metrics_variables) == 4, "total and count of the loss and of mae"


def test_all_layers_come_with_the_cells_of_recurrent_ones(keras):
    model = keras.Sequential([keras.Input((3, 1)), keras.layers.LSTM(2)])
    assert {type(layer).__name__ for layer in keras_internals.all_layers(model)} >= {"LSTM", "LSTMCell"}


def test_a_metric_function_can_be_found_in_its_metric(keras):
    def bias(y, p):
        return keras.ops.mean(y - p)

    metric = keras.metrics.MeanMetricWrapper(bias)
    assert keras_internals.averaged_function(metric) is bias
    assert keras_internals.averaged_function(keras.metrics.Mean()) is None


def test_the_output_of_a_model_has_its_mask_before_anything_is_computed(keras):
    inputs = keras.Input((3, 1))
    sequences = keras.layers.Dense(2)(keras.layers.Masking()(inputs))
    assert keras_internals.mask_of(sequences) is not None
    assert keras_internals.mask_of(keras.layers.LSTM(2)(sequences)) is None
    assert keras_internals.mask_of(keras.layers.Dense(2)(inputs)) is None


def test_added_losses_are_the_list_that_keras_sums(keras):
    layer = keras.layers.ActivityRegularization(l2=1.0)
    layer(np.ones((2, 3), "float32"))
    assert len(keras_internals.added_losses(layer)) == len(layer.losses) == 1
    keras_internals.added_losses(layer).clear()
    assert layer.losses == []


def test_batch_normalisation_takes_its_moments_over_the_reduction_axes(keras):
    layer = keras.layers.BatchNormalization()
    layer.build((None, 5, 2))
    assert list(keras_internals.reduction_axes(layer)) == [0, 1]
    moments = getattr(layer, keras_internals.BATCH_MOMENTS)
    assert list(inspect.signature(moments).parameters) == ["inputs", "mask"]
    mean, variance = moments(keras.ops.convert_to_tensor(np.arange(20, dtype="float32").reshape(2, 5, 2)), None)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(mean), [9.0, 10.0])
    np.testing.assert_allclose(keras.ops.convert_to_numpy(variance), [33.0, 33.0])


def test_tracked_variables_are_the_layers_own_within_the_context(keras):
    layer = keras.layers.LSTM(2, stateful=True)
    layer.build((4, 3, 1))
    before = len(layer.variables)
    with keras_internals.tracked_variables(layer, layer.states):
        assert len(layer.variables) == before + len(layer.states) == before + 2
    assert len(layer.variables) == before


def test_the_nodes_of_a_function_are_its_calls(keras):
    model = dense(keras)
    nodes = list(keras_internals.nodes_of(keras.Function(model.inputs, model.outputs)))
    assert [node.operation.name for node in nodes if not node.is_input] == ["dense"]


@pytest.mark.parametrize("amsgrad", [False, True])
def test_the_moments_of_adam_are_found_by_variable(keras, amsgrad):
    model = dense(keras, keras.optimizers.Adam(amsgrad=amsgrad))
    model.train_on_batch(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
    kernel = model.layers[0].kernel
    first, second, largest = keras_internals.moments_of(model.optimizer, kernel)
    assert tuple(first.shape) == tuple(second.shape) == tuple(kernel.shape)
    assert (largest is None) is not amsgrad
    assert np.abs(first.numpy()).max() > 0


def test_the_momentum_of_sgd_is_found_by_variable(keras):
    model = dense(keras, keras.optimizers.SGD(momentum=0.9))
    model.train_on_batch(np.ones((4, 3), "float32"), np.ones((4, 2), "float32"))
    momentum = keras_internals.momentum_of(model.optimizer, model.layers[0].bias)
    assert tuple(momentum.shape) == (2,)
    assert np.abs(momentum.numpy()).max() > 0


def test_optimizers_reduce_gradients_under_tensorflow_only(keras, backend):
    reduce = getattr(keras.optimizers.SGD(), keras_internals.GRADIENT_REDUCTION, None)
    assert (reduce is not None) == (backend.name == "tensorflow")
    if reduce:
        assert list(inspect.signature(reduce).parameters) == ["grads_and_vars"]


def test_optimizers_update_all_variables_at_once_under_torch_only(keras, backend):
    update = getattr(keras.optimizers.SGD(), keras_internals.OPTIMIZER_UPDATE, None)
    assert (update is not None) == (backend.name == "torch")
    if update:
        assert list(inspect.signature(update).parameters) == ["grads", "variables", "learning_rate"]


def test_callbacks_still_have_the_attributes_that_are_no_state(keras):
    assert set(vars(keras.callbacks.Callback())) <= {"validation_data", *keras_internals.CALLBACK_ATTRIBUTES}


def other_value(name, default):
    """A value of a constructor's argument that is not its default; None if there is none to be had."""
    if isinstance(default, (bool, int)):
        return not default if isinstance(default, bool) else default + 1
    if isinstance(default, float):
        return default / 2 + 0.125
    shares = dict.fromkeys(("recall", "precision", "specificity", "sensitivity", "threshold"), 0.25)
    numbers = {"num_classes": 3, "target_class_ids": [0], "axis": [1], "ignore_class": 2, "class_id": 1}
    return (shares | numbers).get(name)


def losses_and_metrics(keras):
    """Yield each class of Keras' losses and metrics with an argument of its constructor that is not the default."""
    for module in (keras.losses, keras.metrics):
        for cls in filter(inspect.isclass, vars(module).values()):
            parameters = list(inspect.signature(cls.__init__).parameters.values())[1:]
            needed = {p.name: other_value(p.name, None) for p in parameters if p.default is p.empty}
            for parameter in parameters:
                value = other_value(parameter.name, parameter.default)
                if value is not None and parameter.kind is not parameter.VAR_KEYWORD:
                    yield cls, parameter.name, {**needed, parameter.name: value}


def test_the_configurations_of_all_losses_and_metrics_are_complete(keras):
    with keras_internals.serialization():
        for cls, name, arguments in losses_and_metrics(keras):
            copy = cls.from_config(cls(**arguments).get_config())
            assert copy.get_config()[name] == arguments[name], f"{cls.__module__}.{cls.__name__} loses {name}"


def test_keras_still_leaves_out_what_is_completed(keras):
    incomplete = {cls for cls, name, values in losses_and_metrics(keras) if name not in cls(**values).get_config()}
    assert incomplete == set(keras_internals._classes_with_incomplete_configs()), "some of the workaround can go"


def test_a_users_subclass_gets_only_the_arguments_that_it_takes(keras):
    class Half(keras.losses.Huber):
        def __init__(self, name="half", reduction="sum"):
            super().__init__(delta=0.5, name=name, reduction=reduction)

    with keras_internals.serialization():
        assert Half().get_config() == {"name": "half", "reduction": "sum"}
        assert keras.losses.Huber(0.5).get_config()["delta"] == 0.5


def test_the_producer_of_a_tensor_is_its_layer_with_the_inputs_of_this_call(keras):
    x, other = keras.Input((2,)), keras.Input((2,))
    shared = keras.layers.Dense(2)
    first, second = shared(x), shared(other)
    for output, entry in ((first, x), (second, other)):
        assert keras_internals.producer_of(output) == (shared, [entry], 0)
    assert keras_internals.producer_of(x) is None
    assert keras_internals.inputs_of(shared) == [x, other]
    left, right = keras.ops.split(first, 2, axis=-1)
    assert [keras_internals.producer_of(part)[2] for part in (left, right)] == [0, 1]


def test_compiled_metrics_have_the_names_of_the_logs_before_the_first_batch(keras):
    model = dense(keras)
    metrics = keras_internals.compiled_metrics(model, np.ones((4, 2)), model.outputs[0])
    assert {name: type(metric).__name__ for name, metric in metrics.items()} == {"mae": "MeanAbsoluteError"}
    assert keras_internals.metric_direction(metrics["mae"]) == "min"
    assert keras_internals.metric_direction(keras.metrics.AUC()) == "max"
    assert keras_internals.metric_direction(keras.metrics.Mean()) is None
    assert set(model.evaluate(np.ones((4, 3)), np.ones((4, 2)), verbose=0, return_dict=True)) == {"loss", "mae"}


def test_a_class_that_keras_publishes_nowhere_is_loaded_from_its_module(keras):
    scale = keras_internals.private_class("keras.src.applications.convnext", "LayerScale")
    assert issubclass(scale, keras.Layer)
    assert not hasattr(keras.layers, "LayerScale")


@pytest.mark.one_environment
@pytest.mark.parametrize("name", ["onnx", "openvino", "torch"])
def test_exports_trace_a_model_by_samples_of_the_given_shapes(keras, name):
    module = importlib.import_module(f"keras.src.export.{name}")
    with keras_internals.export_samples(lambda shape: [2, *shape[1:]]):
        sample = module.convert_spec_to_tensor(keras.InputSpec(shape=(None, 5), dtype="float32"), replace_none_number=1)
    assert tuple(sample.shape) == (2, 5)
    assert module.convert_spec_to_tensor(keras.InputSpec(shape=(None, 5)), replace_none_number=1).shape[0] == 1


def test_recurrent_layers_loop_by_the_backend_module(keras, monkeypatch):
    loops = []
    module = keras_internals.backend_module()
    keras_rnn = module.rnn
    monkeypatch.setattr(module, "rnn", lambda *a, **k: loops.append(a) or keras_rnn(*a, **k))
    keras.layers.SimpleRNN(2)(np.ones((1, 3, 2), "float32"))
    assert loops
