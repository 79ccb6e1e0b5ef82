"""Capture one step of a model as a graph of operations, and run it as often as wanted without the layers' Python.

`make_fx` records the operations of one step, forward, backward and optimizer, on the variables themselves. Two ways of
running the record exist: `replay` calls the same operations, `compiled` has PyTorch's compiler fuse them. Both are
first compared with steps of the model itself: what Python computes anew in each step, such as a dropout seed, would be
a constant in the record.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import torch
from torch.fx import GraphModule
from torch.fx.experimental.proxy_tensor import make_fx

from ...errors import ModelError, first_line
from ..epochs import has_own_step, has_recurrence, layers_of, optimizers_of
from ..nests import Nest, arrays_of, flatten
from ..runtime import snapshot, variables_of
from . import compiled
from .replay import Replay, replay_mode

# Inputs, targets and, optionally, sample weights: a tensor or a nest of tensors each.
TensorData = tuple[Nest, ...]
# Trains the steps from start up to stop: (data, order, start, stop), where data holds all samples.
# It returns what the last step has returned, if the model has a step of its own.
ReplaySteps = Callable[[TensorData, torch.Tensor, int, int], dict[str, torch.Tensor]]

# From this number of units oneDNN's recurrent kernel is faster than PyTorch's separate operations.
_MIN_ONEDNN_UNITS = 64
# By how much two steps of a compiled step may differ from those of the model, relative to what the steps change. Fused
# operations round otherwise, and Adam enlarges that where a gradient is almost zero. A constant learning rate differs
# by a half.
_TOLERANCE = 0.01


@dataclass(frozen=True)
class CapturedStep:
    """The record of one step.

    Attributes:
        operations: the graph; its attributes are the model's variables.
        batch: the tensors that it was captured with.
        log_names: the names of what the step returns, if the model has a step of its own.
    """

    operations: GraphModule
    batch: Sequence[torch.Tensor]
    log_names: Sequence[str]

    def repeated(self, step: Callable[[], torch.Tensor], batch: Sequence[torch.Tensor]) -> ReplaySteps:
        """Return a loop over a function that runs the step on the tensors of a batch."""

        def run_steps(data: TensorData, order: torch.Tensor, start: int, stop: int) -> dict[str, torch.Tensor]:
            parts, size = arrays_of(data), len(batch[0])
            with replay_mode():
                for rows in order[start * size : stop * size].split(size):
                    for part, memory in zip(parts, batch, strict=True):
                        torch.index_select(part, 0, rows, out=memory)
                    result = step()
            return dict(zip(self.log_names, result.clone(), strict=True)) if self.log_names else {}

        return run_steps


def capture(model: Any, batch: TensorData) -> ReplaySteps | None:
    """Return a replay of the model's `train_step` for batches of these shapes, or None if it would differ.

    The operations are those of the step, so the results are equal bit by bit. All variables are restored afterwards.
    """
    try:
        with _restoring(model):
            captured = _capture(model, batch, {})
            replay = Replay(captured.operations, captured.batch)
            steps = captured.repeated(replay.step, replay.batch)
            pairs = zip(*_ends(model, steps, batch), strict=True)
            return steps if all(np.allclose(one, other, rtol=1e-6, atol=1e-8) for one, other in pairs) else None
    except Exception:  # custom layers may raise anything while they are traced
        return None


def compile_steps(model: Any, batch: TensorData) -> ReplaySteps:
    """Return the model's `train_step` for batches of these shapes, compiled by PyTorch. It takes from 5 s to minutes.

    All variables are restored afterwards.

    Raises:
        ModelError: PyTorch cannot capture or compile the step, or the compiled step differs from the model's own.
    """
    with _restoring(model):
        start = _values(model)
        try:
            captured = _capture(model, batch, compiled.decompositions())
            steps = captured.repeated(*compiled.compile_step(captured.operations, captured.batch))
            ends = _ends(model, steps, batch)
        except Exception as error:  # whatever the layers, PyTorch or the C++ compiler raise
            reason = first_line(error)
            raise ModelError(
                f"PyTorch cannot compile the step ({reason}): use another `plan`, such as steps"
            ) from error
    if not all(map(_differ_little, start, *ends)):
        raise ModelError("the compiled step differs from the model's own: use another `plan`, such as steps")
    return steps


@contextlib.contextmanager
def _restoring(model: Any) -> Iterator[None]:
    """The context in which a step is captured; the model and the generators are restored at the end of it."""
    put_back = snapshot(variables_of(model))
    try:
        with warnings.catch_warnings(action="ignore"), torch.random.fork_rng():
            yield
    finally:
        put_back()
        model.zero_grad()


def _capture(model: Any, batch: TensorData, decompositions: Mapping[Any, Callable[..., Any]]) -> CapturedStep:
    tensors, as_batch = flatten(batch)
    returns_logs, names = has_own_step(model), list[str]()

    def step(*tensors: torch.Tensor) -> torch.Tensor:
        logs = model.train_step(as_batch(tensors))
        if not returns_logs:
            return tensors[0]
        names[:] = logs
        return torch.stack([torch.as_tensor(value, dtype=torch.float32) for value in logs.values()])

    uses_onednn = not has_recurrence(model) or _widest(model) >= _MIN_ONEDNN_UNITS
    with torch.backends.mkldnn.flags(enabled=uses_onednn):
        operations = make_fx(step, decomposition_table=dict(decompositions))(*tensors)
    return CapturedStep(operations, tensors, names)


def _widest(model: Any) -> int:
    """Return the units of a model's widest recurrent layer, or 0 without one."""
    kinds = keras.layers.LSTM, keras.layers.GRU, keras.layers.SimpleRNN
    return max((layer.units for layer in layers_of(model) if isinstance(layer, kinds)), default=0)


def _ends(model: Any, steps: ReplaySteps, batch: TensorData) -> list[list[np.ndarray]]:
    """Return all variables after two steps of the model itself, and after two captured ones.

    The learning rate is another one than that of the capture.
    """
    rates = [optimizer.learning_rate for optimizer in optimizers_of(model)]
    variables = variables_of(model)
    put_back = snapshot(variables)
    ends = []
    samples = arrays_of(batch)[0]
    order = torch.arange(len(samples), device=samples.device)
    for run in (lambda: model.train_step(batch), lambda: steps(batch, order, 0, 1)):
        put_back()
        for rate in rates:
            if any(rate is variable for variable in variables):  # a schedule's learning rate is not a variable
                rate.assign(rate * 0.5)
        run()
        run()
        ends.append(_values(model))
    return ends


def _values(model: Any) -> list[np.ndarray]:
    return [np.array(variable.numpy()) for variable in variables_of(model)]


def _differ_little(start: np.ndarray, one: np.ndarray, other: np.ndarray) -> bool:
    """Return whether two results differ little, beside what was changed and beside the rounding of the values."""
    start, one, other = (np.asarray(values, "float64").ravel() for values in (start, one, other))
    scale = _TOLERANCE * np.linalg.norm(one - start) + 1e-6 * np.linalg.norm(start)
    return bool(np.linalg.norm(one - other) <= scale)
