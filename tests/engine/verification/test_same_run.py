"""The same training run on every backend: equal initial weights, and losses that agree step by step.

Training is that of `trivium train`: the trainer's model, data and batch order, the backend's fastest plan, its tuned
layers, and trivium's own dropout masks and losses. `tox -e slow` runs all recipes and prints the table of
docs/same-run.md; the daily tests run a few of them. For a single recipe: `-m slow -s -k cnn/pooling`.
"""

import collections
import contextlib
import itertools

import numpy as np
import pytest
from scipy import ndimage

from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.models.recipe import registry

HERE = __file__
BACKENDS = [backend.name for backend in catalog.trainers()]
STEPS = 50
FLOAT32, FLOAT64 = 1e-5, 1e-10
SMOOTH = "float32, smooth"
SMALL_BATCH = 32  # for convolutions, which take minutes in float64
# The published sizes, except for text: a vocabulary of 8,000 makes batches of 128 MB.
OPTIONS = {"text/words": {"vocabulary": 500}}
SLICE = ("dense/dropout", "rnn/lstm", "functional/autoencoder")
# In float32 these recipes differ more, by 9e-4 to 3e-1 (the latter where the loss has sunk to 8e-5), because their
# gradients jump. The inputs of their relus agree to the last digit, but one lies so close to zero that it is positive
# on one backend only, and contributes to the gradients there (in dense/two-hidden: one sample at unit 453 in step 5 on
# PyTorch). Or two pixels under a pooling window are equal but for rounding, and another one is the largest. In
# dense/two-hidden this is expected in about 17 of a thousand steps (400,000 inputs per step with a density of 1.1 per
# unit near zero, and a last digit of 4e-8); with convolutions more often.
SENSITIVE = (
    "cnn/bigger",
    "cnn/blocks-pooling",
    "cnn/blocks-striding",
    "cnn/pooling",
    "cnn/striding-batchnorm",
    "dense/two-hidden",
    "functional/digit-or-not",
)


# --- in a worker ----------------------------------------------------------------------------------------------------


def first_steps(recipe, steps, float64, smooth=False, perturb_seed=None):
    """Return the initial weights and the losses of the first steps: `{"weights", "losses"}`.

    Args:
        smooth: train the model as changed by `smooth_copy`.
        perturb_seed: a seed. The initial weights are perturbed by up to one float32 rounding before the first step.
    """
    from trivium.engine.verification.model_under_test import ModelUnderTest, fresh_keras

    with fresh_keras(float64):
        batch_size = SMALL_BATCH if recipe.startswith("cnn/") else None
        model_under_test = ModelUnderTest(
            recipe, options=OPTIONS.get(recipe, {}), batch_size=batch_size, float64=float64
        )
        trainer = model_under_test.trainer
        model, training = trainer.make_ready(model_under_test.dataset(trainer.recipe))
        weights = model.get_weights()
        if smooth:
            model = smooth_copy(model)
        if perturb_seed is not None:
            model.set_weights(perturbed_weights(weights, perturb_seed))
        with contextlib.ExitStack() as stack:
            plan = enter_training_contexts(stack, model)
            losses = list(itertools.islice(step_losses(trainer, model, training, plan, float64), steps))
        return {"weights": weights, "losses": np.array(losses)}


def smooth_copy(model):
    """Return the model with silu for relu and average pooling for max pooling, so that its gradients do not jump."""
    import keras

    def smooth(layer):
        config = layer.get_config()
        if getattr(layer, "activation", None) is keras.activations.relu:
            config["activation"] = "silu"
        kind = keras.layers.AveragePooling2D if isinstance(layer, keras.layers.MaxPooling2D) else type(layer)
        return kind.from_config(config)

    clone = keras.models.clone_model(model, clone_function=smooth)
    assert clone.to_json() != model.to_json()
    clone.compile_from_config(model.get_compile_config())
    clone.set_weights(model.get_weights())
    return clone


def perturbed_weights(weights, seed):
    generator = np.random.default_rng(seed)
    return [weight * (1 + 2.0**-24 * generator.uniform(-1, 1, weight.shape)) for weight in weights]


def enter_training_contexts(stack, model):
    """Enter the contexts that a trainer enters, and return the plan of a long run."""
    from trivium.backends import runtime
    from trivium.backends.same_run.operations import portable_operations
    from trivium.backends.same_run.portable_random import portable_draws
    from trivium.engine.epochs.plans import MANY_STEPS

    current = runtime.current()
    for context in (current.carry_rnn_states(model), current.tuned(model), portable_draws(), portable_operations()):
        stack.enter_context(context)
    return current.plans(model, MANY_STEPS)[0]


