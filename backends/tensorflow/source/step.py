"""The program that takes one step of gradient descent with a written module, by which the module is verified."""

from __future__ import annotations

STEP = """import numpy as np
import tensorflow as tf

from model import {name}


def answers_after_step(inputs, targets, rate):
    model = {name}()
    arrays = [tf.constant(array) for array in inputs]

    @tf.function
    def answers():
        outputs = model(*arrays)
        return outputs if isinstance(outputs, tuple) else (outputs,)

    with tf.GradientTape() as tape:
        pairs = [(o, t) for o, t in zip(answers(), targets, strict=True) if t.size]
        loss = sum(tf.reduce_mean((output - target) ** 2) for output, target in pairs)
    for weight, gradient in zip(
        model.trainable_variables, tape.gradient(loss, model.trainable_variables), strict=True
    ):
        if gradient is not None:
            weight.assign_sub(rate * tf.convert_to_tensor(gradient))
    return [output.numpy() for output in answers()]
"""
