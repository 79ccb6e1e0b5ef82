"""How fast are losses that are written once, beside a training step that is written by hand for the backend?

    KERAS_BACKEND=jax python -m trivium.benchmarks.written_losses

A VAE, a GAN, a siamese net and a student of a teacher are trained by turns by `trivium.with_losses` and by a native
loop, which calls one step after the other as its framework's users write it; trivium takes the plan that it would take
for a long run. Each round trains a few epochs of each, and the first of a round does not count. A ratio above 1 means
that trivium is faster. The result is printed as JSON.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import catalog
from ..data.dataset import Dataset, Split
from ..engine.training.trainer import Trainer
from ..models.recipe import Recipe
from . import native
from .native.turn_task import TurnTask
from .paired_epochs import TimedEpochs, Train, compare, time_epochs
from .statistics import MIN_ROUNDS

if TYPE_CHECKING:
    import keras

_SAMPLES, _BATCH, _EPOCHS = 4096, 128, 4
_PIXELS, _NOISE, _CODES, _CLASSES = 784, 64, 16, 10


@dataclass(frozen=True)
class WrittenRun:
    """A model with written losses, and its data.

    Attributes:
        build: builds it, for a number of hidden units.
        x, y: (n, …) samples and targets.
    """

    build: Callable[..., keras.Model]
    x: np.ndarray
    y: np.ndarray


def _with_losses(*arguments: Any, **networks: Any) -> keras.Model:
    from ..backends.written_losses.model import with_losses

    return with_losses(*arguments, **networks)


def _dense(inputs: int, *units: int, last: str | None = None) -> keras.Sequential:
    import keras

    *hidden, outputs = units
    layers = [keras.layers.Dense(count, "relu") for count in hidden]
    return keras.Sequential([keras.Input((inputs,)), *layers, keras.layers.Dense(outputs, last)])


def _vae(units: int = 512, noise: float = 1.0) -> keras.Model:
    import keras
    from keras import ops

    encoder, decoder = _dense(_PIXELS, units, 2 * _CODES), _dense(_CODES, units, _PIXELS, last="sigmoid")

    def losses(networks: Any, batch: Any) -> Any:
        mean, log_variance = ops.split(networks.encoder(batch.x), 2, axis=-1)
        drawn = keras.random.normal(ops.shape(mean), seed=batch.seed)
        rebuilt = networks.decoder(mean + noise * ops.exp(log_variance / 2) * drawn)
        divergence = ops.mean(ops.sum(mean**2 + ops.exp(log_variance) - log_variance - 1, axis=-1)) / 2
        return ops.mean(ops.sum((rebuilt - batch.x) ** 2, axis=-1)) + divergence

    x = keras.Input((_PIXELS,))
    answers = keras.Model(x, decoder(encoder(x)[:, :_CODES]))
    return _with_losses(answers, losses, encoder=encoder, decoder=decoder)


def _gan(units: int = 256) -> keras.Model:
    import keras
    from keras import ops

    generator, critic = _dense(_NOISE, units, _PIXELS, last="sigmoid"), _dense(_PIXELS, units, 1)
    right = keras.losses.BinaryCrossentropy(from_logits=True)

    def critic_loss(networks: Any, batch: Any) -> Any:
        real, fake = networks.critic(batch.y), networks.critic(ops.stop_gradient(networks.answers(batch.x)))
        return right(ops.ones_like(real), real) + right(ops.zeros_like(fake), fake)

    def generator_loss(networks: Any, batch: Any) -> Any:
        fake = networks.critic(networks.answers(batch.x))
        return right(ops.ones_like(fake), fake)

    turns = {"critic": critic_loss, "generator": generator_loss}
    return _with_losses(generator, turns, trains={"critic": "critic", "generator": "answers"}, critic=critic)


def _siamese(units: int = 512) -> keras.Model:
    from keras import ops

    def losses(networks: Any, batch: Any) -> Any:
        codes = networks.answers(batch.x)
        codes = codes / ops.sqrt(ops.sum(codes**2, axis=-1, keepdims=True) + 1e-6)
        distances = 2 - 2 * ops.matmul(codes, ops.transpose(codes))
        alike = ops.cast(ops.equal(batch.y[:, None], batch.y[None]), codes.dtype)
        return ops.mean(alike * distances + (1 - alike) * ops.maximum(0.0, 1 - distances) ** 2)

    return _with_losses(_dense(_PIXELS, units, _CODES), losses)


def _student(units: int = 128) -> keras.Model:
    import keras
    from keras import ops

    teacher = _dense(_PIXELS, 4 * units, _CLASSES, last="softmax")
    teacher.trainable = False

    def losses(networks: Any, batch: Any) -> Any:
        answers, taught = networks.answers(batch.x), networks.teacher(batch.x)
        own = keras.losses.sparse_categorical_crossentropy(batch.y, answers)
        return ops.mean(own + keras.losses.categorical_crossentropy(taught, answers))

    return _with_losses(_dense(_PIXELS, units, _CLASSES, last="softmax"), losses, teacher=teacher)


def runs(samples: int = _SAMPLES) -> dict[str, WrittenRun]:
    """Return the runs by name."""
    generator = np.random.default_rng(0)
    pictures = generator.random((samples, _PIXELS), dtype="float32")
    classes = generator.integers(0, _CLASSES, samples)
    noise = generator.normal(size=(samples, _NOISE)).astype("float32")
    return {
        "vae": WrittenRun(_vae, pictures, classes),
        "gan": WrittenRun(_gan, noise, pictures),
        "siamese": WrittenRun(_siamese, pictures, classes),
        "student": WrittenRun(_student, pictures, classes),
    }


def task_of(name: str, run: WrittenRun, model: Any, batch_size: int = _BATCH, noise: float = 1.0) -> TurnTask:
    """Return the task of a native loop that trains as a model with written losses does, from its weights."""
    inner = ("encoder", "decoder") if name == "vae" else tuple(model.networks)
    weights = {each: [np.array(weight) for weight in model.networks[each].get_weights()] for each in inner}
    trains = {
        turn: [each for each in names if each in inner and model.networks[each].trainable_variables]
        for turn, names in model.trained_by_turn.items()
    }
    return TurnTask(name, weights, trains, run.x, run.y, batch_size, noise)


def both_ways(name: str, run: WrittenRun) -> tuple[Train, Train]:
    """Return what trains a few further epochs by hand, and by trivium's plan of a long run."""
    trainer = Trainer(Recipe(name, "", run.build), batch_size=_BATCH, validation_split=0.0)
    model, training = trainer.make_ready(Dataset(name, Split(run.x, run.y), None, (), "drawn"))
    loop = native.load_turns(catalog.selected().name, task_of(name, run, model))
    train = trainer.open_ended(model, training, measure=True)
    generator = np.random.default_rng(0)

    def by_hand() -> TimedEpochs:
        return TimedEpochs("native", time_epochs(lambda: loop.train_epoch(generator.permutation(len(run.x))), _EPOCHS))

    def by_trivium() -> TimedEpochs:
        return TimedEpochs(trainer.chosen_plan["name"], time_epochs(lambda: train(1), _EPOCHS))

    return by_hand, by_trivium


def main() -> None:
    """Measure, and print the result as JSON."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=MIN_ROUNDS, help="of each comparison")
    options = parser.parse_args()
    catalog.use()
    # One pair after the other, so that only its models are in memory.
    rows = [row for name, run in runs().items() for row in compare({name: both_ways(name, run)}, options.rounds)]
    print(json.dumps({"backend": catalog.selected().name, "rows": rows}, indent=1))


if __name__ == "__main__":
    main()
