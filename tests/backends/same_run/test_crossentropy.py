"""Crossentropies must equal their definition on every backend, however certain a model is, and leave no trace."""

import gc
import inspect

import numpy as np
import pytest
from scipy.special import expit, log_softmax

from trivium.backends import catalog, keras_internals, runtime
from trivium.backends.epochs import build_metrics
from trivium.backends.same_run import crossentropy
from trivium.backends.same_run.crossentropy import losses_from_logits
from trivium.backends.workers import worker

HERE = __file__
BACKENDS = [backend.name for backend in catalog.trainers()]
# Inputs of the activation: uncertain, wrong beyond Keras' bound, right beyond it, and equal.
LOGITS = np.array([[0.5, -1.0, 0.25], [0.0, 40.0, 3.0], [60.0, 0.0, -9.0], [0.0, 0.0, 0.0]], "float32")
CLASSES = np.array([1, 0, 0, 2])
YES_OR_NO = np.array([[1, 0, 1], [1, 0, 0], [1, 0, 0], [0, 1, 1]], "float32")
ONE_HOT = np.eye(3, dtype="float32")[CLASSES]


def of_classes():
    """Return the mean categorical crossentropy by definition, in float64, and its gradient."""
    logs = log_softmax(LOGITS.astype("float64"), axis=1)
    return -logs[range(4), CLASSES].mean(), (np.exp(logs) - ONE_HOT) / 4


def of_answers():
    """Return the mean binary crossentropy by definition, in float64, and its gradient."""
    logits = LOGITS.astype("float64")
    against = np.where(YES_OR_NO == 1, -logits, logits)
    return np.logaddexp(0, against).mean(), (expit(against) * np.where(YES_OR_NO == 1, -1, 1)) / 12


# The activation, the loss, its targets, and what is expected.
KINDS = {
    "categorical": ("softmax", "categorical_crossentropy", ONE_HOT, of_classes),
    "sparse": ("softmax", "sparse_categorical_crossentropy", CLASSES, of_classes),
    "binary": ("sigmoid", "binary_crossentropy", YES_OR_NO, of_answers),
}


@pytest.fixture
def keras(backend):
    import keras

    return keras


def handing_on(keras, activation, loss):
    """Return a model whose initial logits are its inputs."""
    layer = keras.layers.Dense(3, activation, kernel_initializer="identity")
    model = keras.Sequential([keras.Input((3,)), layer])
    model.compile(keras.optimizers.SGD(1.0), loss)
    return model


