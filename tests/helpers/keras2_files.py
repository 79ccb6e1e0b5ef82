"""Model files in the layout of Keras 2, written without it: what `tf_keras` 2.21 writes, seen in its own files."""

import io
import json
import zipfile

import h5py
import numpy as np

VERSION = "2.21.0"
PLACE = "tf_keras.src"


def layer(kind, name, inbound=None, **settings):
    """Return a layer's configuration as in an `.h5` file; `inbound` lists its calls in a functional model."""
    node = {"class_name": kind, "config": {"name": name, "trainable": True, "dtype": "float32", **settings}}
    return node if inbound is None else {**node, "name": name, "inbound_nodes": inbound}


def input_layer(shape, name, inbound=None):
    settings = {"batch_input_shape": [None, *shape], "dtype": "float32", "sparse": False, "ragged": False, "name": name}
    node = {"class_name": "InputLayer", "config": settings}
    return node if inbound is None else {**node, "name": name, "inbound_nodes": inbound}


def dense(units, name, activation="linear", inbound=None):
    return layer("Dense", name, inbound, units=units, activation=activation, use_bias=True)


def adam(*, older=False, **settings):
    """Return the optimizer's configuration as in an `.h5` file; `older` that of `tf.keras.optimizers.legacy`."""
    own = {"decay": 0.0} if older else {"jit_compile": False, "is_legacy_optimizer": False, "weight_decay": None}
    rates = {"learning_rate": 0.01, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False}
    return {"class_name": "Adam" if older else "Custom>Adam", "config": {"name": "Adam", **own, **rates, **settings}}


def training(optimizer, loss="mse", metrics=None):
    return {
        "loss": loss,
        "metrics": metrics,
        "weighted_metrics": None,
        "loss_weights": None,
        "optimizer_config": optimizer,
    }


def hdf5(model_config, weights, training_config=None, optimizer_weights=()):
    """Return the bytes of an `.h5` file.

    Args:
        model_config: as `model.to_json()` has it.
        weights: by layer, in the order of the model, a dictionary of arrays by name.
        training_config: as `training` returns it.
        optimizer_weights: pairs of names and arrays, in order.
    """
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file.attrs["keras_version"], file.attrs["backend"] = VERSION, "tensorflow"
        file.attrs["model_config"] = json.dumps(model_config)
        if training_config:
            file.attrs["training_config"] = json.dumps(training_config)
        group = file.create_group("model_weights")
        group.attrs["keras_version"], group.attrs["backend"] = VERSION, "tensorflow"
        group.attrs["layer_names"] = [name.encode() for name in weights]
        for name, arrays in weights.items():
            own = group.create_group(name)
            _write(own, {f"{name}/{weight}:0": array for weight, array in arrays.items()})
        if optimizer_weights:
            _write(file.create_group("optimizer_weights"), dict(optimizer_weights))
    return stream.getvalue()


def _write(group, arrays):
    group.attrs["weight_names"] = [name.encode() for name in arrays]
    for name, array in arrays.items():
        group[name] = np.asarray(array)


def archive(config, arrays):
    """Return the bytes of a `.keras` file: its configuration, and arrays by their paths in the weights."""
    stored = io.BytesIO()
    with h5py.File(stored, "w") as file:
        for path, array in arrays.items():
            file[path] = np.asarray(array)
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as members:
        members.writestr("metadata.json", json.dumps({"keras_version": VERSION, "date_saved": "2024-01-01@00:00:00"}))
        members.writestr("config.json", json.dumps(config))
        members.writestr("model.weights.h5", stored.getvalue())
    return stream.getvalue()


def in_module(node, module="keras.layers", registered=None):
    """Return a node as a `.keras` file has it: with its module."""
    return {"module": module, "registered_name": registered, "build_config": {"input_shape": [None, 1]}, **node}
