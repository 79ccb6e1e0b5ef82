"""Training in 16 bits is close to `fit` under the same policy; any precision gives a float32 model."""

import inspect
import zipfile
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest

from trivium.backends import catalog, runtime
from trivium.backends.workers import worker
from trivium.data import datasets
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.epochs import precision
from trivium.engine.training.trainer import Trainer
from trivium.errors import OptionError
from trivium.models.recipe import Recipe

# The tolerance of a metric after some steps in bfloat16 (8 bits of precision) that round at different places.
CLOSE = 0.03
DROPOUT = {
    "recipe": "dense/dropout",
    "options": {"layers": 1, "units": 8, "dropout": 0.2},
    "batch_size": 75,
    "epochs": 2,
}


def all_kinds():
    """Build a model of layers that some backend computes in its own way: convolution, max-pooling, LSTM, dropout."""
    from keras import Input, Sequential, layers

    pictures = [layers.Dense(16), layers.Reshape((4, 4, 1)), layers.Conv2D(2, 3, padding="same", activation="relu")]
    series = [layers.MaxPooling2D(2), layers.Reshape((4, 2)), layers.LSTM(3), layers.Dropout(0.2)]
    return Sequential([Input((2,)), *pictures, *series, layers.Dense(1, "sigmoid")])


class Watcher:
    """A Keras callback that records the compute dtypes of the layers and the class of the optimizer."""

    def __new__(cls):
        import keras

        class Recorder(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None):
                self.dtypes = {layer.compute_dtype for layer in self.model.layers}
                self.optimizer = type(self.model.optimizer).__name__

        return Recorder()


# --- training -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def trained(backend, digits):
    """A run in bfloat16, and a callback that watched it."""
    watcher = Watcher()
    return Trainer(**DROPOUT, precision="mixed_bfloat16", callbacks=[watcher]).fit(digits), watcher


def require_near(run, expected, plan):
    assert (run.settings["plan"]["name"], run.settings["precision"]) == (plan, "mixed_bfloat16")
    for metric in expected.history.metrics:
        np.testing.assert_allclose(
            run.history[metric], expected.history[metric], rtol=CLOSE, atol=CLOSE, err_msg=f"{plan} {metric}"
        )


def test_every_plan_trains_like_fit_under_the_same_policy(backend, digits, trained):
    by_fit = Trainer(**DROPOUT, precision="mixed_bfloat16", plan="fit").fit(digits)
    plans = [plan.name for plan in runtime.current().plans(by_fit.model, 10)]
    require_near(trained[0], by_fit, plans[0])
    for plan in plans[1:]:
        require_near(Trainer(**DROPOUT, precision="mixed_bfloat16", plan=plan).fit(digits), by_fit, plan)


def test_tuned_layers_train_like_fit_under_the_same_policy(backend):
    recipe, moons = Recipe("kinds", "all kinds", all_kinds), datasets.load("moons")
    settings = {"recipe": recipe, "batch_size": 100, "epochs": 1, "precision": "mixed_bfloat16"}
    by_fit, run = (Trainer(**settings, plan=plan).fit(moons) for plan in ("fit", "auto"))
    require_near(run, by_fit, runtime.current().plans(run.model, 10)[0].name)


def test_keras_own_fit_under_the_same_global_policy_is_close(backend, digits, trained):
    import keras

    trainer, before = Trainer(**DROPOUT), keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        model, training = trainer.make_ready(digits)
    finally:
        keras.config.set_dtype_policy(before)
    assert model.layers[-1].compute_dtype == "bfloat16"
    history = model.fit(training.x, training.y, batch_size=75, epochs=2, verbose=0).history
    # The order of samples and the masks differ, so the numbers are only roughly the same.
    np.testing.assert_allclose(trained[0].history["loss"], history["loss"], rtol=0.25)


def require_float32(run, policy):
    assert {layer.compute_dtype for layer in run.model.layers} == {"float32"}
    assert type(run.model.optimizer).__name__ == "Adam"
    bundle = Bundle.of(run)
    assert bundle.recorded_outputs.dtype == "float32"
    assert bundle.run["settings"]["precision"] == policy
    with zipfile.ZipFile(BytesIO(bundle.keras_file)) as archive:
        config = archive.read("config.json").decode()
    assert "mixed_" not in config
    assert "LossScale" not in config


