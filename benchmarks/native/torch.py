"""Native PyTorch: `torch.nn` modules, `torch.optim`, and a loop without a DataLoader, eager or compiled."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
import torch.nn.functional as functional
from torch import nn

from ...backends.epochs import has_recurrence
from . import BETA_1, BETA_2, EPSILON, MAX_NORM, POOLING, RHO, SAME_PADDING, FitSettings, NativeLoop, NativeTask


def fit_settings(model: Any) -> list[FitSettings]:
    """Return the settings that an expert would try: with and without PyTorch's compiler; `fit` takes one step a call.

    Of a recurrent layer, which is a loop in Python, the compiler unrolls every time step. That takes minutes.
    """
    return [FitSettings()] if has_recurrence(model) else [FitSettings(), FitSettings(jit_compile=True)]


def own_step_model() -> Any:
    """Return a subclass of `keras.Sequential` with a training step of its own."""
    import keras

    class Own(keras.Sequential):
        def train_step(self, data: Any) -> Any:
            x, y = data
            self.zero_grad()
            loss = self.compute_loss(x, y, self(x, training=True))
            loss.backward()
            weights = list(self.trainable_weights)
            with torch.no_grad():
                self.optimizer.apply([variable.value.grad for variable in weights], weights)
            return {"loss": loss}

    return Own


class Loop(NativeLoop):
    _fuses: bool | None = None  # PyTorch's choice

    def __init__(self, task: NativeTask):
        self._task = task
        device = "cuda" if torch.cuda.is_available() else "cpu"
        x = torch.as_tensor(task.x, device=device)
        self._x = x.movedim(-1, 1).contiguous() if task.family == "cnn" else x
        self._y = torch.as_tensor(task.y, device=device)
        builders: dict[str, Callable[[NativeTask], nn.Module]] = {
            "dense": _dense,
            "cnn": Convolutions,
            "rnn": LstmStack,
            "text": LstmStack,
        }
        self._module = builders[task.family](task).to(device)
        parameters = [parameter for parameter in self._module.parameters() if parameter.requires_grad]
        self._optimizer = self._make_optimizer(parameters)
        self._loss = self._loss_of
        self._update: Callable[[], Any] = self._optimizer.step

    def train_epoch(self, order: np.ndarray) -> float:
        total = torch.zeros((), device=self._y.device)
        right = torch.zeros((), device=self._y.device, dtype=torch.int64)
        for indices in self._task.batches(order):
            indices = torch.as_tensor(indices, device=self._y.device)
            x, y = self._x[indices], self._y[indices]
            loss, right_here = self._loss(x, y)
            self._optimizer.zero_grad()
            loss.backward()
            self._update()
            if isinstance(self._module, Convolutions):
                self._module.clip_norms()
            total += loss.detach() * len(y)
            right += right_here
        return float(total) / len(order)

    def _make_optimizer(self, parameters: Sequence[nn.Parameter]) -> torch.optim.Optimizer:
        rate = self._task.learning_rate
        if self._task.optimizer == "adam":
            return torch.optim.Adam(parameters, rate, (BETA_1, BETA_2), EPSILON, fused=self._fuses)
        return RMSprop(parameters, rate)

    def _loss_of(self, x: torch.Tensor, y: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor | int]:
        """Return the mean loss, and the number of correct predictions."""
        answers = self._module(x)
        if not self._task.classifies:
            return functional.mse_loss(answers, y), 0
        return functional.cross_entropy(answers, y), (answers.detach().argmax(1) == y).sum()


class CompiledLoop(Loop):
    """The loss and its gradients by `torch.compile`, and the optimizer as one fused or compiled update."""

    _fuses = True

    def __init__(self, task: NativeTask):
        super().__init__(task)
        # One compilation for full batches, another for the smaller last one.
        self._loss = torch.compile(self._loss_of, dynamic=False)
        if task.optimizer != "adam":
            self._update = torch.compile(self._optimizer.step)


def _linear(kernel: np.ndarray, bias: np.ndarray) -> nn.Linear:
    layer = nn.Linear(*kernel.shape)
    with torch.no_grad():
        layer.weight.copy_(torch.as_tensor(kernel.T))
        layer.bias.copy_(torch.as_tensor(bias))
    return layer


def _dense(task: NativeTask) -> nn.Module:
    return nn.Sequential(_linear(*task.weights[0:2]), nn.ReLU(), _linear(*task.weights[2:4]))


class Convolutions(nn.Module):
    """Two convolutions, each followed by pooling or with strides of 2, and three dense layers."""

    def __init__(self, task: NativeTask):
        super().__init__()
        self.convolutions = nn.ModuleList()
        layers: list[nn.Module] = []
        for (before, after), kernel, bias in zip(
            SAME_PADDING[task.strides], task.weights[0:4:2], task.weights[1:4:2], strict=True
        ):
            convolution = nn.Conv2d(*kernel.shape[2:], kernel.shape[0], task.strides)
            with torch.no_grad():
                convolution.weight.copy_(torch.as_tensor(kernel.transpose(3, 2, 0, 1)))
                convolution.bias.copy_(torch.as_tensor(bias))
            self.convolutions.append(convolution)
            layers += [nn.ZeroPad2d((before, after, before, after)), convolution, nn.ReLU(), nn.Dropout(task.dropout)]
            layers += [nn.MaxPool2d(2)] if task.recipe == POOLING else []
        # Keras flattens with the channels last, PyTorch with the channels first.
        kernel, channels = task.weights[4], len(task.weights[3])
        side = round((len(kernel) / channels) ** 0.5)
        kernel = kernel.reshape(side, side, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
        layers += [nn.Flatten(), _linear(kernel, task.weights[5]), nn.ReLU()]
        layers += [_linear(*task.weights[6:8]), nn.ReLU(), _linear(*task.weights[8:10])]
        self.layers = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = self.layers(x)
        return answers

    @torch.no_grad()
    def clip_norms(self) -> None:
        for convolution in self.convolutions:
            # Keras' MaxNorm takes the norm along the first axis of its kernels, which is the height.
            norm = convolution.weight.norm(dim=2, keepdim=True)
            convolution.weight.mul_(norm.clamp(max=MAX_NORM) / (EPSILON + norm))


class LstmStack(nn.Module):
    """Stacked LSTM layers, and a dense layer on the last step."""

    def __init__(self, task: NativeTask):
        super().__init__()
        *recurrent, kernel, bias = task.weights
        self.letters = len(recurrent[0]) if task.family == "text" else 0
        self.layers = nn.ModuleList(_lstm(*recurrent[first : first + 3]) for first in range(0, len(recurrent), 3))
        self.last = _linear(kernel, bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.one_hot(x.long(), self.letters).float() if self.letters else x
        for layer in self.layers:
            x, _ = layer(x)
        answers: torch.Tensor = self.last(x[:, -1])
        return answers


def _lstm(kernel: np.ndarray, recurrent: np.ndarray, bias: np.ndarray) -> nn.LSTM:
    layer = nn.LSTM(len(kernel), len(recurrent), batch_first=True)
    with torch.no_grad():
        for name, values in (("weight_ih_l0", kernel.T), ("weight_hh_l0", recurrent.T), ("bias_ih_l0", bias)):
            getattr(layer, name).copy_(torch.as_tensor(values))
    # PyTorch adds two biases; Keras has one. If both were trained, their sum would move twice as far.
    nn.init.zeros_(layer.bias_hh_l0).requires_grad_(False)
    return layer


class RMSprop(torch.optim.Optimizer):
    """RMSprop as in Keras, with epsilon under the root; `torch.optim.RMSprop` adds it outside, so its steps differ."""

    def __init__(self, parameters: Sequence[nn.Parameter], learning_rate: float):
        super().__init__(parameters, {"lr": learning_rate})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:
        for group in self.param_groups:
            for parameter in group["params"]:
                state, gradient = self.state[parameter], parameter.grad
                second = state.setdefault("second", torch.zeros_like(parameter))
                second.mul_(RHO).addcmul_(gradient, gradient, value=1 - RHO)
                parameter.addcdiv_(gradient, (second + EPSILON).sqrt_(), value=-group["lr"])
