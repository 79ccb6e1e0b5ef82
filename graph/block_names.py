"""The names of blocks, from the names of their Keras layers: those of `conv2_block1_0_bn` begin with `conv2_block1`."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

from .graph import ArrayReference, Graph, GraphNode
from .source import identifier

_NOUNS = ("block", "layer", "stage", "unit", "cell", "module")
_NUMBER = re.compile(r"_?\d+[a-z]?(?=_|$)")


def label_of(nodes: Sequence[GraphNode]) -> str:
    """Return what Keras calls a block: the beginning, with a number in it, of the names of all layers with weights.

    A block with a single kernel has the name of that layer, such as `conv2d_3`; another one may have none.
    """
    names = [node.name for node in nodes if node.layer.weights]
    prefix, underscore, _ = _common_beginning(names).rpartition("_")
    rests = [name[len(prefix) + 1 :] for name in names]
    if underscore and re.search(r"\d", prefix) and all(re.search("[A-Za-z]", rest) for rest in rests):
        return prefix
    kernels = [node.name for node in nodes if "kernel" in node.layer.weights]
    return kernels[0] if len(kernels) == 1 else ""


def _common_beginning(names: Sequence[str]) -> str:
    first, last = (min(names), max(names)) if names else ("", "")
    return first[: next((i for i, letter in enumerate(first) if last[i] != letter), len(first))]


def stem_of(name: str) -> str:
    """Return a name without its numbers."""
    return _NUMBER.sub("", name)


def family_name(labels: Sequence[str], model: str) -> str:
    """Return the name of blocks with these labels: `conv2_block1` and `conv3_block2` are a `conv_block`."""
    stems = Counter(stem_of(label.removeprefix(f"{model}_")).strip("_") for label in labels if label)
    stem = stems.most_common(1)[0][0] if stems else ""
    stem = identifier(stem) if stem else ""
    if not stem:
        return "block"
    return stem if stem.endswith(_NOUNS) else f"{stem}_block"


def qualifier_of(block: Graph) -> str:
    """Return what tells a block from others with the same name: how its input is added to its result, if it is."""
    sums = [node for node in block.nodes if node.kind == "add"]
    if any(ArrayReference(block.inputs[0].name) in node.references for node in sums):
        return "residual"
    return "projection" if sums else ""


def run_name(labels: Sequence[str], model: str) -> str:
    """Return the name of blocks in a row: `conv2_blocks`, or `block_4_to_5` if the first is not 0 or 1."""
    first, last = (label.removeprefix(f"{model}_") for label in (labels[0], labels[-1]))
    if not first or not last:
        return "block" if len(labels) == 1 else "blocks"
    if len(labels) == 1:
        return identifier(first)
    stem = re.sub(r"_?\d+$", "", first)
    if re.sub(r"_?\d+$", "", last) == stem and re.fullmatch(r"_?[01]", first[len(stem) :]):
        return identifier(f"{stem}s")
    shared = len(_common_beginning([first, last]))
    shared = len(first[:shared].rstrip("0123456789"))
    return identifier(f"{first}_to_{last[shared:]}")


def local_names(names: Sequence[str], label: str) -> list[str]:
    """Return the names of nodes within their block: `conv2_block1_0_bn` is `bn_0`, and `dense_5` is `dense`."""
    local: list[str] = []
    for name in names:
        named = label and name.startswith(f"{label}_") and re.search("[A-Za-z]", name[len(label) + 1 :])
        rest = name[len(label) + 1 :] if named else re.sub(r"_\d+(?=_|$)", "", name)
        number = re.match(r"(\d+)_(.+)", rest)
        rest = f"{number[2]}_{number[1]}" if number else rest
        local.append(identifier(rest, {*local, "x"}))
    return local
