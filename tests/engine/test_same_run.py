"""The same training run on every backend: equal initial weights, and losses that stay together step by step.

What trains is what `trivium train` would use: the trainer's model, data and order, the backend's fastest plan, its
tuned layers and the masks that trivium owns. The whole book is run by `tox -e slow`, which prints each figure; a slice
daily.
"""

import contextlib
import itertools

import numpy as np
import pytest
from scipy import ndimage

from trivium.backends import catalog, worker
from trivium.models.recipe import book

HERE = __file__
BACKENDS = [backend.name for backend in catalog.installed()]
STEPS = 50
FLOAT32, FLOAT64 = 1e-5, 1e-10
SMALL_BATCH = 32  # for convolutions, which take minutes in float64
# The published sizes, but for text: 8,000 words make batches of 128 MB.
OPTIONS = {"text/words": {"vocabulary": 500}}
SLICE = ("dense/dropout", "rnn/lstm", "functional/autoencoder")

# Keras 3.15 takes the crossentropy of a softmax from the logits on TensorFlow, and elsewhere from probabilities that it
# clips to 1e-7 … 1 - 1e-7. These recipes become that sure of themselves within the first steps.
SURE = ("dense/two-hidden", "functional/digit-or-not")
# In float32 these part by more: a single rounding, once amplified, never comes back. Seen between two backends: 4.0e-3,
# and 2.4e-1 where the loss has sunk to 8e-5; in float64 1e-15 and 3e-14.
SENSITIVE = ("dense/two-hidden", "functional/digit-or-not")


# --- what a worker does ---------------------------------------------------------------------------------------------


def first_steps(recipe, steps, float64, clipped=False, nudge=None):
    """The initial weights and the loss of each of the first steps: `{"weights", "losses", "plan"}`.

    Args:
        clipped: let every backend clip what the loss is taken from.
        nudge: the seed by which each weight is put off by as much as float32 may round it, before the first step.
    """
    from trivium.engine.specimen import Specimen, fresh_keras

    with fresh_keras(float64):
        batch_size = SMALL_BATCH if recipe.startswith("cnn/") else None
        specimen = Specimen(recipe, options=OPTIONS.get(recipe, {}), batch_size=batch_size, float64=float64)
        trainer = specimen.trainer
        model, training = trainer.make_ready(specimen.dataset(trainer.recipe))
        weights = model.get_weights()
        if clipped:
            model.compile(optimizer=model.optimizer, loss=clipping(model.loss))
        if nudge is not None:
            model.set_weights(nudged(weights, nudge))
        with contextlib.ExitStack() as stack:
            plan = enter(stack, model)
            losses = list(itertools.islice(step_losses(trainer, model, training, plan, float64), steps))
        return {"weights": weights, "losses": np.array(losses), "plan": plan.name}


def nudged(weights, seed):
    generator = np.random.default_rng(seed)
    return [weight * (1 + 2.0**-24 * generator.uniform(-1, 1, weight.shape)) for weight in weights]


def clipping(loss):
    """The loss of probabilities that are clipped before any backend can look for the logits behind them."""
    import keras

    own, least = keras.losses.get(loss), keras.config.epsilon()
    return lambda y, probabilities: own(y, keras.ops.clip(probabilities, least, 1 - least))


def enter(stack, model):
    """Put in force what a trainer puts in force, and give the plan of a long run."""
    from trivium.backends import runtime
    from trivium.backends.draws import owned_draws
    from trivium.engine.plans import MANY_STEPS

    current = runtime.current()
    for context in (current.remembering(model), current.tuned(model), owned_draws()):
        stack.enter_context(context)
    return current.plans(model, MANY_STEPS)[0]


def step_losses(trainer, model, training, plan, float64):
    """Train without an end, in the trainer's order of samples; the loss of each step by itself."""
    from trivium.backends import runtime
    from trivium.backends.epochs import build_metrics
    from trivium.engine.batches import taken
    from trivium.engine.inference import reset_states

    dtype = "float64" if float64 else "float32"
    x, y = (part.astype(dtype) if part.dtype.kind == "f" else part for part in (training.x, training.y))
    build_metrics(model, x[: trainer.batch_size], y[: trainer.batch_size])
    epochs = runtime.current().compile_epochs(model, x, y, trainer.batch_size, plan)
    for epoch in itertools.count():
        reset_states(model)
        order = taken(trainer.seed, epoch, len(x), trainer.recipe.shuffle)
        for step in range(epochs.steps):
            model.reset_metrics()  # else a loss is the mean of the epoch so far
            epochs.begin(order)
            epochs.run(step, step + 1)
            epochs.end()
            yield float(model.get_metrics_result()["loss"])


def epoch_losses(recipe, data, epochs):
    """The loss of each epoch of a run as `trivium train` makes it."""
    from trivium.engine.training import train

    return train(recipe, data, epochs=epochs).history["loss"]


