"""A model loaded in this process for inference, by Keras or an inference engine, so that predictions can be timed."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..backends import runtime
from ..errors import OptionError, first_line
from ..models.recipe import find
from ..storage.memory import memory_peak
from . import machine

KERAS, ONNX_RUNTIME, OPENVINO, LITERT = "predict", "onnxruntime", "openvino", "litert"
RUNNERS = (KERAS, ONNX_RUNTIME, OPENVINO, LITERT)
# The engine that computes an artifact of each format, and the package that has it.
FORMATS = {"onnx": ONNX_RUNTIME, "openvino": OPENVINO, "litert": LITERT}
PACKAGES = {ONNX_RUNTIME: "onnxruntime", OPENVINO: "openvino", LITERT: "ai_edge_litert"}
PERCENTILES = (50, 90, 99)

# One timing takes about this long: a single small prediction is too short for the clock.
_SECONDS = 0.05
_MAX_CALLS = 200
# Percentiles are of at least so many predictions, as far as they take no longer than so many seconds.
_FEWEST_LATENCIES, _MOST_SECONDS = 1000, 2.0

Predict = Callable[[np.ndarray], np.ndarray]


class InferenceSession:
    """A recipe's model that predicts batches of one size. One prediction is timed, from array to array.

    Args:
        recipe: the name of a recipe.
        runner: one of `RUNNERS`; an engine gets the model that Keras exports for it.
        batch_size: samples in a prediction.
        threads: the threads of an engine; all cores by default.

    Attributes:
        first_epoch, warm_epoch: seconds of the first and of the second prediction.
        memory: peak bytes of main memory, above that of the imported framework.

    Raises:
        OptionError: the outputs of the engine differ from those of Keras.
    """

    def __init__(self, recipe: str, runner: str = KERAS, batch_size: int = 1, threads: int | None = None):
        before = machine.reset_memory_peak()
        began = time.perf_counter()
        builder = find(recipe)
        self._model = builder(**builder.complete({}))
        shape = [batch_size, *(size or 1 for size in self._model.inputs[0].shape[1:])]
        self._x = np.random.default_rng(0).uniform(size=shape).astype(self._model.inputs[0].dtype)
        self._latencies: list[float] = []
        self._predict = _ENGINES[runner](self._model, self._x, threads)
        self.build = time.perf_counter() - began
        self.parameters, self.samples = self._model.count_params(), batch_size
        self.plan: dict[str, Any] = {}
        self.first_epoch, self.warm_epoch = self._time(1), self._time(1)
        self._calls_per_timing = max(1, min(_MAX_CALLS, round(_SECONDS / self.warm_epoch)))
        self.memory = memory_peak() - before
        self._latencies.clear()
        _require_equal_outputs(runner, self._predict(self._x), _by_keras(self._model, self._x, None)(self._x))

    def predict(self) -> np.ndarray:
        """Return the outputs for the session's inputs, (batch_size, …)."""
        return self._predict(self._x)

    def time_epoch(self) -> float:
        """Return the seconds of one prediction, the mean of several."""
        return self._time(self._calls_per_timing) / self._calls_per_timing

    def latencies(self) -> dict[str, Any]:
        """Return the `mean` and the percentiles, such as `p99`, of the seconds of all predictions, and their number.

        They are those of the rounds, and some more if there were few.
        """
        began = time.perf_counter()
        while len(self._latencies) < _FEWEST_LATENCIES and time.perf_counter() - began < _MOST_SECONDS:
            self._time(1)
        values = np.percentile(self._latencies, PERCENTILES)
        percentiles = {f"p{rank}": float(value) for rank, value in zip(PERCENTILES, values, strict=True)}
        return {"n": len(self._latencies), "mean": float(np.mean(self._latencies)), **percentiles}

    def flops(self) -> list[dict[str, Any]]:
        from dataclasses import asdict

        from .flops import count

        return [asdict(cost) for cost in count(self._model, self.samples)]

    def work(self, counted: Mapping[str, Any]) -> dict[str, float]:
        """Return the operations and the least bytes of one prediction, from the sums of `flops.total`."""
        return {"operations": counted["forward"] * self.samples, "traffic": counted["answering"] * self.samples}

    def _time(self, predictions: int) -> float:
        total = 0.0
        for _ in range(predictions):
            began = time.perf_counter()
            self._predict(self._x)
            self._latencies.append(time.perf_counter() - began)
            total += self._latencies[-1]
        return total


def _by_keras(model: Any, x: np.ndarray, threads: int | None) -> Predict:
    return lambda x: np.asarray(model.predict_on_batch(x))


def _by_onnx_runtime(model: Any, x: np.ndarray, threads: int | None) -> Predict:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or runtime.cores()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _export(model, path, "onnx", x)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: np.asarray(session.run(None, {name: x})[0])


def _by_openvino(model: Any, x: np.ndarray, threads: int | None) -> Predict:
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        _export(model, path, "openvino", x)
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": threads or runtime.cores(), "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(path), "CPU", settings)
    return lambda x: np.asarray(compiled(x)[0])


def _by_litert(model: Any, x: np.ndarray, threads: int | None) -> Predict:
    from ai_edge_litert.interpreter import Interpreter

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.tflite"
        _export(model, path, "litert", x)
        interpreter = Interpreter(model_content=path.read_bytes(), num_threads=threads or runtime.cores())
    (signature,) = interpreter.get_signature_list().values()
    (name,), (output,) = signature["inputs"], signature["outputs"]
    run = interpreter.get_signature_runner()
    return lambda x: np.asarray(run(**{name: x})[output])


_ENGINES: dict[str, Callable[[Any, np.ndarray, int | None], Predict]] = {
    KERAS: _by_keras,
    ONNX_RUNTIME: _by_onnx_runtime,
    OPENVINO: _by_openvino,
    LITERT: _by_litert,
}


def _export(model: Any, path: Path, kind: str, x: np.ndarray) -> None:
    import keras

    signature = [keras.InputSpec(shape=x.shape, dtype=model.inputs[0].dtype)]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        model.export(str(path), format=kind, input_signature=signature, verbose=False)
    except Exception as error:  # the exporters of three frameworks raise anything
        raise OptionError(f"this backend cannot export {model.name} for {kind}: {first_line(error)}") from error


def _require_equal_outputs(runner: str, outputs: np.ndarray, expected: np.ndarray) -> None:
    if outputs.shape != expected.shape or not np.allclose(outputs, expected, rtol=1e-3, atol=1e-4):
        raise OptionError(f"{runner} and Keras predict different values, so their times cannot be compared")


def require_runner(recipe: str, runner: str) -> None:
    """Run in a worker: raise a TriviumError unless this runner can predict here."""
    InferenceSession(recipe, runner)
