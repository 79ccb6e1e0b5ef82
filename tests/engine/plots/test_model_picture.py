"""Pictures of models: every layer has a box with its settings, boxes do not overlap, deep models have columns."""

from itertools import pairwise

import pytest
from PIL import Image

from trivium.engine.plots.graph_layout import layout, without_cycles
from trivium.engine.plots.model_picture import model_picture

pytestmark = pytest.mark.plain


def row(name, kind, inputs, *, settings=None, output=(4,), returned=False, **further):
    shapes = {"input": [4], "output": list(output)}
    return {
        "name": name,
        "kind": kind,
        "settings": settings or {},
        "parameters": 0,
        "inputs": inputs,
        "returned": returned,
        **shapes,
        **further,
    }


def texts(path):
    """Return the texts of an SVG file."""
    import re

    return re.findall(r"<!-- (.*?) -->", path.read_text())


# --- layout ---------------------------------------------------------------------------------------------------------


def test_nodes_stand_below_what_leads_to_them_and_do_not_overlap():
    sources = {"x": [], "a": ["x"], "b": ["x"], "c": ["a"], "late": [], "end": ["x", "b", "c", "late"]}
    placed = layout(sources)
    ranks = {node: number for number, rank in enumerate(placed.ranks) for node in rank}
    assert [ranks[name] for name in ("x", "a", "b", "c", "end")] == [0, 1, 1, 2, 3]
    assert ranks["late"] == 2, "directly above what takes it"
    for rank in placed.ranks:
        boxes = [placed.places[node] for node in rank if isinstance(node, str)]
        assert all(right - left >= 1 for left, right in pairwise(sorted(boxes)))
    assert ["x", ("x", "end", 1), ("x", "end", 2), "end"] in placed.chains
    left, right = placed.ends(0, 4)
    assert right - left >= 2


def test_branches_that_could_cross_are_untangled():
    crossed = {"x": [], "a": ["x"], "b": ["x"], "c": ["b"], "d": ["a"], "end": ["c", "d"]}
    placed = layout(crossed)
    first, second = placed.ranks[1], placed.ranks[2]
    pairs = {"a": "d", "b": "c"}
    assert [pairs[node] for node in first] == second


def test_an_edge_that_closes_a_cycle_is_set_apart():
    forward, backward = without_cycles({"x": [], "again": ["x", "relu"], "relu": ["again"], "b": ["relu"]})
    assert list(forward) == ["x", "again", "relu", "b"]
    assert (forward["again"], backward) == (["x"], [("relu", "again")])
    later_input = without_cycles({"a": [], "shared": ["a", "b"], "b": []})
    assert later_input == ({"a": [], "b": [], "shared": ["a", "b"]}, [])


# --- pictures -------------------------------------------------------------------------------------------------------


def test_a_box_tells_kind_settings_and_shapes(tmp_path):
    convolution = {"filters": 8, "kernel_size": [3, 3], "strides": [2, 2], "padding": "same", "activation": "relu"}
    rows = [
        row("seen", "Conv2D", [], settings=convolution, output=(14, 14, 8)),
        row("rest", "Dropout", ["seen"], settings={"rate": 0.25}, returned=True),
    ]
    model_picture(rows, tmp_path / "model.svg", title="a stack")
    drawn = texts(tmp_path / "model.svg")
    assert {"a stack", "input", "seen  Conv2D", "8 filters of 3×3, stride 2, same, relu", "4 → 14×14×8"} <= set(drawn)
    assert {"rest  Dropout", "rate 0.25", "4 → 4   output"} <= set(drawn)


def test_a_deep_model_goes_on_in_further_columns_and_names_what_leads_there(tmp_path):
    names = [f"layer{n}" for n in range(60)]
    rows = [row("layer0", "InputLayer", [])] + [row(b, "Dense", [a]) for a, b in pairwise(names)]
    model_picture(rows, tmp_path / "deep.svg")
    drawn = texts(tmp_path / "deep.svg")
    assert [text for text in drawn if text.startswith("from layer")], "each column says where it goes on from"
    assert all(any(text.startswith(f"{name}  ") or text == name for text in drawn) for name in names)
    model_picture(rows, tmp_path / "deep.png")
    with Image.open(tmp_path / "deep.png") as image:
        assert 0.4 < image.width / image.height < 3


def test_branches_shared_layers_and_nested_models_are_drawn(tmp_path):
    inner = [row("wide", "Dense", [], settings={"units": 3})]
    rows = [
        row("a", "InputLayer", []),
        row("shared", "Dense", ["a", "relu", "b"]),
        row("relu", "ReLU", ["shared"]),
        row("b", "InputLayer", []),
        row("sum", "Add", ["a", "shared"], input=[[4], [4]]),
        row("part", "Sequential", ["sum"], layers=inner, returned=True),
    ]
    model_picture(rows, tmp_path / "graph.svg")
    drawn = texts(tmp_path / "graph.svg")
    assert {"sum  Add", "4, 4 → 4", "part", "wide  Dense", "3 units", "part  Sequential"} <= set(drawn)


def test_layers_whose_connections_are_unknown_stand_below_each_other(tmp_path):
    rows = [row("one", "Dense", None, input=None, output=()), row("two", "Dense", None)]
    model_picture(rows, tmp_path / "mine.png")
    with Image.open(tmp_path / "mine.png") as image:
        assert image.height > image.width


@pytest.mark.one_environment
def test_a_model_is_drawn_by_every_name_that_a_recipe_has(backend, tmp_path):
    import keras

    import trivium

    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, name="only")])
    (tmp_path / "net.json").write_text(model.to_json())
    for number, source in enumerate((tmp_path / "net.json", str(tmp_path / "net.json"), "rnn/lstm", model)):
        trivium.draw_model(source, tmp_path / f"{number}.png")
        assert (tmp_path / f"{number}.png").stat().st_size > 5_000
    with pytest.raises(trivium.TriviumError, match="Keras has no network 'MobilNet'"):
        trivium.draw_model("applications/MobilNet", tmp_path / "none.png")
