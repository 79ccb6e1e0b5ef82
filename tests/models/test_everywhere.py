"""Each recipe learns on each backend, and what it has learnt is the same on the others."""

import pytest

from trivium.backends import catalog
from trivium.backends.workers import worker
from trivium.engine.bundles import bundle as bundles
from trivium.engine.verification import parity
from trivium.models import recipe as recipes

HERE = __file__
BACKENDS = [backend.name for backend in catalog.installed()]
# A recipe of each kind stands for all in the daily tests; the whole book is run by `tox -e slow`.
SLICE = (
    "dense/small",
    "cnn/striding-batchnorm",
    "rnn/two-lstm",
    "rnn/stateful",
    "text/letters",
    "functional/digit-or-not",
)
BOOK = [pytest.param(name, marks=() if name in SLICE else pytest.mark.slow) for name in sorted(recipes.book())]


def few(recipe):
    """The recipe's own data, cut down to what a test can afford."""
    from trivium.engine.data import datasets
    from trivium.engine.data.dataset import Dataset, Split

    family = recipe.dataset.split(":")[0]
    if family == "waves":
        # Seen in one order only, a wave must be long enough not to end where it is steep.
        steps = "60" if recipe.shuffle else "200"
        return datasets.load(":".join([*recipe.dataset.split(":")[:2], steps]))
    if family == "text":
        codes = datasets.load("text").train.x[:1500]
        return Dataset("text", Split(codes, codes), None, (), "few letters")
    sampled = ("mnist", "digit-or-not", "digit-images")
    full = datasets.load(f"{family}:sample" if family in sampled else recipe.dataset)
    return Dataset(
        full.name,
        Split(full.train.x[:96], full.train.y[:96]),
        Split(full.test.x[:40], full.test.y[:40]),
        full.labels,
        full.source,
    )


def learn(name, path):
    """Run under any backend: train a few steps, write the bundle, return the losses of the epochs."""
    from pathlib import Path

    from trivium.engine.bundles.bundle import Bundle
    from trivium.engine.training.trainer import Trainer

    recipe = recipes.find(name)
    # A model that was built for one batch size keeps it, and takes more and smaller steps.
    pace = {} if "batch" in recipe.options else {"batch_size": 16, "learning_rate": 0.003}
    run = Trainer(recipe, epochs=4, **pace).fit(few(recipe))
    Bundle.of(run).save(Path(path))
    return run.history["loss"]


@pytest.mark.parametrize("name", SLICE[:3])
def test_the_loss_falls_within_a_few_steps(backend, name, tmp_path):
    losses = learn(name, tmp_path / "learnt.trivium")
    assert losses[-1] < losses[0]


@pytest.mark.several_backends
@pytest.mark.parametrize("name", BOOK)
def test_what_one_backend_learns_the_next_one_knows(name, tmp_path):
    for here, there in zip(BACKENDS, BACKENDS[1:] + BACKENDS[:1], strict=True):
        path = str(tmp_path / f"{here}.trivium")
        losses = worker.get(here).call(f"{HERE}:learn", name, path)
        assert losses[-1] < losses[0], here
        found = bundles.load(path)
        given = {"recorded": [found.recorded_inputs]}
        answers = worker.get(there).call("trivium.porting.source_model:answers", path, given)
        difference = parity.difference(found.recorded_outputs, answers["recorded"][0])
        assert difference.within(1e-5), f"{name} from {here} to {there}: {difference}"
