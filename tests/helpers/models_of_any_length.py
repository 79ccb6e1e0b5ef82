"""Models over open axes, and a function that runs their ports at several lengths and sizes."""

import shutil

import numpy as np

from trivium.backends import catalog
from trivium.functions import function_name
from trivium.porting import artifact_runtimes, source_code, targets
from trivium.porting.artifact_worker import artifact_worker

LENGTHS = [(1,), (3,), (17,), (200,)]
SIZES = [(8, 8), (17, 23), (64, 40)]


def _sequential(*layers):
    import keras

    return keras.Sequential([keras.Input((None, 4)), *layers, keras.layers.Dense(3)])


def lstm():
    import keras

    return _sequential(keras.layers.LSTM(5))


def gru():
    import keras

    return _sequential(keras.layers.GRU(5))


def bidirectional():
    import keras

    return _sequential(keras.layers.Bidirectional(keras.layers.LSTM(5, return_sequences=True)))


def masked():
    """Return a recurrent network that leaves out steps of zeros."""
    import keras

    return _sequential(keras.layers.Masking(), keras.layers.SimpleRNN(5))


def attention():
    import keras

    x = keras.Input((None, 4))
    return keras.Model(x, keras.layers.Dense(3)(keras.layers.MultiHeadAttention(2, 4)(x, x)))


def convolution():
    import keras

    layers = keras.layers
    return _sequential(layers.Conv1D(6, 3, padding="same", activation="relu"), layers.GlobalAveragePooling1D())


def picture():
    """Return a fully convolutional network; of a picture of one pixel its pooling leaves nothing."""
    import keras

    layers = keras.layers
    convolution = layers.Conv2D(8, 3, padding="same", activation="relu")
    return keras.Sequential([keras.Input((None, None, 3)), convolution, layers.MaxPooling2D(2), layers.Conv2D(4, 1)])


MODELS = {build.__name__: build for build in (lstm, gru, bidirectional, masked, attention, convolution, picture)}
LOOPS = ("lstm", "gru", "bidirectional", "masked")


def batches_of(model, samples=(1, 5)):
    """Return named batches, the shortest first, each with one array."""
    sizes = SIZES if len(model.inputs[0].shape) == 4 else LENGTHS
    shapes = [(count, *size, model.inputs[0].shape[-1]) for size in sizes for count in samples]
    generator = np.random.default_rng(0)
    return {str(shape): [generator.normal(size=shape).astype("float32")] for shape in shapes}


def run_port(report, batches, folder):
    """Return what a port predicts for batches, in its own runtime."""
    if report.target.startswith(targets.SOURCE):
        shutil.copytree(report.artifact, folder)
        source_code.save_batches(folder / "recorded.npz", batches, {})
        return source_code.run_isolated(folder, catalog.find(report.target.removeprefix(targets.SOURCE)))[0]
    target = targets.find(report.target)
    names = [[tensor["name"] for tensor in report.facts[side]] for side in ("inputs", "outputs")]
    options = (function_name(target.reader), str(report.artifact), names, batches, None)
    process = artifact_worker(target.name, report.host)
    return process.call(artifact_runtimes.run_artifact, *options)["answers"]
