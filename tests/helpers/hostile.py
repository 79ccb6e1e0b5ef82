"""Model files as an attacker would write them, made from an honest one by changing what a test names."""

import io
import json
import zipfile

import h5py

WEIGHTS = "model.weights.h5"


def rezipped(content, *, change=None, drop=(), extra=(), compression=zipfile.ZIP_STORED):
    """An archive's bytes with each member passed through `change(name, bytes)`, some left out, (info, bytes) added."""
    made = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(made, "w", compression) as new:
        for name in old.namelist():
            if name not in drop:
                new.writestr(name, change(name, old.read(name)) if change else old.read(name))
        for info, member in extra:
            new.writestr(info, member)
    return made.getvalue()


def claiming(content, name, size):
    """With a directory that says that a member becomes `size` bytes when it is unpacked."""
    content = bytearray(content)
    place = content.rindex(b"PK\x01\x02")
    while content[place + 46 : place + 46 + len(name)] != name.encode():
        place = content.rindex(b"PK\x01\x02", 0, place)
    content[place + 24 : place + 28] = size.to_bytes(4, "little")
    return bytes(content)


def with_member(content, name, member):
    """With the bytes of one member replaced."""
    return rezipped(content, change=lambda each, old: member if each == name else old)


def config_of(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return json.loads(archive.read("config.json"))


def with_config(content, edit):
    """A `.keras` file whose configuration was changed in place by `edit(config)`."""
    config = config_of(content)
    edit(config)
    return with_member(content, "config.json", json.dumps(config).encode())


def with_layer(content, layer):
    """A `.keras` file of a Sequential with one more layer at its end."""
    return with_config(content, lambda config: config["config"]["layers"].append(layer))


def with_hdf5(content, edit):
    """A `.keras` file whose weights were changed in place by `edit(h5py.File)`."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        weights = io.BytesIO(archive.read(WEIGHTS))
    with h5py.File(weights, "r+") as file:
        edit(file)
    return with_member(content, WEIGHTS, weights.getvalue())


def layer(class_name, module="keras.layers", registered_name=None, **config):
    """A layer as Keras serialises one."""
    config = {"name": "planted", "trainable": True, "dtype": "float32", **config}
    return {"module": module, "class_name": class_name, "config": config, "registered_name": registered_name}


def function(name, module, registered_name=None):
    """A function as Keras serialises one."""
    return {
        "module": module,
        "class_name": "function",
        "config": name,
        "registered_name": name if registered_name is None else registered_name,
    }
