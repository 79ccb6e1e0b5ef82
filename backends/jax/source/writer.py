"""Writing the JAX module: `init`, `apply`, `load`, and the weights as a tree."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ....graph.blocks import BlockFamily, Blocks
from ....graph.folding import fold
from ....graph.graph import Graph, GraphLayer, GraphNode
from ....graph.layer_kinds import MOVING_STATISTICS
from ....graph.source import Source
from ....graph.writing.body import input_names
from ....graph.writing.layout import signature, statement
from ....graph.writing.tree_blocks import BlockTreeWriter, Loop, TreeFamily, block_pattern, call_blocks
from ....graph.writing.tree_handlers import tree_handlers, unsupported_reason
from .arrays_as_floats import DTYPE, with_float_constants
from .block_functions import block_functions, init_entry, state_entry
from .expressions import DIALECT, OWN_HANDLERS, integers
from .helpers import HELPERS, NEEDS
from .init import init_lines, parameters_text, state_text
from .masked_helpers import MASKED_HELPERS, MASKED_NEEDS
from .step import STATEFUL_STEP, STEP

_NAMES = frozenset(
    (
        *("jax", "jnp", "lax", "Array", "Any", "Path", "Params", "WEIGHTS", "load", "load_file", "init", "apply"),
        *("params", "state", "training", "key", "p", "i", "tree_of"),
        *HELPERS,
        *MASKED_HELPERS,
    )
)


def refuses(node: GraphNode) -> str | None:
    """Return why JAX cannot compute a node, or None when it can."""
    return unsupported_reason(node, JaxWriter.handlers, DIALECT, "JAX")


def write(graph: Graph) -> Source:
    """Return the graph as `model.py` with its weights."""
    folded = fold(with_float_constants(graph), lambda block: block_pattern(_block_writer, block), _NAMES)
    return JaxWriter(folded).source()


class JaxWriter(BlockTreeWriter):
    """Writes `init`, `apply` and `load`.

    Args:
        graph: the graph to write.
        is_block: see `GraphWriter`.
    """

    dialect = DIALECT
    handlers = tree_handlers(DIALECT, OWN_HANDLERS)
    folds_padding = True

    def __init__(self, graph: Graph, is_block: bool = False):
        super().__init__(graph, _NAMES, indent=4, is_block=is_block)
        self._state: set[str] = set()
        self._written_out: set[str] = set()

    @property
    def has_state(self) -> bool:
        return bool(self._state)

    def parameters_entry(self, layer: GraphLayer) -> str:
        return f'params["{layer.name}"]'

    def constant(self, layer: GraphLayer) -> str:
        """Return an array; integers are written out, because `jax.grad` takes none among the parameters."""
        value = layer.weights["value"]
        text = integers(value) if value.dtype.kind in "biu" else ""
        if not text:
            return super().constant(layer) + (f'.astype("{layer.config[DTYPE]}")' if DTYPE in layer.config else "")
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
        self._state.add(layer.name)
        self.weights |= {
            f"{layer.name}.{name}": np.ascontiguousarray(layer.weights[name]) for name in MOVING_STATISTICS
        }
        weights, part = self.layer_parameters(layer), f'state["{layer.name}"]'
        self.release(node)
        result = self.name(node.name)
        self.line(f"{result}, {part} = {self.helper('batch_norm')}({weights}, {part}, {x}, {training}, {settings})")
        return [result]

    # --- blocks -----------------------------------------------------------------------------------------------------

    def block_texts(self) -> Sequence[str]:
        """Return the body of a block, its parameters and its state."""
        result = self.operand(self.graph.outputs[0].reference)
        body = f"{self.text}\nreturn {result}{', state' if self._state else ''}"
        parameters, state = (tree(self._layers, lambda _: "") for tree in (parameters_text, state_text))
        return body, parameters, state if self._state else ""

    def write_blocks(self, node: GraphNode) -> Sequence[str]:
        blocks = node.layer
        assert isinstance(blocks, Blocks)
        family = self.family_of(blocks, _block_writer)
        entry, state, keys = self.parameters_entry(blocks), "", ("", "")
        if family.first.has_state:
            self._state.add(blocks.name)
            state = f'state["{blocks.name}"]'
        if family.first.draw_count:
            keys = self._block_keys(blocks.count)
        many_state = f"{state}[i]" if state else ""
        one, many = Loop(("", entry), state, keys[0]), Loop(("p", entry), many_state, keys[1], bool(state or keys[1]))
        return call_blocks(self, node, family, one, many)

    def _block_keys(self, count: int) -> tuple[str, str]:
        """Return the random key of a block, and of the block with the number `i`."""
        number = self.draw_count
        self.draw_count += count
        return f"jax.random.fold_in(key, {number})", f"jax.random.fold_in(key, {f'{number} + ' if number else ''}i)"

    def family_functions(self, blocks: BlockFamily, family: TreeFamily) -> list[str]:
        return block_functions(blocks, family)

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
            [
                *(*self._helper_texts(), *self.functions, "\n".join(self._init()) + "\n"),
                *("\n".join(body) + "\n", *self._load()),
            ]
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
            has_runs = any(isinstance(layer, Blocks) and layer.count > 1 for layer in self.graph.layers)
            copy = "jax.tree.map(lambda value: value, state)  # a copy" if has_runs else "dict(state)"
            lines.append(f"    state = {copy}")
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
        return [*signature("apply", arguments, annotation), *self.docstring(names, state_output)]

    def _helper_texts(self) -> list[str]:
        return self.helper_texts({**HELPERS, **MASKED_HELPERS}, {**NEEDS, **MASKED_NEEDS})

    def _init(self) -> list[str]:
        def entry(of: Callable[[Blocks, TreeFamily], str]) -> Callable[[Blocks], str] | None:
            return (lambda blocks: of(blocks, self.families[id(blocks.family)])) if self.families else None

        parameters = parameters_text(self._layers, entry(init_entry))
        state = state_text(self._layers, entry(state_entry)) if self._state else ""
        return init_lines(self._layers, parameters, state)

    def _load(self) -> list[str]:
        if not self.families:
            return [(_STATEFUL_LOAD if self._state else _LOAD).strip("\n") + "\n"]
        return [text.strip("\n") + "\n" for text in (_NESTED_STATEFUL_LOAD if self._state else _NESTED_LOAD, _NESTED)]

    def _training_call(self) -> str:
        switches = ["training=True"] if self.uses_training else []
        return "".join(f", {switch}" for switch in [*switches, *(["key=key"] if self.draw_count else [])])

    def _imports(self, code: str) -> str:
        abstract = [name for name in ("Callable", "Iterator", "Sequence") if f"{name}[" in code]
        lines = ['"""' + _DOCSTRING + '"""', "", "from __future__ import annotations", ""]
        if abstract:
            lines.append(f"from collections.abc import {', '.join(abstract)}")
        lines.append("from pathlib import Path")
        if re.search(r"\bAny\b", code) or self.families:
            lines.append("from typing import Any")
        lines.append("")
        if re.search(r"\bjax\.", code):
            lines.append("import jax")
        if "jnp." in code:
            lines.append("import jax.numpy as jnp")
        lines.append("from jax import Array, lax" if "lax." in code else "from jax import Array")
        lines += ["from safetensors.flax import load_file", "", *_params(bool(self.families)), "", ""]
        return "\n".join(lines) + "\n"


def _block_writer(block: Graph) -> JaxWriter:
    return JaxWriter(block, is_block=True)


def _params(nested: bool) -> list[str]:
    tree = "dict[str, Any]" if nested else "dict[str, dict[str, Array]]"
    return [f"Params = {tree}", 'WEIGHTS = Path(__file__).with_name("weights.safetensors")']


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

_NESTED_LOAD = '''
def load(path: str | Path = WEIGHTS) -> Params:
    """Return the trained parameters."""
    return tree_of(load_file(path))
'''

_NESTED_STATEFUL_LOAD = '''
def load(path: str | Path = WEIGHTS) -> tuple[Params, Params]:
    """Return the trained parameters and the statistics of batch normalisation."""
    weights = load_file(path)
    statistics = {name for name in weights if ".moving_" in name}
    params = {name: weights[name] for name in weights if name not in statistics}
    return tree_of(params), tree_of({name: weights[name] for name in statistics})
'''

_NESTED = '''
def tree_of(weights: dict[str, Array]) -> Params:
    """Return weights by layer; the blocks of `blocks.0.conv.kernel` are a list."""
    tree: Params = {}
    for name, value in weights.items():
        *groups, weight = name.split(".")
        place = tree
        for group in groups:
            place = place.setdefault(group, {})
        place[weight] = value
    return {
        name: [layer[str(i)] for i in range(len(layer))] if "0" in layer else layer
        for name, layer in tree.items()
    }
'''

# The inputs of `check.py` are padded, because compiling takes much longer than computing.
_PREDICT_TEMPLATE = '''import jax
import numpy as np

from model import apply, load

{loaded} = load()
compiled = jax.jit(apply)
# JAX compiles for each number of samples: a batch of several samples is padded to this number.
SAMPLES = 33


def padded(inputs: tuple[np.ndarray, ...]) -> list[np.ndarray]:
    """Return a batch of several samples, padded by repeating its last sample."""
    counts = {{len(x) for x in inputs}}
    padding = SAMPLES - max(counts)
    if len(counts) > 1 or counts == {{1}} or padding <= 0:
        return list(inputs)
    return [np.concatenate([x, np.repeat(x[-1:], padding, axis=0)]) for x in inputs]


def predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the model's outputs in inference."""
    {outputs} = compiled({loaded}, *padded(inputs))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(np.asarray(output)[: len(inputs[0])] for output in outputs)
'''

_PREDICT = _PREDICT_TEMPLATE.format(loaded="params", outputs="outputs")
_STATEFUL_PREDICT = _PREDICT_TEMPLATE.format(loaded="params, state", outputs="outputs, _")

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
