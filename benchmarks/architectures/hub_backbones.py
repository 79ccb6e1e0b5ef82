"""Backbones of KerasHub with few and narrow layers."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

import keras
import keras_hub

# KerasHub 0.32 exports all classes of its models but this one.
keras.saving.register_keras_serializable("keras_hub")(sys.modules[keras_hub.models.WhisperBackbone.__module__].Padder)

_SMALL = {"vocabulary_size": 50, "num_layers": 2, "num_heads": 2, "hidden_dim": 16, "intermediate_dim": 32}


_LENGTH, _FRAMES = 12, 32


def _of_fixed_length(backbone: Any, name: str) -> Any:
    """Return a text backbone for texts of one length: its positions are cut to the length."""
    inputs = {each.name: keras.Input((_LENGTH,), dtype=each.dtype, name=each.name) for each in backbone.inputs}
    return keras.Model(inputs, backbone(inputs), name=name)


def _vit() -> Any:
    sizes = {"num_layers": 2, "num_heads": 2, "hidden_dim": 16, "mlp_dim": 32}
    return keras_hub.models.ViTBackbone(image_shape=(32, 32, 3), patch_size=8, **sizes)


def _resnet() -> Any:
    return keras_hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64],
        stackwise_num_blocks=[2, 2],
        stackwise_num_strides=[1, 2],
        block_type="basic_block",
        image_shape=(32, 32, 3),
    )


def _whisper_encoder() -> Any:
    backbone = keras_hub.models.WhisperBackbone(
        **_SMALL, num_mels=8, max_encoder_sequence_length=64, max_decoder_sequence_length=16
    )
    features = next(each for each in backbone.inputs if "encoder" in each.name)
    encoder = keras.Model(features, backbone.output["encoder_sequence_output"])
    sound = keras.Input((_FRAMES, features.shape[-1]))
    return keras.Model(sound, encoder(sound), name="whisper_encoder")


_BUILDERS: dict[str, Callable[[], Any]] = {
    "BERT": lambda: _of_fixed_length(keras_hub.models.BertBackbone(**_SMALL, max_sequence_length=16), "bert"),
    "GPT2": lambda: _of_fixed_length(keras_hub.models.GPT2Backbone(**_SMALL, max_sequence_length=16), "gpt2"),
    "ViT": _vit,
    "ResNet": _resnet,
    "WhisperEncoder": _whisper_encoder,
}


def build(name: str) -> Any:
    """Return the backbone, with random weights."""
    return _BUILDERS[name]()
