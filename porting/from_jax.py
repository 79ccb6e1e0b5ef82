"""Port a function of JAX, or a module of Flax NNX, to Keras, and verify the Keras model as `to_keras.py` does.

The function is traced and run in the process of its author, where its code is; nothing is written to a file. The traced
graph and its weights go to the worker of the selected backend as plain data, and come back as a Keras model.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, overload

import numpy as np

from ..backends import catalog
from ..backends.workers import worker
from ..backends.workers.worker import Listener
from ..errors import PortError
from ..functions import load_function
from ..notebook.live import shows_progress
from . import targets
from .artifact_runtimes import NamedBatches
from .converters import load_converters, resolve_file
from .destination import choose_destination
from .graph_to_keras.jaxpr import graph
from .graph_to_keras.messages import to_message
from .report import PortReport
from .source_step import SourceStep
from .to_keras import KerasPort, rebuild_graph

_PROGRAMS = "trivium.backends.jax.programs"


@overload
def port_from_jax(
    function: Callable[..., Any],
    params: Any,
    example_inputs: Any,
    out: str | Path = "model.keras",
    *,
    inference_only: bool = False,
    converters: str | Path | None = None,
    listener: Listener | None = None,
) -> PortReport: ...


@overload
def port_from_jax(
    function: Any,
    params: Any,
    example_inputs: str | Path = "model.keras",
    *,
    inference_only: bool = False,
    converters: str | Path | None = None,
    listener: Listener | None = None,
) -> PortReport: ...


@shows_progress
def port_from_jax(
    function: Any,
    params: Any,
    example_inputs: Any = None,
    out: str | Path = "model.keras",
    *,
    inference_only: bool = False,
    converters: str | Path | None = None,
    listener: Listener | None = None,
) -> PortReport:
    """Rebuild a function of JAX, or a module of Flax NNX, as a Keras model.

    Args:
        function: called as `function(params, *example_inputs)`; it returns arrays with one answer per sample. Or an
            `nnx.Module`, which is run in eval mode and not changed.
        params: a tree of arrays. Those of floats become trainable weights under their names in the tree; integers, and
            arrays that the function closes over, are not trained. With a module this argument is left out:
            `port_from_jax(module, example_inputs, out)`. Then each `nnx.Param` is trained.
        example_inputs: the arrays to call it with; the first axis of each is the batch axis.
        out: a `.keras` file, with its report beside it as `NAME.keras.port.json`, or a folder for `model.keras` and
            `port.json`. An earlier port of the same name is replaced.
        inference_only: whether to compare answers alone. Otherwise one training step of both is compared too, and a
            model that Keras would train otherwise is not kept, such as one with tied weights.
        converters: a file of yours with functions that compute what Keras has no counterpart of: see
            `trivium.converter`.
        listener: called with `{"kind": "port", "stage": …}` events.

    Returns:
        The report. If a check failed, `passed` is false and no file was written. The function and the Keras model are
        compared on `example_inputs` (named "recorded"), on random, single and extreme inputs, and by a training step.

    Raises:
        PortError: the function cannot be traced, draws random numbers, decides by the values of arrays, depends on the
            batch size, or has primitives that are not supported, each of which is named with its line.
        OutputError: the model cannot be written.
        OptionError: the file of converters is missing or raises an error.

    Example:
        >>> import jax.numpy as jnp
        >>> def net(params, x):
        ...     return jnp.tanh(x @ params["kernel"])
        >>> report = trivium.port_from_jax(net, {"kernel": jnp.ones((4, 3))}, (jnp.ones((2, 4)),), "net.keras")
        >>> report.verdict, keras.saving.load_model(report.artifact).output_shape
        ('same', (None, 3))
    """

    def announce(stage: str) -> None:
        if listener:
            listener({"kind": "port", "stage": stage})

    catalog.require("jax")
    is_module, of_module, of_function, as_arrays, trace, answers, answers_after_step = (
        load_function(f"{_PROGRAMS}:{name}")
        for name in ("is_module", "of_module", "of_function", "as_arrays", "trace", "answers", "answers_after_step")
    )
    if is_module(function):
        out = out if example_inputs is None else example_inputs
        network, inputs = of_module(function), params
    elif not callable(function):
        raise PortError(f"expected a function of JAX or a module of Flax NNX, received {type(function).__name__}")
    elif example_inputs is None:
        raise PortError("port_from_jax(function, params, example_inputs): the example inputs are missing")
    else:
        network, inputs = of_function(function, params), example_inputs
    recorded = as_arrays(inputs)
    destination = choose_destination(Path(network.name), targets.KERAS, "model.keras", Path(out))
    announce("tracing it by JAX")
    converters_file = resolve_file(converters)
    message = to_message(graph.to_graph(trace(network, recorded), load_converters(converters_file)))

    def rebuild(artifact: Path) -> dict[str, Any]:
        options = (message, str(artifact), inference_only, converters_file)
        return dict(worker.get(catalog.selected().name).call(rebuild_graph, *options))

    def run_network(batches: NamedBatches, size: int | None, names: list[list[str]]) -> dict[str, Any]:
        announce("running the function")
        return dict(answers(network, batches))

    def step_network(step: SourceStep) -> list[np.ndarray]:
        announce("taking a training step with both")
        return list(answers_after_step(network, step.inputs, step.targets, step.rate))

    source = {"source_function": network.name}
    step = None if inference_only else step_network
    return KerasPort(source, destination, "jax", announce, rebuild, step).run(recorded, run_network)
