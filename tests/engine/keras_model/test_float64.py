"""A model converted to float64 has the same outputs, optimizer, and optimizer state."""

import numpy as np

RANDOM = np.random.default_rng(0)
X, Y = RANDOM.normal(size=(16, 3)).astype("float32"), RANDOM.normal(size=(16, 1)).astype("float32")


def test_weights_and_optimizer_state_are_kept_in_float64(backend):
    import keras

    from trivium.engine.keras_model.float64 import to_float64
    from trivium.engine.verification.model_under_test import fresh_keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(4, "tanh"), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(0.02), "mean_squared_error")
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    answers = np.array(model.predict(X, verbose=0))
    with fresh_keras(float64=True):
        wide = to_float64(model)
        assert {variable.dtype for variable in wide.trainable_variables} == {"float64"}
        wide_answers = np.array(wide.predict(X.astype("float64"), verbose=0))
        assert wide_answers.dtype == "float64"
        np.testing.assert_allclose(wide_answers, answers, rtol=0, atol=1e-6 * abs(answers).max())
        assert type(wide.optimizer) is type(model.optimizer)
        for mine, theirs in zip(wide.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(np.array(mine.numpy()), np.array(theirs.numpy()), err_msg=mine.path)
        assert int(np.array(wide.optimizer.iterations.numpy())) == 4
    assert keras.config.floatx() == "float32"


def test_a_model_that_was_not_compiled_stays_so(backend):
    import keras

    from trivium.engine.keras_model.float64 import to_float64
    from trivium.engine.verification.model_under_test import fresh_keras

    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])
    with fresh_keras(float64=True):
        assert not to_float64(model).compiled