# --- how far they are apart -----------------------------------------------------------------------------------------


def runs_of(recipe, *, steps=STEPS, **settings):
    """One run on each backend, all from equal initial weights."""
    asked = {"steps": steps, **settings}
    runs = {name: worker.get(name).call(f"{HERE}:first_steps", recipe, **asked) for name in BACKENDS}
    first = runs[BACKENDS[0]]
    for name, run in runs.items():
        assert len(run["weights"]) == len(first["weights"])
        for mine, other in zip(first["weights"], run["weights"], strict=True):
            np.testing.assert_array_equal(mine, other, err_msg=f"initial weights on {name}")
    return runs


def apart(recipe, losses, told=""):
    """The largest difference between two curves, relative to the mean loss of the steps around.

    Not to each loss itself: the squared error of a single sample passes through zero.

    Args:
        losses: (runs, steps).
    """
    assert np.isfinite(losses).all()
    assert np.ptp(losses[0]) > 1e-3 * abs(losses[0, 0]), "it trains"
    by_step = np.ptp(losses, axis=0) / ndimage.uniform_filter1d(np.abs(losses).min(axis=0), 15)
    worst = int(by_step.argmax())
    print(
        f"\n{recipe} {told}: largest {by_step[worst]:.1e} at step {worst + 1}, median {np.median(by_step):.1e}; "
        f"loss {losses[0, 0]:.4g} → {losses[0, -1]:.4g}"
    )
    return float(by_step[worst])


def difference(recipe, told, **settings):
    runs = runs_of(recipe, **settings)
    plans = ", ".join(f"{name} {run['plan']}" for name, run in runs.items())
    return apart(recipe, np.array([run["losses"] for run in runs.values()]), f"{told} ({plans})")


@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", SLICE)
def test_a_recipe_trains_the_same_everywhere(recipe):
    assert difference(recipe, "float32", steps=20, float64=False) <= FLOAT32


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", sorted(book()))
def test_in_float64_every_recipe_trains_the_same(recipe):
    clipped = recipe in SURE
    assert difference(recipe, "float64, clipped" if clipped else "float64", float64=True, clipped=clipped) <= FLOAT64


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", sorted(set(book()) - set(SENSITIVE)))
def test_in_float32_every_recipe_trains_the_same(recipe):
    assert difference(recipe, "float32", float64=False) <= FLOAT32


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", SENSITIVE)
def test_where_rounding_is_amplified_a_backend_differs_as_much_from_itself(recipe):
    """In float64 they agree (above); here backends that start one rounding off part from themselves by as much."""
    found = difference(recipe, "float32, clipped", float64=False, clipped=True)
    itself = max(apart_from_itself(recipe, name) for name in BACKENDS)
    assert itself > FLOAT32, "no longer sensitive: it belongs to the others"
    assert found <= 10 * itself


def apart_from_itself(recipe, name):
    """The largest difference between runs on one backend whose initial weights are one rounding apart."""
    asked = {"steps": STEPS, "float64": False, "clipped": True}
    curves = [
        worker.get(name).call(f"{HERE}:first_steps", recipe, **asked, nudge=nudge)["losses"]
        for nudge in (None, *range(4))
    ]
    return apart(recipe, np.array(curves), f"float32, {name} against itself")


@pytest.mark.several_backends
def test_keras_own_difference_between_crossentropies_is_still_there():
    """When this fails, Keras clips everywhere or nowhere: empty `SURE`, and drop `clipping`."""
    if "tensorflow" not in BACKENDS:
        pytest.skip("for TensorFlow beside another")
    found = {name: worker.get(name).call(f"{HERE}:loss_of_a_sure_mistake") for name in BACKENDS}
    assert found.pop("tensorflow") == pytest.approx(30, rel=1e-5)
    for loss in found.values():
        assert loss == pytest.approx(-np.log(1e-7), rel=1e-5)


def loss_of_a_sure_mistake():
    """Run in a worker: the crossentropy of a softmax whose right class has a probability of e⁻³⁰."""
    from trivium.backends import runtime

    runtime.current()
    import keras

    probabilities = keras.ops.softmax(keras.ops.convert_to_tensor([[0.0, 30.0]]))
    return float(keras.ops.categorical_crossentropy(keras.ops.convert_to_tensor([[1.0, 0.0]]), probabilities)[0])


@pytest.mark.slow
@pytest.mark.several_backends
def test_after_an_epoch_with_dropout_the_losses_agree_to_four_digits():
    asked = "cnn/pooling", "mnist:sample", 1
    losses = [worker.get(name).call(f"{HERE}:epoch_losses", *asked)[0] for name in BACKENDS]
    print("\ncnn/pooling, one epoch: " + ", ".join(f"{n} {v:.8f}" for n, v in zip(BACKENDS, losses, strict=True)))
    assert np.ptp(losses) <= 0.5e-4 * min(losses)
