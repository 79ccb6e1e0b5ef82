"""Models whose class has a training and a test step of its own, as Keras' guides write them for each backend.

The steps minimise the mean absolute error, whatever loss is compiled, and return values that are no metrics.
"""


def own_class(backend):
    """Return such a subclass of `keras.Sequential` for the backend of this process, by its name."""
    return {"jax": _for_jax, "tensorflow": _for_tensorflow, "torch": _for_torch}[backend]()


def _logs(loss, answers):
    from keras import ops

    return {"loss": loss, "highest": ops.max(answers)}


def _for_jax():
    import jax
    import keras
    from keras import ops

    class Own(keras.Sequential):
        def _answer(self, trainable, others, batch, training):
            answers, others = self.stateless_call(trainable, others, batch[0], training=training)
            return ops.mean(ops.abs(batch[1] - answers)), (answers, others)

        def train_step(self, state, data):
            trainable, others, optimizer, metrics = state
            differentiate = jax.value_and_grad(self._answer, has_aux=True)
            (loss, (answers, others)), gradients = differentiate(trainable, others, data, True)
            trainable, optimizer = self.optimizer.stateless_apply(optimizer, gradients, trainable)
            return _logs(loss, answers), (trainable, others, optimizer, metrics)

        def test_step(self, state, data):
            trainable, others, metrics = state
            loss, (answers, others) = self._answer(trainable, others, data, False)
            return _logs(loss, answers), (trainable, others, metrics)

    return Own


def _for_tensorflow():
    import keras
    import tensorflow as tf

    class Own(keras.Sequential):
        def train_step(self, data):
            with tf.GradientTape() as tape:
                answers = self(data[0], training=True)
                loss = tf.reduce_mean(tf.abs(data[1] - answers))
            gradients = tape.gradient(loss, self.trainable_variables)
            self.optimizer.apply_gradients(zip(gradients, self.trainable_variables, strict=True))
            return _logs(loss, answers)

        def test_step(self, data):
            answers = self(data[0], training=False)
            return _logs(tf.reduce_mean(tf.abs(data[1] - answers)), answers)

    return Own


def _for_torch():
    import keras
    import torch

    class Own(keras.Sequential):
        def train_step(self, data):
            self.zero_grad()
            answers = self(data[0], training=True)
            loss = (data[1] - answers).abs().mean()
            loss.backward()
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply([variable.value.grad for variable in weights], weights)
            return _logs(loss, answers)

        def test_step(self, data):
            answers = self(data[0], training=False)
            return _logs((data[1] - answers).abs().mean(), answers)

    return Own
