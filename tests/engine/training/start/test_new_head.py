"""A new end of a trained model: layers are parsed and never run, and stand where the old end was."""

import pytest

from trivium.engine.training.start.new_head import parse, replace_head
from trivium.errors import OptionError


def body(*layers):
    import keras

    return keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(4, 3, name="conv"), *layers], name="body")


def names(model):
    return [layer.name for layer in model.layers]


def test_layers_replace_a_dense_layer_and_its_activation(backend):
    import keras

    layers = keras.layers
    flat = layers.Flatten(name="flat")
    new = "Dense(7, relu), Dropout(rate=0.5), Dense(2, activation='softmax')"
    for end in (
        [layers.Dense(3)],
        [layers.Dense(3), layers.Activation("softmax")],
        [layers.Dense(3), layers.Softmax()],
    ):
        model = replace_head(body(flat, *end), new)
        assert names(model)[1:] == ["conv", "flat", "head_dense", "head_dropout", "head_dense_1"]
        assert model.layers[-3].activation is keras.activations.relu
        assert model.layers[-2].rate == 0.5
        assert model.output_shape == (None, 2)


def test_layers_follow_a_body_without_an_end(backend):
    model = replace_head(body(), "GlobalAveragePooling2D, Dense(5, softmax)")
    assert names(model)[1:] == ["conv", "head_global_average_pooling2d", "head_dense"]


def test_a_second_end_gets_names_of_its_own(backend):
    model = replace_head(body(), "Flatten(), Dense(5)")
    assert names(replace_head(model, "Dense(4), Dense(2)"))[-2:] == ["head_dense", "head_dense_1"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Dens(5)", "Keras has no layer 'Dens'; did you mean 'Dense'"),
        ("Lambda(abs)", "a Lambda runs code"),
        ("os.system('ls')", "is no layer"),
        ("(lambda: Dense(2))()", "is no layer"),
        ("Dense(2 if 1 else 3)", "is neither a number, a text, nor a name"),
        ("Dense(*[2])", "is neither a number, a text, nor a name"),
        ("Dense(**{})", "write the arguments out"),
        ("Dense(", "expected a number of classes, or layers such as"),
        ("", "expected a number of classes, or layers such as"),
        ("Input(3)", "Keras has no layer 'Input'"),
        (1, "needs 2 classes or more, received 1"),
        (True, "expected a number of classes"),
        (2.5, "expected a number of classes"),
    ],
)
def test_other_texts_are_refused_before_keras_is_asked(text, message):
    with pytest.raises(OptionError) as refused:
        parse(text)
    assert message in str(refused.value)


@pytest.mark.parametrize("text", ["Dense(-1)", "Dense()", "Dense(2, nix)", "Conv1D(2, 3)"])
def test_what_keras_refuses_is_named(backend, text):
    with pytest.raises(OptionError, match=r"Keras refuses \w+ at this place: "):
        replace_head(body(), text)


def test_an_end_that_is_a_model_is_refused(backend):
    import keras

    inner = keras.Sequential([keras.Input((6, 6, 4)), keras.layers.Flatten(), keras.layers.Dense(3)], name="inner")
    with pytest.raises(OptionError, match=r"body ends in inner \(Sequential\), expected one Dense layer"):
        replace_head(body(inner), "Dense(2)")
