"""Writing the TensorFlow module: a `tf.Module` whose variables come from `weights.safetensors`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from ....graph.blocks import BlockFamily, Blocks
from ....graph.folding import fold
from ....graph.graph import Graph, GraphLayer, GraphNode
from ....graph.layer_kinds import MOVING_STATISTICS, NEVER_TRAINED
from ....graph.source import Source, class_name
from ....graph.writing.body import input_names
from ....graph.writing.layout import literal, signature, statement, text_lines
from ....graph.writing.tree_blocks import BlockTreeWriter, Loop, TreeFamily, block_pattern, call_blocks
from ....graph.writing.tree_handlers import tree_handlers, unsupported_reason
from .expressions import DIALECT, OWN_HANDLERS
from .helpers import HELPERS, NEEDS
from .masked_helpers import MASKED_HELPERS, MASKED_NEEDS
from .step import STEP

_NAMES = frozenset(
    (
        *("tf", "self", "Any", "Path", "Weights", "load_file", "weights", "p", "training", "FROZEN", "STATISTICS"),
        *HELPERS,
        *MASKED_HELPERS,
    )
)


def refuses(node: GraphNode) -> str | None:
    """Return why TensorFlow cannot compute a node, or None when it can."""
    if node.kind in ("depthwise_conv", "convolve_depthwise"):
        strides: Any = node.config["strides"]
        if len(strides) > 2 or len(set(strides)) > 1:
            return "TensorFlow has depthwise convolutions over 1 or 2 axes only, with the same stride for both"
    return unsupported_reason(node, TensorFlowWriter.handlers, DIALECT, "TensorFlow")


def write(graph: Graph) -> Source:
    """Return the graph as `model.py` with its weights."""
    return TensorFlowWriter(fold(graph, lambda block: block_pattern(_block_writer, block), _NAMES)).source()


class TensorFlowWriter(BlockTreeWriter):
    """Writes a `tf.Module`.

    Args:
        graph: the graph to write.
        is_block: see `GraphWriter`.
    """

    dialect = DIALECT
    handlers = tree_handlers(DIALECT, OWN_HANDLERS)

    def __init__(self, graph: Graph, is_block: bool = False):
        super().__init__(graph, _NAMES, indent=8, is_block=is_block)

    def parameters_entry(self, layer: GraphLayer) -> str:
        return f'p["{layer.name}"]'

    def rng_key(self) -> None:
        self.draw_count += 1

    def frozen_parameters(self, layer: GraphLayer) -> str:
        return self.parameters_entry(layer)  # the variables are not trainable: see `_untrained`

    def write_batch_norm(self, node: GraphNode, x: str, training: str, settings: str) -> Sequence[str]:
        layer = node.layer
        self.layer_parameters(layer)
        self.weights |= {
            f"{layer.name}.{name}": np.ascontiguousarray(layer.weights[name]) for name in MOVING_STATISTICS
        }
        return [f"{self.helper('batch_norm')}({self.parameters_entry(layer)}, {x}, {training}, {settings})"]

    # --- blocks -----------------------------------------------------------------------------------------------------

    def block_texts(self) -> Sequence[str]:
        return [f"{self.text}\nreturn {self.operand(self.graph.outputs[0].reference)}"]

    def write_blocks(self, node: GraphNode) -> Sequence[str]:
        blocks = node.layer
        assert isinstance(blocks, Blocks)
        family = self.family_of(blocks, _block_writer)
        entry = self.parameters_entry(blocks)
        return call_blocks(self, node, family, Loop(("", entry)), Loop(("weights", entry)))

    def family_functions(self, blocks: BlockFamily, family: TreeFamily) -> list[str]:
        text = family.texts[0]
        arguments = ["p: Weights", *(f"{block_input.name}: tf.Tensor" for block_input in blocks.blocks[0].inputs)]
        arguments += ["training: bool"] if family.first.uses_training else []
        arguments += [f"{parameter.name}: {parameter.annotation}" for parameter in text.parameters]
        head = [*signature(family.name, arguments, "tf.Tensor"), *text_lines(f'"""{blocks.description}"""', 4)]
        return ["\n".join([*head, *text_lines(text.text, 4)]) + "\n"]

    # --- the text ---------------------------------------------------------------------------------------------------

    def source(self) -> Source:
        name = class_name(self.graph.name, _NAMES)
        names = input_names(self.graph, _NAMES)
        self.taken.update(names)
        references = [
            reference for reference in self.graph.specs if reference.name in {i.name for i in self.graph.inputs}
        ]
        self.values.update(zip(references, names, strict=True))
        self.run()
        body = [*self._init(name), "", *self._head(names)]
        body += ["        p = self.weights"] if self.weights else []
        body += [
            *self.lines,
            *statement(f"return {', '.join(self.operand(o.reference) for o in self.graph.outputs)}", 8),
        ]
        code = "\n\n".join([*self._helper_texts(), *self.functions, "\n".join(body) + "\n"])
        training = ", training=True" if self.uses_training else ""
        return Source(
            self._imports(code) + code,
            _PREDICT.format(name=name),
            STEP.format(name=name),
            self.weights,
            _EXAMPLE.format(name=name, training=training),
            ("tensorflow", "safetensors"),
        )

    def _init(self, name: str) -> list[str]:
        lines = [f"class {name}(tf.Module):", *self.docstring(self._names())]
        if not self.weights:
            return lines
        lines += ["", "    def __init__(self, path: str | Path = WEIGHTS) -> None:", "        super().__init__()"]
        if self.families:
            return [*lines, *self._nested_init()]
        lines += [
            "        self.weights: dict[str, Weights] = {}",
            "        for name, value in load_file(path).items():",
        ]
        lines += ['            layer, _, weight = name.rpartition(".")']
        trainable = ", trainable=name not in FROZEN" if self._untrained() else ""
        lines += statement(f"variable = tf.Variable(value, name=name{trainable})", 12)
        return [*lines, "            self.weights.setdefault(layer, {})[weight] = variable"]

    def _names(self) -> list[str]:
        return input_names(self.graph, _NAMES)

    def _untrained(self) -> list[str]:
        """Return the weights that training does not change, or updates without a gradient.

        In a module with blocks, the statistics of batch normalisation are not among them.
        """
        names = [name for layer in self.graph.layers for name in _untrained(layer)]
        return [name for name in names if not (self.families and name.endswith(MOVING_STATISTICS))]

    def _nested_init(self) -> list[str]:
        """Return the lines that load the weights of a module with blocks."""
        tests = ["weight not in STATISTICS"] if self._has_statistics() else []
        tests += ["name not in FROZEN"] if self._untrained() else []
        trainable = f", trainable={' and '.join(tests)}" if tests else ""
        variable = statement(f"place[weight] = tf.Variable(value, name=name{trainable})", 12)
        return [*_NESTED_INIT_HEAD, *variable, *_NESTED_INIT_END]

    def _has_statistics(self) -> bool:
        return any(name.endswith(MOVING_STATISTICS) for name in self.weights)

    def _frozen(self) -> list[str]:
        """Return the lines that name the weights that training does not change."""
        lines = []
        if self.families and self._has_statistics():
            lines = [
                "# Weights that training updates without a gradient.",
                f"STATISTICS = {literal(MOVING_STATISTICS)}",
            ]
        untrained = self._untrained()
        if untrained:
            lines += ["# Weights that training does not change, or updates without a gradient.", "FROZEN = {"]
            lines += [*(f"    {literal(name)}," for name in untrained), "}"]
        return lines

    def _head(self, names: Sequence[str]) -> list[str]:
        arguments = [f"{name}: tf.Tensor" for name in names] + (
            ["training: bool = False"] if self.uses_training else []
        )
        several = len(self.graph.outputs) > 1
        annotation = f"tuple[{', '.join(['tf.Tensor'] * len(self.graph.outputs))}]" if several else "tf.Tensor"
        return signature("__call__", ["self", *arguments], annotation, 4)

    def _helper_texts(self) -> list[str]:
        return self.helper_texts({**HELPERS, **MASKED_HELPERS}, {**NEEDS, **MASKED_NEEDS})

    def _imports(self, code: str) -> str:
        abstract = [name for name in ("Callable",) if f"{name}[" in code]
        lines = ['"""' + _DOCSTRING + '"""', "", "from __future__ import annotations", ""]
        lines += [f"from collections.abc import {', '.join(abstract)}"] if abstract else []
        lines += ["from pathlib import Path"] if self.weights else []
        lines += ["from typing import Any"] if re.search(r"\bAny\b", code) else []
        lines += ["", "import tensorflow as tf"]
        lines += ["from safetensors.tensorflow import load_file"] if self.weights else []
        lines += ["", 'WEIGHTS = Path(__file__).with_name("weights.safetensors")'] if self.weights else []
        lines += ["Weights = dict[str, tf.Variable]"] if "Weights" in code else []
        lines += self._frozen()
        return "\n".join([*lines, "", ""]) + "\n"


def _block_writer(block: Graph) -> TensorFlowWriter:
    return TensorFlowWriter(block, is_block=True)


def _untrained(layer: GraphLayer) -> list[str]:
    if isinstance(layer, Blocks):
        names = [name for inner in layer.family.blocks[0].layers for name in _untrained(inner)]
        return [f"{prefix}.{name}" for prefix in layer.prefixes for name in names]
    return [f"{layer.name}.{name}" for name in layer.weights if not layer.trainable or name in NEVER_TRAINED]


_DOCSTRING = """A TensorFlow module that trivium wrote from a Keras model, with its trained weights.

