"""The two sides of a comparison: whatever a user has, as a Keras model that a worker can build.

A network of another framework is rebuilt in Keras by the way back of `porting/`, which checks that the rebuilt model
answers and trains as the network does. So what is compared here is the network itself, up to that check.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import catalog
from ..backends.workers import worker
from ..backends.workers.worker import Listener
from ..engine.keras_model.model_bytes import keras_bytes
from ..engine.verification.model_under_test import ModelUnderTest
from ..engine.verification.verification import resolve_source
from ..errors import OptionError, PortError
from ..functions import is_file_function, load_function
from ..graph.graph import Spec
from ..porting.port import port_from_jax, port_from_torch
from ..porting.report import PortReport
from ..porting.to_keras import is_network, port_to_keras

KERAS, TORCH, JAX = "keras", "torch", "jax"
_SAMPLES = 4
_OPEN_LENGTH = 8


@dataclass(frozen=True)
class Side:
    """One of the two models.

    Attributes:
        name: what the user called it.
        model: how a worker builds it.
        rebuilt: the report of the way back to Keras, for a network of another framework.
    """

    name: str
    model: ModelUnderTest
    rebuilt: PortReport | None = None

    def with_settings(self, trained: dict[str, Any], seed: int, float64: bool) -> Side:
        """Return the side, trained by the settings of `ModelUnderTest`."""
        return replace(self, model=replace(self.model, **trained, seed=seed, float64=float64))


def resolve(source: Any, folder: Path, others: Sequence[Spec] | None, listener: Listener) -> Side:
    """Return the side that a source is.

    Args:
        source: a recipe, a bundle, a run folder, a Keras model or its file, `path/to/file.py:function` that returns a
            Keras model, an `nn.Module`, or either of a module with its example inputs and a function of JAX with its
            parameters and example inputs; such a module or tuple itself; or an `.onnx` or `.pt2` file.
        folder: for the files of models that are rebuilt or given as objects.
        others: the inputs of the other side, from which example inputs are drawn; None if they are not known yet.

    Raises:
        OptionError: it is none of these, or a module without example inputs where `others` is None.
        PortError: the network cannot be rebuilt in Keras.
    """
    if isinstance(source, (str, Path)):
        return _resolve_name(str(source), folder, others, listener)
    kind = kind_of(source)
    name = _object_name(source)
    if kind == KERAS:
        path = folder / f"{len(list(folder.iterdir()))}.keras"
        path.write_bytes(keras_bytes(source))
        return Side(name, ModelUnderTest(str(path), is_bundle=True))
    return _rebuild(name, source, kind, folder, others, listener)


def needs_examples(source: Any) -> bool:
    """Return whether a source is a module without example inputs, which the other side must tell."""
    if isinstance(source, (str, Path)):
        if not is_file_function(str(source)):
            return False
        return bool(worker.get(catalog.selected().name).call(asks_for_examples, str(source)))
    return kind_of(source) == TORCH and not isinstance(source, tuple)


def asks_for_examples(source: str) -> bool:
    """Return whether a function of a user's file returns a module without example inputs; called in a worker."""
    built = load_function(source)()
    return kind_of(built) == TORCH and not isinstance(built, tuple)


def kind_of(built: Any) -> str:
    """Return "keras", "torch" or "jax"; else the name of the type.

    An `nn.Module`, and a tuple that begins with one, is "torch"; a tuple (function, parameters, example inputs), or of
    a Flax module and example inputs, is "jax".
    """
    first = built[0] if isinstance(built, tuple) and built else built
    names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(first).__mro__}
    if not isinstance(built, tuple) and names & {"keras.Model", "keras.Sequential", "keras.Functional"}:
        return KERAS
    if "torch.Module" in names:
        return TORCH
    if isinstance(built, tuple) and ("flax.Module" in names or (len(built) == 3 and callable(first))):
        return JAX
    return type(built).__name__


def _resolve_name(source: str, folder: Path, others: Sequence[Spec] | None, listener: Listener) -> Side:
    path = Path(source)
    if is_network(path):
        out = folder / f"{len(list(folder.iterdir()))}.keras"
        report = port_to_keras(path, out, lambda stage: listener({"kind": "port", "stage": stage}))
        return _rebuilt_side(source, report)
    if is_file_function(source):
        kind = worker.get(catalog.selected().name).call(kind_of_function, source)
        if kind != KERAS:
            return _rebuild(source, load_function(source)(), kind, folder, others, listener)
    named, is_bundle = resolve_source(source)
    return Side(source, ModelUnderTest(named, is_bundle=is_bundle))


def kind_of_function(source: str) -> str:
    """Return the kind of what a function of a user's file returns; called in a worker."""
    from ..models.recipe import Recipe

    function = load_function(source)
    return KERAS if isinstance(function, Recipe) else kind_of(function())


def _rebuild(name: str, built: Any, kind: str, folder: Path, others: Sequence[Spec] | None, listener: Listener) -> Side:
    out = folder / f"{len(list(folder.iterdir()))}.keras"
    if kind == TORCH:
        module, examples = built if isinstance(built, tuple) else (built, _examples(name, built, others))
        return _rebuilt_side(name, port_from_torch(module, examples, out, listener=listener))
    if kind == JAX:
        return _rebuilt_side(name, _port_from_jax(built, out, listener))
    raise OptionError(
        f"{name} gives a {kind}: compare takes a Keras model, an nn.Module (alone or with its example inputs), or "
        "(function of JAX, parameters, example inputs)"
    )


def _port_from_jax(built: tuple[Any, ...], out: Path, listener: Listener) -> PortReport:
    if len(built) == 2:  # a module of Flax and its example inputs
        return port_from_jax(built[0], built[1], out, listener=listener)
    return port_from_jax(built[0], built[1], built[2], out, listener=listener)


def _rebuilt_side(name: str, report: PortReport) -> Side:
    if report.artifact is None:
        failed = next((check for check in report.checks if not check.passed), None)
        raise PortError(f"{name} cannot be compared: rebuilt in Keras it does not answer the same ({failed})")
    return Side(name, ModelUnderTest(str(report.artifact), is_bundle=True), report)


def _examples(name: str, module: Any, others: Sequence[Spec] | None) -> tuple[Any, ...]:
    """Return example inputs for a module: as the other side takes them, channels last or first, whichever it takes."""
    if others is None:
        raise OptionError(f"{name} tells no example inputs: let the function return (module, example_inputs)")
    example_tensors = load_function("trivium.backends.torch.programs:example_tensors")
    reasons = []
    for channels_first in (False, True):
        try:
            return tuple(example_tensors(module, [_draw(spec, channels_first) for spec in others]))
        except PortError as error:
            reasons.append(str(error))
    raise OptionError(f"{'; '.join(dict.fromkeys(reasons))}; let {name} return (module, example_inputs)")


def _draw(spec: Spec, channels_first: bool) -> np.ndarray:
    generator = np.random.default_rng(0)
    shape = [_SAMPLES, *(_OPEN_LENGTH if length is None else length for length in spec.shape[1:])]
    if channels_first and len(shape) > 2:
        shape = [shape[0], shape[-1], *shape[1:-1]]
    if "float" in spec.dtype:
        return generator.standard_normal(shape, dtype="float32")
    return generator.integers(0, 2, shape)


def _object_name(source: Any) -> str:
    first = source[0] if isinstance(source, tuple) and source else source
    return str(getattr(first, "__name__", type(first).__name__))
