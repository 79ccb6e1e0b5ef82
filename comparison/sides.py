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
from ..engine.bundles.saved_model import is_saved_model
from ..engine.keras_model.model_bytes import keras_bytes
from ..engine.verification.model_under_test import ModelUnderTest
from ..engine.verification.verification import resolve_source
from ..errors import OptionError, PortError, first_line
from ..functions import is_file_function, load_function
from ..graph.graph import Spec
from ..models.recipe import Recipe
from ..porting.port import port_from_jax, port_from_torch
from ..porting.report import PortReport
from ..porting.targets import FORMATS
from ..porting.to_keras import is_network, port_to_keras

KERAS, TORCH, JAX, NETWORK, ARTIFACT, TENSORFLOW = "keras", "torch", "jax", "network", "artifact", "tensorflow"
_SAMPLES = 4
_OPEN_LENGTH = 8


@dataclass(frozen=True)
class Side:
    """One of the two models.

    Attributes:
        name: what the user called it.
        model: how a worker builds it.
        port: the report of the way back to Keras, for a network of another framework.
    """

    name: str
    model: ModelUnderTest
    port: PortReport | None = None

    def with_settings(self, trained: dict[str, Any], seed: int, float64: bool) -> Side:
        """Return the side, trained by the settings of `ModelUnderTest`."""
        return replace(self, model=replace(self.model, **trained, seed=seed, float64=float64))


@dataclass(frozen=True)
class Source:
    """What a user compares, before it is built.

    Attributes:
        value: a name, a path, or the object itself.
        name: what it is called in reports.
        kind: "keras", "torch", "jax", "tensorflow" (a module), "network" for a file that is rebuilt in Keras, or
            "artifact" for one that is not; else the name of a type.
        needs_examples: whether it is a module without example inputs, which the other side must tell.
        format: of an artifact, as in `porting/targets.py`.
        is_foreign: whether the artifact is a file of the user's, and was not made here from a module.
    """

    value: Any
    name: str
    kind: str
    needs_examples: bool = False
    format: str = ""
    is_foreign: bool = True


class NotRebuiltError(PortError):
    """A network cannot be rebuilt in Keras."""


def classify(source: Any) -> Source:
    """Return what a source is; a function of a user's file is called for it in a worker.

    Args:
        source: a recipe, a bundle, a run folder, a Keras model or its file, `path/to/file.py:function` that returns a
            Keras model, an `nn.Module`, or either of a module with its example inputs and a function of JAX with its
            parameters and example inputs; such a module or tuple itself; or an `.onnx` or `.pt2` file.
    """
    if not isinstance(source, (str, Path)):
        return Source(source, _object_name(source), *_kind_and_need(source))
    name = str(source)
    if is_network(Path(name)):
        return Source(name, name, NETWORK)
    if artifact_format := format_of(Path(name)):
        return Source(name, name, ARTIFACT, format=artifact_format)
    if is_file_function(name):
        return Source(name, name, *worker.get(catalog.selected().name).call(kind_of_function, name))
    return Source(name, name, KERAS)


def format_of(path: Path) -> str:
    """Return the format of an artifact that is not rebuilt in Keras; empty if a path is none."""
    if is_saved_model(path):
        return "savedmodel"
    endings = {Path(each.file).suffix: each.name for each in FORMATS if each.file and not is_network(Path(each.file))}
    return endings.get(path.suffix.lower(), "")


def as_artifact(source: Source) -> Source:
    """Return an ONNX graph as an artifact that a runtime computes, instead of rebuilding it; any other source as it is.

    A `.pt2` program stays as it is too: PyTorch would run code from it.
    """
    is_onnx = source.kind == NETWORK and str(source.value).lower().endswith(".onnx")
    return replace(source, kind=ARTIFACT, format="onnx") if is_onnx else source


def kind_of_function(source: str) -> tuple[str, bool]:
    """Return the kind of what a function of a user's file returns, and whether it needs examples; run in a worker."""
    function = load_function(source)
    return (KERAS, False) if isinstance(function, Recipe) else _kind_and_need(function())


def _kind_and_need(built: Any) -> tuple[str, bool]:
    kind = kind_of(built)
    return kind, kind in (TORCH, TENSORFLOW) and not isinstance(built, tuple)


