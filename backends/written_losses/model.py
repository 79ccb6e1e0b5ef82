"""A Keras model that is trained by written losses, on every backend.

In Keras, a training step of one's own must be written anew for each framework, because each differentiates in its own
way. Here the mathematics alone is written, in `keras.ops`; the backend differentiates it and applies the gradients.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from ...errors import ModelError
from ...functions import suggest
from .. import runtime
from .loss_layer import ANSWERS, LOSS, LossFunction, LossLayer
from .turns import Turn, TurnOptimizers

# A network, or several, by their names or themselves.
Trained = Any


def with_losses(
    answers: keras.Model,
    losses: LossFunction | Mapping[str, LossFunction],
    /,
    *,
    trains: Mapping[str, Trained] | None = None,
    optimizers: Mapping[str, Any] | None = None,
    **networks: keras.Model,
) -> keras.Model:
    """Return a model that answers as one network, and is trained by losses that are written once for all backends.

    Args:
        answers: the network that predicts, is evaluated and is kept; it takes the x of the data.
        losses: `losses(networks, batch)`, in `keras.ops`, returns a number, the mean over the batch, or several by
            name. `networks.answers` and the further networks are called in it; `batch` has `x`, `y`, `weight` and
            `seed`. The numbers that no turn trains are recorded beside the losses. A dictionary of such functions has
            one for each turn.
        trains: for each loss, the name of the network that it trains, or several names: the turns of a step, one after
            the other, each with the weights as the turn before has left them. By default a single function's `loss`
            trains them all, and a function of the name of a network trains that network.
        optimizers: the optimizer of a turn, by its name, where it is not that of the run.
        networks: further networks that the losses use, by name. Freeze one that is not to be trained:
            `teacher.trainable = False`.

    The losses that layers add, such as of regularizers, are added to each turn's.

    Raises:
        ModelError: a network declares no inputs, or a name is unknown.

    Example:
        >>> def losses(networks, batch):
        ...     answers = networks.answers(batch.x)
        ...     return keras.ops.mean(keras.ops.abs(answers - batch.y))
        >>> network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        >>> model = trivium.with_losses(network, losses)
        >>> x = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
        >>> run = trivium.train(model, (x, x.sum(1, keepdims=True)), epochs=2)
        >>> len(run.history)
        2
    """
    named = {ANSWERS: answers, **networks}
    for name, network in named.items():
        _require_built(name, network)
    functions = losses if isinstance(losses, Mapping) else {LOSS: losses}
    turns = [Turn(name, tuple(_networks(named, trained))) for name, trained in _trained(functions, named, trains)]
    chosen = dict(optimizers or {})
    names = [turn.name for turn in turns]
    if unknown := chosen.keys() - set(names):
        name = sorted(unknown)[0]
        raise ModelError(
            f"`optimizers`: no turn is called {name!r} (there are: {', '.join(names)}){suggest(name, names)}"
        )
    return ModelWithLosses(answers, LossLayer(functions, named), turns, chosen)


class ModelWithLosses(keras.Model):
    """What `with_losses` returns: a functional model of the answering network's inputs and outputs.

    Attributes:
        answers: the network that predicts.
        turns: of a training step.
    """

    def __init__(
        self, answers: keras.Model, loss_layer: LossLayer, turns: Sequence[Turn], optimizers: Mapping[str, Any]
    ):
        # A single tensor as such, as Keras takes it as an array.
        inputs = answers.inputs[0] if len(answers.inputs) == 1 else answers.input
        outputs = answers.outputs[0] if len(answers.outputs) == 1 else answers.output
        super().__init__(inputs=inputs, outputs=outputs, name=answers.name)
        self.loss_layer = loss_layer
        self.answers = answers
        self._own = _Own(tuple(turns), dict(optimizers))

    @property
    def turns(self) -> tuple[Turn, ...]:
        return self._own.turns

    @property
    def networks(self) -> dict[str, keras.Model]:
        """The answering network and the further ones, by name."""
        return dict(self.loss_layer.networks)

    @property
    def trained_by_turn(self) -> dict[str, list[str]]:
        """For each turn the names of the networks that it trains."""
        names = {id(network): name for name, network in self.networks.items()}
        return {turn.name: [names[id(network)] for network in turn.networks] for turn in self.turns}

    @property
    def layers(self) -> list[keras.layers.Layer]:
        """The layers of the answering network, and the networks that are no part of it."""
        own = list(super().layers)
        if "_own" not in vars(self):  # Keras asks for the layers before there are further ones
            return own
        known = {id(self.answers), *map(id, own)}
        return own + [network for network in self.networks.values() if id(network) not in known]

    @property
    def metrics(self) -> list[keras.Metric]:
        return [*super().metrics, *self._own.trackers.values()]

    def compile(self, optimizer: Any = "rmsprop", loss: Any = None, **arguments: Any) -> None:
        """Compile, as any model; a turn without an optimizer of its own gets one like this.

        Raises:
            ModelError: a loss is given.
        """
        if loss is not None:
            raise ModelError("the model is trained by losses of its own: compile it without a loss")
        parts = self._optimizers_like(optimizer)
        if len(parts) == 1:
            super().compile(optimizer=next(iter(parts.values())), **arguments)
        else:  # each part scales its own loss
            super().compile(optimizer=TurnOptimizers(parts, self.turns), **{**arguments, "auto_scale_loss": False})

    def _optimizers_like(self, optimizer: Any) -> dict[str, keras.optimizers.Optimizer]:
        """Return the optimizer of each turn: that which was named for it, or a new one like the given."""
        if isinstance(optimizer, TurnOptimizers):
            return {name: type(part).from_config(part.get_config()) for name, part in optimizer.parts.items()}
        parts = {}
        for turn in self.turns:
            part = keras.optimizers.get(self._own.optimizers.get(turn.name, optimizer))
            if len(self.turns) > 1:
                part = type(part).from_config(part.get_config())
                if self.dtype_policy.name == "mixed_float16":
                    part = keras.optimizers.LossScaleOptimizer(part)
            parts[turn.name] = part
        return parts

    def optimizer_of(self, turn: Turn) -> keras.optimizers.Optimizer:
        """Return the optimizer of a turn of the compiled model."""
        return self.optimizer.parts[turn.name] if isinstance(self.optimizer, TurnOptimizers) else self.optimizer

    def track(self, x: Any, y: Any, weight: Any = None) -> None:
        """Create a metric for each loss, by computing the losses without values.

        Args:
            x, y, weight: of a batch; only shapes and dtypes matter.

        Raises:
            ModelError: the losses are no numbers, or there is none for a turn.
            Exception: what the losses raise.
        """
        symbols = keras.tree.map_structure(_symbol, (x, y, weight))
        try:
            named, answers = self.loss_layer.compute_output_spec(*symbols, training=True)
        except Exception as error:  # Keras puts a sentence of its own round what a function raises
            raise error.__context__ or error from None
        for turn in self.turns:
            if turn.name not in named:
                raise ModelError(
                    f"the losses return {', '.join(named)}, but none called {turn.name!r}, which is to be trained: "
                    "name it so, or say what each trains: trains={'…': 'network'}"
                )
        if answers is None and self._has_metrics:
            raise ModelError(
                "metrics compare what networks.answers gives for batch.x with the targets, but the losses do not call "
                "it: let them, or leave the metrics out"
            )
        self._own.trackers = {name: keras.metrics.Mean(name) for name in named if name != LOSS}

    def train_step(self, *arguments: Any) -> Any:
        return runtime.current().call_step(self, self._train, arguments)

    def test_step(self, *arguments: Any) -> Any:
        return runtime.current().call_step(self, self._test, arguments)

    def _train(self, data: Any, minimise: runtime.Minimise) -> dict[str, Any]:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        values: dict[str, Any] = {}
        answers = None
        for turn in self.turns:
            optimizer = self.optimizer_of(turn)

            def compute(turn: Turn = turn, optimizer: Any = optimizer) -> tuple[Any, Any]:
                named, outputs = self.loss_layer(x, y, weight, turn=turn.name, training=True)
                added = self._added_losses()
                return optimizer.scale_loss(named[turn.name] + added), (named, added, self._compared(outputs))

            named, added, outputs = minimise(compute, optimizer, turn.variables)
            answers = outputs if answers is None else answers
            values |= {name: value for name, value in named.items() if name not in values or name == turn.name}
        return self._record(values, added, (x, y, weight), answers)

    def _test(self, data: Any, minimise: runtime.Minimise) -> dict[str, Any]:
        x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
        values, answers = self.loss_layer(x, y, weight, training=False)
        return self._record(values, self._added_losses(), (x, y, weight), self._compared(answers))

    def _added_losses(self) -> Any:
        """Return the sum of what layers, such as those with regularizers, added in the last call."""
        return keras.ops.cast(sum(self.loss_layer.losses), keras.config.floatx())

    def _compared(self, answers: Any) -> Any:
        """Return the answers if they are compared with the targets by metrics that the model was compiled with."""
        return answers if self._has_metrics else None

    @property
    def _has_metrics(self) -> bool:
        return len(super().metrics) > 1  # one is the loss

    def _record(
        self, values: Mapping[str, Any], added: Any, data: tuple[Any, Any, Any], answers: Any
    ) -> dict[str, Any]:
        """Update the metrics with the losses and the answers of a batch, and return them."""
        x, y, weight = data
        values = {name: keras.ops.stop_gradient(value) for name, value in values.items()}
        total = sum((values[turn.name] for turn in self.turns), start=keras.ops.stop_gradient(added))
        samples = keras.ops.shape(keras.tree.flatten(x)[0])[0]
        for metric in super().metrics:
            if metric.name == LOSS:
                metric.update_state(total, sample_weight=samples)
        for name, tracker in self._own.trackers.items():
            tracker.update_state(values[name], sample_weight=samples)
        if answers is not None:
            self.compute_metrics(x, y, keras.tree.map_structure(keras.ops.stop_gradient, answers), weight)
        return self.get_metrics_result()  # type: ignore[no-any-return]

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the sum of the losses of all turns and of those that layers add, for a batch."""
        values, _ = self.loss_layer(x, y, sample_weight, training=training)
        return sum((values[turn.name] for turn in self.turns), start=self._added_losses())


