"""Writing the JAX module: `init`, `apply`, `load`, and the weights as a tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....graph.graph import Graph, GraphLayer, GraphNode
from ....graph.source import Source
from ....graph.writing.body import input_names
from ....graph.writing.layout import WIDTH, literal, statement
from ....graph.writing.tree import MEASURED_CONSTANTS, MOVING_STATISTICS, TreeWriter
from ....graph.writing.tree_handlers import tree_handlers, unsupported_reason
from .expressions import DIALECT, OWN_HANDLERS, integers
from .helpers import HELPERS, NEEDS
from .masked_helpers import MASKED_HELPERS, MASKED_NEEDS
from .step import STATEFUL_STEP, STEP

_NAMES = frozenset(
    (
        *("jax", "jnp", "lax", "Array", "Any", "Path", "Params", "WEIGHTS", "load", "load_file", "init", "apply"),
        *("params", "state", "training", "key"),
        *HELPERS,
        *MASKED_HELPERS,
    )
)


def refuses(node: GraphNode) -> str | None:
    """Return why JAX cannot compute a node, or None when it can."""
    return unsupported_reason(node, JaxWriter.handlers, DIALECT, "JAX")


def write(graph: Graph) -> Source:
    """Return the graph as `model.py` with its weights."""
    return JaxWriter(graph).source()


class JaxWriter(TreeWriter):
    """Writes `init`, `apply` and `load`."""

    dialect = DIALECT
    handlers = tree_handlers(DIALECT, OWN_HANDLERS)

    def __init__(self, graph: Graph):
        super().__init__(graph, _NAMES, indent=4)
        self._state: dict[str, GraphLayer] = {}
        self._written_out: set[str] = set()

    def parameters_entry(self, layer: GraphLayer) -> str:
        return f'params["{layer.name}"]'

    def constant(self, layer: GraphLayer) -> str:
        """Return an array; integers are written out, because `jax.grad` takes none among the parameters."""
        value = layer.weights["value"]
        text = integers(value) if value.dtype.kind in "biu" else ""
        if not text:
            return super().constant(layer)
        self._written_out.add(layer.name)
        return text

    @property
    def _layers(self) -> list[GraphLayer]:
        """The layers whose weights are parameters."""
        return [layer for layer in self.graph.layers if layer.name not in self._written_out]

    def rng_key(self) -> str:
        self.draw_count += 1
        return f"jax.random.fold_in(key, {self.draw_count - 1})"

    def write_batch_norm(self, node: GraphNode, x: str, training: str, settings: str) -> Sequence[str]:
        layer = node.layer
        self._state[layer.name] = layer
        self.weights |= {
            f"{layer.name}.{name}": np.ascontiguousarray(layer.weights[name]) for name in MOVING_STATISTICS
        }
        weights, part = self.layer_parameters(layer), f'state["{layer.name}"]'
        self.release(node)
        result = self.name(node.name)
        self.line(f"{result}, {part} = {self.helper('batch_norm')}({weights}, {part}, {x}, {training}, {settings})")
        return [result]

    # --- the text ---------------------------------------------------------------------------------------------------

    def source(self) -> Source:
        names = input_names(self.graph, _NAMES)
        self.taken.update(names)
        self.values.update(zip(self._input_references(), names, strict=True))
        self.run()
        results = [self.operand(output.reference) for output in self.graph.outputs]
        returns = f"({', '.join(results)})" if len(results) > 1 and self._state else ", ".join(results)
        body = [*self._head(names), *self._preamble(), *self.lines]
        body += statement(f"return {returns}, state" if self._state else f"return {returns}", 4)
        code = "\n\n".join(
            [*self._helper_texts(), "\n".join(self._init()) + "\n", "\n".join(body) + "\n", self._load()]
        )
        example = (_STATEFUL_EXAMPLE if self._state else _EXAMPLE).format(train=self._training_call())
        predict = _STATEFUL_PREDICT if self._state else _PREDICT
        step = STATEFUL_STEP if self._state else STEP
        return Source(self._imports(code) + code, predict, step, self.weights, example, ("jax", "safetensors"))

    def _input_references(self) -> list[Any]:
        return [reference for reference in self.graph.specs if reference.name in {i.name for i in self.graph.inputs}]

    def _preamble(self) -> list[str]:
        lines = []
        if self.draw_count:
            lines.append("    if key is None:")
            lines.append("        if training:")
            lines.append('            raise ValueError("training needs a random key: pass key=")')
            lines.append("        key = jax.random.key(0)  # nothing is drawn")
        if self._state:
            lines.append("    state = dict(state)")
        return lines

    def _head(self, names: Sequence[str]) -> list[str]:
        arguments = ["params: Params", *(["state: Params"] if self._state else [])]
        arguments += [f"{name}: Array" for name in names]
        switches = ["training: bool = False"] if self.uses_training else []
        switches += ["key: Array | None = None"] if self.draw_count else []
        arguments += ["*", *switches] if switches else []
        several = len(self.graph.outputs) > 1
        annotation = f"tuple[{', '.join(['Array'] * len(self.graph.outputs))}]" if several else "Array"
        annotation = f"tuple[{annotation}, Params]" if self._state else annotation
        state_output = ["the state, updated in training"] if self._state else []
        return [*_signature("apply", arguments, annotation), *self.docstring(names, state_output)]

    def _helper_texts(self) -> list[str]:
        return self.helper_texts({**HELPERS, **MASKED_HELPERS}, {**NEEDS, **MASKED_NEEDS})

    def _init(self) -> list[str]:
        """Write `init`: untrained weights of the same shapes, by Keras' default initializers."""
        key_count = sum(
            _is_random(name) for layer in self._layers for name in layer.weights if name not in MOVING_STATISTICS
        )
        has_measured = any(name in MEASURED_CONSTANTS for layer in self._layers for name in layer.weights)
        lines = ["def init(key: Array) -> Params:", '    """Return untrained parameters."""']
        if self._state:
            lines = ["def init(key: Array) -> tuple[Params, Params]:", '    """Return untrained parameters, state."""']
        lines += [f"    keys = iter(jax.random.split(key, {key_count}))"] if key_count else []
        lines += [f"    measured{', _' if self._state else ''} = load()"] if has_measured else []
        lines += self._tree("params", lambda name: name not in MOVING_STATISTICS)
        lines += self._tree("state", lambda name: name in MOVING_STATISTICS) if self._state else []
        return [*lines, "    return params, state" if self._state else "    return params"]

    def _tree(self, group: str, includes: Callable[[str], bool]) -> list[str]:
        lines = [f"    {group}: Params = {{"]
        for layer in self._layers:
            weights = {name: value for name, value in layer.weights.items() if includes(name)}
            if not weights:
                continue
            lines.append(f'        "{layer.name}": {{')
            for name, value in weights.items():
                *first, last = statement(f'"{name}": {_initial_value(layer, name, value)}', 12, comma=True)
                lines += [*first, f"{last},"]
            lines.append("        },")
        return [*lines, "    }"] if len(lines) > 1 else [f"    {group}: Params = {{}}"]

    def _load(self) -> str:
        return (_STATEFUL_LOAD if self._state else _LOAD).strip("\n") + "\n"

    def _training_call(self) -> str:
        switches = ["training=True"] if self.uses_training else []
        return "".join(f", {switch}" for switch in [*switches, *(["key=key"] if self.draw_count else [])])

    def _imports(self, code: str) -> str:
        abstract = [name for name in ("Callable", "Sequence") if f"{name}[" in code]
        lines = ['"""' + _DOCSTRING + '"""', "", "from __future__ import annotations", ""]
        if abstract:
            lines.append(f"from collections.abc import {', '.join(abstract)}")
        lines.append("from pathlib import Path")
        if re.search(r"\bAny\b", code):
            lines.append("from typing import Any")
        lines += ["", "import jax"]
        if "jnp." in code:
            lines.append("import jax.numpy as jnp")
        lines.append("from jax import Array, lax" if "lax." in code else "from jax import Array")
        return "\n".join([*lines, "from safetensors.flax import load_file", "", _PARAMS, "", ""]) + "\n"


