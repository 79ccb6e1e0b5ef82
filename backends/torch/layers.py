"""What PyTorch computes faster than Keras asks it to: the same function, for as long as a model trains.

Recurrent layers go by PyTorch's own kernels instead of Keras' loop over the time steps in Python. The others are in
`convolutions.py`, the optimizer's step in `optimizers.py`, numbers that are too small to count in `denormals.py`. Each
is put on the layer itself: its weights, its class and what is saved stay as they are.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import torch

from ..epochs import layers_of, recurrence_of
from . import convolutions, optimizers
from .denormals import flushed

Result = tuple[torch.Tensor, torch.Tensor, list[torch.Tensor]]


@contextlib.contextmanager
def tuned(model: Any) -> Iterator[None]:
    """While it lasts, the model's layers compute the same in the way that is fastest here."""
    replaced = []
    try:
        for layer in layers_of(model):
            for fits, name, tune in _TUNED:
                if fits(layer):
                    setattr(layer, name, tune(layer, getattr(layer, name)))
                    replaced.append((layer, name))
        with optimizers.tuned(getattr(model, "optimizer", None)), flushed():
            yield
    finally:
        for layer, name in replaced:
            delattr(layer, name)


def _is_native(layer: Any) -> bool:
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
    if mask is not None or not _fits(layer, sequences):
        return keras_loop(sequences, initial_state, mask, training=training)
    cell = layer.cell
    # Keras keeps the gates in the same order: input, forget, cell, output. oneDNN would turn weights at each use.
    weights = [
        cell.kernel.value.t().contiguous(),
        cell.recurrent_kernel.value.t().contiguous(),
        cell.bias.value,
        torch.zeros_like(cell.bias.value),
    ]
    states = [state.unsqueeze(0) for state in initial_state]
    outputs, hidden, memory = torch.lstm(
        _ordered(layer, sequences, training), states, weights, True, 1, 0.0, training, False, True
    )
    return _result(layer, outputs, [hidden[0], memory[0]])


def _gru(
    layer: Any, keras_loop: Callable[..., Any], sequences: Any, initial_state: Any, mask: Any, training: bool = False
) -> Any:
    if mask is not None or not _fits(layer, sequences):
        return keras_loop(sequences, initial_state, mask, training=training)
    cell = layer.cell
    kernel, recurrent, bias = (_reset_first(w.value) for w in (cell.kernel, cell.recurrent_kernel, cell.bias))
    (state,) = keras.tree.flatten(initial_state)
    outputs, hidden = torch.gru(
        _ordered(layer, sequences, training),
        state.unsqueeze(0),
        [kernel.t(), recurrent.t(), bias[0], bias[1]],
        *(True, 1, 0.0, training, False, True),
    )
    return _result(layer, outputs, [hidden[0]])


def _fits(layer: Any, sequences: torch.Tensor) -> bool:
    """Whether the kernel can take the inputs, and rounds as Keras does.

    Inputs that are wider than it is some of PyTorch's would read past its end, where Keras says so; floats of 16 bits
    they round at other places than Keras' loop.
    """
    wide = sequences.dtype in (torch.float32, torch.float64)
    return bool(wide and sequences.shape[-1] == layer.cell.kernel.shape[0])


def _reset_first(weights: torch.Tensor) -> torch.Tensor:
    """Keras keeps the gates as update, reset, new; PyTorch as reset, update, new."""
    update, reset, new = weights.chunk(3, dim=-1)
    return torch.cat([reset, update, new], dim=-1)


def _ordered(layer: Any, sequences: torch.Tensor, training: bool) -> torch.Tensor:
    """The sequences as the kernel is to see them: what is dropped of the inputs dropped, backwards if asked for."""
    if training and layer.cell.dropout:
        sequences = sequences * layer.cell.get_dropout_mask(sequences[:, 0, :]).unsqueeze(1)
    return torch.flip(sequences, dims=[1]) if layer.go_backwards else sequences


def _result(layer: Any, outputs: torch.Tensor, states: Sequence[torch.Tensor]) -> Result:
    last = outputs[:, -1]
    return last, outputs if layer.return_sequences else last.unsqueeze(1), list(states)


def _recurrence(layer: Any, keras_loop: Callable[..., Any]) -> Callable[..., Any]:
    """An `inner_loop` by PyTorch's kernel."""
    return functools.partial(_lstm if isinstance(layer, keras.layers.LSTM) else _gru, layer, keras_loop)


# Whether a layer can be tuned, the method that is replaced, and what makes the one that takes its place.
_TUNED: list[tuple[Callable[[Any], bool], str, Callable[[Any, Callable[..., Any]], Callable[..., Any]]]] = [
    (_is_native, "inner_loop", _recurrence),
    (convolutions.convolves, "call", convolutions.convolution),
    (convolutions.pools, "call", convolutions.max_pooling),
    (convolutions.encodes, "call", convolutions.one_hot),
]