def test_the_trained_model_computes_in_float32_without_a_trace_of_the_policy(backend, digits, trained):
    import keras

    run, watcher = trained
    assert "bfloat16" in watcher.dtypes
    assert keras.config.dtype_policy().name == "float32"
    assert run.model.predict(np.zeros((3, 784), "float32"), verbose=0).dtype == "float32"
    require_float32(run, "mixed_bfloat16")


def test_in_float16_the_loss_is_scaled_during_training_only(backend, digits):
    watcher = Watcher()
    run = Trainer(**DROPOUT, precision="mixed_float16", callbacks=[watcher]).fit(digits)
    assert "float16" in watcher.dtypes
    assert watcher.optimizer == "LossScaleOptimizer"
    assert run.history["loss"][1] < run.history["loss"][0]
    require_float32(run, "mixed_float16")


def test_dropout_masks_are_those_of_float32_bit_by_bit(backend):
    import keras

    from trivium.backends.same_run.portable_random import portable_draws

    x = np.ones((7, 33), "float32")
    with portable_draws():
        masks = {
            policy: keras.layers.Dropout(0.4, seed=3, dtype=policy)(x, training=True) for policy in precision.POLICIES
        }
    nonzero = {name: keras.ops.convert_to_numpy(keras.ops.cast(mask, "float32")) != 0 for name, mask in masks.items()}
    assert keras.backend.standardize_dtype(masks["mixed_bfloat16"].dtype) == "bfloat16"
    assert 0.4 < nonzero["float32"].mean() < 0.8
    for policy in precision.MIXED:
        np.testing.assert_array_equal(nonzero[policy], nonzero["float32"], err_msg=policy)


def test_a_trained_model_can_be_trained_further_in_bfloat16(backend, digits, striding_run):
    watcher = Watcher()
    run = Trainer(start=Bundle.of(striding_run), epochs=1, precision="mixed_bfloat16", callbacks=[watcher]).fit(digits)
    assert "bfloat16" in watcher.dtypes
    assert {layer.compute_dtype for layer in run.model.layers} == {"float32"}
    assert run.history["loss"][0] < striding_run.history["loss"][0]


def test_an_estimator_passes_the_precision_on(backend):
    import trivium

    estimator = trivium.Classifier("dense/dropout", precision="mixed_bfloat16")
    trainer = estimator.trainer(np.zeros((4, 2)), {"classes": 2}, classifies=True)
    assert trainer.settings["precision"] == "mixed_bfloat16"
    assert (
        "precision" not in estimator.set_params(precision=None).trainer(np.zeros((4, 2)), {}, classifies=True).settings
    )


# --- everything in float64 -------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def wide(backend, digits):
    """A run in float64, and a callback that watched it."""
    watcher = Watcher()
    return Trainer(**DROPOUT, precision="float64", callbacks=[watcher]).fit(digits), watcher


def test_in_float64_layers_weights_and_optimizer_are_float64_and_the_result_is_float32(backend, digits, wide):
    import keras

    run, watcher = wide
    assert watcher.dtypes == {"float64"}
    trained = watcher.model
    dtypes = {str(variable.dtype) for variable in (*trained.variables, *trained.optimizer.variables)}
    assert {dtype for dtype in dtypes if "float" in dtype} == {"float64"}
    for mine, theirs in zip(run.model.variables, trained.variables, strict=True):
        np.testing.assert_array_equal(mine.numpy(), np.array(theirs.numpy()).astype(mine.dtype), err_msg=mine.path)
    assert int(run.model.optimizer.iterations) == int(trained.optimizer.iterations) == 6
    assert (keras.config.floatx(), keras.config.dtype_policy().name) == ("float32", "float32")
    assert run.model.predict(np.zeros((3, 784), "float32"), verbose=0).dtype == "float32"
    require_float32(run, "float64")


def test_a_run_in_float64_is_close_to_one_in_float32(backend, digits, wide):
    expected = Trainer(**DROPOUT).fit(digits)
    np.testing.assert_allclose(wide[0].history["loss"], expected.history["loss"], rtol=1e-4)
    assert wide[0].history["loss"] != expected.history["loss"]
    assert wide[0].evaluation["accuracy"] == pytest.approx(expected.evaluation["accuracy"], abs=0.02)


def test_every_plan_in_float64_is_the_same_run(backend, digits, wide):
    for plan in ("fit", *(plan.name for plan in runtime.current().plans(wide[0].model, 10))):
        run = Trainer(**DROPOUT, precision="float64", plan=plan).fit(digits)
        np.testing.assert_allclose(run.history["loss"], wide[0].history["loss"], rtol=1e-11, err_msg=plan)


