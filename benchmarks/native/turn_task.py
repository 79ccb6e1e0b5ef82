"""What a native loop of several networks trains: dense ones, with relu between their layers and nothing at the end."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

Weight = TypeVar("Weight")


@dataclass(frozen=True)
class TurnTask:
    """The training task of a native loop of several networks.

    Attributes:
        name: `vae`, `gan`, `siamese` or `student`.
        weights: by network, its kernels and biases in Keras' order and layout, float32.
        trains: for each turn of a step, the networks that it trains.
        x, y: (n, …) prepared samples and targets.
        batch_size: samples in a step; `x` divides into such steps.
        noise: the standard deviation of what the VAE draws.
        optimizer: `adam`, of each turn.
        learning_rate: of the optimizer.
    """

    name: str
    weights: Mapping[str, Sequence[np.ndarray]]
    trains: Mapping[str, Sequence[str]]
    x: np.ndarray
    y: np.ndarray
    batch_size: int
    noise: float = 1.0
    optimizer: str = "adam"
    learning_rate: float = 1e-3

    def batches(self, order: np.ndarray) -> np.ndarray:
        """Return the sample indices of each step, (steps, batch size)."""
        return order.reshape(-1, self.batch_size)


class TurnLoop(ABC):
    """A hand-written loop that trains a task epoch by epoch, step after step."""

    @abstractmethod
    def __init__(self, task: TurnTask): ...

    @abstractmethod
    def train_epoch(self, order: np.ndarray) -> float:
        """Train on the samples in this order, (n,) integers; wait for the result, and return the mean loss."""


def layers_of(weights: Sequence[Weight]) -> list[tuple[Weight, Weight]]:
    """Return the kernel and the bias of each layer."""
    return list(zip(weights[::2], weights[1::2], strict=True))
