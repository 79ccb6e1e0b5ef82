"""Readers of Keras layers that return their input when a model answers."""

from __future__ import annotations

from collections.abc import Sequence

from ...graph.graph import ArrayReference
from .calls import LayerCall
from .reader import GraphReader, LayerReader
from .shared import float32_input, single_input

# They change pictures while a model is trained, and nothing else. `RandomCrop` is none: it cuts when a model answers.
_AUGMENTATIONS = (
    *("RandomBrightness", "RandomColorDegeneration", "RandomColorJitter", "RandomContrast", "RandomElasticTransform"),
    *("RandomErasing", "RandomFlip", "RandomGaussianBlur", "RandomGrayscale", "RandomHue", "RandomInvert"),
    *("RandomPerspective", "RandomPosterization", "RandomRotation", "RandomSaturation", "RandomSharpness"),
    *("RandomShear", "RandomTranslation", "RandomZoom", "RandAugment", "AugMix", "CutMix", "MixUp"),
)


def _pass_through(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Read a layer that returns its input: a term that it adds to the loss is not part of the model's outputs."""
    return [single_input(call)]


def _augmentation(reader: GraphReader, call: LayerCall) -> Sequence[ArrayReference]:
    """Leave a layer out that only training calls, and say so."""
    reader.leave_out(call.operation)
    return [float32_input(reader, call)]


PASSING_LAYERS: dict[str, LayerReader] = {
    "ActivityRegularization": _pass_through,
    "Identity": _pass_through,
    **dict.fromkeys(_AUGMENTATIONS, _augmentation),
}
