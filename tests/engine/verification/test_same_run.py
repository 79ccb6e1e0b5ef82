"""The same training run on every backend: equal initial weights, and losses that stay together step by step.

What trains is what `trivium train` would use: the trainer's model, data and order, the backend's fastest plan, its
tuned layers, and the masks and losses that trivium owns. The whole book is run by `tox -e slow`, which prints a table
of what it found, that of docs/same-run.md; a slice daily. One recipe by itself: `-m slow -s -k cnn/pooling`.
"""

import collections
import contextlib
import itertools

import numpy as np
import pytest
from scipy import ndimage

from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.models.recipe import book

HERE = __file__
BACKENDS = [backend.name for backend in catalog.installed()]
STEPS = 50
FLOAT32, FLOAT64 = 1e-5, 1e-10
SMOOTH = "float32, smooth"
SMALL_BATCH = 32  # for convolutions, which take minutes in float64
# The published sizes, but for text: 8,000 words make batches of 128 MB.
OPTIONS = {"text/words": {"vocabulary": 500}}
SLICE = ("dense/dropout", "rnn/lstm", "functional/autoencoder")
# In float32 these part by more, from 9e-4 to 3e-1 (where the loss has sunk to 8e-5). Among the inputs of their relus,
# which agree to the last digit, one lies so near to zero that it is positive on one backend only, and counts in that
# one's gradients (of dense/two-hidden: one sample at unit 453 in step 5 on PyTorch); or of two pixels under a pooling
# window, equal but for rounding, another one is the largest. At some 17 in a thousand steps of dense/two-hidden it must
# happen (400,000 inputs a step, 1.1 of them per unit near zero, a last digit of 4e-8), of convolutions more often.
SENSITIVE = (
    "cnn/bigger",
    "cnn/blocks-pooling",
    "cnn/blocks-striding",
    "cnn/pooling",
    "cnn/striding-batchnorm",
    "dense/two-hidden",
    "functional/digit-or-not",
)


# --- what a worker does ---------------------------------------------------------------------------------------------


def first_steps(recipe, steps, float64, smooth=False, nudge=None):
    """The initial weights and the loss of each of the first steps: `{"weights", "losses"}`.

    Args:
        smooth: by the model as `smoothed`.
        nudge: the seed by which each weight is put off by as much as float32 may round it, before the first step.
    """
    from trivium.engine.verification.model_under_test import Specimen, fresh_keras

    with fresh_keras(float64):
        batch_size = SMALL_BATCH if recipe.startswith("cnn/") else None
        specimen = Specimen(recipe, options=OPTIONS.get(recipe, {}), batch_size=batch_size, float64=float64)
        trainer = specimen.trainer
        model, training = trainer.make_ready(specimen.dataset(trainer.recipe))
        weights = model.get_weights()
        if smooth:
            model = smoothed(model)
        if nudge is not None:
            model.set_weights(nudged(weights, nudge))
        with contextlib.ExitStack() as stack:
            plan = enter(stack, model)
            losses = list(itertools.islice(step_losses(trainer, model, training, plan, float64), steps))
        return {"weights": weights, "losses": np.array(losses)}


def smoothed(model):
    """The model with silu for relu and average pooling for max pooling: its gradients have no jump."""
    import keras

    def smooth(layer):
        config = layer.get_config()
        if getattr(layer, "activation", None) is keras.activations.relu:
            config["activation"] = "silu"
        kind = keras.layers.AveragePooling2D if isinstance(layer, keras.layers.MaxPooling2D) else type(layer)
        return kind.from_config(config)

    found = keras.models.clone_model(model, clone_function=smooth)
    assert found.to_json() != model.to_json()
    found.compile_from_config(model.get_compile_config())
    found.set_weights(model.get_weights())
    return found


def nudged(weights, seed):
    generator = np.random.default_rng(seed)
    return [weight * (1 + 2.0**-24 * generator.uniform(-1, 1, weight.shape)) for weight in weights]


def enter(stack, model):
    """Put in force what a trainer puts in force, and give the plan of a long run."""
    from trivium.backends import runtime
    from trivium.backends.same_run.crossentropy import owned_losses
    from trivium.backends.same_run.portable_random import owned_draws
    from trivium.engine.epochs.plans import MANY_STEPS

    current = runtime.current()
    for context in (current.remembering(model), current.tuned(model), owned_draws(), owned_losses()):
        stack.enter_context(context)
    return current.plans(model, MANY_STEPS)[0]


