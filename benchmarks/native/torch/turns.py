"""Several networks trained in turn in PyTorch: one eager step after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from .. import turn_task
from ..turn_task import TurnTask, layers_of
from .optimizers import make_optimizer

Networks = Mapping[str, Sequence[nn.Parameter]]


class TurnLoop(turn_task.TurnLoop):
    def __init__(self, task: TurnTask):
        self._task = task
        self._device = "cuda" if torch.cuda.is_available() else "cpu"
        self._x, self._y = (torch.from_numpy(array).to(self._device) for array in (task.x, task.y))
        self._networks = {
            name: [nn.Parameter(torch.tensor(weight, device=self._device)) for weight in weights]
            for name, weights in task.weights.items()
        }
        self._trained = {
            turn: [weight for name in names for weight in self._networks[name]] for turn, names in task.trains.items()
        }
        for name, weights in self._networks.items():
            if not any(name in names for names in task.trains.values()):
                for weight in weights:
                    weight.requires_grad_(False)
        self._optimizers = {turn: make_optimizer(task, weights, None) for turn, weights in self._trained.items()}

    def train_epoch(self, order: np.ndarray) -> float:
        total = torch.zeros((), device=self._device)
        for indices in torch.from_numpy(self._task.batches(order)).to(self._device):
            x, y = self._x[indices], self._y[indices]
            for turn, optimizer in self._optimizers.items():
                loss = _LOSSES[self._task.name][turn](self._networks, x, y, self._task.noise)
                gradients = torch.autograd.grad(loss, self._trained[turn])
                for weight, gradient in zip(self._trained[turn], gradients, strict=True):
                    weight.grad = gradient
                optimizer.step()
                total += loss.detach() * len(indices)
        return float(total) / len(order)


def _dense(weights: Sequence[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    *hidden, (kernel, bias) = layers_of(weights)
    for inner_kernel, inner_bias in hidden:
        x = torch.relu(torch.addmm(inner_bias, x, inner_kernel))
    return torch.addmm(bias, x, kernel)


def _vae(networks: Networks, x: torch.Tensor, y: torch.Tensor, noise: float) -> torch.Tensor:
    mean, log_variance = _dense(networks["encoder"], x).chunk(2, dim=-1)
    codes = mean + noise * torch.exp(log_variance / 2) * torch.randn_like(mean)
    rebuilt = torch.sigmoid(_dense(networks["decoder"], codes))
    divergence = (mean**2 + log_variance.exp() - log_variance - 1).sum(-1).mean() / 2
    return ((rebuilt - x) ** 2).sum(-1).mean() + divergence


def _cross_entropy(logits: torch.Tensor, real: float) -> torch.Tensor:
    return functional.binary_cross_entropy_with_logits(logits, torch.full_like(logits, real))


def _critic(networks: Networks, x: torch.Tensor, y: torch.Tensor, noise: float) -> torch.Tensor:
    with torch.no_grad():
        fake = torch.sigmoid(_dense(networks["answers"], x))
    return _cross_entropy(_dense(networks["critic"], y), 1.0) + _cross_entropy(_dense(networks["critic"], fake), 0.0)


def _generator(networks: Networks, x: torch.Tensor, y: torch.Tensor, noise: float) -> torch.Tensor:
    fake = torch.sigmoid(_dense(networks["answers"], x))
    return _cross_entropy(_dense(networks["critic"], fake), 1.0)


def _siamese(networks: Networks, x: torch.Tensor, y: torch.Tensor, noise: float) -> torch.Tensor:
    codes = _dense(networks["answers"], x)
    codes = codes / torch.sqrt((codes**2).sum(-1, keepdim=True) + 1e-6)
    distances = 2 - 2 * codes @ codes.T
    alike = (y[:, None] == y[None]).to(codes.dtype)
    return (alike * distances + (1 - alike) * (1 - distances).clamp(min=0) ** 2).mean()


def _student(networks: Networks, x: torch.Tensor, y: torch.Tensor, noise: float) -> torch.Tensor:
    logits = _dense(networks["answers"], x)
    taught = torch.softmax(_dense(networks["teacher"], x), dim=-1)
    return functional.cross_entropy(logits, y) + functional.cross_entropy(logits, taught)


_LOSSES: dict[str, dict[str, Callable[..., torch.Tensor]]] = {
    "vae": {"loss": _vae},
    "gan": {"critic": _critic, "generator": _generator},
    "siamese": {"loss": _siamese},
    "student": {"loss": _student},
}
