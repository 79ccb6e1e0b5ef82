"""What a loss says of the output that it is computed from."""

import pytest

from trivium.engine.keras_model.loss_names import output_kinds

pytestmark = pytest.mark.one_environment


@pytest.fixture
def model(backend):
    import keras

    inputs = keras.Input((3,))
    return keras.Model(
        inputs, [keras.layers.Dense(2, name="kind")(inputs), keras.layers.Dense(1, name="price")(inputs)]
    )


def test_the_kind_of_an_output_is_that_which_its_loss_takes(model):
    import keras

    logits = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    for loss, kinds in (
        ({"kind": logits, "price": "mse"}, ["logits", "values"]),
        (["sparse_categorical_crossentropy", keras.losses.BinaryFocalCrossentropy()], ["probabilities"] * 2),
        ({"kind": "hinge"}, ["margins", "values"]),
        (["categorical_hinge", keras.losses.SquaredHinge()], ["margins"] * 2),
        ([keras.losses.hinge, keras.losses.BinaryCrossentropy(from_logits=True)], ["margins", "logits"]),
    ):
        model.compile("sgd", loss)
        assert output_kinds(model) == kinds


def test_an_uncompiled_model_says_nothing(model):
    assert output_kinds(model) == ["values"] * 2
