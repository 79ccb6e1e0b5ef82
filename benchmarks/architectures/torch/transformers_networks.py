"""Networks of Hugging Face's transformers with few and narrow layers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from .torchvision_import import torchvision

_SAMPLES, _LENGTH, _WORDS = 4, 12, 50
_SMALL = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}


class _FirstOutput(torch.nn.Module):
    """Returns the last hidden state alone, as an array."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Any) -> Any:
        return self.network(x).last_hidden_state


def _networks() -> dict[str, Callable[[], tuple[Any, Any]]]:
    torchvision()
    import transformers as hf

    ids = torch.arange(_SAMPLES * _LENGTH).reshape(_SAMPLES, _LENGTH) % (_WORDS - 2) + 2
    pictures, sound = torch.randn(_SAMPLES, 3, 32, 32), torch.randn(_SAMPLES, 400)
    return {
        "BERT": lambda: (hf.BertModel(hf.BertConfig(vocab_size=_WORDS, **_SMALL), add_pooling_layer=False), ids),
        "DistilBERT": lambda: (
            hf.DistilBertModel(hf.DistilBertConfig(vocab_size=_WORDS, dim=16, n_layers=2, n_heads=2, hidden_dim=32)),
            ids,
        ),
        "GPT2": lambda: (
            hf.GPT2Model(hf.GPT2Config(vocab_size=_WORDS, n_embd=16, n_layer=2, n_head=2, use_cache=False)),
            ids,
        ),
        "ViT": lambda: (
            hf.ViTModel(hf.ViTConfig(image_size=32, patch_size=8, **_SMALL), add_pooling_layer=False),
            pictures,
        ),
        "Wav2Vec2": lambda: (
            hf.Wav2Vec2Model(
                hf.Wav2Vec2Config(
                    **_SMALL,
                    conv_dim=(8, 8),
                    conv_stride=(5, 2),
                    conv_kernel=(10, 3),
                    num_conv_pos_embeddings=8,
                    num_conv_pos_embedding_groups=2,
                )
            ),
            sound,
        ),
        "T5Encoder": lambda: (
            hf.T5EncoderModel(hf.T5Config(vocab_size=_WORDS, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2)),
            ids,
        ),
    }


def build(name: str) -> tuple[Any, tuple[Any, ...]]:
    """Return the network and example inputs."""
    network, x = _networks()[name]()
    return _FirstOutput(network), (x,)
