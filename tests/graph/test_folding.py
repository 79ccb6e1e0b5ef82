"""Repeated blocks of a graph become one node; what is not repeated, or not clearly, stays as it is."""

from dataclasses import replace

import numpy as np
import pytest

from trivium.graph.blocks import BLOCKS
from trivium.graph.folding import fold
from trivium.graph.graph import ArrayReference, Graph, GraphLayer, GraphNode, Input, Output, Owner, Spec

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


def owned(graph, owners):
    """Return a graph whose nodes belong to these calls of own layers."""
    return replace(graph, nodes=tuple(replace(node, owners=own) for node, own in zip(graph.nodes, owners, strict=True)))


def test_the_call_of_an_own_layer_is_a_block_with_its_name():
    owner = Owner("head", "head", "MyHead")
    folded = fold(owned(chain(2, RESIDUAL), [()] * 4 + [(owner,)] * 4), same_text)
    assert [(node.kind, node.name) for node in folded.nodes[4:]] == [(BLOCKS, "head")]
    family = folded.nodes[-1].layer.family
    assert (family.name, family.class_name, family.labels) == ("head", "MyHead", ("head",))
    assert family.description == "The layer head of the Keras model, of its class MyHead."


def test_own_layers_within_a_container_are_blocks_one_by_one():
    outer, *inner = (Owner(name, "part", "Part") for name in ("outer", "part", "part_1"))
    owners = [(outer, inner[0])] * 4 + [(outer, inner[1])] * 4
    folded = fold(owned(chain(2, RESIDUAL), owners), same_text)
    assert [node.name for node in folded.nodes] == ["part", "part_1"]
    assert folded.nodes[0].layer.family is folded.nodes[1].layer.family


def test_a_call_with_two_results_or_with_shared_layers_is_no_block():
    owner = Owner("head", "head", "Head")
    graph = chain(1, RESIDUAL)
    outputs = (*graph.outputs, Output("z", ArrayReference(graph.nodes[0].name)))
    assert len(fold(owned(replace(graph, outputs=outputs), [(owner,)] * 4), same_text).nodes) == 4
    shared = owned(chain(2, RESIDUAL, shared=True), [()] * 4 + [(owner,)] * 4)
    assert len(fold(shared, same_text).nodes) == 8


def test_constants_of_an_own_layer_are_inputs_of_its_block():
    owner, spec = Owner("head", "head", "Head"), Spec((4,), "float32")
    graph = chain(1, ("dense", "relu", "dense"))
    constant = GraphNode("c", GraphLayer("c", "constant", weights={"value": np.ones(4, "float32")}), (), (spec,))
    added = GraphNode("sum", GraphLayer("sum", "add"), (graph.outputs[0].reference, ArrayReference("c")), (spec,))
    nodes = (*graph.nodes, constant, added)
    graph = replace(graph, nodes=nodes, outputs=(Output("y", ArrayReference("sum")),))
    folded = fold(owned(graph, [(owner,)] * 5), same_text)
    assert [(node.name, node.references) for node in folded.nodes] == [
        ("c", ()),
        ("head", (ArrayReference("x"), ArrayReference("c"))),
    ]