def step_losses(trainer, model, training, plan, float64):
    """Train endlessly in the trainer's sample order, and yield the loss of each single step."""
    from trivium.backends import runtime
    from trivium.backends.epochs import build_metrics
    from trivium.engine.epochs.batches import sample_order
    from trivium.engine.keras_model.inference import reset_states

    dtype = "float64" if float64 else "float32"
    x, y = (part.astype(dtype) if part.dtype.kind == "f" else part for part in (training.x, training.y))
    build_metrics(model, x[: trainer.batch_size], y[: trainer.batch_size])
    epochs = runtime.current().compile_epochs(model, (x, y), trainer.batch_size, plan)
    for epoch in itertools.count():
        reset_states(model)
        order = sample_order(trainer.resolved.seed, epoch, len(x), trainer.recipe.shuffle)
        for step in range(epochs.steps):
            model.reset_metrics()  # otherwise the loss is the mean of the epoch so far
            epochs.begin(order)
            epochs.run(step, step + 1)
            epochs.end()
            yield float(model.get_metrics_result()["loss"])


def epoch_losses(recipe, data, epochs):
    """Return the loss of each epoch of a run of `trivium train`."""
    from trivium.engine.training.train import train

    return train(recipe, data, epochs=epochs).history["loss"]


# --- differences ----------------------------------------------------------------------------------------------------


def run_everywhere(recipe, *, steps=STEPS, **settings):
    """Run the recipe on each backend, and check that the initial weights are equal."""
    arguments = {"steps": steps, **settings}
    runs = {name: worker.get(name).call(f"{HERE}:first_steps", recipe, **arguments) for name in BACKENDS}
    first = runs[BACKENDS[0]]
    for name, run in runs.items():
        assert len(run["weights"]) == len(first["weights"])
        for mine, other in zip(first["weights"], run["weights"], strict=True):
            np.testing.assert_array_equal(mine, other, err_msg=f"initial weights on {name}")
    return runs


def difference(recipe, figures, column, **settings):
    runs = run_everywhere(recipe, float64=column == "float64", **settings)
    return largest_difference(np.array([run["losses"] for run in runs.values()]), figures[recipe], column)


def largest_difference(losses, row, column):
    """Return the largest difference between curves, (runs, steps), relative to the mean loss of neighbouring steps.

    It is not relative to each loss itself, because the squared error of a single sample passes through zero.
    """
    assert np.isfinite(losses).all()
    assert np.ptp(losses[0]) > 1e-3 * abs(losses[0, 0]), "it trains"
    by_step = np.ptp(losses, axis=0) / ndimage.uniform_filter1d(np.abs(losses).min(axis=0), 15)
    largest, step = float(by_step.max()), int(by_step.argmax()) + 1
    row[column] = f"{largest:.1e} at {step}"
    return largest


@pytest.fixture(scope="module")
def figures(request):
    """The table of differences, printed at the end: by recipe, the cells of its row."""
    table = collections.defaultdict(dict)
    yield table
    heads = "float64", "float32", SMOOTH, *BACKENDS
    rows = [(f"`{recipe}`", *(cells.get(head, "") for head in heads)) for recipe, cells in sorted(table.items())]
    lines = [("recipe", *heads), ("---",) * (len(heads) + 1), *rows]
    with request.config.pluginmanager.getplugin("capturemanager").global_and_fixture_disabled():
        print("\n" + "\n".join("| " + " | ".join(line) + " |" for line in lines))


@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", SLICE)
def test_a_recipe_trains_the_same_everywhere(recipe, figures):
    assert difference(recipe, figures, "float32", steps=20) <= FLOAT32


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", sorted(registry()))
def test_in_float64_every_recipe_trains_the_same(recipe, figures):
    assert difference(recipe, figures, "float64") <= FLOAT64


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", sorted(set(registry()) - set(SENSITIVE)))
def test_in_float32_every_recipe_trains_the_same(recipe, figures):
    assert difference(recipe, figures, "float32") <= FLOAT32


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("recipe", SENSITIVE)
def test_a_sensitive_recipe_differs_as_much_on_one_backend_and_agrees_once_it_is_smooth(recipe, figures):
    """In float64 these recipes agree, as tested above."""
    smooth = difference(recipe, figures, SMOOTH, smooth=True)
    between_backends = difference(recipe, figures, "float32")
    within_backend = max(difference_within(recipe, name, figures) for name in BACKENDS)
    assert smooth <= FLOAT32
    assert within_backend > FLOAT32, "no longer sensitive: remove it from SENSITIVE"
    assert between_backends <= 10 * within_backend


def difference_within(recipe, name, figures):
    """Return the largest difference between runs on one backend whose initial weights differ by one rounding."""
    curves = [
        worker.get(name).call(f"{HERE}:first_steps", recipe, steps=STEPS, float64=False, perturb_seed=perturb_seed)[
            "losses"
        ]
        for perturb_seed in (None, *range(4))
    ]
    return largest_difference(np.array(curves), figures[recipe], name)


@pytest.mark.slow
@pytest.mark.several_backends
def test_after_an_epoch_with_dropout_the_losses_agree_to_four_digits():
    arguments = "cnn/pooling", "mnist:sample", 1
    losses = [worker.get(name).call(f"{HERE}:epoch_losses", *arguments)[0] for name in BACKENDS]
    print("\ncnn/pooling, one epoch: " + ", ".join(f"{n} {v:.8f}" for n, v in zip(BACKENDS, losses, strict=True)))
    assert np.ptp(losses) <= 0.5e-4 * min(losses)
