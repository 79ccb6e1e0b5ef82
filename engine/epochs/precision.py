"""Train in another precision: Keras' dtype policies, in force for the time of the run only.

Under a mixed policy the layers compute in 16 bits; weights, optimizer, losses and metrics stay in float32. Under
`float64` everything is in float64: rounding is then too small for a run on one framework to diverge from the same run
on another. The precision belongs to the run, not to the model: the trained model computes in float32, and is saved,
ported and verified like any other. The run's settings record the precision.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import catalog, keras_internals, runtime
from ...errors import OptionError, TriviumError, first_line
from ..keras_model.interface import tensors_of

if TYPE_CHECKING:
    import keras

    from ...data.dataset import Split
    from .batches import TrainingBatches

FLOAT32, FLOAT64 = "float32", "float64"
MIXED = ("mixed_bfloat16", "mixed_float16")
POLICIES = (FLOAT32, *MIXED, FLOAT64)


def require_known(policy: str | None) -> None:
    """Raise an OptionError unless the policy is one of `POLICIES`, or None for Keras' current policy."""
    if policy is not None and policy not in POLICIES:
        raise OptionError(f"precision must be {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, received {policy!r}")


@contextlib.contextmanager
def global_floatx(policy: str | None) -> Iterator[None]:
    """Set the dtype of losses, metrics and the optimizer to that of the policy until the block ends.

    Only float64 needs it, wherever a float64 model is used; other policies change nothing. May be nested.
    """
    if policy != FLOAT64:
        yield
        return
    current = runtime.current()
    import keras

    before = keras.config.floatx()
    keras.config.set_floatx(FLOAT64)
    try:
        with current.double_precision():
            yield
    finally:
        keras.config.set_floatx(before)


@contextlib.contextmanager
def global_policy(policy: str | None) -> Iterator[None]:
    """Make this the dtype policy of layers that are created in the block and name no dtype of their own."""
    if policy is None:
        yield
        return
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        with global_floatx(policy):
            yield
    finally:
        keras.config.set_dtype_policy(before)


def apply_policy(model: keras.Model, policy: str | None) -> keras.Model:
    """Apply a policy to an existing model: to every layer, including those that name a dtype of their own.

    Returns the same model, or for float64 a converted copy. To be called inside `global_policy` of the same policy.
    """
    if policy == FLOAT64:
        from ..keras_model.float64 import to_float64

        return to_float64(model)
    if policy is not None:
        _replace_policies(model, {name for name in (FLOAT32, *MIXED) if name != policy}, policy)
    return model


def to_float32(model: keras.Model, policy: str | None, build_float32: Callable[[], keras.Model]) -> keras.Model:
    """Return the trained model in float32, with the weights and the optimizer state, and without loss scaling.

    Args:
        policy: of the run.
        build_float32: builds the same model in float32, compiled and untrained.
    """
    if policy == FLOAT64:
        return _copy_rounded(model, build_float32())
    if policy in MIXED:
        _remove_mixed_policy(model, policy)
    return model


def _copy_rounded(source: keras.Model, target: keras.Model) -> keras.Model:
    """Copy every variable of `source` into `target`, a model of the same layers, rounded to its dtypes."""
    target.optimizer.build(target.trainable_variables)
    pairs = zip(
        [*target.variables, *target.optimizer.variables], [*source.variables, *source.optimizer.variables], strict=True
    )
    for variable, value in pairs:
        variable.assign(np.array(value.numpy()).astype(variable.dtype))
    return target


def _remove_mixed_policy(model: keras.Model, policy: str) -> None:
    import keras

    _replace_policies(model, {policy}, FLOAT32)
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        model.optimizer = model.optimizer.inner_optimizer
    model.train_function = model.test_function = model.predict_function = None  # compiled under the mixed policy


@contextlib.contextmanager
def explain_errors(policy: str | None, model: keras.Model, data: Split | TrainingBatches) -> Iterator[None]:
    """Turn a framework's long error into one line if it cannot compute the gradients under a mixed policy.

    Raises:
        OptionError: the gradients of one batch cannot be computed either. Every other error is raised unchanged.
    """
    try:
        yield
    except (TriviumError, OSError):
        raise
    except Exception as error:
        if policy not in MIXED or not (reason := _gradient_error(model, data)):
            raise
        device = runtime.current().devices()[0].kind
        others = " or ".join(name for name in (FLOAT32, *MIXED) if name != policy)
        raise OptionError(
            f"`precision` {policy}: {catalog.selected().title} cannot train this model with it on the {device} "
            f"({reason}); use {others}"
        ) from error


def _replace_policies(model: keras.Model, policies: set[Any], policy: str) -> None:
    for layer in keras_internals.all_layers(model):
        if layer.dtype_policy.name in policies:
            layer.dtype_policy = policy


def _gradient_error(model: keras.Model, data: Split | TrainingBatches) -> str:
    """Return the first line of the framework's error for one batch's gradients, or an empty string."""
    from ...data.dataset import Split

    x, y = tensors_of(data.take(slice(0, 2)).arrays[:2] if isinstance(data, Split) else data[0][:2])
    try:
        runtime.current().gradients(model, x, y)
    except Exception as error:  # whatever the framework raises when it has no kernel for this dtype
        return first_line(error)
    return ""
