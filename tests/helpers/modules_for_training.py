"""Modules of PyTorch whose training has a detail that a port must keep."""

import torch
from torch import nn


class Two(nn.Module):
    """Two layers, 6 → 5 → 2; what lies between them may get no gradient."""

    def __init__(self, detached=False):
        super().__init__()
        self.first, self.second, self.detached = nn.Linear(6, 5), nn.Linear(5, 2), detached

    def forward(self, x):
        hidden = self.first(x)
        return self.second(hidden.detach() if self.detached else hidden)


class Extreme(nn.Module):
    """The largest or smallest values of a layer, and where they are."""

    def __init__(self, kind):
        super().__init__()
        self.layer, self.kind = nn.Linear(6, 5), kind

    def forward(self, x):
        values, places = getattr(self.layer(x), self.kind)(-1)
        return values, places


def frozen(names):
    """Return a module of two layers, some of whose parameters are not trained."""
    module = Two()
    for name in names:
        module.get_parameter(name).requires_grad_(False)
    return module


def with_dropout(kind, inplace, pictures):
    """Return a module with one dropout, by the name of its class, between two layers."""
    dropout = getattr(nn, kind)(0.3, inplace=inplace)
    if pictures:
        return nn.Sequential(nn.Conv2d(3, 4, 3), dropout, nn.Flatten(), nn.Linear(144, 2))
    return nn.Sequential(nn.Linear(6, 5), dropout, nn.Linear(5, 2))


class Tied(nn.Module):
    """Answers with the table that it reads with."""

    def __init__(self):
        super().__init__()
        self.table, self.result = nn.Embedding(9, 4), nn.Linear(4, 9, bias=False)
        self.result.weight = self.table.weight

    def forward(self, x):
        return self.result(self.table(x))


class Padded(nn.Module):
    """Never trains the row of its table for padding."""

    def __init__(self):
        super().__init__()
        self.table, self.result = nn.Embedding(9, 4, padding_idx=0), nn.Linear(4, 2)

    def forward(self, x):
        return self.result(self.table(x))


class Windows(nn.Module):
    """Attention scores within windows of four positions, with a bias for each pair of positions, as in Swin."""

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Parameter(torch.arange(32.0).reshape(2, 4, 4) / 32)

    def forward(self, x):
        count = x.shape[0]
        windows = x.reshape(count * 4, 1, 4, 3).expand(count * 4, 2, 4, 3)
        return (windows @ windows.transpose(-2, -1) + self.bias.unsqueeze(0)).reshape(count, 4, 2, 4, 4)
