"""A model's rows and its diagram, compared line by line, as a person sees them."""

import pytest

from trivium.engine.keras_model import diagram, summary
from trivium.engine.keras_model.layer_settings import settings_of, settings_text
from trivium.errors import RecipeError
from trivium.models.recipe import Recipe

pytestmark = pytest.mark.one_environment


@pytest.fixture
def layers(backend):
    import keras

    return keras.layers


@pytest.fixture
def make(backend):
    """Return a model, given its inputs and outputs."""
    import keras

    return keras.Model


@pytest.fixture
def named_input(backend):
    """Return an input, given its name and shape."""
    import keras

    return lambda name, *shape: keras.Input(shape, name=name)


@pytest.fixture
def stack(backend):
    import keras

    def make(*layers, shape=(4,), name=None):
        return keras.Sequential([keras.Input(shape), *layers], name=name)

    return make


def drawn(model, **settings):
    return diagram.draw(summary.rows(model), **settings).splitlines()


def inputs_of(model):
    return {row["name"]: row["inputs"] for row in summary.rows(model)}


# --- rows -----------------------------------------------------------------------------------------------------------


def test_a_row_says_what_a_layer_is_and_what_feeds_it(stack, layers):
    first, second = summary.rows(stack(layers.Dense(3, name="wide"), layers.Dense(2, name="narrow")))
    assert first == {
        "name": "wide",
        "kind": "Dense",
        "input": [4],
        "output": [3],
        "settings": {"units": 3},
        "parameters": 15,
        "inputs": [],
        "returned": False,
    }
    assert (second["input"], second["inputs"], second["returned"]) == ([3], ["wide"], True)


def test_a_shared_layer_is_fed_by_each_of_its_callers(layers, make, named_input):
    left, right = named_input("left", 4), named_input("right", 4)
    shared = layers.Dense(2, name="shared")
    both = layers.Concatenate(name="both")([shared(left), shared(right)])
    model = make([left, right], both)
    assert inputs_of(model) == {"left": [], "right": [], "shared": ["left", "right"], "both": ["shared"]}


def test_a_layer_counts_only_the_calls_of_the_model_that_is_shown(layers, make, named_input):
    pixels, other = named_input("pixels", 4), named_input("other", 4)
    shared = layers.Dense(2, name="shared")
    shared(other)
    assert inputs_of(make(pixels, shared(pixels))) == {"pixels": [], "shared": ["pixels"]}


def test_named_inputs_outputs_and_plain_arithmetic_are_shown_too(layers, make, named_input):
    left, right = named_input("left", 4), named_input("right", 4)
    model = make({"left": left, "right": right}, {"sum": left + right, "left": layers.ReLU(name="relu")(left)})
    (added,) = (row for row in summary.rows(model) if row["kind"] == "Add")
    assert (added["inputs"], added["parameters"], added["returned"]) == (["left", "right"], 0, True)
    assert {row["name"] for row in summary.rows(model) if row["returned"]} == {"relu", added["name"]}


def test_a_layer_with_several_outputs_has_several_shapes(layers, make, named_input):
    series = named_input("series", None, 1)
    outputs = layers.LSTM(2, return_state=True, name="lstm")(series)
    rows = summary.rows(make(series, outputs))
    assert rows[-1]["output"] == [[2], [2], [2]]
    assert diagram.shape_text(rows[-1]["output"]) == "2, 2, 2"
    assert diagram.shape_text(rows[0]["output"]) == "?×1"


def test_the_connections_of_a_subclassed_model_are_unknown(layers, backend):
    import keras

    class Mine(keras.Model):
        def __init__(self):
            super().__init__()
            self.first = layers.Dense(3, name="first")
            self.second = layers.Dense(2, name="second")

        def call(self, x):
            return self.second(self.first(x))

    model = Mine()
    model(keras.ops.ones((1, 4)))
    rows = summary.rows(model)
    assert [(row["name"], row["inputs"], row["output"], row["parameters"]) for row in rows] == [
        ("first", None, None, 15),
        ("second", None, None, 8),
    ]
    assert drawn(model) == ["● first   Dense  3 units  ?", "● second  Dense  2 units  ?"]


