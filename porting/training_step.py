"""Verify that a ported model takes the same training step on its new backend as on its own.

Both backends load the same file with the optimizer state and take one more training step on the same batch. The loss,
the gradients, the updated weights and the updated optimizer state must agree up to rounding. A third run from perturbed
weights measures how much rounding may change them (see `tolerances.py`).

That run misses one case. If the input of a ReLU is within rounding error of zero, or two values in a pooling window
differ by as little, the backends may choose different branches, and the gradients differ by a sample's whole share. So
if a check fails in float32, the step is repeated in float64, where such ties are a billion times rarer. The result in
float64 decides.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..backends import runtime
from ..backends.same_run.operations import portable_operations
from ..backends.same_run.portable_random import portable_draws
from ..backends.workers.worker import Worker
from ..data.dataset import Split
from ..engine.bundles import bundle as bundles
from ..engine.bundles import keras_files
from ..engine.keras_model.inference import reset_states
from ..engine.verification import parity, tolerances
from ..engine.verification.model_under_test import ModelUnderTest, StepBatches, batch_at, fresh_keras, make_batches
from ..engine.verification.tolerances import GRADIENTS, LOSS, UPDATED, BackendCheck, NamedArrays
from . import source_model
from .loaded_models import rng_variables as rng_variables

if TYPE_CHECKING:
    import keras

UPDATED_WEIGHTS, OPTIMIZER_STATE = "weights after one more step", "optimizer state after one more step"
IN_FLOAT64 = ", in float64"
_KINDS = {LOSS: LOSS, GRADIENTS: GRADIENTS, UPDATED_WEIGHTS: UPDATED, OPTIMIZER_STATE: UPDATED}


def compare(path: str, origin: str, target: str) -> tuple[BackendCheck, ...]:
    """Return the checks of one more training step on two backends; empty if one of them cannot train the model.

    Args:
        path: a bundle or a model file.
        origin, target: the names of two installed backends.
    """
    # Use new processes: in one that had trained before, the step of a loaded model gave another result.
    with Worker(origin) as home, Worker(target) as away:
        if not all(process.call(can_train, path) for process in (home, away)):
            return ()
        checks = _checks(home, away, path)
        if all(check.passed for check in checks):
            return checks
        if not all(process.call(supports_float64, path) for process in (home, away)):
            return checks
        return tuple(
            replace(check, what=f"{check.what}{IN_FLOAT64}") for check in _checks(home, away, path, in_float64=True)
        )


def _checks(home: Worker, away: Worker, path: str, in_float64: bool = False) -> tuple[BackendCheck, ...]:
    options = {**home.call(draw_batch, path), "in_float64": in_float64}
    expected = home.call(take_step, path, **options)
    perturbed = home.call(take_step, path, **options, perturbed=True)
    received = away.call(take_step, path, **options)
    return compare_steps((home.backend.name, away.backend.name), expected, perturbed, received)


def compare_steps(
    backends: tuple[str, str], expected: dict[str, Any], perturbed: dict[str, Any], received: dict[str, Any]
) -> tuple[BackendCheck, ...]:
    """Return the checks of three results of `take_step`: on two backends, and on the first from perturbed weights."""
    runs = [result["arrays"] for result in (expected, received, perturbed)]
    return tuple(_compare(what, backends, expected["dtype"], *(run[what] for run in runs)) for what in runs[0])


def _compare(
    what: str,
    backends: tuple[str, str],
    dtype: str,
    expected: NamedArrays,
    received: NamedArrays,
    perturbed: NamedArrays,
) -> BackendCheck:
    kind = _KINDS[what.partition(":")[0]]
    allowed = tolerances.derive_tolerances(dtype, {kind: expected}, {kind: perturbed})[kind]
    return tolerances.compare(what, backends, expected, received, allowed, kind=kind)


# --- run in a worker, under the chosen backend ---------------------------------------------------------------------


def can_train(path: str) -> bool:
    """Return whether this backend can train the model: it has a loss, and an optimizer that runs here.

    Keras 3.15 saves the backend-specific class of the optimizer in a model file, and this class runs on no other
    backend; a bundle does not have the problem. For a legacy `.h5` file, Keras builds an optimizer without its state.
    """
    import keras

    if Path(path).suffix.lower() in keras_files.LEGACY_ENDINGS:
        return False
    with _load_model(path) as model:
        if not model.compiled or model.loss is None:
            return False
        kind = getattr(keras.optimizers, type(model.optimizer).__name__, None)
        own = kind.from_config(model.optimizer.get_config()) if kind else model.optimizer
        return type(own) is type(model.optimizer)


def supports_float64(path: str) -> bool:
    """Return whether a model that this backend can train can be loaded in float64."""
    try:
        with _load_model(path, in_float64=True) as model:
            return {str(v.dtype) for v in model.trainable_variables} == {"float64"}
    except Exception:  # a user's own layers may raise anything in another dtype
        return False


def draw_batch(path: str) -> dict[str, Any]:
    """Draw one batch and the generator states for both backends.

    Returns:
        `batches`: one batch of the recorded inputs, or of random ones if there are none, with targets drawn for the
            loss; `states`: the states of the random generators, which a file does not store.
    """
    with _load_model(path) as model:
        data = None
        if not source_model.is_model_file(Path(path)):
            bundle = bundles.load(path)
            data = Split(bundle.input_arrays, bundle.output_arrays)
        batches = make_batches(ModelUnderTest(path, is_bundle=True), model, data, 1)
        return {"batches": batches, "states": [np.array(v.numpy()) for v in rng_variables(model)]}


def take_step(
    path: str, batches: StepBatches, states: list[np.ndarray], perturbed: bool = False, in_float64: bool = False
) -> dict[str, Any]:
    """Take one more training step from the saved optimizer state, and return its results.

    Args:
        path: a bundle or a model file, compiled.
        batches: one batch.
        states: the states of the random generators.
        perturbed: whether to perturb the weights first by the rounding error of one pass.
        in_float64: whether to compute in float64.

    Returns:
        `dtype`: the least precise dtype of the variables, which sets the tolerance; `arrays`: named arrays by quantity
            (loss, gradients, weights, optimizer state).
    """
    with _load_model(path, in_float64) as model:
        dtype = max((str(v.dtype) for v in model.trainable_variables), key=parity.tolerance, default="float32")
        if perturbed:
            values = tolerances.perturb([np.array(v.numpy()) for v in model.variables], dtype, seed=0)
            for variable, value in zip(model.variables, values, strict=True):
                variable.assign(value)
        for variable, value in zip(rng_variables(model), states, strict=True):
            variable.assign(value)
        x, y = batch_at(model, batches, 0)
        current = runtime.current()
        reset_states(model)
        loss, gradients = current.gradients(model, x, y)
        named = [(v.path, gradient) for v, gradient in zip(model.trainable_variables, gradients, strict=True)]
        weights = model.weights  # read now: a layer that carries its states may add them to its weights
        with current.carry_rnn_states(model), current.dense_gradients(model):
            model.train_on_batch(x, y)
        arrays = {
            LOSS: [("the loss of the batch", np.array(loss))],
            GRADIENTS: named,
            UPDATED_WEIGHTS: _named_arrays(weights),
            **_by_kind(_named_arrays(model.optimizer.variables)),
        }
        # In float64 too, agreement to float32 precision is enough: weights are stored in float32.
        return {"dtype": "float32" if in_float64 else dtype, "arrays": arrays}


@contextlib.contextmanager
def _load_model(path: str, in_float64: bool = False) -> Iterator[keras.Model]:
    """Load the model as saved, or in float64; in the context all backends share random numbers and loss functions."""
    with fresh_keras(float64=in_float64):
        model = source_model.load(path)
        if in_float64:
            from ..engine.keras_model.float64 import to_float64

            model = to_float64(model)
        with portable_draws(), portable_operations():
            yield model


def _by_kind(state: NamedArrays) -> dict[str, NamedArrays]:
    """Group an optimizer's state by quantity, such as momentum and velocity, since each has its own scale."""
    kinds: dict[str, NamedArrays] = {}
    for name, value in state:
        kind = name.rpartition("/")[2]
        kind = kind.rpartition("_")[2] if value.ndim else kind
        kinds.setdefault(f"{OPTIMIZER_STATE}: {kind}", []).append((name, value))
    return kinds


def _named_arrays(variables: list[keras.Variable]) -> NamedArrays:
    return [(variable.path, np.array(variable.numpy())) for variable in variables]
