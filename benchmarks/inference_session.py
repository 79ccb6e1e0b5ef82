"""A model made ready in this process to answer, by Keras or by an inference engine, so that answers can be timed."""

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
from . import machine

KERAS, ONNX_RUNTIME, OPENVINO = "predict", "onnxruntime", "openvino"
RUNNERS = (KERAS, ONNX_RUNTIME, OPENVINO)

# One sample lasts about so long: a single small answer is shorter than what a clock can be trusted with.
_SECONDS = 0.05
_MOST_ANSWERS = 200

Answer = Callable[[np.ndarray], np.ndarray]


class Answering:
    """A recipe's model that answers batches of one size. Timed is one answer, from an array to an array.

    Args:
        recipe: a name.
        runner: one of `RUNNERS`; the engines are given what Keras exports for them.
        batch_size: samples in an answer.
        threads: of an engine; its own choice by default.

    Attributes:
        first_epoch, warm_epoch: seconds of the first answer and of the second.
        memory: bytes of main memory that it took at most, above the imported framework.

    Raises:
        OptionError: the engine answers something else than Keras.
    """

    def __init__(self, recipe: str, runner: str = KERAS, batch_size: int = 1, threads: int | None = None):
        before = machine.reset_memory_peak()
        began = time.perf_counter()
        found = find(recipe)
        self._model = found(**found.complete({}))
        shape = [batch_size, *(size or 1 for size in self._model.inputs[0].shape[1:])]
        self._x = np.random.default_rng(0).uniform(size=shape).astype(self._model.inputs[0].dtype)
        self._answer = _ENGINES[runner](self._model, self._x, threads)
        self.build = time.perf_counter() - began
        self.parameters, self.samples = self._model.count_params(), batch_size
        self.plan: dict[str, Any] = {}
        self.first_epoch, self.warm_epoch = self._time(1), self._time(1)
        self._answers = max(1, min(_MOST_ANSWERS, round(_SECONDS / self.warm_epoch)))
        self.memory = runtime.memory_peak() - before
        _require_same(runner, self._answer(self._x), _by_keras(self._model, self._x, None)(self._x))

    def answer(self) -> np.ndarray:
        """(batch_size, …) outputs for the inputs that it has."""
        return self._answer(self._x)

    def epoch(self) -> float:
        """Seconds of an answer, the mean of some."""
        return self._time(self._answers) / self._answers

    def flops(self) -> list[dict[str, Any]]:
        from dataclasses import asdict

        from .flops import count

        return [asdict(cost) for cost in count(self._model, self.samples)]

    def work(self, counted: Mapping[str, Any]) -> dict[str, float]:
        """Operations and, at least, bytes of an answer, from `flops.total`."""
        return {"operations": counted["forward"] * self.samples, "traffic": counted["answering"] * self.samples}

    def _time(self, answers: int) -> float:
        began = time.perf_counter()
        for _ in range(answers):
            self._answer(self._x)
        return time.perf_counter() - began


def _by_keras(model: Any, x: np.ndarray, threads: int | None) -> Answer:
    return lambda x: np.asarray(model.predict_on_batch(x))


def _by_onnx_runtime(model: Any, x: np.ndarray, threads: int | None) -> Answer:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or runtime.cores()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        _export(model, path, "onnx", x)
        session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return lambda x: np.asarray(session.run(None, {name: x})[0])


def _by_openvino(model: Any, x: np.ndarray, threads: int | None) -> Answer:
    import openvino

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.xml"
        _export(model, path, "openvino", x)
        core = openvino.Core()
        settings = {"INFERENCE_NUM_THREADS": threads or runtime.cores(), "INFERENCE_PRECISION_HINT": "f32"}
        compiled = core.compile_model(core.read_model(path), "CPU", settings)
    return lambda x: np.asarray(compiled(x)[0])


_ENGINES: dict[str, Callable[[Any, np.ndarray, int | None], Answer]] = {
    KERAS: _by_keras,
    ONNX_RUNTIME: _by_onnx_runtime,
    OPENVINO: _by_openvino,
}


def _export(model: Any, path: Path, kind: str, x: np.ndarray) -> None:
    import keras

    signature = [keras.InputSpec(shape=x.shape, dtype=model.inputs[0].dtype)]
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        model.export(str(path), format=kind, input_signature=signature, verbose=False)
    except Exception as error:  # whatever the exporters of three frameworks raise
        raise OptionError(f"this backend cannot export {model.name} for {kind}: {first_line(error)}") from error


def _require_same(runner: str, answer: np.ndarray, expected: np.ndarray) -> None:
    if answer.shape != expected.shape or not np.allclose(answer, expected, rtol=1e-3, atol=1e-4):
        raise OptionError(f"{runner} answers something else than Keras: its times would say nothing")


def try_out(recipe: str, runner: str) -> None:
    """Run in a worker: raise a TriviumError unless this runner can answer here."""
    Answering(recipe, runner)
