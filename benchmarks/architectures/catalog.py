"""The architectures as data: their families, their names, and the columns of each. No framework is imported here."""

from __future__ import annotations

import fnmatch
from collections.abc import Sequence
from dataclasses import dataclass

from ...backends import catalog as backends
from ...errors import OptionError
from ...porting import targets
from ...porting.targets import Package

# A family holds Keras models, which are ported to every target, or PyTorch modules, which are rebuilt in Keras.
MODELS, MODULES = "models", "modules"

_KERAS_HUB, _TORCHVISION = Package("keras_hub", "keras-hub"), Package("torchvision", "torchvision")
_TIMM, _TRANSFORMERS = Package("timm", "timm"), Package("transformers", "transformers")


@dataclass(frozen=True)
class Family:
    """Architectures of one origin.

    Attributes:
        name: the first part of its rows' names.
        title: the heading on the page.
        kind: `MODELS` or `MODULES`.
        module: the module of this package with `build(name)`; it imports the framework.
        names: the names of the architectures.
        package: the package that defines them, beside Keras and PyTorch.
    """

    name: str
    title: str
    kind: str
    module: str
    names: tuple[str, ...]
    package: Package | None = None

    @property
    def columns(self) -> list[str]:
        """The names of the ports of each of its rows."""
        if self.kind == MODELS:
            return targets.names()
        return [f"{targets.KERAS} on {backend.name}" for backend in backends.BACKENDS if backend.trains]


@dataclass(frozen=True)
class Architecture:
    """One row: an architecture of a family."""

    family: Family
    name: str

    @property
    def title(self) -> str:
        return f"{self.family.name}/{self.name}"


FAMILIES = (
    Family(
        "applications",
        "keras.applications",
        MODELS,
        "applications",
        (
            *("Xception", "VGG16", "VGG19", "ResNet50", "ResNet101", "ResNet152", "ResNet50V2", "ResNet101V2"),
            *("ResNet152V2", "InceptionV3", "InceptionResNetV2", "MobileNet", "MobileNetV2", "MobileNetV3Small"),
            *("MobileNetV3Large", "DenseNet121", "DenseNet169", "DenseNet201", "NASNetMobile", "NASNetLarge"),
            *(f"EfficientNetB{size}" for size in range(8)),
            *(f"EfficientNetV2{size}" for size in ("B0", "B1", "B2", "B3", "S", "M", "L")),
            *(f"ConvNeXt{size}" for size in ("Tiny", "Small", "Base", "Large", "XLarge")),
        ),
    ),
    Family(
        "examples",
        "Models as in the examples of keras.io",
        MODELS,
        "examples",
        (
            *("xception_style", "u_net", "mlp_mixer", "vision_transformer", "conv_mixer", "autoencoder"),
            *("variational_encoder", "variational_decoder", "siamese", "captcha_reader", "super_resolution"),
            *("volumes_3d", "point_net", "text_cnn", "text_transformer", "bidirectional_lstm", "translation_gru"),
            *("wavenet", "series_transformer", "wide_and_deep", "recommender", "graph_attention"),
        ),
    ),
    Family(
        "keras_hub",
        "KerasHub backbones",
        MODELS,
        "hub_backbones",
        ("BERT", "GPT2", "ViT", "ResNet", "WhisperEncoder"),
        _KERAS_HUB,
    ),
    Family(
        "torchvision",
        "torchvision",
        MODULES,
        "torch.torchvision_networks",
        (
            *("alexnet", "vgg11_bn", "resnet18", "resnext50_32x4d", "mobilenet_v2", "mobilenet_v3_small"),
            *("densenet121", "squeezenet1_1", "shufflenet_v2_x0_5", "googlenet", "inception_v3", "efficientnet_b0"),
            *("mnasnet0_5", "regnet_y_400mf", "convnext_tiny", "vit_b_16", "swin_t"),
        ),
        _TORCHVISION,
    ),
    Family(
        "timm",
        "timm",
        MODULES,
        "torch.timm_networks",
        (
            *("deit_tiny_patch16_224", "mixer_s32_224", "convnextv2_atto", "mobilenetv4_conv_small_035"),
            *("ghostnet_050", "repvgg_a0", "resmlp_12_224", "poolformer_s12"),
        ),
        _TIMM,
    ),
    Family(
        "transformers",
        "transformers",
        MODULES,
        "torch.transformers_networks",
        ("BERT", "DistilBERT", "GPT2", "ViT", "Wav2Vec2", "T5Encoder"),
        _TRANSFORMERS,
    ),
)


def architectures(patterns: Sequence[str] = ()) -> list[Architecture]:
    """Return the rows whose names match one of the patterns, such as `applications/ResNet*`, or all of them.

    A family's name alone stands for all of its rows.

    Raises:
        OptionError: a pattern matches no row.
    """
    rows = [Architecture(family, name) for family in FAMILIES for name in family.names]
    chosen: list[Architecture] = []
    for pattern in patterns:
        matching = [row for row in rows if pattern == row.family.name or fnmatch.fnmatchcase(row.title, pattern)]
        if not matching:
            families = ", ".join(family.name for family in FAMILIES)
            raise OptionError(f"no architecture matches {pattern!r} (the families are {families})")
        chosen += [row for row in matching if row not in chosen]
    return chosen if patterns else rows


def find(title: str) -> Architecture:
    """Return the row of this name."""
    return next(row for row in architectures() if row.title == title)
