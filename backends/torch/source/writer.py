"""The module's text, put together: its attributes, its `forward`, its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ....graph.graph import Graph, Layer, Node, Reference
from ....graph.source import Source, class_name, identifier
from ....graph.writing.body import Writer as AnyWriter
from ....graph.writing.body import described, input_names
from ....graph.writing.layout import WIDTH, literal, statement
from .helpers import HELPERS
from .values import Value, plainly

# What `nn.Module` has already; tests/backends/torch/test_source.py compares with the real one.
RESERVED = frozenset(
    (
        *("T_destination", "add_module", "apply", "bfloat16", "buffers", "call_super_init", "children", "compile"),
        *("cpu", "cuda", "double", "dump_patches", "eval", "extra_repr", "float", "forward", "get_buffer"),
        *("get_extra_state", "get_parameter", "get_submodule", "half", "ipu", "load_state_dict", "modules", "mtia"),
        *("named_buffers", "named_children", "named_modules", "named_parameters", "parameters"),
        *("register_backward_hook", "register_buffer", "register_forward_hook", "register_forward_pre_hook"),
        *("register_full_backward_hook", "register_full_backward_pre_hook", "register_load_state_dict_post_hook"),
        *("register_load_state_dict_pre_hook", "register_module", "register_parameter"),
        *("register_state_dict_post_hook", "register_state_dict_pre_hook", "requires_grad_", "set_extra_state"),
        *("set_submodule", "share_memory", "state_dict", "to", "to_empty", "train", "training", "type", "xpu"),
        *("zero_grad",),
    )
)
_LOCALS = frozenset(("self", "torch", "nn", "F", "Tensor", "Path", "load", "load_file"))
_POOL = tuple("xyzuvwabcdeghkmnpqrst")
# A call of these stands round the call before it: `F.relu(self.conv2d(x))`.
_ROUND = frozenset(
    (
        *("relu", "leaky_relu", "elu", "celu", "gelu", "softmax", "log_softmax", "relu6", "selu", "sigmoid", "tanh"),
        *("silu", "mish", "softplus", "softsign", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "rescaling"),
    )
)


Handlers = Mapping[str, Callable[[Any, Node], Sequence[Value]]]


class Writer(AnyWriter[Value]):
    """A module in the making.

    Args:
        handlers: what writes each kind of node.
    """

    def __init__(self, graph: Graph, handlers: Handlers):
        super().__init__(graph, _LOCALS, indent=8)
        self._handlers = handlers
        self._attributes: list[str] = []
        self._names: dict[int, str] = {}

    @property
    def handlers(self) -> Handlers:
        return self._handlers

    def text_of(self, value: Value) -> str:
        return value.text

    def renamed(self, value: Value, name: str) -> Value:
        return Value(name, value.order, value.rows)

    def stays_open(self, following: Node, value: Value) -> bool:
        return following.kind in _ROUND and value.text.endswith(")") and len(value.text) < WIDTH - 40

    # --- what the writers of nodes build with -----------------------------------------------------------------------

    def input(self, node: Node, order: tuple[int, ...] | None = None, index: int = 0) -> Value:
        """One of a node's arrays, its axes in the given order, by default as they are."""
        operand = node.inputs[index]
        assert isinstance(operand, Reference)
        value = self.values[operand]
        return value if order is None else value.arranged(order)

    def plain(self, node: Node, index: int = 0) -> Value:
        """One of a node's arrays with its axes in the graph's order."""
        return self.input(node, plainly(self.spec(node, index).rank), index)

    def named(self, value: Value, node: Node) -> Value:
        """The value under a name of its own, for one that the next expression needs several times."""
        return value if value.text.isidentifier() else self.renamed(value, self.keep(node, value.text))

    def attribute(self, layer: Layer) -> str | None:
        """The name of a layer's attribute, where an earlier call of it has made one."""
        return self._names.get(id(layer))

    def make(self, layer: Layer, text: str, weights: dict[str, np.ndarray], frozen: Sequence[str] = ()) -> str:
        """Make an attribute for a layer.

        Args:
            text: what is assigned to it.
            weights: by their names within it, in PyTorch's layout.
            frozen: those of them that training must not change.

        Returns:
            `self.NAME`.
        """
        name = identifier(layer.name, RESERVED | set(self._names.values()))
        self._names[id(layer)] = name
        self._attributes.append(f"self.{name} = {text}")
        if not layer.trainable and weights:
            self._attributes.append(f"self.{name}.requires_grad_(False)")
        else:
            self._attributes += [f"self.{name}.{weight}.requires_grad_(False)" for weight in frozen]
        self.weights |= {f"{name}.{weight}": np.ascontiguousarray(value) for weight, value in weights.items()}
        return f"self.{name}"

    def make_buffer(self, layer: Layer, value: np.ndarray) -> str:
        """Make an attribute of an array that training does not change; `self.NAME`."""
        name = identifier(layer.name, RESERVED | set(self._names.values()))
        self._names[id(layer)] = name
        dtype = "" if value.dtype == np.float32 else f", dtype=torch.{value.dtype.name}"
        self._attributes.append(f'self.register_buffer("{name}", torch.zeros({literal(value.shape)}{dtype}))')
        self.weights[name] = np.ascontiguousarray(value)
        return f"self.{name}"

    # --- the text ---------------------------------------------------------------------------------------------------

    def source(self) -> Source:
        name = class_name(self.graph.name)
        name = f"{name}Model" if name in HELPERS else name
        names = input_names(self.graph, _LOCALS)
        self.taken.update(names)
        for given, local in zip(self.graph.inputs, names, strict=True):
            self.values[Reference(given.name)] = Value(local, plainly(given.spec.rank))
        self.run()
        results = [self.values[o.reference].arranged(plainly(self._rank(o.reference))) for o in self.graph.outputs]
        returned = ", ".join(value.text for value in results)
        self.lines += statement(f"return {returned}", 8)
        body = "\n".join(
            [
                *self._class_head(name, names),
                *(line for text in self._attributes for line in statement(text, 8)),
                "",
                *self._forward_head(names),
                *self.lines,
            ]
        )
        helpers = "\n\n".join(HELPERS[helper].strip("\n") + "\n" for helper in HELPERS if helper in self.helpers)
        code = (f"{helpers}\n\n" if helpers else "") + body + "\n" + _LOAD.format(name=name)
        return Source(
            self._imports(code) + code, _PREDICT, self.weights, _EXAMPLE.format(name=name), ("torch", "safetensors")
        )

    def _rank(self, reference: Reference) -> int:
        return self.graph.specs[reference].rank

    def _imports(self, code: str) -> str:
        typing = [name for name in ("Callable", "Sequence") if f"{name}[" in code]
        lines = ['"""' + _DOCSTRING + '"""', "", "from __future__ import annotations", ""]
        if typing:
            lines.append(f"from collections.abc import {', '.join(typing)}")
        lines += ["from pathlib import Path", ""]
        if "torch." in code.replace("safetensors.torch", ""):
            lines.append("import torch")
        if "F." in code:
            lines.append("import torch.nn.functional as F")
        return "\n".join([*lines, "from safetensors.torch import load_file", *_AFTER_IMPORTS])

    def _class_head(self, name: str, names: Sequence[str]) -> list[str]:
        given = zip(names, self.graph.inputs, strict=True)
        takes = [f"    {local}: {described(each.spec)}" for local, each in given]
        gives = [f"    {o.name}: {described(self.graph.specs[o.reference])}" for o in self.graph.outputs]
        head = [f"class {name}(nn.Module):", f'    """{self.graph.name}, as it was trained in Keras.', ""]
        head += ["    Takes:", *("    " + line for line in takes), "", "    Gives:", *("    " + line for line in gives)]
        head += ['    """', "", "    def __init__(self) -> None:", "        super().__init__()"]
        return head

    def _forward_head(self, names: Sequence[str]) -> list[str]:
        several = len(self.graph.outputs) > 1
        gives = f"tuple[{', '.join(['Tensor'] * len(self.graph.outputs))}]" if several else "Tensor"
        given = ", ".join(f"{name}: Tensor" for name in names)
        line = f"    def forward(self, {given}) -> {gives}:"
        if len(line) <= WIDTH:
            return [line]
        inner = f"        self, {given}"
        if len(inner) <= WIDTH:
            return ["    def forward(", inner, f"    ) -> {gives}:"]
        return ["    def forward(", "        self,", *(f"        {n}: Tensor," for n in names), f"    ) -> {gives}:"]


_DOCSTRING = """A PyTorch module that trivium wrote from a Keras model; `load()` gives it with its trained weights.

Arrays come and go in the shapes of the Keras model, channels last.
"""

_AFTER_IMPORTS = (
    *("from torch import Tensor, nn", ""),
    *('WEIGHTS = Path(__file__).with_name("weights.safetensors")', "", "", ""),
)

_LOAD = '''

def load(path: str | Path = WEIGHTS) -> {name}:
    """The trained model, set to answer; `model.train()` sets it to learn."""
    model = {name}()
    model.load_state_dict(load_file(path))
    return model.eval()
'''

_PREDICT = '''import torch

from model import load

model = load()


def predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the model answers."""
    with torch.no_grad():
        outputs = model(*(torch.from_numpy(array) for array in inputs))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(output.numpy() for output in outputs)
'''

_EXAMPLE = """import torch
from model import load

model = load()  # a {name}, an ordinary nn.Module
with torch.no_grad():
    answers = model(inputs)

model.train()  # dropout drops, batch normalisation learns
optimizer = torch.optim.Adam(model.parameters())
"""