def resolve(source: Source, folder: Path, others: Sequence[Spec] | None, listener: Listener) -> Side:
    """Return the side that a source is.

    Args:
        folder: for the files of models that are rebuilt or given as objects.
        others: the inputs of the other side, from which example inputs are drawn; None if they are not known.

    Raises:
        OptionError: it cannot be compared, or is a module without example inputs where `others` is None.
        PortError: the network cannot be rebuilt in Keras.
    """
    path = folder / f"{len(list(folder.iterdir()))}.keras"
    if source.kind == KERAS and isinstance(source.value, str):
        named, is_bundle = resolve_source(source.value)
        return Side(source.name, ModelUnderTest(named, is_bundle=is_bundle))
    if source.kind == KERAS:
        path.write_bytes(keras_bytes(source.value))
        return Side(source.name, ModelUnderTest(str(path), is_bundle=True))
    report = _rebuild(source, path, others, listener)
    if report.artifact is None:
        failed = next((check for check in report.checks if not check.passed), None)
        raise NotRebuiltError(
            f"{source.name} cannot be compared: rebuilt in Keras it does not answer the same ({failed})"
        )
    return Side(source.name, ModelUnderTest(str(report.artifact), is_bundle=True), report)


def save_module(source: Source, folder: Path, inputs: Sequence[Spec]) -> Source:
    """Return a `tf.Module` as the artifact that it becomes: a SavedModel in a folder.

    Args:
        folder: for the SavedModel.
        inputs: those of the other side, which the module is traced for.

    Raises:
        OptionError: it does not take them.
    """
    built = load_function(source.value)() if isinstance(source.value, str) else source.value
    module = built[0] if isinstance(built, tuple) else built
    path = folder / "module"
    save = load_function("trivium.backends.tensorflow.artifacts:save_module")
    try:
        save(module, [(spec.shape, spec.dtype) for spec in inputs], path)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{source.name} does not take the inputs of the other side: {first_line(error)}") from error
    return replace(source, value=str(path), kind=ARTIFACT, format="savedmodel", is_foreign=False)


def kind_of(built: Any) -> str:
    """Return "keras", "torch", "jax" or "tensorflow"; else the name of the type.

    An `nn.Module` or a `tf.Module`, and a tuple that begins with one, is of its framework; a tuple (function,
    parameters, example inputs), or of a Flax module and example inputs, is "jax".
    """
    first = built[0] if isinstance(built, tuple) and built else built
    names = {f"{base.__module__.partition('.')[0]}.{base.__name__}" for base in type(first).__mro__}
    if not isinstance(built, tuple) and names & {"keras.Model", "keras.Sequential", "keras.Functional"}:
        return KERAS
    if "torch.Module" in names:
        return TORCH
    if "tensorflow.Module" in names:
        return TENSORFLOW
    if isinstance(built, tuple) and ("flax.Module" in names or (len(built) == 3 and callable(first))):
        return JAX
    return type(built).__name__


def _rebuild(source: Source, out: Path, others: Sequence[Spec] | None, listener: Listener) -> PortReport:
    """Rebuild a network in Keras, and check it."""
    if source.kind == NETWORK:
        try:
            return port_to_keras(Path(source.value), out, lambda stage: listener({"kind": "port", "stage": stage}))
        except PortError as error:
            raise NotRebuiltError(str(error)) from error
    built = load_function(source.value)() if isinstance(source.value, str) else source.value
    if source.kind == TORCH:
        module, examples = built if isinstance(built, tuple) else (built, _examples(source.name, built, others))
        return port_from_torch(module, examples, out, listener=listener)
    if source.kind == JAX and len(built) == 2:  # a module of Flax and its example inputs
        return port_from_jax(built[0], built[1], out, listener=listener)
    if source.kind == JAX:
        return port_from_jax(built[0], built[1], built[2], out, listener=listener)
    raise OptionError(
        f"{source.name} gives a {source.kind}: compare takes a Keras model, an nn.Module or a tf.Module (alone or with "
        "its example inputs), or (function of JAX, parameters, example inputs)"
    )


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
