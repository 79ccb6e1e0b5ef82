"""The forward pass of each recipe in TensorFlow: from its inputs to its outputs before their last activation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from . import pictures, sequences, tables
from .forward_pass import ForwardPass

FORWARD: dict[str, Callable[[ForwardPass, Any], tf.Tensor]] = {
    "dense/one-hidden": tables.one_hidden,
    "cnn/pooling": pictures.pooling,
    "cnn/striding": pictures.striding,
    "rnn/lstm": sequences.lstms,
    "rnn/three-lstm": sequences.lstms,
    "text/letters": sequences.letters,
    "real/mlp": tables.mlp,
    "real/gru-forecaster": sequences.gru_forecaster,
    "real/small-transformer": sequences.small_transformer,
    "real/resnet20": pictures.resnet20,
    "real/unet-small": pictures.unet,
    "real/bert-mini": sequences.bert,
}
