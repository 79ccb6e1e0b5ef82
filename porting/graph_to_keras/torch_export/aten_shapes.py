"""PyTorch's operators that only move values about, as a program has them, in the kinds of `foreign_graph.py`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..foreign_graph import Node, Ref
from .aten_arguments import Arguments, Translation, as_kind, refused


def _transpose(given: Arguments) -> Iterator[Node]:
    yield given.node("swap", given("self"), axes=(given("dim0", 0), given("dim1", 1)))


def _expand(given: Arguments) -> Iterator[Node]:
    yield given.node("expand", given("self"), shape=given("size"))


def _squeeze(given: Arguments) -> Iterator[Node]:
    dim = given("dim")
    yield given.node("squeeze", given("self"), axes=dim if isinstance(dim, tuple) or dim is None else (dim,))


def _unsqueeze(given: Arguments) -> Iterator[Node]:
    yield given.node("unsqueeze", given("self"), axes=(given("dim"),))


def _joined(kind: str) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        yield given.node(kind, *given("tensors"), axis=given("dim", 0))

    return translate


def _split(given: Arguments) -> Iterator[Node]:
    sizes = given("split_sizes", given("split_size"))
    yield given.node("split", given("self"), axis=given("dim", 0), sizes=sizes)


def _chunk(given: Arguments) -> Iterator[Node]:
    yield given.node("split", given("self"), axis=given("dim", 0), parts=given("chunks"))


def _pad(given: Arguments) -> Iterator[Node]:
    mode = given("mode", "constant")
    if mode not in ("constant", "reflect"):
        raise refused(given, f"padding by {mode!r}")
    yield given.node("pad", given("self"), widths=given("pad"), value=given("value") or 0, mode=mode)


def _full(value: Any) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        found = given("fill_value") if value is None else value
        yield given.node("full", shape=given("size"), value=found, dtype=given("dtype"))

    return translate


def _full_like(value: Any) -> Translation:
    def translate(given: Arguments) -> Iterator[Node]:
        found = given("fill_value") if value is None else value
        length = f"{given.outputs[0]}_shape"
        yield Node("size", (given("self"),), (length,), {"axis": None}, given.operator)
        yield given.node("full", shape=Ref(length), value=found, dtype=given("dtype"))

    return translate


def _arange(given: Arguments) -> Iterator[Node]:
    yield given.node("arange", start=given("start", 0), stop=given("end"), step=given("step", 1))


def _to(given: Arguments) -> Iterator[Node]:
    dtype = given("dtype")
    yield given.node("cast", given("self"), dtype=dtype) if dtype else given.node("same", given("self"))


def _index(given: Arguments) -> Iterator[Node]:
    """x[:, indices]: picking along one axis."""
    indices = given("indices")
    places = [axis for axis, each in enumerate(indices) if each is not None]
    if len(places) != 1:
        raise refused(given, "indices along several axes")
    yield given.node("take", given("self"), indices[places[0]], axis=places[0])


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
    "repeat.default": as_kind("tile", "self", repeats=("repeats", None)),
    "squeeze.default": _squeeze,
    "squeeze.dim": _squeeze,
    "squeeze.dims": _squeeze,
    "unsqueeze.default": _unsqueeze,
    "select.int": as_kind("select", "self", axis=("dim", 0), index=("index", 0)),
    "slice.Tensor": as_kind(
        "slice", "self", axis=("dim", 0), start=("start", None), stop=("end", None), step=("step", 1)
    ),
    "cat.default": _joined("concatenate"),
    "stack.default": _joined("stack"),
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
    **{
        f"{name}.default": _SAME
        for name in ("contiguous", "clone", "alias", "detach", "detach_", "lift_fresh_copy", "lift_fresh")
    },
}