def step_losses(trainer, model, training, plan, float64):
    """Train without an end, in the trainer's order of samples; the loss of each step by itself."""
    from trivium.backends import runtime
    from trivium.backends.epochs import build_metrics
    from trivium.engine.epochs.batches import taken
    from trivium.engine.keras_model.inference import reset_states

    dtype = "float64" if float64 else "float32"
    x, y = (part.astype(dtype) if part.dtype.kind == "f" else part for part in (training.x, training.y))
    build_metrics(model, x[: trainer.batch_size], y[: trainer.batch_size])
    epochs = runtime.current().compile_epochs(model, (x, y), trainer.batch_size, plan)
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
    from trivium.engine.training.trainer import train

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


def difference(recipe, figures, column, **settings):
    runs = runs_of(recipe, float64=column == "float64", **settings)
    return apart(np.array([run["losses"] for run in runs.values()]), figures[recipe], column)


def apart(losses, found, column):
    """The largest difference between curves, (runs, steps), relative to the mean loss of the steps around.

    Not to each loss itself: the squared error of a single sample passes through zero.
    """
    assert np.isfinite(losses).all()
    assert np.ptp(losses[0]) > 1e-3 * abs(losses[0, 0]), "it trains"
    by_step = np.ptp(losses, axis=0) / ndimage.uniform_filter1d(np.abs(losses).min(axis=0), 15)
    largest, step = float(by_step.max()), int(by_step.argmax()) + 1
    found[column] = f"{largest:.1e} at {step}"
    return largest


@pytest.fixture(scope="module")
def figures(request):
    """Of each recipe the cells of its row in the table that is printed when all is done."""
    found = collections.defaultdict(dict)
    yield found
    heads = "float64", "float32", SMOOTH, *BACKENDS
    rows = [(f"`{recipe}`", *(cells.get(head, "") for head in heads)) for recipe, cells in sorted(found.items())]
    lines = [("recipe", *heads), ("---",) * (len(heads) + 1), *rows]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines))


@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", SLICE)
def test_a_recipe_trains_the_same_everywhere(recipe, figures):
    assert difference(recipe, figures, "float32", steps=20) <= FLOAT32


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", sorted(book()))
def test_in_float64_every_recipe_trains_the_same(recipe, figures):
    assert difference(recipe, figures, "float64") <= FLOAT64


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", sorted(set(book()) - set(SENSITIVE)))
def test_in_float32_every_recipe_trains_the_same(recipe, figures):
    assert difference(recipe, figures, "float32") <= FLOAT32


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", SENSITIVE)
def test_where_a_jump_parts_them_a_backend_parts_from_itself_as_much_and_a_smooth_model_does_not(recipe, figures):
    """In float64 they agree (above)."""
    smooth = difference(recipe, figures, SMOOTH, smooth=True)
    found = difference(recipe, figures, "float32")
    itself = max(apart_from_itself(recipe, name, figures) for name in BACKENDS)
    assert smooth <= FLOAT32
    assert itself > FLOAT32, "no longer sensitive: it belongs to the others"
    assert found <= 10 * itself


def apart_from_itself(recipe, name, figures):
    """The largest difference between runs on one backend whose initial weights are one rounding apart."""
    curves = [
        worker.get(name).call(f"{HERE}:first_steps", recipe, steps=STEPS, float64=False, nudge=nudge)["losses"]
        for nudge in (None, *range(4))
    ]
    return apart(np.array(curves), figures[recipe], name)


@pytest.mark.slow
@pytest.mark.several_backends
def test_after_an_epoch_with_dropout_the_losses_agree_to_four_digits():
    asked = "cnn/pooling", "mnist:sample", 1
    losses = [worker.get(name).call(f"{HERE}:epoch_losses", *asked)[0] for name in BACKENDS]
    print("\ncnn/pooling, one epoch: " + ", ".join(f"{n} {v:.8f}" for n, v in zip(BACKENDS, losses, strict=True)))
    assert np.ptp(losses) <= 0.5e-4 * min(losses)
