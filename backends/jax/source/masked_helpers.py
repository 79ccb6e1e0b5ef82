"""Helpers of recurrent layers with a mask, and what they call."""

from __future__ import annotations

from ....graph.writing.masked_text import masked_helpers
from .helpers import HELPERS

_STEP = '''
def masked_step(step: Callable[..., tuple[Any, Array]]) -> Callable[..., Any]:
    """Return a step that changes nothing where its mask is false."""

    def masked(carry: Any, inputs: tuple[Array, Array]) -> tuple[Any, Array]:
        values, mask = inputs
        new, _ = step(carry, values)
        carry = jax.tree.map(lambda n, c: jnp.where(mask[:, None], n, c), new, carry)
        return carry, jax.tree.leaves(carry)[0]

    return masked
'''
_CHANGES = {
    "    x: Array,\n": "    x: Array,\n    mask: Array,\n",
    "lax.scan(step, start, gates)": "lax.scan(masked_step(step), start, (gates, mask.T))",
    "    state, outputs = lax.scan(step, zeros if states is None else states[0], ": (
        "    start = zeros if states is None else states[0]\n    state, outputs = lax.scan(masked_step(step), start, "
    ),
    "start, gates)": "start, (gates, mask.T))",
    "start, inputs)": "start, (inputs, mask.T))",
}

MASKED_HELPERS, MASKED_NEEDS = masked_helpers(HELPERS, _STEP, _CHANGES)
