"""Models with written losses train by every plan as by `fit`, go on where they stopped, and are kept as plain Keras."""

import numpy as np
import pytest

import trivium
from trivium.backends import runtime

GENERATOR = np.random.default_rng(0)
X, Y = (GENERATOR.normal(size=(70, 8)).astype("float32") for _ in range(2))
SETTINGS = {"data": (X, Y), "epochs": 2, "batch_size": 16, "validation_split": 0.2}
NAMES = ("vae", "gan", "siamese", "student")


def builder(name):
    import models_with_losses

    return models_with_losses.ALL[name]


def linear(losses, **arguments):
    import keras

    def build():
        keras.utils.set_random_seed(3)
        network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8, kernel_regularizer="l2")])
        return trivium.with_losses(network, losses, **arguments)

    return build


def squares(networks, batch):
    from keras import ops

    return ops.mean(ops.square(networks.answers(batch.x) - batch.y))


def assert_same(run, expected):
    for epoch, expected_epoch in zip(run.history.epochs, expected.history.epochs, strict=True):
        assert epoch == pytest.approx(expected_epoch, abs=1e-6)
    for name, network in {"answers": expected.model, **expected.networks}.items():
        others = run.model if name == "answers" else run.networks[name]
        for weights, expected_weights in zip(others.get_weights(), network.get_weights(), strict=True):
            np.testing.assert_allclose(weights, expected_weights, atol=1e-6)


@pytest.mark.parametrize("name", NAMES)
def test_every_plan_trains_it_as_fit(backend, name):
    by_fit = trivium.train(builder(name), **SETTINGS, plan="fit")
    for plan in runtime.current().plans(by_fit.model, 10):
        run = trivium.train(builder(name), **SETTINGS, plan=plan.name)
        assert run.settings["plan"] == {"name": plan.name}
        assert_same(run, by_fit)


def test_a_written_loss_trains_as_keras_own(backend):
    import keras

    def plain():
        keras.utils.set_random_seed(3)
        model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(8, kernel_regularizer="l2")])
        model.compile("adam", "mse", metrics=["mae"])
        return model

    def written():
        model = linear(squares)()
        model.compile("adam", metrics=["mae"])
        return model

    run, expected = (trivium.train(build, **SETTINGS, optimizer="adam") for build in (written, plain))
    assert_same(run, expected)
    assert {*run.history.metrics} == {"loss", "mae", "val_loss", "val_mae"}


def test_two_turns_train_as_the_two_models_of_a_gan_in_keras(backend):
    """The second turn sees the critic as the first has left it, and does not change it."""
    import keras
    import models_with_losses

    def without_dropout():
        model = models_with_losses.gan()
        model.networks["critic"].layers[1].rate = 0.0
        model.compile("adam")
        return model

    keras.utils.set_random_seed(1)
    ours = without_dropout()
    keras.utils.set_random_seed(1)
    theirs = without_dropout()
    generator, critic = theirs.answers, theirs.networks["critic"]
    right = keras.losses.BinaryCrossentropy(from_logits=True)
    critic.compile(keras.optimizers.SGD(0.01), lambda y, scores: 2 * right(y, scores))  # the sum of two means
    noise = keras.Input((8,))
    critic.trainable = False
    both = keras.Model(noise, critic(generator(noise)))
    both.compile("adam", right)
    critic.trainable = True
    for first in range(0, 64, 16):
        x, y = X[first : first + 16], Y[first : first + 16]
        samples = np.concatenate([y, generator.predict_on_batch(x)])
        critic.train_on_batch(samples, np.repeat([[1.0], [0.0]], 16, axis=0).astype("float32"))
        critic.trainable = False
        both.train_on_batch(x, np.ones((16, 1), "float32"))
        critic.trainable = True
        ours.train_on_batch(x, y)
    for weights, expected in zip(
        [*ours.answers.get_weights(), *ours.networks["critic"].get_weights()],
        [*generator.get_weights(), *critic.get_weights()],
        strict=True,
    ):
        np.testing.assert_allclose(weights, expected, atol=2e-6)


def test_a_frozen_network_stays_as_it_is_and_is_kept_beside_the_answers(backend, tmp_path):
    import keras

    run = trivium.train(builder("student"), **SETTINGS, out=tmp_path)
    assert run.compiled["frozen"] == ["teacher"]
    assert run.to_json()["compiled"]["losses"] == {"loss": ["answers", "teacher"]}
    assert type(run.model) is keras.Sequential
    loaded = keras.saving.load_model(tmp_path / "teacher.keras")
    for weights, expected in zip(loaded.get_weights(), run.networks["teacher"].get_weights(), strict=True):
        np.testing.assert_array_equal(weights, expected)
    prediction = trivium.predict(tmp_path, X[:3]).outputs
    np.testing.assert_allclose(prediction, run.model.predict(X[:3], verbose=0), rtol=1e-5)


