"""Why two models part: what is set differently at the place, in words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from ..graph.graph import GraphNode
from .alignment import NodePair
from .layouts import MOVES
from .matching import UnitPair

# What changes training and not answers.
_TRAINING_SETTINGS = ("momentum", "rate", "stddev", "dropout", "recurrent_dropout")
# What two layouts of one computation may have otherwise.
_OF_LAYOUT = ("axis", "axes", "equation", "keepdims", "shape", "units", "return_sequences", "return_state")


def settings_that_differ(pair: NodePair) -> list[str]:
    """Return a sentence for each setting in which two nodes of one kind differ, but for those of their layout."""
    if pair.mine.kind != pair.others.kind:
        return [f"{_named(pair.mine)} against {_named(pair.others)}"]
    names = [name for name in pair.mine.config if name not in _OF_LAYOUT]
    return [_setting(pair, name) for name in names if pair.mine.config[name] != pair.others.config.get(name)]


def _setting(pair: NodePair, name: str) -> str:
    values = [_shown(node.config.get(name)) for node in (pair.mine, pair.others)]
    return f"{name} is {values[0]} in {pair.mine.name} and {values[1]} in {pair.others.name}"


def of_training(pair: NodePair) -> list[str]:
    """Return a sentence for each setting that changes training alone, and differs."""
    mine, others = pair.mine.config, pair.others.config
    sentences = [
        _setting(pair, name)
        for name in _TRAINING_SETTINGS
        if name in mine and name in others and mine[name] != others[name]
    ]
    if pair.mine.layer.weights and pair.mine.layer.trainable != pair.others.layer.trainable:
        frozen, trained = (pair.others, pair.mine) if pair.mine.layer.trainable else (pair.mine, pair.others)
        sentences.append(f"{frozen.name} is frozen and {trained.name} is not")
    return sentences


def weights_that_one_lacks(pairs: Sequence[UnitPair]) -> list[str]:
    """Return a sentence for each weight that one of two matched units has alone, such as a bias."""
    sentences = []
    for pair in pairs:
        if len(pair.mine) != len(pair.others):
            continue
        for unit, other in zip(pair.mine, pair.others, strict=True):
            for one, second in ((unit, other), (other, unit)):
                lacking = [role for role in one.weights if role not in second.weights]
                sentences += [f"{one.name} has a {role} and {second.name} has none" for role in lacking]
    return sentences


def at_a_place(
    pairs: Sequence[NodePair], mine_between: Sequence[GraphNode], others_between: Sequence[GraphNode]
) -> list[str]:
    """Return why two nodes give different values although all that was compared before them agrees.

    Args:
        pairs: the two nodes, and those pairs before them that were not compared.
        mine_between, others_between: the nodes before the two that were not compared.
    """
    paired = {id(node) for pair in pairs for node in (pair.mine, pair.others)}
    alone = [[node for node in nodes if id(node) not in paired] for nodes in (mine_between, others_between)]
    return [*(sentence for pair in pairs for sentence in settings_that_differ(pair)), *_steps_between(*alone)]


def _steps_between(mine: Sequence[GraphNode], others: Sequence[GraphNode]) -> Iterator[str]:
    """Yield how the steps differ that stand before a place without a counterpart."""
    shown = [[node for node in nodes if node.kind not in MOVES and node.kind != "cast"] for nodes in (mine, others)]
    kinds = [[(node.kind, tuple(sorted(node.config.items(), key=repr))) for node in nodes] for nodes in shown]
    only = [
        [node for node, kind in zip(shown[side], kinds[side], strict=True) if kind not in kinds[1 - side]]
        for side in (0, 1)
    ]
    if only[0] and only[1]:
        yield f"{_listed(only[0])} against {_listed(only[1])}"
    elif only[0]:
        yield f"only the first has {_listed(only[0])}"
    elif only[1]:
        yield f"only the second has {_listed(only[1])}"


def _listed(nodes: Sequence[GraphNode]) -> str:
    return ", ".join(map(_named, nodes))


def _named(node: GraphNode) -> str:
    settings = {name: value for name, value in node.config.items() if name not in _OF_LAYOUT}
    return f"{node.name} ({node.kind}{_settings(settings)})"


def _settings(config: Mapping[str, Any]) -> str:
    return "".join(f", {name} {_shown(value)}" for name, value in config.items() if value is not None)


def _shown(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
