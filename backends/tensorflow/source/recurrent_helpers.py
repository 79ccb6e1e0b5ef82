"""Functions of recurrent layers that a written module contains when it uses them."""

from __future__ import annotations

RECURRENT_HELPERS = {
    "lstm": '''
def lstm(
    p: Weights,
    x: tf.Tensor,
    states: tuple[tf.Tensor, tf.Tensor] | None = None,
    *,
    activation: Callable[[tf.Tensor], tf.Tensor] = tf.tanh,
    gate: Callable[[tf.Tensor], tf.Tensor] = tf.sigmoid,
    dropout_mask: tf.Tensor | float = 1.0,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Run an LSTM over (batch, time, features); return outputs and final states."""
    recurrent = p["recurrent_kernel"]

    def step(states: Any, gates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        hidden, memory = states
        gates = gates + (hidden * dropout_mask) @ recurrent
        i, f, c, o = tf.split(gates, 4, axis=-1)
        memory = gate(f) * memory + gate(i) * activation(c)
        return gate(o) * activation(memory), memory

    zeros = tf.zeros((tf.shape(x)[0], recurrent.shape[0]))
    gates = tf.tensordot(x, p["kernel"], 1) + p.get("bias", 0.0)
    gates = tf.transpose(gates, (1, 0, 2))
    hidden, memory = tf.scan(step, gates, states or (zeros, zeros))
    return tf.transpose(hidden, (1, 0, 2)), hidden[-1], memory[-1]
''',
    "gru": '''
def gru(
    p: Weights,
    x: tf.Tensor,
    states: tuple[tf.Tensor] | None = None,
    *,
    activation: Callable[[tf.Tensor], tf.Tensor] = tf.tanh,
    gate: Callable[[tf.Tensor], tf.Tensor] = tf.sigmoid,
    dropout_mask: tf.Tensor | float = 1.0,
    reset_after: bool = True,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run a GRU over (batch, time, features); return outputs and the final state."""
    recurrent = p["recurrent_kernel"]
    units = recurrent.shape[0]
    both = "bias" in p and reset_after
    bias, inner = tf.unstack(p["bias"]) if both else (p.get("bias", 0.0), 0.0)

    def step(hidden: tf.Tensor, gates: tf.Tensor) -> tf.Tensor:
        z, r, n = tf.split(gates, 3, axis=-1)
        inside = (hidden * dropout_mask) @ recurrent + inner
        hidden_z, hidden_r, hidden_n = tf.split(inside, 3, axis=-1)
        z, r = gate(z + hidden_z), gate(r + hidden_r)
        if reset_after:
            hidden_n = r * hidden_n
        else:
            hidden_n = (r * hidden * dropout_mask) @ recurrent[:, 2 * units :]
        return z * hidden + (1 - z) * activation(n + hidden_n)

    zeros = tf.zeros((tf.shape(x)[0], units))
    gates = tf.transpose(tf.tensordot(x, p["kernel"], 1) + bias, (1, 0, 2))
    hidden = tf.scan(step, gates, zeros if states is None else states[0])
    return tf.transpose(hidden, (1, 0, 2)), hidden[-1]
''',
    "simple_rnn": '''
def simple_rnn(
    p: Weights,
    x: tf.Tensor,
    states: tuple[tf.Tensor] | None = None,
    *,
    activation: Callable[[tf.Tensor], tf.Tensor] = tf.tanh,
    dropout_mask: tf.Tensor | float = 1.0,
) -> tuple[tf.Tensor, tf.Tensor]:
    """Run a simple RNN over (batch, time, features); return outputs and final state."""
    recurrent = p["recurrent_kernel"]

    def step(hidden: tf.Tensor, inputs: tf.Tensor) -> tf.Tensor:
        return activation(inputs + (hidden * dropout_mask) @ recurrent)

    zeros = tf.zeros((tf.shape(x)[0], recurrent.shape[0]))
    inputs = tf.tensordot(x, p["kernel"], 1) + p.get("bias", 0.0)
    inputs = tf.transpose(inputs, (1, 0, 2))
    hidden = tf.scan(step, inputs, zeros if states is None else states[0])
    return tf.transpose(hidden, (1, 0, 2)), hidden[-1]
''',
    "conv_lstm": '''
def conv_lstm(
    p: Weights,
    gates: tf.Tensor,
    states: tuple[tf.Tensor, tf.Tensor] | None = None,
    *,
    activation: Callable[[tf.Tensor], tf.Tensor] = tf.tanh,
    gate: Callable[[tf.Tensor], tf.Tensor] = tf.sigmoid,
) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
    """Run a convolutional LSTM; return outputs and final states.

    Args:
        gates: of the inputs, (batch, time, …, 4 * filters).
    """
    recurrent = {"kernel": p["recurrent_kernel"]}

    def step(states: Any, gates: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        hidden, memory = states
        gates = gates + conv(recurrent, hidden, padding="SAME")
        i, f, c, o = tf.split(gates, 4, axis=-1)
        memory = gate(f) * memory + gate(i) * activation(c)
        return gate(o) * activation(memory), memory

    zeros = tf.zeros_like(gates[:, 0, ..., : gates.shape[-1] // 4])
    steps_first = (1, 0, *range(2, gates.shape.rank))
    gates = tf.transpose(gates + p.get("bias", 0.0), steps_first)
    hidden, memory = tf.scan(step, gates, states or (zeros, zeros))
    return tf.transpose(hidden, steps_first), hidden[-1], memory[-1]
''',
}