Inputs and outputs have the shapes of the Keras model, channels last.
"""

_NESTED_INIT_HEAD = """        self.weights: dict[str, Any] = {}
        for name, value in load_file(path).items():
            *layers, weight = name.split(".")
            place = self.weights
            for layer in layers:
                place = place.setdefault(layer, {})""".splitlines()
_NESTED_INIT_END = """        for name, layer in self.weights.items():
            if "0" in layer:  # the first of several blocks
                self.weights[name] = [layer[str(i)] for i in range(len(layer))]""".splitlines()

_PREDICT = '''import numpy as np
import tensorflow as tf

from model import {name}

compiled = tf.function({name}())


def predict(*inputs: np.ndarray) -> tuple[np.ndarray, ...]:
    """Return the model's outputs in inference."""
    outputs = compiled(*(tf.constant(array) for array in inputs))
    outputs = outputs if isinstance(outputs, tuple) else (outputs,)
    return tuple(output.numpy() for output in outputs)
'''

_EXAMPLE = """import tensorflow as tf
from model import {name}

model = {name}()
outputs = tf.function(model)(inputs)

with tf.GradientTape() as tape:
    loss = tf.reduce_mean((model(inputs{training}) - targets) ** 2)
gradients = tape.gradient(loss, model.trainable_variables)
"""
