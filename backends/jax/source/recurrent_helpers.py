"""Functions of recurrent layers that a written module contains when it uses them."""

from __future__ import annotations

RECURRENT_HELPERS = {
    "lstm": '''
def lstm(
    p: dict[str, Array],
    x: Array,
    states: tuple[Array, Array] | None = None,
    *,
    activation: Callable[[Array], Array] = jnp.tanh,
    gate: Callable[[Array], Array] = jax.nn.sigmoid,
    dropout_mask: Array | float = 1.0,
) -> tuple[Array, Array, Array]:
    """Run an LSTM over (batch, time, features); return outputs and final states."""
    recurrent = p["recurrent_kernel"]

    def step(
        carry: tuple[Array, Array], gates: Array
    ) -> tuple[tuple[Array, Array], Array]:
        hidden, memory = carry
        gates = gates + (hidden * dropout_mask) @ recurrent
        i, f, c, o = jnp.split(gates, 4, axis=-1)
        memory = gate(f) * memory + gate(i) * activation(c)
        hidden = gate(o) * activation(memory)
        return (hidden, memory), hidden

    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    gates = (x @ p["kernel"] + p.get("bias", 0.0)).swapaxes(0, 1)
    start = (zeros, zeros) if states is None else states
    (hidden, memory), outputs = lax.scan(step, start, gates)
    return outputs.swapaxes(0, 1), hidden, memory
''',
    "gru": '''
def gru(
    p: dict[str, Array],
    x: Array,
    states: tuple[Array] | None = None,
    *,
    activation: Callable[[Array], Array] = jnp.tanh,
    gate: Callable[[Array], Array] = jax.nn.sigmoid,
    dropout_mask: Array | float = 1.0,
    reset_after: bool = True,
) -> tuple[Array, Array]:
    """Run a GRU over (batch, time, features); return outputs and the final state."""
    recurrent = p["recurrent_kernel"]
    units = recurrent.shape[0]
    both = "bias" in p and reset_after
    bias, inner = p["bias"] if both else (p.get("bias", 0.0), 0.0)

    def step(hidden: Array, gates: Array) -> tuple[Array, Array]:
        z, r, n = jnp.split(gates, 3, axis=-1)
        inside = (hidden * dropout_mask) @ recurrent + inner
        hidden_z, hidden_r, hidden_n = jnp.split(inside, 3, axis=-1)
        z, r = gate(z + hidden_z), gate(r + hidden_r)
        if reset_after:
            hidden_n = r * hidden_n
        else:
            hidden_n = (r * hidden * dropout_mask) @ recurrent[:, 2 * units :]
        hidden = z * hidden + (1 - z) * activation(n + hidden_n)
        return hidden, hidden

    zeros = jnp.zeros((x.shape[0], units), x.dtype)
    gates = (x @ p["kernel"] + bias).swapaxes(0, 1)
    state, outputs = lax.scan(step, zeros if states is None else states[0], gates)
    return outputs.swapaxes(0, 1), state
''',
    "simple_rnn": '''
def simple_rnn(
    p: dict[str, Array],
    x: Array,
    states: tuple[Array] | None = None,
    *,
    activation: Callable[[Array], Array] = jnp.tanh,
    dropout_mask: Array | float = 1.0,
) -> tuple[Array, Array]:
    """Run a simple RNN over (batch, time, features); return outputs and final state."""
    recurrent = p["recurrent_kernel"]

    def step(hidden: Array, inputs: Array) -> tuple[Array, Array]:
        hidden = activation(inputs + (hidden * dropout_mask) @ recurrent)
        return hidden, hidden

    zeros = jnp.zeros((x.shape[0], recurrent.shape[0]), x.dtype)
    inputs = (x @ p["kernel"] + p.get("bias", 0.0)).swapaxes(0, 1)
    state, outputs = lax.scan(step, zeros if states is None else states[0], inputs)
    return outputs.swapaxes(0, 1), state
''',
    "conv_lstm": '''
def conv_lstm(
    p: dict[str, Array],
    gates: Array,
    states: tuple[Array, Array] | None = None,
    *,
    activation: Callable[[Array], Array] = jnp.tanh,
    gate: Callable[[Array], Array] = jax.nn.sigmoid,
) -> tuple[Array, Array, Array]:
    """Run a convolutional LSTM; return outputs and final states.

    Args:
        gates: of the inputs, (batch, time, …, 4 * filters).
    """
    recurrent = {"kernel": p["recurrent_kernel"]}

    def step(
        carry: tuple[Array, Array], gates: Array
    ) -> tuple[tuple[Array, Array], Array]:
        hidden, memory = carry
        gates = gates + conv(recurrent, hidden, padding="SAME")
        i, f, c, o = jnp.split(gates, 4, axis=-1)
        memory = gate(f) * memory + gate(i) * activation(c)
        hidden = gate(o) * activation(memory)
        return (hidden, memory), hidden

    zeros = jnp.zeros_like(gates[:, 0, ..., : gates.shape[-1] // 4])
    gates = (gates + p.get("bias", 0.0)).swapaxes(0, 1)
    start = (zeros, zeros) if states is None else states
    (hidden, memory), outputs = lax.scan(step, start, gates)
    return outputs.swapaxes(0, 1), hidden, memory
''',
}
