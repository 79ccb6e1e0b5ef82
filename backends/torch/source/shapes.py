"""Handlers of kinds that change the shape: reshaping, padding, pooling, joining and splitting."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ....graph.graph import ArrayReference, Graph, GraphNode, Output
from ....graph.writing.folded_padding import folded_into_reader
from ....graph.writing.layout import literal, scalar_or_tuple
from .layers import TorchHandler
from .padding import Padding, same_padding, widths
from .values import Value, channels_first, graph_order
from .writer import TorchWriter

# Elementwise kinds: a flattened array may keep PyTorch's order of values through them.
_ELEMENTWISE = frozenset(
    (
        *("relu", "leaky_relu", "relu6", "elu", "celu", "selu", "gelu", "sigmoid", "tanh", "silu", "mish", "softplus"),
        *("softsign", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh"),
        *("gaussian_noise", "gaussian_dropout", "alpha_dropout"),
    )
)

# --- flattening and reshaping ---------------------------------------------------------------------------------------


def _flatten(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    value, spec = writer.input(node), writer.spec(node)
    if value.in_graph_order or not _can_reorder_rows(writer.graph, ArrayReference(node.name)) or None in spec.shape[1:]:
        value = value.permuted(graph_order(spec.rank))
        return [Value(f"{value.text}.flatten(1)" if spec.rank > 1 else f"{value.text}.unsqueeze(1)", graph_order(2))]
    lengths = [length for length in spec.shape[1:] if length is not None]
    positions = np.arange(prod(lengths)).reshape(lengths)
    rows = positions.transpose([axis - 1 for axis in value.order[1:]]).reshape(-1)
    # With a single position or a single channel, both orders are the same.
    moved_rows = None if np.array_equal(rows, np.arange(rows.size)) else rows
    return [Value(f"{value.text}.flatten(1)", graph_order(2), moved_rows)]


def _can_reorder_rows(graph: Graph, reference: ArrayReference) -> bool:
    """Return whether only dense layers read a flattened array, so that their kernels' rows can be reordered."""
    for reader in graph.readers[reference]:
        if isinstance(reader, Output):
            return False
        plain_dropout = reader.kind == "dropout" and reader.config["noise_shape"] is None
        if reader.kind in _ELEMENTWISE or plain_dropout:
            if not _can_reorder_rows(graph, ArrayReference(reader.name)):
                return False
        elif reader.kind != "dense" or len(graph.calls(reader.layer)) > 1:
            return False
    return True


