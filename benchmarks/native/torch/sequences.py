"""Models of series, letters and sentences in PyTorch."""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as functional
from torch import nn

from ..task import NativeTask
from .initial_weights import InitialWeights
from .layers import attention_block, embedding, gru, layer_norm, linear, lstm


class LastStep(nn.Module):
    """Stacked recurrent layers, and a dense layer on the last step.

    Args:
        layers: of (n, steps, features), batch first.
        last: the dense layer.
        letters: the number of letters if the input is their numbers, (n, steps); else 0.
    """

    def __init__(self, layers: list[nn.Module], last: nn.Linear, letters: int = 0):
        super().__init__()
        self.layers, self.last, self.letters = nn.ModuleList(layers), last, letters

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.one_hot(x.long(), self.letters).float() if self.letters else x
        for layer in self.layers:
            x, _ = layer(x)
        answers: torch.Tensor = self.last(x[:, -1])
        return answers


def lstms(task: NativeTask) -> nn.Module:
    weights, layers = InitialWeights(task), []
    while weights.remaining > 2:
        layers.append(lstm(weights))
    return LastStep(layers, linear(weights), len(task.weights[0]) if task.recipe == "text/letters" else 0)


def gru_forecaster(task: NativeTask) -> nn.Module:
    weights = InitialWeights(task)
    return LastStep([gru(weights), gru(weights)], linear(weights))


class SmallTransformer(nn.Module):
    """Blocks of attention over words, and a dense layer on their mean."""

    def __init__(self, task: NativeTask):
        super().__init__()
        weights = InitialWeights(task)
        self.embedding = embedding(weights)
        self.blocks = nn.Sequential(*[attention_block(weights, task.dropout) for _ in range(task.options["blocks"])])
        self.last = nn.Sequential(nn.Dropout(task.dropout), linear(weights))

    def forward(self, words: torch.Tensor) -> torch.Tensor:
        answers: torch.Tensor = self.last(self.blocks(self.embedding(words)).mean(1))
        return answers


class Bert(nn.Module):
    """An encoder of words, sentences and places, and two dense layers on the first of its outputs."""

    def __init__(self, task: NativeTask):
        super().__init__()
        weights = InitialWeights(task)
        self.words, self.sentence, self.place = (embedding(weights) for _ in range(3))
        self.norm = nn.Sequential(layer_norm(weights, epsilon=1e-12), nn.Dropout(task.dropout))
        blocks = [attention_block(weights, task.dropout, nn.GELU) for _ in range(task.options["blocks"])]
        self.blocks = nn.Sequential(*blocks)
        self.last = nn.Sequential(linear(weights), nn.Tanh(), nn.Dropout(task.dropout), linear(weights))

    def forward(self, x: Mapping[str, torch.Tensor]) -> torch.Tensor:
        embedded = self.words(x["words"]) + self.sentence(x["sentence"]) + self.place(x["place"])
        answers: torch.Tensor = self.last(self.blocks(self.norm(embedded))[:, 0])
        return answers