def test_a_resumed_run_is_that_of_one_session(backend, tmp_path):
    whole = trivium.train(builder("gan"), **{**SETTINGS, "epochs": 3})
    trivium.train(builder("gan"), **{**SETTINGS, "epochs": 2}, out=tmp_path)
    resumed = trivium.train(builder("gan"), **{**SETTINGS, "epochs": 3}, out=tmp_path, resume=True)
    assert_same(resumed, whole)


def test_the_test_split_is_evaluated_by_the_losses_and_the_metrics(backend, tmp_path):
    run = trivium.train(linear(squares), **SETTINGS, test_data=(X, Y), metrics=("mae",), out=tmp_path)
    answers = run.model.predict(X, verbose=0)
    penalty = float(run.model.losses[0])
    assert run.evaluation["loss"] == pytest.approx(np.square(answers - Y).mean() + penalty, rel=1e-4)
    assert run.evaluation["mae"] == pytest.approx(np.abs(answers - Y).mean(), rel=1e-4)
    evaluated = trivium.evaluate(
        tmp_path, trivium.Dataset("again", trivium.Split(X, Y), trivium.Split(X, Y), (), "here")
    )
    assert evaluated["mae"] == pytest.approx(run.evaluation["mae"], rel=1e-4)


def test_sample_weights_are_in_the_hands_of_the_losses(backend):
    from keras import ops

    def weighted(networks, batch):
        errors = ops.mean(ops.square(networks.answers(batch.x) - batch.y), axis=1)
        return ops.sum(batch.weight * errors) / ops.sum(batch.weight)

    weights = np.where(np.arange(70) < 35, 1.0, 0.0).astype("float32")
    settings = {**SETTINGS, "validation_split": 0.0}
    run = trivium.train(linear(weighted), **{**settings, "data": (X, Y, weights)})
    assert np.isfinite(run.history["loss"]).all()
    with pytest.raises(trivium.TriviumError, match=r"do not read batch\.weight"):
        trivium.train(linear(squares), **{**settings, "data": (X, Y, weights)})


def test_classes_are_named_where_the_answers_are_their_probabilities(backend):
    import keras
    from keras import ops

    def build(units, activation):
        network = keras.Sequential([keras.Input((8,)), keras.layers.Dense(units, activation)])
        return trivium.with_losses(network, lambda networks, batch: ops.mean(networks.answers(batch.x) ** 2))

    classes = (np.arange(70) % 3).astype("int64")
    settings = {**SETTINGS, "data": (X, classes), "epochs": 1}
    assert trivium.train(lambda: build(3, "softmax"), **settings).dataset.labels == ("0", "1", "2")
    assert trivium.train(lambda: build(2, None), **settings).dataset.labels == ()


@pytest.mark.parametrize(
    ("losses", "message"),
    [
        (lambda networks, batch: networks.answers(batch.x), r"'loss' of shape \(16, 8\) for a batch"),
        (lambda networks, batch: None, "return NoneType as 'loss'"),
        (lambda networks, batch: {}, "an empty dictionary"),
        (lambda networks, batch: {"error": squares(networks, batch)}, "none called 'loss'"),
        (lambda networks, batch: networks.critic(batch.x), "there is no network 'critic' .there are: answers."),
        (lambda networks, batch: batch.z, "no attribute 'z'.*test_written_losses.py, line"),
    ],
)
def test_losses_that_are_none_are_refused_before_the_first_epoch(backend, losses, message):
    with pytest.raises(trivium.TriviumError, match=message):
        trivium.train(linear(losses), **SETTINGS)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trains": {"loss": "anwers"}}, "no network 'anwers'.*did you mean 'answers'"),
        ({"optimizers": {"critic": "adam"}}, "no turn is called 'critic'"),
        ({"teacher": "bert"}, "teacher is str, expected a keras.Model"),
    ],
)
def test_names_that_are_unknown_are_refused(backend, arguments, message):
    with pytest.raises(trivium.TriviumError, match=message):
        linear(squares, **arguments)()


def test_a_loss_by_its_name_is_refused(backend):
    with pytest.raises(trivium.TriviumError, match="trained by losses of its own"):
        trivium.train(linear(squares), **SETTINGS, loss="mse")


def test_a_bundle_is_not_trained_on_without_its_losses(backend, tmp_path):
    trivium.train(linear(squares), **{**SETTINGS, "epochs": 1}, out=tmp_path)
    with pytest.raises(trivium.TriviumError, match="losses of its own, which it does not hold"):
        trivium.train(linear(squares), **SETTINGS, start=tmp_path)


def test_a_rate_cannot_be_one_for_optimizers_of_different_rates(backend):
    import keras

    rates = keras.callbacks.LearningRateScheduler(lambda epoch: 0.1)
    with pytest.raises(trivium.TriviumError, match="different learning rates"):
        trivium.train(builder("gan"), **SETTINGS, callbacks=[rates])
