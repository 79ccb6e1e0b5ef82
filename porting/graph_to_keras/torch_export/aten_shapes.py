"""Translations of PyTorch's operators that only rearrange values, into the kinds of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..foreign_graph import ForeignNode, Ref
from .aten_arguments import Arguments, Translation, as_kind, unsupported


def _transpose(arguments: Arguments) -> Iterator[ForeignNode]:
    yield arguments.node("swap", arguments("self"), axes=(arguments("dim0", 0), arguments("dim1", 1)))


def _expand(arguments: Arguments) -> Iterator[ForeignNode]:
    yield arguments.node("expand", arguments("self"), shape=arguments("size"))


def _expand_as(arguments: Arguments) -> Iterator[ForeignNode]:
    shape = f"{arguments.outputs[0]}_shape"
    yield ForeignNode("size", (arguments("other"),), (shape,), {"axis": None}, arguments.operator)
    yield arguments.node("expand", arguments("self"), shape=Ref(shape))


def _squeeze(arguments: Arguments) -> Iterator[ForeignNode]:
    dim = arguments("dim")
    yield arguments.node("squeeze", arguments("self"), axes=dim if isinstance(dim, tuple) or dim is None else (dim,))


def _unsqueeze(arguments: Arguments) -> Iterator[ForeignNode]:
    yield arguments.node("unsqueeze", arguments("self"), axes=(arguments("dim"),))


def _concatenation(kind: str) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        yield arguments.node(kind, *arguments("tensors"), axis=arguments("dim", 0))

    return translate


def _split(arguments: Arguments) -> Iterator[ForeignNode]:
    sizes = arguments("split_sizes", arguments("split_size"))
    yield arguments.node("split", arguments("self"), axis=arguments("dim", 0), sizes=sizes)


def _chunk(arguments: Arguments) -> Iterator[ForeignNode]:
    yield arguments.node("split", arguments("self"), axis=arguments("dim", 0), parts=arguments("chunks"))


def _pad(arguments: Arguments) -> Iterator[ForeignNode]:
    mode = arguments("mode", "constant")
    if mode not in ("constant", "reflect"):
        raise unsupported(arguments, f"padding by {mode!r}")
    yield arguments.node("pad", arguments("self"), widths=arguments("pad"), value=arguments("value") or 0, mode=mode)


def _full(value: Any) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        fill = arguments("fill_value") if value is None else value
        yield arguments.node("full", shape=arguments("size"), value=fill, dtype=arguments("dtype"))

    return translate


def _full_like(value: Any) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        fill = arguments("fill_value") if value is None else value
        length = f"{arguments.outputs[0]}_shape"
        yield ForeignNode("size", (arguments("self"),), (length,), {"axis": None}, arguments.operator)
        yield arguments.node("full", shape=Ref(length), value=fill, dtype=arguments("dtype"))

    return translate


def _arange(arguments: Arguments) -> Iterator[ForeignNode]:
    yield arguments.node("arange", start=arguments("start", 0), stop=arguments("end"), step=arguments("step", 1))


def _to(arguments: Arguments) -> Iterator[ForeignNode]:
    dtype = arguments("dtype")
    yield arguments.node("cast", arguments("self"), dtype=dtype) if dtype else arguments.node("same", arguments("self"))


def _index(arguments: Arguments) -> Iterator[ForeignNode]:
    """Translate `x[:, indices]`: indexing along one axis."""
    indices = arguments("indices")
    places = [axis for axis, each in enumerate(indices) if each is not None]
    if len(places) > 1 and places == list(range(len(places))):
        yield arguments.node("index", arguments("self"), *(indices[axis] for axis in places))
        return
    if len(places) != 1:
        raise unsupported(arguments, "indices along several axes")
    yield arguments.node("take", arguments("self"), indices[places[0]], axis=places[0])


_SAME = as_kind("same", "self")
_RESHAPE = as_kind("reshape", "self", shape=("size", None))

SHAPES: dict[str, Translation] = {
    "view.default": _RESHAPE,
    "_unsafe_view.default": _RESHAPE,
    "reshape.default": as_kind("reshape", "self", shape=("shape", None)),
    "flatten.using_ints": as_kind("flatten", "self", start=("start_dim", 0), end=("end_dim", -1)),
    "unflatten.int": as_kind("unflatten", "self", axis=("dim", 0), sizes=("sizes", None)),
    "permute.default": as_kind("permute", "self", axes=("dims", None)),
    "transpose.int": _transpose,
    "t.default": _transpose,
    "numpy_T.default": _transpose,
    "expand.default": _expand,
    "expand_as.default": _expand_as,
    "repeat.default": as_kind("tile", "self", repeats=("repeats", None)),
    "squeeze.default": _squeeze,
    "squeeze.dim": _squeeze,
    "squeeze.dims": _squeeze,
    "unsqueeze.default": _unsqueeze,
    "select.int": as_kind("select", "self", axis=("dim", 0), index=("index", 0)),
    "slice.Tensor": as_kind(
        "slice", "self", axis=("dim", 0), start=("start", None), stop=("end", None), step=("step", 1)
    ),
    "cat.default": _concatenation("concatenate"),
    "stack.default": _concatenation("stack"),
    "split.Tensor": _split,
    "split_with_sizes.default": _split,
    "chunk.default": _chunk,
    "unbind.int": as_kind("unbind", "self", axis=("dim", 0)),
    "flip.default": as_kind("flip", "self", axes=("dims", None)),
    "roll.default": as_kind("roll", "self", shifts=("shifts", None), axes=("dims", ())),
    "pad.default": _pad,
    "constant_pad_nd.default": _pad,
    "index_select.default": as_kind("take", "self", "index", axis=("dim", 0)),
    "index.Tensor": _index,
    "gather.default": as_kind("gather", "self", "index", axis=("dim", 0)),
    "diff.default": as_kind("diff", "self", "prepend", "append", count=("n", 1), axis=("dim", -1)),
    "tril.default": as_kind("tril", "self", diagonal=("diagonal", 0)),
    "triu.default": as_kind("triu", "self", diagonal=("diagonal", 0)),
    "one_hot.default": as_kind("one_hot", "self", classes=("num_classes", -1)),
    "topk.default": as_kind("top_k", "self", count=("k", 1), axis=("dim", -1), largest=("largest", True)),
    "sort.default": as_kind("sort", "self", axis=("dim", -1), descending=("descending", False)),
    "argsort.default": as_kind("argsort", "self", axis=("dim", -1), descending=("descending", False)),
    "pixel_shuffle.default": as_kind("pixel_shuffle", "self", factor=("upscale_factor", 1)),
    "zeros.default": _full(0),
    "ones.default": _full(1),
    "new_zeros.default": _full(0),
    "new_ones.default": _full(1),
    "full.default": _full(None),
    "zeros_like.default": _full_like(0),
    "ones_like.default": _full_like(1),
    "full_like.default": _full_like(None),
    "scalar_tensor.default": as_kind("same", "s"),
    **{f"arange.{overload}": _arange for overload in ("default", "start", "start_step")},
    "sym_size.int": as_kind("size", "self", axis=("dim", 0)),
    **{f"to.{overload}": _to for overload in ("dtype", "dtype_layout", "device")},
    "_to_copy.default": _to,
    "type_as.default": _SAME,
    **{f"{name}.default": _SAME for name in ("contiguous", "clone", "alias", "lift_fresh_copy", "lift_fresh")},
    **{f"{name}.default": as_kind("stop_gradient", "self") for name in ("detach", "detach_")},
}