def _signature(name: str, arguments: Sequence[str], annotation: str) -> list[str]:
    line = f"def {name}({', '.join(arguments)}) -> {annotation}:"
    if len(line) <= WIDTH:
        return [line]
    inner = f"    {', '.join(arguments)}"
    if len(inner) <= WIDTH:
        return [f"def {name}(", inner, f") -> {annotation}:"]
    return [f"def {name}(", *(f"    {argument}," for argument in arguments), f") -> {annotation}:"]


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
    if layer.kind == "lstm" and name == "bias":  # Keras' unit_forget_bias
        units = len(value) // 4
        return f"jnp.zeros({shape}).at[{units}:{2 * units}].set(1.0)"
    ones = name in ("gamma", "scale", "concat_score_weight", "moving_variance")
    return f"jnp.{'ones' if ones else 'zeros'}({shape})"


_PARAMS = """Params = dict[str, dict[str, Array]]
WEIGHTS = Path(__file__).with_name("weights.safetensors")"""

_DOCSTRING = """JAX functions that trivium wrote from a Keras model.

`load()` returns the trained weights, `init(key)` untrained ones; `apply` computes the
model. Inputs and outputs have the shapes of the Keras model, channels last.
"""

_LOAD = '''
def load(path: str | Path = WEIGHTS) -> Params:
    """Return the trained parameters."""
    params: Params = {}
    for name, value in load_file(path).items():
        layer, _, weight = name.rpartition(".")
        params.setdefault(layer, {})[weight] = value
    return params
'''

_STATEFUL_LOAD = '''
def load(path: str | Path = WEIGHTS) -> tuple[Params, Params]:
    """Return the trained parameters and the statistics of batch normalisation."""
    params: Params = {}
    state: Params = {}
    for name, value in load_file(path).items():
        layer, _, weight = name.rpartition(".")
        group = state if weight.startswith("moving_") else params
        group.setdefault(layer, {})[weight] = value
    return params, state
'''

_PREDICT = '''import jax
import numpy as np

from model import apply, load

params = load()
compiled = jax.jit(apply)


def predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the model's outputs in inference."""
    outputs = compiled(params, *inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(np.asarray(output) for output in outputs)
'''

_STATEFUL_PREDICT = '''import jax
import numpy as np

from model import apply, load

params, state = load()
compiled = jax.jit(apply)


def predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the model's outputs in inference."""
    outputs, _ = compiled(params, state, *inputs)
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(np.asarray(output) for output in outputs)
'''

_EXAMPLE = """import jax
from model import apply, load

params = load()
outputs = jax.jit(apply)(params, inputs)


def loss(params, inputs, targets, key):
    outputs = apply(params, inputs{train})
    return ((outputs - targets) ** 2).mean()


gradients = jax.jit(jax.grad(loss))(params, inputs, targets, jax.random.key(0))
"""

_STATEFUL_EXAMPLE = """import jax
from model import apply, load

params, state = load()
outputs, _ = jax.jit(apply)(params, state, inputs)


def loss(params, state, inputs, targets, key):
    outputs, state = apply(params, state, inputs{train})
    return ((outputs - targets) ** 2).mean(), state


step = jax.jit(jax.grad(loss, has_aux=True))
gradients, state = step(params, state, inputs, targets, jax.random.key(0))
"""
