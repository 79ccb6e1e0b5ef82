"""The text of `init`: untrained weights of the same shapes, by Keras' default initializers."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from ....graph.blocks import Blocks
from ....graph.graph import GraphLayer
from ....graph.layer_kinds import MEASURED_CONSTANTS, MOVING_STATISTICS
from ....graph.writing.layout import literal, text_lines

BlockEntry = Callable[[Blocks], str]


def parameters_text(layers: Sequence[GraphLayer], entry: BlockEntry | None) -> str:
    """Return the tree of parameters as the text of a dictionary, one entry a line.

    Args:
        layers: the layers.
        entry: returns the text of blocks; None where there are no blocks in the model. A model with blocks is large,
            so the weights of a layer share a line where they fit.
    """
    return _tree(layers, lambda name: name not in MOVING_STATISTICS, entry)


def state_text(layers: Sequence[GraphLayer], entry: BlockEntry | None) -> str:
    """Return the statistics of batch normalisation, as `parameters_text` does."""
    return _tree(layers, lambda name: name in MOVING_STATISTICS, entry)


def init_lines(layers: Sequence[GraphLayer], parameters: str, state: str) -> list[str]:
    """Return `init`.

    Args:
        layers: the layers whose weights are parameters.
        parameters, state: the texts of the trees; state is empty without one.
    """
    key_count = sum(map(random_weights, layers))
    has_measured = any(name in MEASURED_CONSTANTS for layer in layers for name in layer.weights)
    lines = ["def init(key: Array) -> Params:", '    """Return untrained parameters."""']
    if state:
        lines = ["def init(key: Array) -> tuple[Params, Params]:", '    """Return untrained parameters, state."""']
    lines += [f"    keys = iter(jax.random.split(key, {key_count}))"] if key_count else []
    lines += [f"    measured{', _' if state else ''} = load()"] if has_measured else []
    lines += text_lines(f"params: Params = {parameters}", 4)
    lines += text_lines(f"state: Params = {state}", 4) if state else []
    return [*lines, "    return params, state" if state else "    return params"]


def random_weights(layer: GraphLayer) -> int:
    """Return how many weights of a layer, or of blocks, are drawn at random."""
    if isinstance(layer, Blocks):
        return layer.count * sum(map(random_weights, layer.family.blocks[0].layers))
    return sum(map(_is_random, layer.weights))


def _tree(layers: Sequence[GraphLayer], includes: Callable[[str], bool], entry: BlockEntry | None) -> str:
    lines = []
    for layer in layers:
        if isinstance(layer, Blocks) and entry is not None:
            text = entry(layer)
            lines += [f'    "{layer.name}": {text},'] if text else []
            continue
        values = [f'"{n}": {_initial_value(layer, n, value)}' for n, value in layer.weights.items() if includes(n)]
        if values and entry is not None:
            lines.append(f'    "{layer.name}": {{{", ".join(values)}}},')
        elif values:
            lines += [f'    "{layer.name}": {{', *(f"        {value}," for value in values), "    },"]
    return "\n".join(["{", *lines, "}"]) if lines else "{}"


def _is_random(name: str) -> bool:
    return name.endswith("kernel") or name == "embeddings"


def _initial_value(layer: GraphLayer, name: str, value: np.ndarray) -> str:
    """Return the initial value of a weight as text."""
    shape = literal(value.shape)
    if name in MEASURED_CONSTANTS:
        return f'measured["{layer.name}"]["{name}"]'
    if name == "recurrent_kernel":
        return f"jax.nn.initializers.orthogonal()(next(keys), {shape})"
    if name == "embeddings":
        return f"jax.random.uniform(next(keys), {shape}, minval=-0.05, maxval=0.05)"
    if name.endswith("kernel"):
        return f"jax.nn.initializers.glorot_uniform()(next(keys), {shape})"
    if layer.kind in ("lstm", "conv_lstm") and name == "bias":  # Keras' unit_forget_bias
        units = len(value) // 4
        return f"jnp.zeros({shape}).at[{units}:{2 * units}].set(1.0)"
    ones = name in ("gamma", "scale", "concat_score_weight", "moving_variance")
    return f"jnp.{'ones' if ones else 'zeros'}({shape})"
