"""Helpers of recurrent layers with a mask, and what they call."""

from __future__ import annotations

from ....graph.writing.masked_text import masked_helpers
from .helpers import HELPERS

_STEP = '''
def masked_step(step: Callable[..., Any]) -> Callable[..., Any]:
    """Return a step that changes nothing where its mask is false."""

    def masked(states: Any, inputs: tuple[tf.Tensor, tf.Tensor]) -> Any:
        values, mask = inputs
        present = mask[:, None]
        new = step(states, values)
        return tf.nest.map_structure(lambda n, s: tf.where(present, n, s), new, states)

    return masked
'''
_CHANGES = {
    "    x: tf.Tensor,\n": "    x: tf.Tensor,\n    mask: tf.Tensor,\n",
    "    hidden, memory = tf.scan(step, gates, states or (zeros, zeros))": (
        "    start = states or (zeros, zeros)\n"
        "    inputs = gates, tf.transpose(mask)\n"
        "    hidden, memory = tf.scan(masked_step(step), inputs, start)"
    ),
    "    hidden = tf.scan(step, gates, zeros if states is None else states[0])": (
        "    start = zeros if states is None else states[0]\n"
        "    hidden = tf.scan(masked_step(step), (gates, tf.transpose(mask)), start)"
    ),
    "    hidden = tf.scan(step, inputs, zeros if states is None else states[0])": (
        "    start = zeros if states is None else states[0]\n"
        "    hidden = tf.scan(masked_step(step), (inputs, tf.transpose(mask)), start)"
    ),
}

MASKED_HELPERS, MASKED_NEEDS = masked_helpers(HELPERS, _STEP, _CHANGES)
