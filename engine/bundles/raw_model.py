"""A trained model that takes raw inputs: its preparation becomes the first of its layers.

What comes out is a standard Keras model of standard layers. Saved, it loads in plain Keras without trivium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...backends import runtime
from ...errors import DataError
from ..preprocessing.feature_scaling import Scale
from ..preprocessing.transforms import Cast, Transform
from .bundle import Bundle

if TYPE_CHECKING:
    import keras


def raw_model(bundle: Bundle, dtype: str | None = None) -> keras.Model:
    """The model in a bundle, with its preparation inside.

    It shares the weights of `bundle.model`, and answers as `trivium.predict` does, in prepared terms: probabilities of
    the classes, or values on the scale of the targets that it was trained on.

    Args:
        bundle: of a run whose preparation works on each sample by itself.
        dtype: of the inputs; by default "uint8" where they are scaled as pixels from 0 to 255 are, "float32" otherwise.

    Raises:
        BundleError: Keras refuses the model in the bundle.
        DataError: a step of the preparation makes samples of a whole series or of a text, which no layer does.
    """
    runtime.current()
    import keras

    trained = bundle.model
    if len(trained.inputs) != 1:
        raise DataError(f"the model takes {len(trained.inputs)} inputs, and preparation is for one")
    steps = bundle.preprocessing.inputs.steps
    shape = tuple(trained.inputs[0].shape)[1:]
    for step in reversed(steps):
        shape = step.shape_before(shape)
    inputs = keras.Input(shape, trained.inputs[0].shape[0], dtype or _raw_dtype(steps), name="raw")
    prepared = inputs
    for step in steps:
        for layer in step.layers(tuple(prepared.shape)[1:]):
            prepared = layer(prepared)
    if prepared.dtype != trained.inputs[0].dtype:
        prepared = keras.ops.cast(prepared, trained.inputs[0].dtype)
    return keras.Model(inputs, trained(prepared), name=f"{trained.name}_raw")


def _raw_dtype(steps: tuple[Transform, ...]) -> str:
    first = steps[0] if steps else None
    if isinstance(first, Cast) and first.before:
        return first.before
    return "uint8" if isinstance(first, Scale) and first.source == (0.0, 255.0) else "float32"