class _Own:
    """What Keras is not to track as a part of the model."""

    def __init__(self, turns: tuple[Turn, ...], optimizers: dict[str, Any]):
        self.turns, self.optimizers = turns, optimizers
        self.trackers: dict[str, keras.Metric] = {}


def _symbol(array: Any) -> Any:
    return None if array is None else keras.KerasTensor(array.shape, keras.backend.standardize_dtype(array.dtype))


def _require_built(name: str, network: Any) -> None:
    if not isinstance(network, keras.Model):
        raise ModelError(f"with_losses: {name} is {type(network).__name__}, expected a keras.Model")
    if not network.built or (name == ANSWERS and not getattr(network, "inputs", None)):
        raise ModelError(f"with_losses: the network {name} declares no inputs: begin it with keras.Input")


def _trained(
    functions: Mapping[str, Any], networks: Mapping[str, keras.Model], trains: Mapping[str, Trained] | None
) -> list[tuple[str, Trained]]:
    """Return for each turn its name and the names of the networks that it trains."""
    if trains is not None:
        unknown = sorted(functions.keys() - trains.keys()) if len(functions) > 1 else []
        if unknown or not trains:
            raise ModelError(
                f"`trains` says nothing of the loss {', '.join(unknown) or LOSS}: name the network it trains"
            )
        return list(trains.items())
    if len(functions) == 1:
        return [(next(iter(functions)), tuple(networks))]
    for name in functions:
        if name not in networks:
            raise ModelError(
                f"no network is called {name!r}, as a loss is: say what each trains: trains={{{name!r}: …}}"
            )
    return [(name, name) for name in functions]


def _networks(networks: Mapping[str, keras.Model], trained: Trained) -> list[keras.Model]:
    names = [trained] if isinstance(trained, str) else list(trained)
    for name in names:
        if name not in networks:
            listed = ", ".join(networks)
            raise ModelError(
                f"`trains`: there is no network {name!r} (there are: {listed}){suggest(name, [*networks])}"
            )
    return [networks[name] for name in names]
