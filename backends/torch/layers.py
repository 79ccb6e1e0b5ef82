"""Faster layers for PyTorch that compute the same function as Keras' layers while a model trains.

Recurrent layers use PyTorch's kernels instead of Keras' Python loop over the time steps. `convolutions.py` has the
other layers, `optimizers.py` the optimizer's step, `denormals.py` the flushing of denormal numbers. The replacements
are set on the layer instances: weights, classes and saved files stay the same.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import torch

from ..epochs import layers_of, optimizers_of, recurrence_of
from ..tuned_layers import Tuning, tuned_layers
from . import convolutions, optimizers
from .denormals import flush_to_zero

RecurrentOutput = tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]


@contextlib.contextmanager
def tuned(model: Any) -> Iterator[None]:
    """Within this context, the model's layers use the fastest implementation of the same function."""
    with contextlib.ExitStack() as stack:
        stack.enter_context(tuned_layers(layers_of(model), _TUNINGS))
        for optimizer in optimizers_of(model):
            stack.enter_context(optimizers.tuned(optimizer))
        stack.enter_context(flush_to_zero())
        yield


def _is_tunable_recurrence(layer: Any) -> bool:
    kind = recurrence_of(layer)
    if kind is None:
        return False
    cell = layer.cell
    return (
        cell.activation is keras.activations.tanh
        and cell.recurrent_activation is keras.activations.sigmoid
        and cell.use_bias
        and not cell.recurrent_dropout
        and not layer.unroll
        and (kind is keras.layers.LSTM or cell.reset_after)
    )


def _lstm(
    layer: Any, keras_loop: Callable[..., Any], sequences: Any, initial_state: Any, mask: Any, training: bool = False
) -> Any:
    if mask is not None or not _kernel_accepts(layer, sequences):
        return keras_loop(sequences, initial_state, mask, training=training)
    cell = layer.cell
    # Keras has the same order of gates: input, forget, cell, output. Contiguous weights save oneDNN a copy per use.
    weights = [
        cell.kernel.value.t().contiguous(),
        cell.recurrent_kernel.value.t().contiguous(),
        cell.bias.value,
        torch.zeros_like(cell.bias.value),
    ]
    states = [state.unsqueeze(0) for state in initial_state]
    outputs, hidden, memory = torch.lstm(
        _prepare_sequences(layer, sequences, training), states, weights, True, 1, 0.0, training, False, True
    )
    return _result(layer, outputs, [hidden[0], memory[0]])


def _gru(
    layer: Any, keras_loop: Callable[..., Any], sequences: Any, initial_state: Any, mask: Any, training: bool = False
) -> Any:
    if mask is not None or not _kernel_accepts(layer, sequences):
        return keras_loop(sequences, initial_state, mask, training=training)
    cell = layer.cell
    kernel, recurrent, bias = (_reset_first(w.value) for w in (cell.kernel, cell.recurrent_kernel, cell.bias))
    (state,) = keras.tree.flatten(initial_state)
    outputs, hidden = torch.gru(
        _prepare_sequences(layer, sequences, training),
        state.unsqueeze(0),
        [kernel.t(), recurrent.t(), bias[0], bias[1]],
        *(True, 1, 0.0, training, False, True),
    )
    return _result(layer, outputs, [hidden[0]])


def _kernel_accepts(layer: Any, sequences: torch.Tensor) -> bool:
    """Return whether PyTorch's kernel accepts the inputs and rounds as Keras does.

    With wider inputs than the weights, some of PyTorch's kernels read past the weights' end, where Keras raises an
    error. 16-bit floats are rounded at other places than in Keras' loop.
    """
    wide = sequences.dtype in (torch.float32, torch.float64)
    return bool(wide and sequences.shape[-1] == layer.cell.kernel.shape[0])


def _reset_first(weights: torch.Tensor) -> torch.Tensor:
    """Reorder a GRU's gates from Keras' update, reset, new to PyTorch's reset, update, new."""
    update, reset, new = weights.chunk(3, dim=-1)
    return torch.cat([reset, update, new], dim=-1)


def _prepare_sequences(layer: Any, sequences: torch.Tensor, training: bool) -> torch.Tensor:
    """Return the kernel's input: the sequences after dropout, reversed for `go_backwards`."""
    if training and layer.cell.dropout:
        sequences = sequences * layer.cell.get_dropout_mask(sequences[:, 0, :]).unsqueeze(1)
    return torch.flip(sequences, dims=[1]) if layer.go_backwards else sequences


def _result(layer: Any, outputs: torch.Tensor, states: Sequence[torch.Tensor]) -> RecurrentOutput:
    last = outputs[:, -1]
    return last, outputs if layer.return_sequences else last.unsqueeze(1), list(states)


def _tuned_recurrence(layer: Any, keras_loop: Callable[..., Any]) -> Callable[..., Any]:
    """Return an `inner_loop` that runs PyTorch's kernel."""
    return functools.partial(_lstm if isinstance(layer, keras.layers.LSTM) else _gru, layer, keras_loop)


_TUNINGS: list[Tuning] = [
    (_is_tunable_recurrence, "inner_loop", _tuned_recurrence),
    (convolutions.is_tunable_convolution, "call", convolutions.convolution),
    (convolutions.is_tunable_pooling, "call", convolutions.max_pooling),
    (convolutions.is_one_hot_encoding, "call", convolutions.one_hot),
]
