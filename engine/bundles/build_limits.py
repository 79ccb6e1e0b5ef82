"""How large a model from a file may become while Keras builds it: as large as its weights in the file, and the memory.

A short configuration can describe any number of weights. They are compared with those that the file holds before Keras
takes memory for them: here by the settings of layers, without Keras, and while Keras builds by each weight that a layer
adds. What layers compute is compared with the memory of this process.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ...backends import keras_internals
from ...backends.replaced_methods import original_method, overridden
from ...errors import FileError
from ...storage import budget, safe_json
from ...storage.memory import memory_size
from ...storage.safe_hdf5 import StoredArray

if TYPE_CHECKING:
    import keras

# A layer has at least as many weights as each of these settings.
_WEIGHTS = ("units", "filters", "input_dim", "output_dim")
# Memory or time is taken for these as well, when a layer is made or called.
_SIZES = (
    *("num_tokens", "n", "size", "num_classes", "num_thresholds", "target_shape", "output_shape", "padding"),
    *("cropping", "kernel_size", "pool_size", "strides", "dilation_rate", "height", "width", "num_heads", "key_dim"),
    *("value_dim", "head_dim", "num_query_heads", "num_key_value_heads", "fft_length", "sequence_length"),
    *("num_mel_bins", "power_iterations", "output_sequence_length", "depth_multiplier", "groups", "batch_shape"),
)
_LIMITED = frozenset((*_WEIGHTS, *_SIZES, "lora_rank"))
# Quantised and adapted layers have a few times the weights of the file while they are built.
_SURPLUS = 4
_WEIGHT_SIZE = 4  # bytes of a weight or a value in float32


def require_plausible(config: Mapping[str, Any], arrays: Mapping[str, StoredArray], what: str) -> None:
    """Compare the settings of layers with the weights in the file, without Keras.

    Args:
        arrays: those of the file, by path.
        what: the name of the file in messages.

    Raises:
        FileError: a layer declares more weights than the file holds, or a size beyond every plausible one.
    """
    most = max(budget.SIZE, sum(array.size for array in arrays.values()))
    widest = max((length for array in arrays.values() for length in array.shape), default=0)
    for node in safe_json.objects_in(config):
        for name, setting in node.items():
            if name not in _LIMITED:
                continue
            value = _largest(setting)
            if name == "lora_rank" and value > widest:  # the file holds the product, whose axes are at least as long
                raise FileError(f"{what}: a layer declares lora_rank {value:,}, more than any axis of its weights")
            if name in _WEIGHTS and value > most:
                raise FileError(
                    f"{what}: a layer declares {name} {value:,}, and the file does not hold so many weights"
                )
            if name in _SIZES and value > budget.SIZE:
                raise FileError(f"{what}: a layer declares {name} {value:,}, at most {budget.SIZE:,} are built")


@contextlib.contextmanager
def limited_weights(arrays: Mapping[str, StoredArray] | None, what: str) -> Iterator[None]:
    """While it lasts, layers that are built in this thread have about as many weights as the file, and no more.

    Args:
        arrays: those of the file; None if it holds none, so that the memory is the limit.
        what: the name of the file in messages.

    Raises:
        FileError: they have more. No memory was taken for those.
    """
    import keras

    most = memory_size() // _WEIGHT_SIZE
    if arrays is not None:
        most = min(most, budget.SIZE + _SURPLUS * sum(array.size for array in arrays.values()))
    total, refusals = 0, []

    def add_weight(layer: keras.Layer, shape: Any = None, *arguments: Any, **settings: Any) -> Any:
        nonlocal total
        total += _count(shape)
        if total > most:
            where = "the memory" if arrays is None else "the file"
            refusals.append(FileError(f"{what}: layer {layer.name[:60]!r} has more weights than {where} holds"))
            raise refusals[0]
        return original_method(keras.Layer, "add_weight")(layer, shape, *arguments, **settings)

    try:
        with overridden([(keras.Layer, "add_weight", add_weight)]):
            yield
    except Exception as error:
        if refusals:  # Keras may have put another error around it
            raise refusals[0] from error
        raise


def require_memory(model: keras.Model, what: str) -> None:
    """Raise a FileError if a layer computes more for a single sample than the memory of this process.

    Raises:
        FileError: it does.
    """
    memory = memory_size()
    for tensor in _computed(model):
        if (size := _count(tensor.shape) * _WEIGHT_SIZE) > memory:
            raise FileError(
                f"{what}: a layer gives {size / 1e9:,.2g} GB for each sample, of shape {tuple(tensor.shape)}, and "
                f"there are {memory / 1e9:,.2g} GB"
            )


def _computed(model: keras.Model) -> Iterator[Any]:
    """Yield what layers and operations of a model take and give, as symbolic tensors."""
    import keras

    yield from getattr(model, "outputs", None) or ()
    for layer in keras_internals.all_layers(model):
        yield from keras_internals.inputs_of(layer)
        if isinstance(layer, keras.Function):
            for node in keras_internals.nodes_of(layer):
                yield from node.output_tensors


def _largest(setting: Any) -> int:
    """Return the largest whole number in a setting, or in a list of them or of pairs; 0 if there is none."""
    items = setting.get("items") if isinstance(setting, dict) else setting  # a tuple, as Keras writes it
    numbers: list[Any] = []
    for item in items if isinstance(items, list) else [items]:
        numbers += item if isinstance(item, list) else [item]
    return max((abs(value) for value in numbers if isinstance(value, int)), default=0)


def _count(shape: Any) -> int:
    """Return how many values a shape has; open lengths count as one."""
    lengths = shape if isinstance(shape, list | tuple) else (shape,)
    return math.prod(length for length in lengths if isinstance(length, int) and length > 0)
