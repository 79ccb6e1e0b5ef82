"""Write models as source for a backend, and run the source in this process; imported by tests only."""

import importlib
import importlib.util
import sys

import numpy as np
import pytest


def room_of(backend):
    """Return the module that writes source for a backend; skip the test if there is none."""
    name = f"trivium.backends.{backend.name}.source"
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"no source is written for {backend.title} yet")
    return importlib.import_module(name)


def build_model(make):
    """Build a model with weights drawn by NumPy; compiling initializers for each new shape takes minutes."""
    from trivium.backends.same_run.randomness import portable_initial_weights

    with portable_initial_weights(0):
        return make()


def randomise(model, seed=0):
    """Give a model random weights of moderate size, none of them 0 or 1, so that mix-ups change the outputs."""
    generator = np.random.default_rng(seed)
    for variable in model.variables:
        if "seed" in variable.path:
            continue
        values = generator.normal(0, 0.5, variable.shape)
        if "variance" in variable.path:
            values = abs(values) + 0.5
        if "gamma" in variable.path:
            values = values + 1
        if len(variable.shape) > 1:
            values = values / np.sqrt(max(1, np.prod(variable.shape[:-1]) / 2))
        variable.assign(values.astype(variable.dtype))


def random_inputs(model, samples=3, seed=0):
    """Return one random array per input of a model; unknown lengths are 5."""
    generator = np.random.default_rng(seed)
    arrays = []
    for tensor in model.inputs:
        shape = [samples, *(5 if length is None else length for length in tensor.shape[1:])]
        whole = "int" in tensor.dtype
        values = generator.integers(0, 5, shape) if whole else generator.normal(size=shape)
        arrays.append(values.astype(tensor.dtype))
    return arrays


def keras_answers(model, inputs):
    import keras

    packed = inputs[0] if len(inputs) == 1 else keras.tree.pack_sequence_as(model.input, inputs)
    return [keras.ops.convert_to_numpy(output) for output in keras.tree.flatten(model(packed, training=False))]


def write_source(model, room, folder):
    """Write the source of a model into a folder, and return it."""
    from trivium.porting.keras_to_graph.model import read
    from trivium.porting.source_code import save

    graph = read(model, room.refuses)
    source = room.write(graph)
    save(source, graph, folder)
    return source


def import_model(folder):
    """Import `model.py` of a folder as a new module."""
    spec = importlib.util.spec_from_file_location("model", folder / "model.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def source_answers(source, folder, inputs):
    """Return the outputs of the source, computed by the `predict` function of its `check.py`."""
    previous = sys.modules.get("model")
    sys.modules["model"] = import_model(folder)
    try:
        names = {"np": np}
        exec(source.predict, names)
        return [np.asarray(output) for output in names["predict"](*inputs)]
    finally:
        sys.modules.pop("model")
        if previous is not None:
            sys.modules["model"] = previous


def compare(expected, received, tolerance=1e-5):
    """Assert that outputs are the same."""
    from trivium.engine.verification import parity

    assert len(expected) == len(received)
    for one, other in zip(expected, received, strict=True):
        assert one.shape == other.shape
        assert one.dtype == other.dtype
        difference = parity.difference(one, other)
        assert difference.within(tolerance), difference


def require_same_answers(model, source, folder):
    """Assert that the source of a model answers as the model, to batches of 3 and of 1."""
    for samples in (3, 1):
        inputs = random_inputs(model, samples, seed=samples)
        compare(keras_answers(model, inputs), source_answers(source, folder, inputs))
