"""What Keras or a framework raises because of a user's model names its part in one line; our own errors stay bugs."""

import numpy as np
import pytest

import trivium
from trivium.errors import DataError, ModelError

pytestmark = pytest.mark.one_environment

X, CLASSES = np.random.default_rng(0).normal(size=(16, 4)).astype("float32"), np.arange(16) % 3


MODEL = """
import keras

def loss_of_nothing(y, predicted):
    return y["price"]

def metric_of_one(y):
    return 0.0

def build(part):
    import keras

    class OnlyAsked(keras.layers.Layer):
        def call(self, x, training=False):
            if training:
                raise ValueError("not while training")
            return x

    class OwnStep(keras.Model):
        def train_step(self, *data):
            raise RuntimeError("a step of my own")

    inputs = keras.Input((4,))
    hidden = OnlyAsked(name="asked")(inputs) if part == "layer" else inputs
    kind = OwnStep if part == "step" else keras.Model
    model = kind(inputs, keras.layers.Dense(3, "softmax")(hidden))
    metrics = {"metric": [metric_of_one], "keras metric": [keras.metrics.Precision(name="precise")]}.get(part, [])
    loss = {"loss": loss_of_nothing, "none": None}.get(part, "sparse_categorical_crossentropy")
    model.compile("sgd", loss, metrics=metrics)
    return model
"""


@pytest.fixture
def models(tmp_path):
    """The path of a user's file."""
    (tmp_path / "models.py").write_text(MODEL)
    return tmp_path / "models.py"


@pytest.mark.parametrize("plan", ["fit", "auto"])
@pytest.mark.parametrize(
    ("part", "message"),
    [
        (
            "layer",
            r"the layer asked \(OnlyAsked\) .*: ValueError: not while training \(models.py, line \d+, in call",
        ),
        ("step", r"the model .*: RuntimeError: a step of my own \(models.py, line \d+, in train_step\)"),
        ("metric", r"the metric metric_of_one .*: TypeError: .*; leave it out, or take one for such outputs"),
        ("keras metric", r"the metric precise \(Precision\) cannot be computed: .*; leave it out"),
        ("loss", r"the loss loss_of_nothing .* cannot be computed: .* \(models.py, line \d+, in loss_of"),
        ("none", "compiles its model without a loss: name one in its call of compile"),
    ],
)
def test_the_part_that_cannot_be_computed_is_named(backend, models, plan, part, message):
    with pytest.raises(ModelError, match=message):
        trivium.train(f"{models}:build", (X, CLASSES), options={"part": part}, epochs=1, plan=plan)


def test_an_error_of_our_own_stays_a_bug(backend, models, monkeypatch):
    from trivium.engine.epochs import batches, callbacks

    namespace = {"__name__": "trivium.engine.broken"}
    exec("def broken(*arguments, **more):\n    raise IndexError('a bug')", namespace)
    broken = namespace["broken"]
    for owner, name in ((callbacks.EpochLog, "on_epoch_end"), (batches, "from_memory")):
        monkeypatch.setattr(owner, name, broken)
        with pytest.raises(IndexError, match="a bug"):
            trivium.train(f"{models}:build", (X, CLASSES), options={"part": ""}, epochs=1, plan="fit")
        monkeypatch.undo()


@pytest.mark.parametrize(("low", "high"), [(0, 12), (-1, 9)])
def test_numbers_that_an_embedding_has_no_row_for_are_refused(backend, low, high):
    import keras

    from trivium.engine.bundles.bundle import Bundle

    def embedding():
        layers = [keras.Input((5,), dtype="int32"), keras.layers.Embedding(10, 2), keras.layers.Flatten()]
        return keras.Sequential([*layers, keras.layers.Dense(2, "softmax")])

    known, other = np.arange(80).reshape(16, 5) % 10, np.arange(80).reshape(16, 5) % 10
    other[0, :2] = low, high
    message = rf"\(Embedding\) has rows for the numbers 0 to 9, but the input \S+ holds numbers from {low} to {high}: "
    with pytest.raises(DataError, match=f"in x_train: .*{message}"):
        trivium.train(embedding, (other, CLASSES % 2), epochs=1)
    with pytest.raises(DataError, match=f"in x_test: .*{message}"):
        trivium.train(embedding, (known, CLASSES % 2), test_data=(other, CLASSES % 2), epochs=1)
    run = trivium.train(embedding, (known, CLASSES % 2), epochs=1)
    with pytest.raises(DataError, match=message):
        trivium.predict(Bundle.of(run), other)
    with pytest.raises(DataError, match=r"takes \(5,\): this is one sample, and axis 0 counts them: x = x\[None\]"):
        trivium.predict(Bundle.of(run), known[0])