@pytest.mark.parametrize("kind", KINDS)
def test_loss_and_gradient_are_those_of_the_definition(keras, kind):
    activation, loss, y, by_definition = KINDS[kind]
    expected, slope = by_definition()
    with losses_from_logits():
        actual, gradients = runtime.current().gradients(handing_on(keras, activation, loss), LOGITS, y)
    assert actual == pytest.approx(expected, rel=1e-6)
    np.testing.assert_allclose(gradients[1], slope.sum(0), rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(gradients[0], LOGITS.T @ slope, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_every_plan_trains_with_losses_from_logits(keras, kind):
    activation, loss, y, by_definition = KINDS[kind]
    expected, slope = by_definition()
    with losses_from_logits():
        for plan in runtime.current().plans(handing_on(keras, activation, loss), 10**9):
            model = handing_on(keras, activation, loss)
            build_metrics(model, LOGITS, y)
            epochs = runtime.current().compile_epochs(model, (LOGITS, y), 4, plan)
            epochs.begin(np.arange(4))
            epochs.run(0, 1)
            assert epochs.loss() == pytest.approx(expected, rel=1e-6), plan.name
            epochs.end()
            np.testing.assert_allclose(model.get_weights()[1], -slope.sum(0), rtol=1e-5, atol=1e-7, err_msg=plan.name)
            model.set_weights([np.eye(3), np.zeros(3)])
            model.reset_metrics()
            epochs.evaluate()
            assert float(model.get_metrics_result()["loss"]) == pytest.approx(expected, rel=1e-6), plan.name


def test_the_binary_crossentropy_is_accurate_where_a_model_is_right(keras):
    """Loss and gradient are 1e-13 there, accurate to float32; computed from 1 - p they would be 0."""
    logits = np.array([[30.0, -30.0, 30.0]], "float32")
    model = handing_on(keras, "sigmoid", "binary_crossentropy")
    with losses_from_logits():
        actual, gradients = runtime.current().gradients(model, logits, np.array([[1.0, 0.0, 1.0]], "float32"))
    assert actual == pytest.approx(np.exp(-30.0), rel=1e-5)
    np.testing.assert_allclose(gradients[1], np.array([-1, 1, -1]) * np.exp(-30.0) / 3, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_losses_of_other_probabilities_are_left_to_keras(keras, kind):
    """Probabilities that were halved after the activation, or came from the other activation."""
    activation, loss, y, _ = KINDS[kind]
    other = {"softmax": "sigmoid", "sigmoid": "softmax"}[activation]
    activations, compute = keras.activations, getattr(keras.losses, loss)
    for make in (lambda x: getattr(activations, activation)(x) * 0.5, getattr(activations, other)):
        # In NumPy between: on one backend Keras itself finds the logits of whichever activation.
        expected = compute(y, keras.ops.convert_to_numpy(make(keras.ops.convert_to_tensor(LOGITS))))
        with losses_from_logits():
            actual = compute(y, make(keras.ops.convert_to_tensor(LOGITS)))
        both = [keras.ops.convert_to_numpy(values) for values in (actual, expected)]
        np.testing.assert_allclose(*both, rtol=1e-6, atol=1e-7)


def test_logits_are_used_only_if_the_axis_is_that_of_the_softmax(keras):
    target = keras.ops.convert_to_tensor(ONE_HOT[:3].T)
    x = keras.ops.convert_to_tensor(LOGITS[:3].T)
    with losses_from_logits():
        probabilities = keras.activations.softmax(x, axis=0)
        along = keras.ops.categorical_crossentropy(target, probabilities, axis=0)
        across = keras.ops.categorical_crossentropy(target, probabilities, axis=1)
    assert keras.ops.convert_to_numpy(along) == pytest.approx(
        -log_softmax(LOGITS[:3].astype("float64"), 1)[range(3), CLASSES[:3]], rel=1e-6, abs=1e-7
    )
    expected = keras.ops.categorical_crossentropy(
        target, keras.ops.convert_to_tensor(keras.ops.convert_to_numpy(probabilities)), axis=1
    )
    assert keras.ops.convert_to_numpy(across) == pytest.approx(keras.ops.convert_to_numpy(expected), rel=1e-6)


def test_incompatible_shapes_raise_keras_own_error(keras):
    with losses_from_logits(), pytest.raises(Exception, match=r"(same|rank).*"):
        keras.ops.binary_crossentropy(
            keras.ops.ones((4, 1)), keras.activations.sigmoid(keras.ops.convert_to_tensor(LOGITS))
        )


# --- leaving no trace -----------------------------------------------------------------------------------------------


def test_keras_still_computes_by_the_functions_that_are_replaced(keras):
    native = {
        name: inspect.signature(getattr(keras_internals.backend_module("nn"), name)).parameters
        for name in crossentropy.REPLACED
    }
    with losses_from_logits():
        ours = {
            name: inspect.signature(getattr(keras_internals.backend_module("nn"), name)).parameters
            for name in crossentropy.REPLACED
        }
    for name in crossentropy.REPLACED:
        assert {key: parameter.default for key, parameter in ours[name].items()} == {
            key: parameter.default for key, parameter in native[name].items()
        }, name


def test_everything_is_put_back_also_after_an_exception_and_when_nested(keras):
    module = keras_internals.backend_module("nn")
    native = {name: getattr(module, name) for name in crossentropy.REPLACED}
    expected, _ = of_classes()
    with losses_from_logits():
        outer = {name: getattr(module, name) for name in crossentropy.REPLACED}
        assert not any(outer[name] is native[name] for name in crossentropy.REPLACED)
        with losses_from_logits():
            probabilities = keras.activations.softmax(keras.ops.convert_to_tensor(LOGITS))
            actual = keras.ops.categorical_crossentropy(keras.ops.convert_to_tensor(ONE_HOT), probabilities)
            assert float(keras.ops.mean(actual)) == pytest.approx(expected, rel=1e-6)
        with pytest.raises(RuntimeError, match="within"), losses_from_logits():
            raise RuntimeError("within")
        assert {name: getattr(module, name) for name in crossentropy.REPLACED} == outer
    assert {name: getattr(module, name) for name in crossentropy.REPLACED} == native


def test_logits_are_not_kept_longer_than_their_output(keras, monkeypatch):
    trackers = []
    own = crossentropy._LogitsTracker
    monkeypatch.setattr(crossentropy, "_LogitsTracker", lambda: trackers.append(own()) or trackers[-1])
    activation, loss, y, _ = KINDS["categorical"]
    with losses_from_logits():
        model = handing_on(keras, activation, loss)
        for _ in range(10):
            model.train_on_batch(LOGITS, y)
        output = keras.activations.softmax(keras.ops.convert_to_tensor(LOGITS))
        del model
        keras.utils.clear_session()
        gc.collect()
        assert id(output) in trackers[0]._origins
        del output
        gc.collect()
        assert len(trackers[0]._origins) <= 4, "those of a graph that a framework keeps, no more with every step"


# --- why all this ---------------------------------------------------------------------------------------------------


@pytest.mark.several_backends
def test_keras_own_difference_between_backends_is_still_there():
    """When this fails, all backends clip or none does: check whether `losses_from_logits` is still needed."""
    if "tensorflow" not in BACKENDS:
        pytest.skip("for TensorFlow beside another")
    losses = {name: worker.get(name).call(f"{HERE}:loss_of_a_sure_mistake") for name in BACKENDS}
    assert losses.pop("tensorflow") == pytest.approx(30, rel=1e-5)
    for loss in losses.values():
        assert loss == pytest.approx(-np.log(1e-7), rel=1e-5)


def loss_of_a_sure_mistake():
    """Run in a worker: the crossentropy of a softmax whose right class has a probability of e⁻³⁰."""
    runtime.current()
    import keras

    probabilities = keras.ops.softmax(keras.ops.convert_to_tensor([[0.0, 30.0]]))
    return float(keras.ops.categorical_crossentropy(keras.ops.convert_to_tensor([[1.0, 0.0]]), probabilities)[0])


@pytest.mark.one_environment
def test_an_overlap_over_the_batch_is_no_mean_over_samples(backend):
    import keras

    from trivium.backends.same_run.crossentropy import has_mean_losses

    losses = keras.losses
    for loss, expected in (
        *(("dice", False), (losses.Dice(), False), (losses.dice, False), (losses.Tversky(), False)),
        *((losses.Dice(axis=(1, 2)), True), ("mse", True), (losses.MeanSquaredError(reduction="sum"), False)),
    ):
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", loss)
        assert has_mean_losses(model) is expected, loss
