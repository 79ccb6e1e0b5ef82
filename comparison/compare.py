"""Compare two models that were written independently: layer by layer, by gradients, steps and a curve of losses.

The weights of the first are carried over to the second by a map that is found (`matching.py`, `weight_map.py`). Both
then compute with the same batches, each in a worker of its backend, and what they compute is compared in the order in
which a difference spreads, within the tolerances that `engine/verification` measures.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..backends import catalog
from ..backends.workers import worker
from ..backends.workers.worker import Listener
from ..errors import OptionError
from ..graph.graph import Spec
from ..notebook.live import shows_progress
from ..storage.atomic import require_empty_folder, require_writable_file
from . import sides
from .artifact_comparison import ARTIFACTS, compare_with_artifact
from .description import describe, from_message
from .map_file import read_map, write_map
from .model_comparison import ModelComparison
from .report import ComparisonReport
from .sides import NotRebuiltError, Side, Source

STEPS = 20


@shows_progress
def compare(
    a: Any,
    b: Any,
    *,
    copy: bool | str | Path = True,
    known_pairs: Mapping[str, str] | str | Path | None = None,
    map_out: str | Path | None = None,
    reduce: str | Path | None = None,
    backends: Sequence[str] = (),
    steps: int = STEPS,
    float64: bool = False,
    loss: str = "mean_squared_error",
    optimizer: str = "sgd",
    seed: int = 1,
    listener: Listener | None = None,
) -> ComparisonReport:
    """Compare two models that were written independently.

    Args:
        a, b: each a recipe, a bundle, a run folder, a Keras model or its file, an `.onnx` or `.pt2` file, an
            `nn.Module` or `tf.Module` (or `(module, example_inputs)`), `(function of JAX, parameters, example_inputs)`,
            or `path/to/file.py:function` that returns one of these. One of the two may be an artifact (OpenVINO,
            LiteRT, SavedModel): its answers are compared, and the results inside; a `tf.Module` becomes one.
        copy: carry the weights of `a` over to `b` before they compute; a `.keras` file to write `b` to with them, too.
            If False, both compute with their own.
        known_pairs: the names of layers of `b` by those of `a`, where the map that is found is wrong; or a file with a
            line `layer of a: layer of b` for each.
        map_out: a file to write the map to in this form.
        reduce: a folder, which must be empty or not be there, for the smallest parts of the two that still differ, on
            one sample, with a script that runs without trivium. It is written only if one pass differs.
        backends: on which `a` and `b` compute: one name or two. The default is the selected backend.
        steps: the number of training steps.
        float64: compute in float64.
        loss, optimizer: Keras' names of those to train both by.
        seed: of the inputs and targets that are drawn.
        listener: called with `{"kind": "verify", "title", "stage", "done", "total"}` events.

    Returns:
        The report: the map of the weights, every check, the first place where they part, and its causes.

    Raises:
        OptionError: a side is nothing that can be compared, or the two take other inputs.
        PortError: a network cannot be rebuilt in Keras, or a layer cannot be read.
        FileError, OutputError: a map cannot be read, or a file cannot be written.

    Example:
        >>> import torch
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 8), torch.nn.ReLU(), torch.nn.Linear(8, 3))
        >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(3)])
        >>> trivium.compare((net, (torch.randn(2, 4),)), model, steps=2).passed
        True
    """
    names = _two_backends(backends)
    if steps < 1:
        raise OptionError(f"steps must be 1 or more, received {steps}")
    announce = listener or (lambda event: None)
    pairs = read_map(Path(known_pairs)) if isinstance(known_pairs, (str, Path)) else dict(known_pairs or {})
    out = None if isinstance(copy, bool) else Path(copy)
    if reduce is not None:
        require_empty_folder(Path(reduce))
    for path in (out, map_out):
        if path is not None:
            require_writable_file(Path(path))
    sources = sides.classify(a), sides.classify(b)
    runnable = _runnable(sources, out is None and not pairs and map_out is None and reduce is None and not float64)
    with tempfile.TemporaryDirectory() as scratch:
        run = functools.partial(compare_with_artifact, runnable or sources, Path(scratch), names, seed, announce)
        if any(source.kind in ARTIFACTS for source in sources):
            return run()
        try:
            pair = _resolve_both(sources, Path(scratch), announce)
        except NotRebuiltError as error:
            if runnable is None:
                raise
            return run(note=str(error))
        trained = {"loss": loss, "optimizer": optimizer, "without_dropout": True}
        pair = pair[0].with_settings(trained, seed, float64), pair[1].with_settings(trained, seed, float64)
        comparison = ModelComparison(pair, names, announce, pairs)
        if runnable and not comparison.maps_all_weights:
            return run(note="Not every weight has a counterpart, so both compute with their own.")
        if map_out is not None:
            write_map(Path(map_out), comparison.matching)
        return comparison.judge(steps, copy is not False, out, None if reduce is None else Path(reduce))


def _runnable(sources: tuple[Source, Source], is_plain: bool) -> tuple[Source, Source] | None:
    """Return the sources with an ONNX graph as an artifact, which its runtime can compute; None if both are models.

    Args:
        is_plain: whether nothing is asked for that needs the layers and weights of both.
    """
    if not is_plain and any(source.kind in ARTIFACTS for source in sources):
        raise OptionError("an artifact computes as it is: leave out the map, the copy, the reduction, float64")
    as_run = sides.as_artifact(sources[0]), sides.as_artifact(sources[1])
    return as_run if is_plain and sum(source.kind in ARTIFACTS for source in as_run) == 1 else None


def _two_backends(names: Sequence[str]) -> tuple[str, str]:
    if len(names) > 2:
        raise OptionError(f"compare computes on one backend or two, received {', '.join(names)}")
    chosen = [backend.name for backend in catalog.resolve(names)] if names else [catalog.selected().name]
    return chosen[0], chosen[-1]


def _resolve_both(sources: tuple[Source, Source], folder: Path, listener: Listener) -> tuple[Side, Side]:
    """Resolve first the side that tells its inputs, where the other has no example inputs."""
    if all(source.needs_examples for source in sources):
        raise OptionError("neither side tells example inputs: let one function return (module, example_inputs)")
    resolved: dict[int, Side] = {}
    for place in sorted((0, 1), key=lambda place: sources[place].needs_examples):
        specs = _inputs_of(resolved[1 - place]) if sources[place].needs_examples else None
        resolved[place] = sides.resolve(sources[place], folder, specs, listener)
    return resolved[0], resolved[1]


def _inputs_of(side: Side) -> list[Spec]:
    message = worker.get(catalog.selected().name).call(describe, asdict(side.model))
    return [each.spec for each in from_message(message).graph.inputs]