def test_a_model_without_declared_inputs_is_refused(backend, layers):
    import keras

    recipe = Recipe("mine.py:build", "", lambda: keras.Sequential([layers.Dense(2)]))
    with pytest.raises(RecipeError, match=r"mine\.py:build: .* begin it with keras\.Input\(shape\)"):
        summary.layers(recipe, {})


@pytest.mark.parametrize(
    ("layer", "text"),
    [
        (lambda of: of.Dense(3, activation="relu"), "3 units, relu"),
        (lambda of: of.Conv2D(1, 3, strides=2, padding="same"), "1 filter of 3×3, stride 2, same"),
        (lambda of: of.Conv1D(4, 5, padding="causal", dilation_rate=2), "4 filters of 5, dilation 2, causal"),
        (lambda of: of.MaxPooling2D((2, 3)), "2×3, stride 2×3, valid"),
        (lambda of: of.Dropout(0.3), "rate 0.3"),
        (lambda of: of.LSTM(8, return_sequences=True), "8 units, tanh, returns each step"),
        (lambda of: of.SimpleRNN(8, dropout=0.1), "8 units, tanh, dropout 0.1, returns last step"),
        (lambda of: of.Bidirectional(of.GRU(4)), "GRU: 4 units, tanh, returns last step"),
        (lambda of: of.TimeDistributed(of.Dense(3, activation="softmax")), "Dense: 3 units, softmax"),
        (lambda of: of.Embedding(1000, 4), "1,000 to 4"),
        (lambda of: of.MultiHeadAttention(2, 8), "2 heads of 8"),
        (lambda of: of.Activation("gelu"), "gelu"),
        (lambda of: of.BatchNormalization(), ""),
    ],
)
def test_the_settings_of_a_layer_are_told_in_a_few_words(layers, layer, text):
    assert settings_text(settings_of(layer(layers))) == text


def test_a_custom_layer_with_attributes_that_raise_has_no_settings(layers):
    class Mine(layers.Layer):
        units = object()

        @property
        def activation(self):
            raise RuntimeError("not yet")

    assert settings_of(Mine()) == {}


# --- drawings -------------------------------------------------------------------------------------------------------


def test_a_stack_is_a_column_of_boxes(stack, layers):
    model = stack(layers.Flatten(name="flat"), layers.Dense(10, name="digit"), shape=(28, 28))
    assert drawn(model) == [
        "┌─────────────────────────────────┐",
        "│ input                     28×28 │",
        "├────────────────▼────────────────┤",
        "│ flat   Flatten              784 │",
        "├────────────────▼────────────────┤",
        "│ digit  Dense    10 units     10 │",
        "└─────────────────────────────────┘",
    ]


def test_a_functional_model_without_branches_is_a_stack_as_well(layers, make, named_input):
    pixels = named_input("pixels", 784)
    assert drawn(make(pixels, layers.Dense(10, name="digit")(pixels))) == [
        "┌───────────────────────────────────┐",
        "│ pixels  InputLayer            784 │",
        "├─────────────────▼─────────────────┤",
        "│ digit   Dense       10 units   10 │",
        "└───────────────────────────────────┘",
    ]


def test_a_skip_connection_runs_beside_what_it_skips(layers, make, named_input):
    x = named_input("x", 4)
    hidden = layers.Dense(4, name="hidden")(x)
    again = layers.Dense(4, name="again")(hidden)
    model = make(x, layers.Add(name="sum")([hidden, again]))
    assert drawn(model) == [
        "●   x       InputLayer           4",
        "●   hidden  Dense       4 units  4  ← x",
        "├─╮",
        "│ ● again   Dense       4 units  4  ← hidden",
        "├─╯",
        "●   sum     Add                  4  ← hidden, again  → output",
    ]


def test_two_branches_split_and_join_across_a_third(layers, make, named_input):
    x = named_input("x", 4)
    parts = [layers.Dense(2, name=name)(x) for name in ("a", "b", "c")]
    ends = layers.Concatenate(name="ends")([parts[0], parts[2]])
    assert drawn(make(x, [ends, parts[1]])) == [
        "●     x     InputLayer            4",
        "├─╮",
        "│ ●   a     Dense        2 units  2  ← x",
        "├─│─╮",
        "│ │ ● c     Dense        2 units  2  ← x",
        "│ ├─╯",
        "│ ●   ends  Concatenate           4  ← a, c  → output",
        "●     b     Dense        2 units  2  ← x  → output",
    ]


