"""Put the preprocessing into the model, as its first layers, so that the model takes raw inputs.

The result is a Keras model of standard layers only. Saved, it loads in plain Keras without trivium.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...backends import runtime
from ...data.preprocessing.feature_scaling import Scale
from ...data.preprocessing.transforms import Cast, Transform
from ...errors import DataError
from .bundle import Bundle

if TYPE_CHECKING:
    import keras


def raw_model(bundle: Bundle, dtype: str | None = None) -> keras.Model:
    """Return the model in a bundle with its preprocessing as first layers.

    It shares the weights of `bundle.model`. Its outputs are the `outputs` of `trivium.predict`: class probabilities, or
    values on the scale of the preprocessed targets.

    Args:
        bundle: its preprocessing must work on single samples.
        dtype: of the inputs. The default is "uint8" if the preprocessing scales pixels from 0 to 255, otherwise
            "float32".

    Raises:
        BundleError: Keras refuses the model in the bundle.
        DataError: a preprocessing step cuts samples out of a series or text, which no Keras layer does.
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
    name = "raw" if steps else _own_name(trained.inputs[0])
    inputs = keras.Input(shape, trained.inputs[0].shape[0], dtype or _raw_dtype(steps), name=name)
    prepared = inputs
    for step in steps:
        for layer in step.layers(tuple(prepared.shape)[1:]):
            prepared = layer(prepared)
    if prepared.dtype != trained.inputs[0].dtype:
        prepared = keras.ops.cast(prepared, trained.inputs[0].dtype)
    return keras.Model(inputs, trained(prepared), name=f"{trained.name}_raw")


def _own_name(tensor: keras.KerasTensor) -> str:
    """Return the name of an input: the user's, or `input` for one that Keras numbered."""
    return "input" if tensor.name.startswith(("input_layer", "keras_tensor")) else str(tensor.name)


def _raw_dtype(steps: tuple[Transform, ...]) -> str:
    first = steps[0] if steps else None
    if isinstance(first, Cast) and first.before:
        return first.before
    return "uint8" if isinstance(first, Scale) and first.source == (0.0, 255.0) else "float32"
