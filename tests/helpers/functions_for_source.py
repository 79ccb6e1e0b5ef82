"""Write models of `keras.applications` with random weights as source; run in workers by test_source_code.py."""

import importlib
import time
from pathlib import Path

import numpy as np

SIZES = {"InceptionV3": 75, "Xception": 71}


def write_application(name, framework, folder):
    """Write an application's source and its outputs for two images; return the seconds for reading and writing."""
    import keras

    from trivium.porting import source_code
    from trivium.porting.keras_to_graph.model import read

    size = SIZES.get(name, 32)
    model = getattr(keras.applications, name)(
        weights=None, input_shape=(size, size, 3), classes=10, classifier_activation=None
    )
    generator = np.random.default_rng(0)
    for variable in model.variables:
        _randomise(variable, generator)
    images = generator.uniform(0, 255, (2, size, size, 3)).astype("float32")
    answers = np.asarray(model.predict(images, verbose=0))
    room = importlib.import_module(f"trivium.backends.{framework}.source")
    began = time.perf_counter()
    graph = read(model, room.refuses)
    source_code.save(room.write(graph), graph, Path(folder))
    seconds = time.perf_counter() - began
    source_code.save_batches(Path(folder) / "recorded.npz", {"random": [images]}, {"random": [answers]})
    return seconds


def _randomise(variable, generator):
    """Draw statistics and biases that differ between channels; kernels keep Keras' initial values."""
    name, shape = variable.path, variable.shape
    if "variance" in name or "gamma" in name:
        variable.assign(generator.uniform(0.5, 1.5, shape).astype("float32"))
    elif any(part in name for part in ("mean", "beta", "bias")):
        variable.assign(generator.normal(0, 0.1, shape).astype("float32"))
