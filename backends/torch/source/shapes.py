"""What changes the shape of an array: reshaping, padding, pooling, joining and taking apart."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from ....graph.graph import Graph, Node, Output, Reference
from ....graph.writing.layout import literal, one_or_all, shown
from .layers import Handler
from .padding import Padding, same_padding, widths
from .values import Value, channels_first, plainly
from .writer import Writer

# A flattened array may keep its values in PyTorch's order through these, as they do the same with every value.
_EACH_VALUE = frozenset(
    (
        *("relu", "leaky_relu", "relu6", "elu", "celu", "selu", "gelu", "sigmoid", "tanh", "silu", "mish", "softplus"),
        *("softsign", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "gaussian_noise", "gaussian_dropout"),
    )
)

# --- flattening and reshaping ---------------------------------------------------------------------------------------


def _flatten(writer: Writer, node: Node) -> Sequence[Value]:
    value, spec = writer.input(node), writer.spec(node)
    if value.plain or not _rows_can_move(writer.graph, Reference(node.name)) or None in spec.shape[1:]:
        value = value.arranged(plainly(spec.rank))
        return [Value(f"{value.text}.flatten(1)" if spec.rank > 1 else f"{value.text}.unsqueeze(1)", plainly(2))]
    lengths = [length for length in spec.shape[1:] if length is not None]
    places = np.arange(prod(lengths)).reshape(lengths)
    rows = places.transpose([axis - 1 for axis in value.order[1:]]).reshape(-1)
    # Of one place or one channel only, both orders are the same.
    moved = None if np.array_equal(rows, np.arange(rows.size)) else rows
    return [Value(f"{value.text}.flatten(1)", plainly(2), moved)]


def _rows_can_move(graph: Graph, reference: Reference) -> bool:
    """Whether all that reads a flattened array are dense layers whose kernels can be arranged to fit."""
    for reader in graph.readers[reference]:
        if isinstance(reader, Output):
            return False
        plain_dropout = reader.kind == "dropout" and reader.config["noise_shape"] is None
        if reader.kind in _EACH_VALUE or plain_dropout:
            if not _rows_can_move(graph, Reference(reader.name)):
                return False
        elif reader.kind != "dense" or len(graph.calls(reader.layer)) > 1:
            return False
    return True


def _reshape(writer: Writer, node: Node) -> Sequence[Value]:
    shape: Any = node.config["shape"]
    value = writer.plain(node)
    if shape[:1] == (None,) and -1 not in shape and None not in node.outputs[0].shape[1:]:
        lengths = ", ".join(["-1", *(str(length) for length in shape[1:])])
        return [Value(f"{value.text}.reshape({lengths})", plainly(len(shape)))]
    value = writer.named(value, node)
    batch = f"{value.text}.shape[0]"
    lengths = ", ".join(batch if length is None else str(length) for length in shape)
    return [Value(f"{value.text}.reshape({lengths})", plainly(len(shape)))]


def _transpose(writer: Writer, node: Node) -> Sequence[Value]:
    axes: Any = node.config["axes"]
    value = writer.input(node)
    # Nothing is computed: the same places are counted anew.
    return [Value(value.text, tuple(axes.index(axis) for axis in value.order))]


def _expand_dims(writer: Writer, node: Node) -> Sequence[Value]:
    axes: Any = node.config["axis"]
    text = writer.plain(node).text
    for axis in axes:
        text = f"{text}.unsqueeze({axis})"
    return [Value(text, plainly(node.outputs[0].rank))]


def _squeeze(writer: Writer, node: Node) -> Sequence[Value]:
    axes: Any = node.config["axis"]
    text = f"{writer.plain(node).text}.squeeze({literal(axes[0] if len(axes) == 1 else axes)})"
    return [Value(text, plainly(node.outputs[0].rank))]


def _fold_time(writer: Writer, node: Node) -> Sequence[Value]:
    return [Value(f"{writer.plain(node).text}.flatten(0, 1)", plainly(node.outputs[0].rank))]


def _unfold_time(writer: Writer, node: Node) -> Sequence[Value]:
    like = writer.plain(node, 1).text
    return [Value(f"{writer.plain(node).text}.unflatten(0, {like}.shape[:2])", plainly(node.outputs[0].rank))]


def _repeat_vector(writer: Writer, node: Node) -> Sequence[Value]:
    return [Value(f"{writer.plain(node).text}.unsqueeze(1).repeat(1, {node.config['n']}, 1)", plainly(3))]


# --- padding and pooling --------------------------------------------------------------------------------------------


def _pad(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    filled = f", value={config['value']!r}" if config["value"] else ""
    return [Value(f"F.pad({value.text}, {_widths(value, config['pad_width'])}{filled})", value.order)]


def _crop(writer: Writer, node: Node) -> Sequence[Value]:
    sides: Any = node.config["cropping"]
    value = writer.input(node)
    negative = [(-before, -after) for before, after in sides]
    return [Value(f"F.pad({value.text}, {_widths(value, negative)})", value.order)]


def _widths(value: Value, sides: Sequence[tuple[int, int]]) -> str:
    """Widths as `F.pad` takes them, as few as needed."""
    arranged = [sides[axis] for axis in value.order]
    while arranged and not any(arranged[0]):
        arranged = arranged[1:]
    return literal(widths(arranged or [(0, 0)]))


def _pool(kind: str) -> Handler:
    def handler(writer: Writer, node: Node) -> Sequence[Value]:
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
        # Windows that move by one and have no middle: PyTorch gives one more, at the beginning.
        more = [s == 1 and before < after for s, (before, after) in zip(strides, padding.pairs, strict=True)]
        before = [pair[extra] for extra, pair in zip(more, padding.pairs, strict=True)]
        # The last of those that move by more may reach one further than what is padded before.
        further = any(b < a and not m for m, (b, a) in zip(more, padding.pairs, strict=True))
        options = shown(
            {
                "stride": (one_or_all(strides), one_or_all(size)),
                "padding": (one_or_all(before), "0"),
                "ceil_mode": (str(further), "False"),
                "count_include_pad": (str(kind == "max" or not any(map(any, padding.pairs))), "True"),
            }
        )
        text = f"F.{kind}_pool{rank}d({', '.join([text, one_or_all(size), *options])})"
        if any(more):
            text += f"[:, :, {', '.join('1:' if extra else ':' for extra in more)}]"
        return [Value(text, order)]

    return handler


def _up_sampling(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    order = channels_first(config["rank"] + 2)
    size = ", ".join(f"{float(factor)!r}" for factor in config["size"])
    factor = one_or_all(config["size"]) if len(set(config["size"])) == 1 else f"({size})"
    mode = ', mode="bilinear"' if config["interpolation"] == "bilinear" else ""
    return [Value(f"F.interpolate({writer.input(node, order).text}, scale_factor={factor}{mode})", order)]


def _resize(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    order = channels_first(4)
    mode = "bilinear" if config["interpolation"] == "bilinear" else "nearest-exact"
    size = literal((config["height"], config["width"]))
    return [Value(f'F.interpolate({writer.input(node, order).text}, {size}, mode="{mode}")', order)]


# --- joining and taking apart ---------------------------------------------------------------------------------------


def _concatenate(writer: Writer, node: Node) -> Sequence[Value]:
    axis: Any = node.config["axis"]
    values = [writer.input(node, index=index) for index in range(len(node.inputs))]
    order = next((value.order for value in values if not value.plain), values[0].order)
    texts = [value.arranged(order).text for value in values]
    return [Value(f"torch.cat([{', '.join(texts)}], dim={order.index(axis)})", order)]


def _stack(writer: Writer, node: Node) -> Sequence[Value]:
    texts = [writer.plain(node, index).text for index in range(len(node.inputs))]
    return [Value(f"torch.stack([{', '.join(texts)}], dim={node.config['axis']})", plainly(node.outputs[0].rank))]


def _split(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    sections = config["sections"]
    cuts = sections if isinstance(sections, int) else literal(tuple(sections))
    text = f"{value.text}.tensor_split({cuts}, dim={value.place(config['axis'])})"
    return [Value(text, value.order) for _ in node.outputs]


def _flip(writer: Writer, node: Node) -> Sequence[Value]:
    axes: Any = node.config["axis"]
    value = writer.input(node)
    places = ", ".join(str(place) for place in value.places(axes))
    return [Value(f"{value.text}.flip({places})", value.order)]


def _repeat(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    value = writer.input(node)
    text = f"{value.text}.repeat_interleave({config['repeats']}, dim={value.place(config['axis'])})"
    return [Value(text, value.order)]


def _tile(writer: Writer, node: Node) -> Sequence[Value]:
    repeats: Any = node.config["repeats"]
    times = ", ".join(str(number) for number in repeats)
    return [Value(f"{writer.plain(node).text}.tile({times})", plainly(node.outputs[0].rank))]


def _get_item(writer: Writer, node: Node) -> Sequence[Value]:
    entries: Any = node.config["index"]
    shown_entries = ", ".join(_entry(entry) for entry in entries)
    return [Value(f"{writer.plain(node).text}[{shown_entries}]", plainly(node.outputs[0].rank))]


def _entry(entry: Any) -> str:
    if isinstance(entry, tuple):
        start, stop, step = ("" if part is None else str(part) for part in entry[1:])
        return f"{start}:{stop}" + (f":{step}" if step else "")
    return str(entry)


def _one_hot(writer: Writer, node: Node) -> Sequence[Value]:
    config: Any = node.config
    rank = node.outputs[0].rank
    text = f"F.one_hot({writer.plain(node).text}.long(), {config['num_classes']})"
    text += ".float()" if config["dtype"] == "float32" else f".to(torch.{config['dtype']})"
    if config["axis"] != rank - 1:
        text += f".movedim(-1, {config['axis']})"
    return [Value(text, plainly(rank))]


HANDLERS: dict[str, Handler] = {
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
    "one_hot": _one_hot,
}
