"""Each recipe learns on each backend, and the trained model predicts the same on the others."""

from dataclasses import replace

import pytest

from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.engine.bundles import bundle as bundles
from trivium.engine.verification import parity
from trivium.models import recipe as recipes

HERE = __file__
BACKENDS = [backend.name for backend in catalog.trainers()]
# One recipe of each kind runs in the daily tests; `tox -e slow` runs all recipes.
SLICE = (
    "dense/small",
    "cnn/striding-batchnorm",
    "rnn/stateful",
    "functional/digit-or-not",
    "tabular/embeddings",
)
RECIPES = [pytest.param(name, marks=() if name in SLICE else pytest.mark.slow) for name in sorted(recipes.registry())]


def small_dataset(recipe):
    """Return a small part of the recipe's own data."""
    from trivium.data import datasets
    from trivium.data.dataset import Dataset, Split

    family = recipe.dataset.split(":")[0]
    if family == "waves":
        # Without shuffling, the loss depends on the end of the wave: it must be long enough not to end on a steep part.
        steps = "60" if recipe.shuffle else "200"
        return datasets.load(":".join([*recipe.dataset.split(":")[:2], steps]))
    if family == "text":
        codes = datasets.load("text").train.x[:1500]
        return Dataset("text", Split(codes, codes), None, (), "few letters")
    sampled = ("mnist", "digit-or-not", "digit-images")
    full = datasets.load(f"{family}:sample" if family in sampled else recipe.dataset)
    return replace(full, train=full.train.take(slice(0, 96)), test=full.test.take(slice(0, 40)))


def learn(name, path):
    """Train a few steps, write the bundle and return the loss of each epoch; runs on any backend."""
    from pathlib import Path

    from trivium.engine.bundles.bundle import Bundle
    from trivium.engine.training.trainer import Trainer

    recipe = recipes.find(name)
    # A model that is built for one batch size keeps it, and so takes more and smaller steps.
    settings = {} if "batch" in recipe.options else {"batch_size": 16, "learning_rate": 0.003}
    run = Trainer(recipe, epochs=4, **settings).fit(small_dataset(recipe))
    Bundle.of(run).save(Path(path))
    return run.history["loss"]


@pytest.mark.shared_out
@pytest.mark.parametrize("name", SLICE[:3])
def test_the_loss_falls_within_a_few_steps(backend, name, tmp_path):
    losses = learn(name, tmp_path / "learnt.trivium")
    assert losses[-1] < losses[0]


@pytest.mark.several_backends
@pytest.mark.parametrize("name", RECIPES)
def test_a_model_trained_on_one_backend_predicts_the_same_on_the_next(name, tmp_path):
    for here, there in zip(BACKENDS, BACKENDS[1:] + BACKENDS[:1], strict=True):
        path = str(tmp_path / f"{here}.trivium")
        losses = worker.get(here).call(f"{HERE}:learn", name, path)
        assert losses[-1] < losses[0], here
        bundle = bundles.load(path)
        batches = {"recorded": [bundle.recorded_inputs]}
        answers = worker.get(there).call("trivium.porting.source_model:predict_batches", path, batches)
        difference = parity.difference(bundle.recorded_outputs, answers["recorded"][0])
        assert difference.within(1e-5), f"{name} from {here} to {there}: {difference}"
