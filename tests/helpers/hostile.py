"""Hostile model files, made from an honest one by targeted changes."""

import io
import json
import zipfile

import h5py

WEIGHTS = "model.weights.h5"


def rezip(content, *, change=None, drop=(), extra=(), compression=zipfile.ZIP_STORED):
    """Return an archive with members changed by `change(name, bytes)`, without `drop`, and with `extra` members."""
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", compression) as new:
        for name in old.namelist():
            if name not in drop:
                new.writestr(name, change(name, old.read(name)) if change else old.read(name))
        for info, member in extra:
            new.writestr(info, member)
    return stream.getvalue()


def with_claimed_size(content, name, size):
    """Return an archive whose directory claims that a member has `size` bytes unpacked."""
    content = bytearray(content)
    place = content.rindex(b"PK\x01\x02")
    while content[place + 46 : place + 46 + len(name)] != name.encode():
        place = content.rindex(b"PK\x01\x02", 0, place)
    content[place + 24 : place + 28] = size.to_bytes(4, "little")
    return bytes(content)


def with_member(content, name, member):
    """Return an archive with one member replaced."""
    return rezip(content, change=lambda member_name, old: member if member_name == name else old)


def config_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return json.loads(archive.read("config.json"))


def with_config(content, edit):
    """Return a `.keras` file after `edit(config)` has changed its configuration in place."""
    config = config_of(content)
    edit(config)
    return with_member(content, "config.json", json.dumps(config).encode())


def with_layer(content, layer):
    """Return a `.keras` file of a Sequential with one more layer at its end."""
    return with_config(content, lambda config: config["config"]["layers"].append(layer))


def with_hdf5(content, edit):
    """Return a `.keras` file after `edit(h5py.File)` has changed its weights in place."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        weights = io.BytesIO(archive.read(WEIGHTS))
    with h5py.File(weights, "r+") as file:
        edit(file)
    return with_member(content, WEIGHTS, weights.getvalue())


def layer(class_name, module="keras.layers", registered_name=None, **config):
    """Return a layer as Keras serialises it."""
    config = {"name": "planted", "trainable": True, "dtype": "float32", **config}
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}


def function(name, module, registered_name=None):
    """Return a function as Keras serialises it."""
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name if registered_name is None else registered_name,
    }
