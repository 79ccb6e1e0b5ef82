"""Whether a model that was moved to another backend learns on there as it would have at home.

Both load the same file, optimizer state included, and take one more training step on the same batch: the loss, its
gradients, the weights and the optimizer's state after it must agree as far as rounding lets them, which is measured by
a third run from weights nudged by as much as one pass may be off (see `tolerances.py`).

That measures most of what rounding does. But where the input of a relu lies within rounding of zero, or two values
under one window do of each other, each backend may take another side, and gradients differ by what a sample counts. So
where they disagree, the step is taken once more in float64, a billion times less often undecided; what it says holds.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import runtime
from ..backends.same_run.crossentropy import losses_from_logits
from ..backends.same_run.portable_random import portable_draws
from ..backends.workers.worker import Worker
from ..engine.bundles import bundle as bundles
from ..engine.data.dataset import Split
from ..engine.keras_model.inference import reset_states
from ..engine.verification import parity, tolerances
from ..engine.verification.model_under_test import ModelUnderTest, StepBatches, batch_at, fresh_keras, make_batches
from ..engine.verification.tolerances import GRADIENTS, LOSS, UPDATED, BackendCheck, NamedArrays
from . import source_model as subjects

if TYPE_CHECKING:
    import keras

LEARNT, REMEMBERED = "weights after one more step", "optimizer state after one more step"
IN_DOUBLE = ", in float64"
_KINDS = {LOSS: LOSS, GRADIENTS: GRADIENTS, LEARNT: UPDATED, REMEMBERED: UPDATED}


def compare(path: str, origin: str, target: str) -> tuple[BackendCheck, ...]:
    """The checks of one more training step on two backends; none where it cannot go on learning on both.

    Args:
        path: a bundle or a model file.
        origin, target: the names of two installed backends.
    """
    # Processes of their own: in one that has trained before, a loaded model's step was seen to come out otherwise.
    with Worker(origin) as home, Worker(target) as away:
        if not all(process.call(learns, path) for process in (home, away)):
            return ()
        checks = _checks(home, away, path)
        if all(check.passed for check in checks):
            return checks
        if not all(process.call(widens, path) for process in (home, away)):
            return checks
        return tuple(replace(check, what=f"{check.what}{IN_DOUBLE}") for check in _checks(home, away, path, wide=True))


def _checks(home: Worker, away: Worker, path: str, wide: bool = False) -> tuple[BackendCheck, ...]:
    options = {**home.call(draw_batch, path), "wide": wide}
    expected = home.call(step_further, path, **options)
    perturbed = home.call(step_further, path, **options, perturbed=True)
    received = away.call(step_further, path, **options)
    return judge((home.backend.name, away.backend.name), expected, perturbed, received)


def judge(
    backends: tuple[str, str], expected: dict[str, Any], perturbed: dict[str, Any], received: dict[str, Any]
) -> tuple[BackendCheck, ...]:
    """The checks of what `step_further` gave on two backends, and on the first from nudged weights."""
    runs = [result["found"] for result in (expected, received, perturbed)]
    return tuple(_compare(what, backends, expected["dtype"], *(run[what] for run in runs)) for what in runs[0])


def _compare(
    what: str, backends: tuple[str, str], dtype: str, expected: NamedArrays, received: NamedArrays, perturbed: NamedArrays
) -> BackendCheck:
    kind = _KINDS[what.partition(":")[0]]
    allowed = tolerances.derive_tolerances(dtype, {kind: expected}, {kind: perturbed})[kind]
    return tolerances.compare(what, backends, expected, received, allowed, kind=kind)


# --- run in a worker, under the backend that is asked ---------------------------------------------------------------


def learns(path: str) -> bool:
    """Whether a model can go on learning here: it has a loss, and an optimizer of this backend's own.

    Keras 3.15 writes into a model file which backend's form of an optimizer it was saved with, and that form runs on no
    other; a bundle does not have it. From a legacy `.h5` it builds an optimizer that does not know the weights.
    """
    import keras

    if Path(path).suffix.lower() in subjects.LEGACY:
        return False
    with _loaded(path) as model:
        if not model.compiled or model.loss is None:
            return False
        kind = getattr(keras.optimizers, type(model.optimizer).__name__, None)
        own = kind.from_config(model.optimizer.get_config()) if kind else model.optimizer
        return type(own) is type(model.optimizer)


def widens(path: str) -> bool:
    """Whether a model that learns here can be had in float64."""
    try:
        with _loaded(path, wide=True) as model:
            return {str(v.dtype) for v in model.trainable_variables} == {"float64"}
    except Exception:  # whatever layers of a user's own do when their floats are others
        return False


def draw_batch(path: str) -> dict[str, Any]:
    """What both backends are given.

    Returns:
        `batches`: one batch, its inputs the recorded ones where there are some, its targets drawn for the loss;
            `states`: of the random generators, which a file does not keep.
    """
    with _loaded(path) as model:
        data = None
        if not subjects.is_model_file(Path(path)):
            bundle = bundles.load(path)
            data = Split(bundle.recorded_inputs, bundle.recorded_outputs)
        batches = make_batches(ModelUnderTest(path, is_bundle=True), model, data, 1)
        return {"batches": batches, "states": [np.array(v.numpy()) for v in generators(model)]}


def step_further(
    path: str, batches: StepBatches, states: list[np.ndarray], perturbed: bool = False, wide: bool = False
) -> dict[str, Any]:
    """What becomes of a model in one more training step, from the optimizer state that it was saved with.

    Args:
        path: a bundle or a model file, compiled.
        batches: one batch.
        states: of the random generators.
        nudged: whether to start from weights that are off by as much as one pass may be.
        wide: whether in float64.

    Returns:
        `dtype`: how far the results must agree, that of the coarsest variable; `found`: arrays with their names, by
            what they are.
    """
    with _loaded(path, wide) as model:
        dtype = max((str(v.dtype) for v in model.trainable_variables), key=parity.tolerance, default="float32")
        if perturbed:
            values = tolerances.perturb([np.array(v.numpy()) for v in model.variables], dtype, seed=0)
            for variable, value in zip(model.variables, values, strict=True):
                variable.assign(value)
        for variable, value in zip(generators(model), states, strict=True):
            variable.assign(value)
        x, y = batch_at(model, batches, 0)
        current = runtime.current()
        reset_states(model)
        loss, gradients = current.gradients(model, x, y)
        named = [(v.path, gradient) for v, gradient in zip(model.trainable_variables, gradients, strict=True)]
        weights = model.weights  # asked for now: what remembers may count its states among them
        with current.carry_rnn_states(model):
            model.train_on_batch(x, y)
        arrays = {
            LOSS: [("the loss of the batch", np.array(loss))],
            GRADIENTS: named,
            LEARNT: _named(weights),
            **_by_kind(_named(model.optimizer.variables)),
        }
        # In float64 too what counts is that they agree as far as float32 can: no further than weights are kept.
        return {"dtype": "float32" if wide else dtype, "found": arrays}


@contextlib.contextmanager
def _loaded(path: str, wide: bool = False) -> Iterator[keras.Model]:
    """The model as it was saved, or in float64; in the context draws and losses are those that all backends share."""
    with fresh_keras(float64=wide):
        model = subjects.load(path)
        if wide:
            from ..engine.keras_model.float64 import to_float64

            model = to_float64(model)
        with portable_draws(), losses_from_logits():
            yield model


def generators(model: keras.Model) -> list[keras.Variable]:
    """A model's variables that are no weights: the states of random generators."""
    weights = {id(weight) for weight in model.weights}
    return [variable for variable in model.variables if id(variable) not in weights]


def _by_kind(state: NamedArrays) -> dict[str, NamedArrays]:
    """An optimizer's state by what it is of a weight: the scale of one kind says nothing about another's."""
    kinds: dict[str, NamedArrays] = {}
    for name, value in state:
        kind = name.rpartition("/")[2]
        kind = kind.rpartition("_")[2] if value.ndim else kind
        kinds.setdefault(f"{REMEMBERED}: {kind}", []).append((name, value))
    return kinds


def _named(variables: list[keras.Variable]) -> NamedArrays:
    return [(variable.path, np.array(variable.numpy())) for variable in variables]
