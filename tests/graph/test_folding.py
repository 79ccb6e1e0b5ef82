"""Repeated blocks of a graph become one node; what is not repeated, or not clearly, stays as it is."""

import numpy as np
import pytest

from trivium.graph.blocks import BLOCKS
from trivium.graph.folding import fold
from trivium.graph.graph import ArrayReference, Graph, GraphLayer, GraphNode, Input, Output, Spec

pytestmark = pytest.mark.plain


def dense(name, width):
    return GraphLayer(name, "dense", {"units": width}, {"kernel": np.zeros((width, width), "float32")})


def chain(count, kinds, width=4, name="stage_block{}_{}", shared=False):
    """Return a graph of this many blocks, each with these kinds of nodes, whose last adds the block's input."""
    spec = Spec((None, width), "float32")
    current, nodes = ArrayReference("x"), []
    reused = dense("reused", width)
    for block in range(count):
        start = current
        for place, kind in enumerate(kinds):
            label = name.format(block, f"{kind}{place}")
            layer = dense(label, width) if kind == "dense" else GraphLayer(label, kind)
            layer = reused if shared and kind == "dense" else layer
            inputs = (start, current) if kind == "add" else (current,)
            nodes.append(GraphNode(label, layer, inputs, (spec,)))
            current = ArrayReference(label)
    return Graph("net", (Input("x", spec),), tuple(nodes), (Output("y", current),))


RESIDUAL = ("dense", "relu", "dense", "add")


def same_text(block):
    return None


def test_blocks_in_a_row_become_one_node_with_their_weights():
    graph = chain(4, RESIDUAL)
    folded = fold(graph, same_text)
    (node,) = folded.nodes
    assert (node.kind, node.name, node.layer.count) == (BLOCKS, "stage_blocks", 4)
    family = node.layer.family
    assert family.name == "stage_block"
    assert family.labels == ("stage_block0", "stage_block1", "stage_block2", "stage_block3")
    assert [layer.name for layer in family.blocks[0].layers] == ["dense0", "relu1", "dense2", "add3"]
    for number, block in enumerate(family.blocks):
        assert block.layers[0].weights["kernel"] is graph.nodes[4 * number].layer.weights["kernel"]
    assert folded.outputs[0].reference == ArrayReference("stage_blocks")


def test_layers_with_keras_own_names_are_folded_too():
    folded = fold(chain(4, RESIDUAL, name="layer_{}_{}".replace("{}_{}", "{1}_{0}")), same_text)
    assert [node.name for node in folded.nodes] == ["blocks"]


def test_blocks_with_another_text_are_not_of_the_family():
    graph = chain(6, RESIDUAL)
    wide = {id(node.layer.weights["kernel"]) for node in graph.nodes[4:12] if node.layer.weights}

    def text_of(block):
        return any(id(layer.weights["kernel"]) in wide for layer in block.layers if layer.weights)

    folded = fold(graph, text_of)
    runs = [(node.kind, getattr(node.layer, "count", 1)) for node in folded.nodes]
    assert (BLOCKS, 3) in runs
    assert sum(kind != BLOCKS for kind, _ in runs) == 8  # the two others


def test_little_or_vague_repetition_stays_as_it_is():
    for graph in (
        chain(2, RESIDUAL),  # two blocks
        chain(3, ("dense", "relu")),  # two nodes each
        chain(4, RESIDUAL, shared=True),  # one layer that is called several times
    ):
        assert fold(graph, same_text) is graph


def test_a_block_whose_inner_result_is_read_outside_is_not_folded_into_a_run():
    graph = chain(4, RESIDUAL)
    inner = Output("inner", ArrayReference("stage_block1_relu1"))
    folded = fold(Graph(graph.name, graph.inputs, graph.nodes, (*graph.outputs, inner)), same_text)
    names = [node.name for node in folded.nodes]
    assert "stage_block1_relu1" in names
