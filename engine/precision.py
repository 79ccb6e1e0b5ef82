"""In which floats a run computes: Keras' own dtype policies, for the time of the run.

Under a mixed policy the layers compute in 16 bits; weights, optimizer, losses and metrics keep 32. It is a way to
train, as a plan is one, and leaves no trace in what is trained: the model that comes out computes in float32, and is
saved, ported and verified as any other. The run says how it was trained.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ..backends import catalog, runtime
from ..errors import OptionError, TriviumError, first_line

if TYPE_CHECKING:
    import keras

    from .batches import Batches
    from .dataset import Split

FLOAT32 = "float32"
POLICIES = (FLOAT32, "mixed_bfloat16", "mixed_float16")


def require_known(policy: str | None) -> None:
    """Raise an OptionError unless it is one of `POLICIES`, or None for what Keras has in force."""
    if policy is not None and policy not in POLICIES:
        raise OptionError(f"precision must be {', '.join(POLICIES[:-1])} or {POLICIES[-1]}, received {policy!r}")


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
        yield
    finally:
        keras.config.set_dtype_policy(before)


def apply(model: keras.Model, policy: str | None) -> None:
    """Let a model that exists already compute by this policy: every layer, those that named theirs too."""
    if policy is not None:
        _change(model, {each for each in POLICIES if each != policy}, policy)


def settle(model: keras.Model, policy: str | None) -> None:
    """After a run: let the layers that computed by its policy compute in float32, and its loss be scaled no more."""
    if policy in (None, FLOAT32):
        return
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
        if policy in (None, FLOAT32) or not (reason := _refusal(model, data)):
            raise
        device = runtime.current().devices()[0].kind
        others = " or ".join(each for each in POLICIES if each != policy)
        raise OptionError(
            f"--precision {policy}: {catalog.selected().title} cannot train this model so on the {device} ({reason}); "
            f"take {others}"
        ) from error


def _change(model: keras.Model, policies: set[Any], policy: str) -> None:
    # Keras has no public way to all layers, the cells of recurrent ones and the parts of others among them;
    # tests/engine/test_precision.py notices when this one moves.
    for layer in model._flatten_layers():
        if layer.dtype_policy.name in policies:
            layer.dtype_policy = policy


def _refusal(model: keras.Model, data: Split | Batches) -> str:
    """The first line of what the framework says of one batch's gradients, or nothing where it computes them."""
    from .dataset import Split

    x, y = (data.x[:2], data.y[:2]) if isinstance(data, Split) else data[0][:2]
    try:
        runtime.current().gradients(model, x, y)
    except Exception as error:  # whatever this framework raises where it has no code for such floats
        return first_line(error)
    return ""