def test_a_trained_model_can_be_trained_further_in_float64(backend, digits, striding_run):
    watcher = Watcher()
    settings = {"epochs": 1, "learning_rate": 1e-12, "callbacks": [watcher], "precision": "float64"}
    run = Trainer(start=Bundle.of(striding_run), **settings).fit(digits)
    assert "float64" in watcher.dtypes
    for mine, before in zip(run.model.get_weights(), striding_run.model.get_weights(), strict=True):
        assert mine.dtype == "float32"
        np.testing.assert_allclose(mine, before, rtol=0, atol=1e-6)


def test_an_open_ended_run_in_float64_can_be_timed_and_measured(backend, digits):
    trainer = Trainer(**DROPOUT, precision="float64")
    model, training = trainer.make_ready(digits)
    train = trainer.open_ended(model, training)
    train(1)
    assert {str(variable.dtype) for variable in model.trainable_variables} == {"float64"}
    assert int(np.array(model.optimizer.iterations.numpy())) == 3


@pytest.mark.several_backends
def test_in_float64_a_run_is_the_same_on_every_backend():
    names = [backend.name for backend in catalog.trainers()]
    curves = [worker.get(name).call(f"{__file__}:losses_in_float64") for name in names]
    assert curves[0][-1] < 0.9 * curves[0][0], "it learns"
    np.testing.assert_allclose(curves, [curves[0]] * len(names), rtol=1e-11)


def losses_in_float64():
    run = Trainer("dense/two-small", epochs=3, precision="float64").fit(datasets.load("mnist:sample"))
    return run.history["loss"]


# --- nested layers ------------------------------------------------------------------------------------------


def test_the_policy_reaches_all_layers_nested_ones_included(backend):
    import keras

    assert list(inspect.signature(keras.Model._flatten_layers).parameters) == ["self", "include_self", "recursive"]
    both = keras.layers.Bidirectional(keras.layers.LSTM(2, return_sequences=True))
    distributed = keras.layers.TimeDistributed(keras.layers.Dense(1))
    model = keras.Sequential([keras.Input((2, 3)), keras.Sequential([both]), distributed])
    model.compile("sgd", "mse")
    changes = {
        "bfloat16": lambda: precision.apply_policy(model, "mixed_bfloat16"),
        "float32": lambda: precision.to_float32(model, "mixed_bfloat16", build_float32=pytest.fail),
    }
    for dtype, change in changes.items():
        assert change() is model
        layers = (model, both, both.forward_layer, both.backward_layer.cell, distributed, distributed.layer)
        assert {layer.compute_dtype for layer in layers} == {dtype}


# --- refusals -------------------------------------------------------------------------------------------------


def wide_only():
    import keras

    class WideOnly(keras.layers.Layer):
        """Like an operation without a 16-bit kernel: it only fails when it is computed."""

        def call(self, inputs):
            if self.compute_dtype != "float32":
                raise ValueError("no kernel for such floats\nand more of it")
            return inputs * 2.0

        def compute_output_shape(self, input_shape):
            return input_shape

    return keras.Sequential([keras.Input((2,)), WideOnly(), keras.layers.Dense(1, "sigmoid")])


def test_an_operation_without_a_kernel_is_an_error_in_one_line(backend):
    recipe, data = Recipe("wide", "wide only", wide_only), datasets.load("moons")
    device = runtime.current().devices()[0].kind
    message = (
        rf"^`precision` mixed_float16: {backend.title} cannot train this model with it on the {device} "
        r"\(.*no kernel for such floats.*\); use float32 or mixed_bfloat16$"
    )
    with pytest.raises(OptionError, match=message):
        Trainer(recipe, epochs=1, precision="mixed_float16").fit(data)
    assert len(Trainer(recipe, epochs=1, precision="float32").fit(data).history) == 1


def test_an_unknown_policy_is_refused():
    with pytest.raises(
        OptionError, match="precision must be float32, mixed_bfloat16, mixed_float16 or float64, received 'half'"
    ):
        Trainer("cnn/striding", precision="half")


def test_a_run_is_only_resumed_in_its_own_precision():
    from trivium.engine.runs.resume_rules import require_same

    before, now = (
        {
            "recipe": "dense/small",
            "settings": Trainer("dense/small", **options).settings,
            "dataset": {"checksum": "1"},
        }
        for options in ({"precision": "mixed_bfloat16"}, {})
    )
    with pytest.raises(OptionError, match="precision mixed_bfloat16 → none"):
        require_same(Path("run"), before, now)
