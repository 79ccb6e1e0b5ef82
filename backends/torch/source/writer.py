"""The module's text, put together: its attributes, its `forward`, its weights."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from ...graph import Graph, Layer, Node, Operand, Reference, Spec
from ...source import Source, class_name, identifier
from ...writing.layout import WIDTH, literal, statement
from .helpers import HELPERS
from .values import Value, plainly

# What `nn.Module` has already; tests/backends/test_torch_source.py compares with the real one.
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


def refuses(node: Node) -> str | None:
    """Why this room cannot write a node, or None when it can."""
    from .functions import FUNCTIONS
    from .layers import LAYERS
    from .limits import limit

    if node.kind not in LAYERS and node.kind not in FUNCTIONS:
        return f"{node.kind} has no form in PyTorch yet"
    return limit(node)


def write(graph: Graph) -> Source:
    """The graph as `model.py` with its weights."""
    return Writer(graph).source()


class Writer:
    """A module in the making.

    Attributes:
        graph: what is written.
        weights: what `weights.safetensors` will hold.
    """

    def __init__(self, graph: Graph):
        self.graph = graph
        self.weights: dict[str, np.ndarray] = {}
        self._attributes: list[str] = []
        self._names: dict[int, str] = {}
        self._lines: list[str] = []
        self._values: dict[Reference, Value] = {}
        self._helpers: set[str] = set()
        self._left = Counter({reference: len(readers) for reference, readers in graph.readers.items()})
        self._taken: set[str] = set(_LOCALS)
        self._free: list[str] = []
        self._released: set[str] = set()
        self._given: set[str] = set()

    # --- what the writers of nodes build with -----------------------------------------------------------------------

    def input(self, node: Node, order: tuple[int, ...] | None = None, index: int = 0) -> Value:
        """One of a node's arrays, its axes in the given order, by default as they are."""
        operand = node.inputs[index]
        assert isinstance(operand, Reference)
        value = self._values[operand]
        return value if order is None else value.arranged(order)

    def plain(self, node: Node, index: int = 0) -> Value:
        """One of a node's arrays with its axes in the graph's order."""
        return self.input(node, plainly(self.spec(node, index).rank), index)

    def operand(self, operand: Operand) -> Value | str:
        """An array, or a number as text."""
        return self._values[operand] if isinstance(operand, Reference) else literal(operand)

    def spec(self, node: Node, index: int = 0) -> Spec:
        operand = node.inputs[index]
        return self.graph.specs[operand] if isinstance(operand, Reference) else Spec((), type(operand).__name__)

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

    def helper(self, name: str) -> str:
        """The name of a helper, which the text then holds."""
        self._helpers.add(name)
        return name

    def keep(self, node: Node, text: str) -> str:
        """Give an expression a name of its own, for one that is needed several times in the next."""
        name = self._local(node.name)
        self._lines += statement(f"{name} = {text}", 8)
        return name

    def drop(self, name: str) -> None:
        """Let a name that `keep` or `name` gave be used again."""
        self._free.append(name)

    def named(self, value: Value, node: Node) -> Value:
        """The value under a name of its own, for one that the next expression needs several times."""
        return value if value.text.isidentifier() else Value(self.keep(node, value.text), value.order, value.rows)

    def name(self, node: Node) -> str:
        """A name for a local variable."""
        return self._local(node.name)

    def line(self, text: str) -> None:
        """A statement of `forward`."""
        self._lines += statement(text, 8)

    def needed(self, node: Node, index: int) -> bool:
        """Whether anything reads this output of a node."""
        return self._left[Reference(node.name, index)] > 0

    # --- the forward pass -------------------------------------------------------------------------------------------

    def _run(self) -> None:
        from .functions import FUNCTIONS
        from .layers import LAYERS

        for index, node in enumerate(self.graph.nodes):
            results = (LAYERS.get(node.kind) or FUNCTIONS[node.kind])(self, node)
            # A value that is another by name, its axes only counted anew, keeps that name in use.
            renamed = {r: v for r, v in zip(self._outputs(node), results, strict=True) if v.text.isidentifier()}
            self._values.update(renamed)
            self.release(node)
            if len(results) > 1 and len({value.text for value in results}) == 1:
                self._assign_several(node, results)
                continue
            for reference, value in zip(self._outputs(node), results, strict=True):
                if not self._stays_open(index, reference, value):
                    value = self._assign(node, reference, value)
                self._values[reference] = value

    def _outputs(self, node: Node) -> list[Reference]:
        return [Reference(node.name, index) for index in range(len(node.outputs))]

    def _stays_open(self, index: int, reference: Reference, value: Value) -> bool:
        """Whether a value needs no name: it has one, or the next node is written round it."""
        if value.text.isidentifier():
            return True
        following = self.graph.nodes[index + 1] if index + 1 < len(self.graph.nodes) else None
        return (
            following is not None
            and following.kind in _ROUND
            and following.references == (reference,)
            and self._left[reference] == 1
            and value.text.endswith(")")
            and len(value.text) < WIDTH - 40
        )

    def _assign(self, node: Node, reference: Reference, value: Value) -> Value:
        if not self._left[reference]:
            return value
        name = self._local(node.name)
        self._lines += statement(f"{name} = {value.text}", 8)
        return Value(name, value.order, value.rows)

    def _assign_several(self, node: Node, results: Sequence[Value]) -> None:
        """One expression that gives a tuple."""
        names = []
        for reference, value in zip(self._outputs(node), results, strict=True):
            names.append(self._local(f"{node.name}_{reference.index}") if self._left[reference] else "_")
            self._values[reference] = Value(names[-1], value.order, value.rows)
        self._lines += statement(f"{', '.join(names)} = {results[0].text}", 8)

    def release(self, node: Node) -> None:
        """Free the names that nothing needs after this node; its inputs must be in the text already."""
        if node.name in self._released:
            return
        self._released.add(node.name)
        for reference in node.references:
            self._left[reference] -= 1
            if not self._left[reference]:
                self._free_name(self._values[reference].text)

    def _free_name(self, name: str) -> None:
        # Two references may go by one name, as after a transposition that only relabels the axes.
        if name in self._given:
            return  # an input keeps its name: what is made of it is something else
        users = [r for r, value in self._values.items() if value.text == name and self._left[r]]
        if name in self._taken and not users and name not in self._free:
            self._free.append(name)

    def _local(self, wanted: str) -> str:
        """A name for a local variable: one that is free again, a short one, or the node's."""
        if self._free:
            return self._free.pop()
        for name in _POOL:
            if name not in self._taken:
                self._taken.add(name)
                return name
        name = identifier(wanted, self._taken)
        self._taken.add(name)
        return name

    # --- the text ---------------------------------------------------------------------------------------------------

    def source(self) -> Source:
        name = class_name(self.graph.name)
        name = f"{name}Model" if name in HELPERS else name
        names = self._input_names()
        for given, local in zip(self.graph.inputs, names, strict=True):
            self._values[Reference(given.name)] = Value(local, plainly(given.spec.rank))
        self._run()
        results = [self._values[o.reference].arranged(plainly(self._rank(o.reference))) for o in self.graph.outputs]
        returned = ", ".join(value.text for value in results)
        self._lines += statement(f"return {returned}", 8)
        body = "\n".join(
            [
                *self._class_head(name, names),
                *(line for text in self._attributes for line in statement(text, 8)),
                "",
                *self._forward_head(names),
                *self._lines,
            ]
        )
        helpers = "\n\n".join(HELPERS[helper].strip("\n") + "\n" for helper in HELPERS if helper in self._helpers)
        code = (f"{helpers}\n\n" if helpers else "") + body + "\n" + _LOAD.format(name=name)
        return Source(
            self._imports(code) + code, _PREDICT, self.weights, _EXAMPLE.format(name=name), ("torch", "safetensors")
        )

    def _rank(self, reference: Reference) -> int:
        return self.graph.specs[reference].rank

    def _input_names(self) -> list[str]:
        """`x` for the only input, unless somebody has given it a name."""
        names = [given.name for given in self.graph.inputs]
        if len(names) == 1 and names[0].startswith(("input", "keras_tensor")):
            names = ["x"]
        names = [identifier(name, set(_LOCALS)) for name in names]
        self._taken.update(names)
        self._given = set(names) - {"x"}
        return names

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
        takes = [f"    {local}: {_described(each.spec)}" for local, each in given]
        gives = [f"    {o.name}: {_described(self.graph.specs[o.reference])}" for o in self.graph.outputs]
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


def _described(spec: Spec) -> str:
    lengths = ["any" if length is None else str(length) for length in spec.shape]
    if lengths and spec.shape[0] is None:
        lengths[0] = "batch"
    return f"({', '.join(lengths)}{',' if len(lengths) == 1 else ''}) {spec.dtype}"


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
