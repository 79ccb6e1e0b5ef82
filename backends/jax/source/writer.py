"""The module's text, put together: `init`, `apply`, `load`, and the weights as a tree."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....graph.graph import Graph, Layer, Node
from ....graph.source import Source
from ....graph.writing.body import input_names
from ....graph.writing.layout import WIDTH, literal, statement
from ....graph.writing.tree import MEASURED, MOVED, TreeWriter
from ....graph.writing.tree_handlers import refusal, tree_handlers
from .expressions import OWN, WORDS
from .helpers import HELPERS, NEEDS

_NAMES = frozenset(
    (
        *("jax", "jnp", "lax", "Array", "Any", "Path", "Params", "load", "load_file", "init", "apply"),
        *("params", "state", "training", "key"),
        *HELPERS,
    )
)


def refuses(node: Node) -> str | None:
    """Why this room cannot write a node, or None when it can."""
    return refusal(node, Writer.handlers, WORDS, "JAX")


def write(graph: Graph) -> Source:
    """The graph as `model.py` with its weights."""
    return Writer(graph).source()


class Writer(TreeWriter):
    """The functions in the making."""

    words = WORDS
    handlers = tree_handlers(WORDS, OWN)

    def __init__(self, graph: Graph):
        super().__init__(graph, _NAMES, indent=4)
        self._state: dict[str, Layer] = {}

    def part(self, layer: Layer) -> str:
        return f'params["{layer.name}"]'

    def key(self) -> str:
        self.draws += 1
        return f"jax.random.fold_in(key, {self.draws - 1})"

    def batch_norm(self, node: Node, x: str, training: str, settings: str) -> Sequence[str]:
        layer = node.layer
        self._state[layer.name] = layer
        self.weights |= {f"{layer.name}.{name}": np.ascontiguousarray(layer.weights[name]) for name in MOVED}
        weights, part = self.weighed(layer), f'state["{layer.name}"]'
        self.release(node)
        result = self.name(node.name)
        self.line(f"{result}, {part} = {self.helper('batch_norm')}({weights}, {part}, {x}, {training}, {settings})")
        return [result]

    # --- the text ---------------------------------------------------------------------------------------------------

    def source(self) -> Source:
        names = input_names(self.graph, _NAMES)
        self.taken.update(names)
        self.values.update(zip(self._given(), names, strict=True))
        self.run()
        results = [self.operand(output.reference) for output in self.graph.outputs]
        returned = f"({', '.join(results)})" if len(results) > 1 and self._state else ", ".join(results)
        body = [*self._head(names), *self._opening(), *self.lines]
        body += statement(f"return {returned}, state" if self._state else f"return {returned}", 4)
        code = "\n\n".join(
            [*self._helper_texts(), "\n".join(self._init()) + "\n", "\n".join(body) + "\n", self._load()]
        )
        example = (_STATEFUL_EXAMPLE if self._state else _EXAMPLE).format(train=self._training_call())
        predict = _STATEFUL_PREDICT if self._state else _PREDICT
        return Source(self._imports(code) + code, predict, self.weights, example, ("jax", "safetensors"))

    def _given(self) -> list[Any]:
        return [reference for reference in self.graph.specs if reference.name in {i.name for i in self.graph.inputs}]

    def _opening(self) -> list[str]:
        lines = []
        if self.draws:
            lines += ["    if training and key is None:", '        raise ValueError("training draws: give it a key")']
        if self._state:
            lines.append("    state = dict(state)")
        return lines

    def _head(self, names: Sequence[str]) -> list[str]:
        arguments = ["params: Params", *(["state: Params"] if self._state else [])]
        arguments += [f"{name}: Array" for name in names]
        switches = ["training: bool = False"] if self.trains else []
        switches += ["key: Array | None = None"] if self.draws else []
        arguments += ["*", *switches] if switches else []
        several = len(self.graph.outputs) > 1
        gives = f"tuple[{', '.join(['Array'] * len(self.graph.outputs))}]" if several else "Array"
        gives = f"tuple[{gives}, Params]" if self._state else gives
        moved = ["the state, moved in training"] if self._state else []
        return [*_signature("apply", arguments, gives), *self.docstring(names, moved)]

    def _helper_texts(self) -> list[str]:
        needed = self.helpers | {need for name in self.helpers for need in NEEDS.get(name, ())}
        return [HELPERS[name].strip("\n") + "\n" for name in HELPERS if name in needed]

    def _init(self) -> list[str]:
        """Untrained weights of the same shapes, by the rules that Keras begins with."""
        drawn = sum(_is_drawn(name) for layer in self.graph.layers for name in layer.weights if name not in MOVED)
        kept = any(name in MEASURED for layer in self.graph.layers for name in layer.weights)
        lines = ["def init(key: Array) -> Params:", '    """Untrained parameters."""']
        if self._state:
            lines = ["def init(key: Array) -> tuple[Params, Params]:", '    """Untrained parameters, and state."""']
        lines += [f"    keys = iter(jax.random.split(key, {drawn}))"] if drawn else []
        lines += [f"    measured{', _' if self._state else ''} = load()"] if kept else []
        lines += self._tree("params", lambda name: name not in MOVED)
        lines += self._tree("state", lambda name: name in MOVED) if self._state else []
        return [*lines, "    return params, state" if self._state else "    return params"]

    def _tree(self, group: str, wanted: Callable[[str], bool]) -> list[str]:
        lines = [f"    {group}: Params = {{"]
        for layer in self.graph.layers:
            own = {name: value for name, value in layer.weights.items() if wanted(name)}
            if not own:
                continue
            lines.append(f'        "{layer.name}": {{')
            for name, value in own.items():
                *first, last = statement(f'"{name}": {_initial(layer, name, value)}', 12)
                lines += [*first, f"{last},"]
            lines.append("        },")
        return [*lines, "    }"] if len(lines) > 1 else [f"    {group}: Params = {{}}"]

    def _load(self) -> str:
        return (_STATEFUL_LOAD if self._state else _LOAD).strip("\n") + "\n"

    def _training_call(self) -> str:
        switches = ["training=True"] if self.trains else []
        return "".join(f", {switch}" for switch in [*switches, *(["key=key"] if self.draws else [])])

    def _imports(self, code: str) -> str:
        abstract = [name for name in ("Callable", "Sequence") if f"{name}[" in code]
        lines = ['"""' + _DOCSTRING + '"""', "", "from __future__ import annotations", ""]
        if abstract:
            lines.append(f"from collections.abc import {', '.join(abstract)}")
        lines.append("from pathlib import Path")
        if "Any]" in code:
            lines.append("from typing import Any")
        lines += ["", "import jax"]
        if "jnp." in code:
            lines.append("import jax.numpy as jnp")
        lines.append("from jax import Array, lax" if "lax." in code else "from jax import Array")
        return "\n".join([*lines, "from safetensors.flax import load_file", "", _PARAMS, "", ""]) + "\n"


def _signature(name: str, arguments: Sequence[str], gives: str) -> list[str]:
    line = f"def {name}({', '.join(arguments)}) -> {gives}:"
    if len(line) <= WIDTH:
        return [line]
    inner = f"    {', '.join(arguments)}"
    if len(inner) <= WIDTH:
        return [f"def {name}(", inner, f") -> {gives}:"]
    return [f"def {name}(", *(f"    {argument}," for argument in arguments), f") -> {gives}:"]


def _is_drawn(name: str) -> bool:
    return name.endswith("kernel") or name == "embeddings"


def _initial(layer: Layer, name: str, value: np.ndarray) -> str:
    """What a weight is before training, as text."""
    shape = literal(value.shape)
    if name in MEASURED:
        return f'measured["{layer.name}"]["{name}"]'
    if name == "recurrent_kernel":
        return f"jax.nn.initializers.orthogonal()(next(keys), {shape})"
    if name == "embeddings":
        return f"jax.random.uniform(next(keys), {shape}, minval=-0.05, maxval=0.05)"
    if name.endswith("kernel"):
        return f"jax.nn.initializers.glorot_uniform()(next(keys), {shape})"
    if layer.kind == "lstm" and name == "bias":  # so that it forgets nothing at first
        units = len(value) // 4
        return f"jnp.zeros({shape}).at[{units}:{2 * units}].set(1.0)"
    ones = name in ("gamma", "scale", "concat_score_weight", "moving_variance")
    return f"jnp.{'ones' if ones else 'zeros'}({shape})"


_PARAMS = "Params = dict[str, dict[str, Array]]"

_DOCSTRING = """JAX functions that trivium wrote from a Keras model.

