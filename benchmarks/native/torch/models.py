"""The module of each recipe in PyTorch: from its inputs to its outputs before their last activation."""

from __future__ import annotations

from collections.abc import Callable

from torch import nn

from ..task import NativeTask
from . import pictures, sequences, tables

MODULES: dict[str, Callable[[NativeTask], nn.Module]] = {
    "dense/one-hidden": tables.one_hidden,
    "cnn/pooling": pictures.two_convolutions,
    "cnn/striding": pictures.two_convolutions,
    "rnn/lstm": sequences.lstms,
    "rnn/three-lstm": sequences.lstms,
    "text/letters": sequences.lstms,
    "real/mlp": tables.mlp,
    "real/gru-forecaster": sequences.gru_forecaster,
    "real/small-transformer": sequences.SmallTransformer,
    "real/resnet20": pictures.resnet20,
    "real/unet-small": pictures.UNet,
    "real/bert-mini": sequences.Bert,
}
