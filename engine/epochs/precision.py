"""In which floats a run computes: Keras' own dtype policies, for the time of the run.

Under a mixed policy the layers compute in 16 bits; weights, optimizer, losses and metrics keep 32. In float64 all of it
has 64: then rounding is too small for a run on one framework to part from the same run on another. Either is a way to
train, as a plan is one, and leaves no trace in what is trained: the model that comes out computes in float32, and is
saved, ported and verified as any other. The run says how it was trained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ...backends import catalog, runtime
from ...errors import OptionError, TriviumError, first_line

if TYPE_CHECKING:
    import keras

    from ..data.dataset import Split
    from .batches import Batches

FLOAT32, FLOAT64 = "float32", "float64"
MIXED = ("mixed_bfloat16", "mixed_float16")
POLICIES = (FLOAT32, *MIXED, FLOAT64)


def require_known(policy: str | None) -> None:
    """Raise an OptionError unless it is one of `POLICIES`, or None for what Keras has in force."""
    if policy is not None and policy not in POLICIES:
        raise OptionError(f"precision must be {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, received {policy!r}")


@contextlib.contextmanager
def computing(policy: str | None) -> Iterator[None]:
    """While it lasts, what no layer computes is as wide as the policy asks for: losses, metrics, the optimizer.

    Only float64 asks for more than is usual. It must be in force wherever a model of that width is used. May be nested.
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
def building(policy: str | None) -> Iterator[None]:
    """While it lasts, layers that name no dtype of their own are made to compute by this policy."""
    if policy is None:
        yield
        return
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        with computing(policy):
            yield
    finally:
        keras.config.set_dtype_policy(before)


def applied(model: keras.Model, policy: str | None) -> keras.Model:
    """A model that exists already, computing by this policy: every layer, those that named theirs too.

    It is the same model, or in float64 one like it. To be called while `building` for that policy.
    """
    if policy == FLOAT64:
        from ..keras_model.float64 import widened

        return widened(model)
    if policy is not None:
        _change(model, {each for each in (FLOAT32, *MIXED) if each != policy}, policy)
    return model


def settled(model: keras.Model, policy: str | None, anew: Callable[[], keras.Model]) -> keras.Model:
    """After a run: the model in float32, with what it and its optimizer have learnt; its loss is scaled no more.

    Args:
        policy: of the run.
        anew: makes the same model in float32, compiled and untrained.
    """
    if policy == FLOAT64:
        return _rounded(model, anew())
    if policy in MIXED:
        _unmix(model, policy)
    return model


def _rounded(trained: keras.Model, found: keras.Model) -> keras.Model:
    """`found` with every value of a model that is its like, rounded to its own floats."""
    found.optimizer.build(found.trainable_variables)
    pairs = zip(
        [*found.variables, *found.optimizer.variables], [*trained.variables, *trained.optimizer.variables], strict=True
    )
    for mine, theirs in pairs:
        mine.assign(np.array(theirs.numpy()).astype(mine.dtype))
    return found


def _unmix(model: keras.Model, policy: str) -> None:
    import keras

    _change(model, {policy}, FLOAT32)
    if isinstance(model.optimizer, keras.optimizers.LossScaleOptimizer):
        model.optimizer = model.optimizer.inner_optimizer
    model.train_function = model.test_function = model.predict_function = None  # compiled as it was


@contextlib.contextmanager
def explained(policy: str | None, model: keras.Model, data: Split | Batches) -> Iterator[None]:
    """Say in a line what a framework says in many where it cannot compute the model's gradients by a mixed policy.

    Raises:
        OptionError: it cannot, as a single step shows; whatever else goes wrong is raised as it is.
    """
    try:
        yield
    except (TriviumError, OSError):
        raise
    except Exception as error:
        if policy not in MIXED or not (reason := _refusal(model, data)):
            raise
        device = runtime.current().devices()[0].kind
        others = " or ".join(each for each in (FLOAT32, *MIXED) if each != policy)
        raise OptionError(
            f"--precision {policy}: {catalog.selected().title} cannot train this model so on the {device} ({reason}); "
            f"take {others}"
        ) from error


def _change(model: keras.Model, policies: set[Any], policy: str) -> None:
    # Keras has no public way to all layers, the cells of recurrent ones and the parts of others among them;
    # tests/engine/epochs/test_precision.py notices when this one moves.
    for layer in model._flatten_layers():
        if layer.dtype_policy.name in policies:
            layer.dtype_policy = policy


def _refusal(model: keras.Model, data: Split | Batches) -> str:
    """The first line of what the framework says of one batch's gradients, or nothing where it computes them."""
    from ..data.dataset import Split

    x, y = (data.x[:2], data.y[:2]) if isinstance(data, Split) else data[0][:2]
    try:
        runtime.current().gradients(model, x, y)
    except Exception as error:  # whatever this framework raises where it has no code for such floats
        return first_line(error)
    return ""