`load()` gives the trained weights, `init(key)` untrained ones, and `apply` computes.
Arrays come and go in the shapes of the Keras model, channels last.
"""

_LOAD = '''
def load(path: str | Path = Path(__file__).with_name("weights.safetensors")) -> Params:
    """The trained parameters."""
    params: Params = {}
    for name, value in load_file(path).items():
        layer, _, weight = name.rpartition(".")
        params.setdefault(layer, {})[weight] = value
    return params
'''

_STATEFUL_LOAD = '''
def load(
    path: str | Path = Path(__file__).with_name("weights.safetensors"),
) -> tuple[Params, Params]:
    """The trained parameters, and what batch normalisation has measured."""
    params: Params = {}
    state: Params = {}
    for name, value in load_file(path).items():
        layer, _, weight = name.rpartition(".")
        group = state if weight.startswith("moving_") else params
        group.setdefault(layer, {})[weight] = value
    return params, state
'''

_PREDICT = '''import jax
from model import apply, load

params = load()
answer = jax.jit(apply)


def predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the model answers."""
    outputs = answer(params, *inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(np.asarray(output) for output in outputs)
'''

_STATEFUL_PREDICT = '''import jax
from model import apply, load

params, state = load()
answer = jax.jit(apply)


def predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """What the model answers."""
    outputs, _ = answer(params, state, *inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(np.asarray(output) for output in outputs)
'''

_EXAMPLE = """import jax
from model import apply, load

params = load()
answers = jax.jit(apply)(params, inputs)


def loss(params, inputs, targets, key):
    outputs = apply(params, inputs{train})
    return ((outputs - targets) ** 2).mean()


gradients = jax.jit(jax.grad(loss))(params, inputs, targets, jax.random.key(0))
"""

_STATEFUL_EXAMPLE = """import jax
from model import apply, load

params, state = load()
answers, _ = jax.jit(apply)(params, state, inputs)


def loss(params, state, inputs, targets, key):
    outputs, state = apply(params, state, inputs{train})
    return ((outputs - targets) ** 2).mean(), state


gradients, state = jax.jit(jax.grad(loss, has_aux=True))(params, state, inputs, targets, jax.random.key(0))
"""
