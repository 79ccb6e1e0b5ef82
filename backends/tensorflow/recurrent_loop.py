"""Keras' loop of recurrent layers by operations that OpenVINO and LiteRT have, for sequences of any length.

Keras' own loop collects the outputs in lists of tensors, which these runtimes do not have; this one writes them into
one tensor. It computes the same, and serves exports only: it is not meant to be differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

Step = Callable[[Any, tuple[Any, ...]], tuple[Any, Any]]


def rnn(
    step_function: Step,
    inputs: Any,
    initial_states: Any,
    go_backwards: bool = False,
    mask: Any = None,
    constants: Any = None,
    unroll: bool = False,
    input_length: Any = None,
    time_major: bool = False,
    zero_output_for_mask: bool = False,
    return_all_outputs: bool = True,
) -> tuple[Any, Any, Any]:
    """Return the last output, all outputs and the last states; arguments as in `keras.src.backend.rnn`."""
    nest = tf.nest
    sequences = inputs if time_major else nest.map_structure(_swap, inputs)
    masks = None if mask is None else mask if time_major else _swap(mask)
    if go_backwards:
        sequences = nest.map_structure(lambda values: tf.reverse(values, [0]), sequences)
        masks = None if masks is None else tf.reverse(masks, [0])
    states = tuple(initial_states)
    steps = tf.shape(nest.flatten(sequences)[0])[0]

    def compute(time: Any, previous: Any, states: tuple[Any, ...]) -> tuple[Any, Any]:
        sample = nest.map_structure(lambda values: tf.gather(values, time), sequences)
        output, new_states = step_function(sample, (*states, *(constants or ())))
        new_states = nest.pack_sequence_as(states, nest.flatten(new_states))
        if masks is None:
            return output, new_states
        present = tf.cast(tf.gather(masks, time), tf.bool)
        old = tf.zeros_like(output) if zero_output_for_mask else previous
        chosen = nest.map_structure(lambda new, old: _where(present, new, old), new_states, states)
        return _where(present, output, old), chosen

    first, _ = step_function(nest.map_structure(lambda values: values[0], sequences), (*states, *(constants or ())))
    outputs = tf.zeros(tf.concat([[steps if return_all_outputs else 1], tf.shape(first)], 0), first.dtype)

    def body(time: Any, outputs: Any, previous: Any, *flat_states: Any) -> tuple[Any, ...]:
        output, new_states = compute(time, previous, nest.pack_sequence_as(states, flat_states))
        place = time if return_all_outputs else 0
        outputs = tf.tensor_scatter_nd_update(outputs, [[place]], output[None])
        return (time + 1, outputs, output, *nest.flatten(new_states))

    variables = (tf.constant(0), outputs, tf.zeros_like(first), *nest.flatten(states))
    shapes = [tf.TensorShape([]), tf.TensorShape([None, *first.shape]), *map(_of_any_batch, variables[2:])]
    results = tf.while_loop(lambda time, *_: time < steps, body, variables, shape_invariants=tuple(shapes))
    outputs = results[1] if time_major else _swap(results[1])
    return results[2], outputs, nest.pack_sequence_as(states, list(results[3:]))


def _swap(values: Any) -> Any:
    """Return the values with the first two axes exchanged."""
    return tf.transpose(values, [1, 0, *range(2, len(values.shape))])


def _where(present: Any, new: Any, old: Any) -> Any:
    """Return the new values of samples that are present, else the old ones."""
    return tf.where(tf.reshape(present, [-1] + [1] * (len(new.shape) - 1)), new, old)


def _of_any_batch(tensor: Any) -> tf.TensorShape:
    return tf.TensorShape([None, *tensor.shape[1:]])
