"""Writing the PyTorch module: its attributes, its `forward`, its weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ....graph.graph import ArrayReference, Graph, GraphLayer, GraphNode
from ....graph.source import Source, class_name, identifier
from ....graph.writing.body import GraphWriter, describe, input_names
from ....graph.writing.layout import WIDTH, literal, signature, statement
from .helpers import HELPERS
from .step import STEP
from .values import Value, graph_order

# Attributes of `nn.Module`; tests/backends/torch/test_source.py compares them with the real class.
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
# What `model.py` imports and defines at its top.
MODULE_NAMES = frozenset(
    ("Any", "Callable", "Sequence", "Path", "torch", "F", "Tensor", "nn", "load_file", "WEIGHTS", "load")
)
LOCALS = MODULE_NAMES | {"self", "block"}
_POOL = tuple("xyzuvwabcdeghkmnpqrst")
# Kinds that are written around the expression before them: `F.relu(self.conv2d(x))`.
_INLINABLE = frozenset(
    (
        *("relu", "leaky_relu", "elu", "celu", "gelu", "softmax", "log_softmax", "relu6", "selu", "sigmoid", "tanh"),
        *("silu", "mish", "softplus", "softsign", "log_sigmoid", "hard_sigmoid", "hard_silu", "hard_tanh", "rescaling"),
    )
)


TorchHandlers = Mapping[str, Callable[[Any, GraphNode], Sequence[Value]]]


class TorchWriter(GraphWriter[Value]):
    """Writes an `nn.Module`.

    Args:
        graph: the graph to write.
        handlers: the handler of each kind.
        is_block: see `GraphWriter`.

    Attributes:
        block_classes: the lines of the class of each family of blocks, by its name.
    """

    def __init__(self, graph: Graph, handlers: TorchHandlers, is_block: bool = False):
        super().__init__(graph, LOCALS, indent=8, is_block=is_block)
        self.block_classes: dict[str, list[str]] = {}
        self._handlers = handlers
        self._attributes: list[str] = []
        self._buffers: list[str] = []
        self._names: dict[int, str] = {}

    @property
    def handlers(self) -> TorchHandlers:
        return self._handlers

    def text_of(self, value: Value) -> str:
        return value.text

    def with_name(self, value: Value, name: str) -> Value:
        return Value(name, value.order, value.rows)

    def can_inline(self, following: GraphNode, value: Value) -> bool:
        return following.kind in _INLINABLE and value.text.endswith(")") and len(value.text) < WIDTH - 40

    # --- for handlers -----------------------------------------------------------------------------------------------

    def input(self, node: GraphNode, order: tuple[int, ...] | None = None, index: int = 0) -> Value:
        """Return one of a node's arrays, permuted to this order; by default as it is."""
        operand = node.inputs[index]
        assert isinstance(operand, ArrayReference)
        value = self.values[operand]
        return value if order is None else value.permuted(order)

    def in_graph_order(self, node: GraphNode, index: int = 0) -> Value:
        """Return one of a node's arrays with its axes in the graph's order."""
        return self.input(node, graph_order(self.spec(node, index).rank), index)

    def as_variable(self, value: Value, node: GraphNode) -> Value:
        """Return the value as a variable, for an expression that is used several times."""
        return value if value.text.isidentifier() else self.with_name(value, self.assign(node, value.text))

    def attribute(self, layer: GraphLayer) -> str | None:
        """Return the name of a layer's attribute if an earlier call of the layer has added it."""
        return self._names.get(id(layer))

    def add_attribute(
        self, layer: GraphLayer, text: str, weights: dict[str, np.ndarray], frozen: Sequence[str] = ()
    ) -> str:
        """Add an attribute for a layer and return `self.NAME`.

        Args:
            layer: the layer of the graph.
            text: the expression that is assigned to the attribute.
            weights: its weights by their names within it, in PyTorch's layout.
            frozen: the names of the weights that training must not change.
        """
        name = self._name_of(layer)
        self._attributes.append(f"self.{name} = {text}")
        if not layer.trainable and weights:
            self._attributes.append(f"self.{name}.requires_grad_(False)")
        else:
            self._attributes += [f"self.{name}.{weight}.requires_grad_(False)" for weight in frozen]
        self.weights |= {f"{name}.{weight}": np.ascontiguousarray(value) for weight, value in weights.items()}
        return f"self.{name}"

    def add_buffer(self, layer: GraphLayer, value: np.ndarray) -> str:
        """Add a buffer, an array that training does not change, and return `self.NAME`."""
        name = self._name_of(layer)
        dtype = "" if value.dtype == np.float32 else f", dtype=torch.{value.dtype.name}"
        self._attributes.append(f'self.register_buffer("{name}", torch.zeros({literal(value.shape)}{dtype}))')
        self._buffers.append(name)
        self.weights[name] = np.ascontiguousarray(value)
        return f"self.{name}"

    def add_parameter(self, layer: GraphLayer, value: np.ndarray) -> str:
        """Add an array that is trained, and return `self.NAME`."""
        name = self._name_of(layer)
        self._attributes.append(f"self.{name} = nn.Parameter(torch.zeros({literal(value.shape)}))")
        self.weights[name] = np.ascontiguousarray(value)
        return f"self.{name}"

    @property
    def attributes_text(self) -> str:
        """Return the statements that set the attributes, each on a line of any length."""
        return "\n".join(self._attributes)

    def _name_of(self, layer: GraphLayer) -> str:
        """Return the name of a new attribute for a layer."""
        name = self._names[id(layer)] = identifier(layer.name, RESERVED | set(self._names.values()))
        return name

    # --- the text ---------------------------------------------------------------------------------------------------

    def source(self) -> Source:
        name = self.model_class
        names = input_names(self.graph, LOCALS)
        self.taken.update(names)
        for graph_input, local in zip(self.graph.inputs, names, strict=True):
            self.values[ArrayReference(graph_input.name)] = Value(local, graph_order(graph_input.spec.rank))
        self.run()
        results = [self.values[o.reference].permuted(graph_order(self._rank(o.reference))) for o in self.graph.outputs]
        returns = ", ".join(value.text for value in results)
        self.line(f"return {returns}")
        body = "\n".join(
            [
                *(line for lines in self.block_classes.values() for line in [*lines, "", ""]),
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
            *(self._imports(code) + code, _PREDICT, STEP),
            self.weights,
            _EXAMPLE.format(name=name),
            ("torch", "safetensors"),
        )

    @property
    def model_class(self) -> str:
        """Return the name of the model's class."""
        return class_name(self.graph.name, {*MODULE_NAMES, *HELPERS})

    def _rank(self, reference: ArrayReference) -> int:
        return self.graph.specs[reference].rank

    def _imports(self, code: str) -> str:
        typing = [name for name in ("Callable", "Sequence") if f"{name}[" in code]
        takes_any = "Any = " in code
        lines = ['"""' + _DOCSTRING + '"""', "", "from __future__ import annotations", ""]
        if typing:
            lines.append(f"from collections.abc import {', '.join(typing)}")
        lines += ["from pathlib import Path", *(["from typing import Any"] if takes_any else []), ""]
        if "torch." in code.replace("safetensors.torch", ""):
            lines.append("import torch")
        if "F." in code:
            lines.append("import torch.nn.functional as F")
        return "\n".join([*lines, "from safetensors.torch import load_file", *_AFTER_IMPORTS])

    def _class_head(self, name: str, names: Sequence[str]) -> list[str]:
        inputs = zip(names, self.graph.inputs, strict=True)
        arguments = [f"    {local}: {describe(graph_input.spec)}" for local, graph_input in inputs]
        results = [f"    {o.name}: {describe(self.graph.specs[o.reference])}" for o in self.graph.outputs]
        head = [f"class {name}(nn.Module):", f'    """{self.graph.name}, as it was trained in Keras.', ""]
        head += ["    Args:", *("    " + line for line in arguments), ""]
        head += ["    Returns:", *("    " + line for line in results)]
        buffers = [f"    {name}: Tensor" for name in self._buffers]
        head += [
            '    """',
            "",
            *buffers,
            *([""] if buffers else []),
            "    def __init__(self) -> None:",
            "        super().__init__()",
        ]
        return head

    def _forward_head(self, names: Sequence[str]) -> list[str]:
        several = len(self.graph.outputs) > 1
        annotation = f"tuple[{', '.join(['Tensor'] * len(self.graph.outputs))}]" if several else "Tensor"
        return signature("forward", ["self", *(f"{name}: Tensor" for name in names)], annotation, 4)


_DOCSTRING = """A PyTorch module that trivium wrote from a Keras model.

`load()` returns it with the trained weights. Inputs and outputs have the shapes of the
Keras model, channels last.
"""

_AFTER_IMPORTS = (
    *("from torch import Tensor, nn", ""),
    *('WEIGHTS = Path(__file__).with_name("weights.safetensors")', "", "", ""),
)

_LOAD = '''

def load(path: str | Path = WEIGHTS) -> {name}:
    """Return the trained model in eval mode; `model.train()` switches to training."""
    model = {name}()
    model.load_state_dict(load_file(path))
    return model.eval()
'''

_PREDICT = '''import numpy as np
import torch

from model import load

model = load()


def predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the model's outputs in inference."""
    with torch.no_grad():
        outputs = model(*(torch.from_numpy(array) for array in inputs))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(output.numpy() for output in outputs)
'''

_EXAMPLE = """import torch
from model import load

model = load()  # a {name}, an ordinary nn.Module
with torch.no_grad():
    outputs = model(inputs)

model.train()  # turns dropout on; batch normalisation uses the batch
optimizer = torch.optim.Adam(model.parameters())
"""
