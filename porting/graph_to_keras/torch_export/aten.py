"""Translations of PyTorch's operators, as `torch.export` writes them, into the kinds of `foreign_graph.py`.

Arguments have the names of torch's schemas. A program's file omits an argument that has its default value.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..foreign_graph import ForeignNode, Ref
from .aten_arguments import Arguments as Arguments
from .aten_arguments import Translation
from .aten_cells import CELLS
from .aten_functions import ACTIVATIONS, ARITHMETIC
from .aten_layers import DROPOUTS, LAYERS
from .aten_shapes import SHAPES

# Assertions inside a program, which need no counterpart.
IGNORED = frozenset(
    {"aten._assert_tensor_metadata.default", "aten._assert_scalar.default", "aten._assert_async.msg"}
    | {f"aten.sym_constrain_range{name}.default" for name in ("", "_for_size")}
    | {"_operator.ge", "_operator.le", "_operator.eq", "_operator.gt", "_operator.lt"}
)


def _length(kind: str) -> Translation:
    def translate(arguments: Arguments) -> Iterator[ForeignNode]:
        one, other = arguments.values.values()
        yield arguments.node(kind, one, other)

    return translate


def _filled(arguments: Arguments) -> Iterator[ForeignNode]:
    """Translate an array that is filled with a number as a whole; `program.py` does so for a part of one."""
    shape = f"{arguments.outputs[0]}_shape"
    yield ForeignNode("size", (arguments("self"),), (shape,), {"axis": None}, arguments.operator)
    yield arguments.node("full", shape=Ref(shape), value=arguments("value", 0))


# Arithmetic with lengths.
_LENGTHS = {"mul": "multiply", "add": "add", "sub": "subtract", "floordiv": "floor_divide"}

OPERATORS: dict[str, Translation] = {
    **{f"aten.{name}": each for name, each in {**LAYERS, **CELLS, **ACTIVATIONS, **ARITHMETIC, **SHAPES}.items()},
    # In-place variants, which have an underscore after the name and change their first array.
    **{
        f"aten.{name}_.{overload}": each
        for table in (ACTIVATIONS, ARITHMETIC)
        for (name, overload), each in ((key.split(".", 1), each) for key, each in table.items())
    },
    **{f"_operator.{name}": _length(kind) for name, kind in _LENGTHS.items()},
    **{f"aten.{name}_.default": each for name, each in DROPOUTS.items()},
    **{f"aten.fill_.{overload}": _filled for overload in ("Tensor", "Scalar")},
    "aten.zero_.default": _filled,
}