def test_two_inputs_and_two_outputs(layers, make, named_input):
    picture, text = named_input("picture", 8, 8), named_input("text", 5)
    flat = layers.Flatten(name="seen")(picture)
    both = layers.Concatenate(name="both")([flat, text])
    model = make([picture, text], [layers.Dense(10, name="what")(both), layers.Dense(1, name="sure")(both)])
    assert drawn(model) == [
        "●   picture  InputLayer             8×8",
        "●   seen     Flatten                 64  ← picture",
        "│ ● text     InputLayer               5",
        "├─╯",
        "●   both     Concatenate             69  ← seen, text",
        "├─╮",
        "│ ● what     Dense        10 units   10  ← both  → output",
        "●   sure     Dense        1 unit      1  ← both  → output",
    ]


def test_an_output_that_is_also_used_is_marked(layers, make, named_input):
    x = named_input("x", 4)
    hidden = layers.Dense(2, name="hidden")(x)
    lines = drawn(make(x, [layers.Dense(1, name="end")(hidden), hidden]))
    assert lines == [
        "● x       InputLayer           4",
        "● hidden  Dense       2 units  2  ← x  → output",
        "● end     Dense       1 unit   1  ← hidden  → output",
    ]


def test_a_nested_model_follows_under_its_name(stack, layers):
    inner = stack(layers.Dense(3, name="wide"), name="inner")
    assert drawn(stack(inner, layers.Dense(2, name="end"))) == [
        "┌───────────────────────────────┐",
        "│ input                       4 │",
        "├───────────────▼───────────────┤",
        "│ inner  Sequential           3 │",
        "├───────────────▼───────────────┤",
        "│ end    Dense       2 units  2 │",
        "└───────────────────────────────┘",
        "",
        "inner:",
        "  ┌──────────────────────────┐",
        "  │ input                  4 │",
        "  ├────────────▼─────────────┤",
        "  │ wide   Dense  3 units  3 │",
        "  └──────────────────────────┘",
    ]


def test_a_layer_that_takes_its_own_output_again_is_listed_without_lanes(layers, make, named_input):
    x = named_input("x", 4)
    again = layers.Dense(4, name="again")
    assert drawn(make(x, again(layers.ReLU(name="relu")(again(x))))) == [
        "● x      InputLayer           4",
        "● again  Dense       4 units  4  ← x, relu  → output",
        "● relu   ReLU                 4  ← again",
    ]


def test_a_graph_with_too_many_branches_is_listed_without_lanes(layers, make, named_input):
    x = named_input("x", 4)
    heads = [layers.Dense(1, name=f"head{n}")(x) for n in range(20)]
    assert len(drawn(make(x, layers.Add(name="few")(heads[:3])))) == 1 + 3 + 1 + 3, (
        "three lines lead apart and together"
    )
    many = drawn(make(x, layers.Add(name="many")(heads)))
    assert len(many) == 1 + 20 + 1
    assert all(line.startswith("● ") for line in many)


def test_a_branch_that_has_ended_leaves_its_lane_to_the_next(layers, make, named_input):
    x = named_input("x", 4)
    lines = drawn(make(x, [layers.Dense(1, name=f"head{n}")(x) for n in range(20)]))
    assert max(line.index("head") for line in lines if "head" in line) == 4


@pytest.mark.parametrize("width", [100, 60])
def test_no_line_is_wider_than_asked(layers, make, named_input, stack, width):
    x = named_input("an_input_with_a_name_that_is_much_too_long_to_be_shown", 4)
    inner = stack(layers.Dense(4, name="n" * 90), name="inner")
    parts = [layers.Dense(4, name=f"a_branch_with_a_long_name_{n}")(x) for n in range(5)]
    lines = drawn(make(x, layers.Add(name="sum")([*parts, inner(x)])), width=width)
    assert max(map(len, lines)) <= width
    assert any(line.endswith("…") for line in lines)


def test_a_model_without_layers_is_drawn_as_nothing():
    assert diagram.draw([]) == ""