def _reshape(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    shape: Any = node.config["shape"]
    value = writer.in_graph_order(node)
    if shape[:1] == (None,) and -1 not in shape and None not in node.outputs[0].shape[1:]:
        lengths = ", ".join(["-1", *(str(length) for length in shape[1:])])
        return [Value(f"{value.text}.reshape({lengths})", graph_order(len(shape)))]
    value = writer.as_variable(value, node)
    batch = f"{value.text}.shape[0]"
    lengths = ", ".join(batch if length is None else str(length) for length in shape)
    return [Value(f"{value.text}.reshape({lengths})", graph_order(len(shape)))]


def _transpose(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    axes: Any = node.config["axes"]
    value = writer.input(node)
    # The text stays the same: only the order of the axes is renumbered.
    return [Value(value.text, tuple(axes.index(axis) for axis in value.order))]


def _expand_dims(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    axes: Any = node.config["axis"]
    text = writer.in_graph_order(node).text
    for axis in axes:
        text = f"{text}.unsqueeze({axis})"
    return [Value(text, graph_order(node.outputs[0].rank))]


def _squeeze(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    axes: Any = node.config["axis"]
    text = f"{writer.in_graph_order(node).text}.squeeze({literal(axes[0] if len(axes) == 1 else axes)})"
    return [Value(text, graph_order(node.outputs[0].rank))]


def _fold_time(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    value = _steps_second(writer, node)
    return [Value(f"{value.text}.flatten(0, 1)", (0, *(axis - 1 for axis in value.order[2:])))]


def _unfold_time(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    like, value = _steps_second(writer, node, 1).text, writer.input(node)
    return [Value(f"{value.text}.unflatten(0, {like}.shape[:2])", (0, 1, *(axis + 1 for axis in value.order[1:])))]


def _steps_second(writer: TorchWriter, node: GraphNode, index: int = 0) -> Value:
    """Return one of a node's arrays with batch and steps as its first axes, and the others as they are."""
    value = writer.input(node, index=index)
    return value if value.order[:2] == (0, 1) else writer.in_graph_order(node, index)


def _repeat_vector(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    return [Value(f"{writer.in_graph_order(node).text}.unsqueeze(1).repeat(1, {node.config['n']}, 1)", graph_order(3))]


# --- padding and pooling --------------------------------------------------------------------------------------------


def _pad(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    if folded_into_reader(writer.graph, node, symmetric=True):
        return [value]
    fill = f", value={config['value']!r}" if config["value"] else ""
    return [Value(f"F.pad({value.text}, {_widths(value, config['pad_width'])}{fill})", value.order)]


def _crop(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    sides: Any = node.config["cropping"]
    value = writer.input(node)
    negative = [(-before, -after) for before, after in sides]
    return [Value(f"F.pad({value.text}, {_widths(value, negative)})", value.order)]


def _widths(value: Value, sides: Sequence[tuple[int, int]]) -> str:
    """Return the shortest widths for `F.pad`."""
    permuted = [sides[axis] for axis in value.order]
    while permuted and not any(permuted[0]):
        permuted = permuted[1:]
    return literal(widths(permuted or [(0, 0)]))


def _pool(kind: str) -> TorchHandler:
    def handler(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
        config: Any = node.config
        rank, size, strides = config["rank"], config["pool_size"], config["strides"]
        order = channels_first(rank + 2)
        value = writer.input(node, order)
        padding = Padding.none(rank)
        if config["padding"] == "same":
            lengths = writer.spec(node).shape[1:-1]
            padding = same_padding(lengths, size, strides)
        text = value.text
        if not padding.known:
            text = f'{writer.helper("same_padding")}({text}, {literal(size)}, {literal(strides)}, -float("inf"))'
            padding = Padding.none(rank)
        # At stride 1 with an even window PyTorch gives one window more, at the beginning, which is cut off.
        more = [s == 1 and before < after for s, (before, after) in zip(strides, padding.pairs, strict=True)]
        before = [pair[extra] for extra, pair in zip(more, padding.pairs, strict=True)]
        # At larger strides the last window may reach one element further than the symmetric padding.
        further = any(b < a and not m for m, (b, a) in zip(more, padding.pairs, strict=True))
        options = writer.options(
            {
                "stride": (scalar_or_tuple(strides), scalar_or_tuple(size)),
                "padding": (scalar_or_tuple(before), "0"),
                "ceil_mode": (str(further), "False"),
                "count_include_pad": (str(kind == "max" or not any(map(any, padding.pairs))), "True"),
            }
        )
        text = f"F.{kind}_pool{rank}d({', '.join([text, scalar_or_tuple(size), *options])})"
        if any(more):
            text += f"[:, :, {', '.join('1:' if extra else ':' for extra in more)}]"
        return [Value(text, order)]

    return handler


def _up_sampling(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    order = channels_first(config["rank"] + 2)
    size = ", ".join(f"{float(factor)!r}" for factor in config["size"])
    factor = scalar_or_tuple(config["size"]) if len(set(config["size"])) == 1 else f"({size})"
    mode = ', mode="bilinear"' if config["interpolation"] == "bilinear" else ""
    return [Value(f"F.interpolate({writer.input(node, order).text}, scale_factor={factor}{mode})", order)]


def _resize(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    order = channels_first(4)
    mode = "bilinear" if config["interpolation"] == "bilinear" else "nearest-exact"
    size = literal((config["height"], config["width"]))
    return [Value(f'F.interpolate({writer.input(node, order).text}, {size}, mode="{mode}")', order)]


# --- joining and splitting ------------------------------------------------------------------------------------------


def _concatenate(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    axis: Any = node.config["axis"]
    values = [writer.input(node, index=index) for index in range(len(node.inputs))]
    order = next((value.order for value in values if not value.in_graph_order), values[0].order)
    texts = [value.permuted(order).text for value in values]
    return [Value(f"torch.cat([{', '.join(texts)}], dim={order.index(axis)})", order)]


def _stack(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    texts = [writer.in_graph_order(node, index).text for index in range(len(node.inputs))]
    return [Value(f"torch.stack([{', '.join(texts)}], dim={node.config['axis']})", graph_order(node.outputs[0].rank))]


def _split(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    sections = config["sections"]
    cuts = sections if isinstance(sections, int) else literal(tuple(sections))
    text = f"{value.text}.tensor_split({cuts}, dim={value.position(config['axis'])})"
    return [Value(text, value.order) for _ in node.outputs]


def _flip(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    axes: Any = node.config["axis"]
    value = writer.input(node)
    positions = ", ".join(str(position) for position in value.positions(axes))
    return [Value(f"{value.text}.flip({positions})", value.order)]


def _repeat(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    text = f"{value.text}.repeat_interleave({config['repeats']}, dim={value.position(config['axis'])})"
    return [Value(text, value.order)]


def _tile(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    repeats: Any = node.config["repeats"]
    times = ", ".join(str(number) for number in repeats)
    return [Value(f"{writer.in_graph_order(node).text}.tile({times})", graph_order(node.outputs[0].rank))]


def _get_item(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    entries: Any = node.config["index"]
    shown_entries = ", ".join(_entry(entry) for entry in entries)
    return [Value(f"{writer.in_graph_order(node).text}[{shown_entries}]", graph_order(node.outputs[0].rank))]


def _entry(entry: Any) -> str:
    if isinstance(entry, tuple):
        start, stop, step = ("" if part is None else str(part) for part in entry[1:])
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return str(entry)


def _take(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    axis: Any = node.config["axis"]
    places = node.inputs[1]
    at = writer.in_graph_order(node, 1).text if isinstance(places, ArrayReference) else str(places)
    text = f"{writer.in_graph_order(node).text}[{', '.join([*[':'] * axis, at])}]"
    return [Value(text, graph_order(node.outputs[0].rank))]


def _broadcast_to(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    shape: Any = node.config["shape"]
    batch = f"{writer.input(node, index=1).text}.shape[0]" if len(node.inputs) > 1 else ""
    lengths = ", ".join(batch if length is None else str(length) for length in shape)
    return [Value(f"{writer.in_graph_order(node).text}.expand({lengths})", graph_order(len(shape)))]


def _one_hot(writer: TorchWriter, node: GraphNode) -> Sequence[Value]:
    config: Any = node.config
    rank = node.outputs[0].rank
    text = f"F.one_hot({writer.in_graph_order(node).text}.long(), {config['num_classes']})"
    text += ".float()" if config["dtype"] == "float32" else f".to(torch.{config['dtype']})"
    if config["axis"] != rank - 1:
        text += f".movedim(-1, {config['axis']})"
    return [Value(text, graph_order(rank))]


HANDLERS: dict[str, TorchHandler] = {
    "flatten": _flatten,
    "reshape": _reshape,
    "transpose": _transpose,
    "expand_dims": _expand_dims,
    "squeeze": _squeeze,
    "fold_time": _fold_time,
    "unfold_time": _unfold_time,
    "repeat_vector": _repeat_vector,
    "pad": _pad,
    "crop": _crop,
    "max_pool": _pool("max"),
    "average_pool": _pool("avg"),
    "up_sampling": _up_sampling,
    "resize": _resize,
    "concatenate": _concatenate,
    "stack": _stack,
    "split": _split,
    "flip": _flip,
    "repeat": _repeat,
    "tile": _tile,
    "get_item": _get_item,
    "take": _take,
    "broadcast_to": _broadcast_to,
    "one_hot": _one_hot,
}
