"""Every kind of file that trivium reads: an honest one, and the commands and functions that read it.

A reader runs in this process and returns the exit code that the command line has: 2 where the file is refused in one
line. The honest files are written without a framework.
"""

import contextlib
import importlib
import importlib.util
import io
import json
import zipfile
from pathlib import Path

import h5py
import numpy as np
from PIL import Image

from trivium.data.preprocessing.feature_scaling import Scale
from trivium.data.preprocessing.pipeline import Chain, Preprocessing
from trivium.data.preprocessing.transforms import Reshape
from trivium.engine.bundles.bundle import Bundle
from trivium.engine.runs import checkpoint
from trivium.engine.runs.history import History
from trivium.engine.runs.run_record import HISTORY, RECORD, write_history
from trivium.errors import TriviumError
from trivium.functions import load_function
from trivium.storage import tensor_file

_HELPERS = Path(__file__).resolve().parents[1] / "helpers"
layer = load_function(f"{_HELPERS / 'hostile.py'}:layer")
program_bytes = load_function(f"{_HELPERS / 'written_programs.py'}:program_bytes")
EPOCHS = [{"loss": 1.5, "val_loss": 2.0}, {"loss": 0.5, "val_loss": float("nan")}]


# --- how files are read ---------------------------------------------------------------------------------------------


_USED = (
    *("cli.data", "cli.inspect", "cli.main", "cli.runs", "data.datasets", "data.data_source", "data.digit_images"),
    *("data.pictures.folder", "data.pictures.labelled", "data.series.read_series", "data.tables.labelled_table"),
    *("data.sources.array_files", "engine.inspection", "engine.plots.data_summary", "benchmarks.report.results_reader"),
    *("porting.graph_to_keras.onnx.graph", "porting.graph_to_keras.torch_export.program"),
)


def prepare():
    """Import what the readers need, so that a fork does not have to."""
    for name in (*(f"trivium.{name}" for name in _USED), "polars", "rich.console", "rich.table", "safetensors"):
        importlib.import_module(name)
    for name in ("onnx.inliner", "onnx.numpy_helper", "yaml"):
        with contextlib.suppress(ModuleNotFoundError):
            importlib.import_module(name)


def command(*arguments):
    """Return the reader that runs a command of the command line; PATH stands for the file."""

    def run(target):
        from trivium.cli.main import main

        try:
            main([argument.replace("PATH", str(target)) for argument in arguments])
        except SystemExit as ended:
            return ended.code

    return run


def function(name, *arguments):
    """Return the reader that calls a function of trivium as a command does; the arguments are made of the folder."""
    module, _, attribute = name.partition(":")

    def run(target):
        call = getattr(importlib.import_module(f"trivium.{module}"), attribute)
        return _code_of(lambda: call(*(argument(target) for argument in arguments)))

    return run


def _code_of(call):
    """Return the exit code of a call: 2 where it is refused in one line; any other error is raised."""
    refusal = ""
    try:
        call()
    except TriviumError as error:
        refusal = str(error)
    except MemoryError:  # the command line says it in one line
        refusal = "memory"
    assert len(refusal.splitlines()) <= 1, refusal
    return 2 if refusal else 0


def at(name):
    return lambda target: target / name


def _read_program(target):
    from trivium.porting.graph_to_keras.torch_export import program, program_file

    path = target / "net.pt2"
    return _code_of(lambda: program.to_graph(program_file.read(path), path))


def _inspect(name):
    return command("inspect", f"PATH/{name}"), command("inspect", f"PATH/{name}", "--json")


def _data(name):
    return (command("data", f"PATH/{name}"),)


COMMANDS = {
    "bundle": (*_inspect("b.trivium"), function("engine.bundles.bundle:load", at("b.trivium"))),
    "keras": (*_inspect("m.keras"), function("engine.bundles.keras_files:examine", at("m.keras"))),
    "h5": (*_inspect("m.h5"), function("engine.bundles.keras_files:examine", at("m.h5"))),
    "weights": _inspect("m.weights.h5"),
    "checkpoint": (*_inspect("c.safetensors"), function("engine.runs.checkpoint:load", at("c.safetensors"))),
    "safetensors": (*_inspect("t.safetensors"), *_data("t.safetensors")),
    "run": (
        *_inspect(""),
        command("runs", "show", "PATH"),
        command("runs", "PATH"),
        command("runs", "compare", "PATH"),
    ),
    "architecture": _inspect("m.json"),
    "yaml": _inspect("m.yaml"),
    "savedmodel": (*_inspect("saved"), function("engine.bundles.bundle:locate", at("saved"))),
    "onnx": (function("porting.graph_to_keras.onnx.graph:to_graph", at("net.onnx")),),
    "program": (_read_program,),
    "results": (function("benchmarks.report.results_reader:read", at("")),),
    "npz": _data("d.npz"),
    "npy": (function("data.sources.files:read_array", at("x.npy")),),
    "csv": _data("t.csv"),
    "semicolons": _data("t.csv"),
    "series": _data("t.csv:window=3"),
    "text": (command("data", "text:PATH/t.txt"),),
    "parquet": _data("t.parquet"),
    "arrow": _data("t.arrow"),
    "picture": (
        function("data.digit_images:read_pixels", at("p.png")),
        function("data.pictures.picture_file:read_picture", at("p.png")),
        function("data.pictures.picture_file:read_header", at("p.png")),
    ),
    "photograph": (
        function("data.digit_images:read_pixels", at("p.jpg")),
        function("data.pictures.picture_file:read_picture", at("p.jpg")),
    ),
    "picture folder": _data("classes"),
    "recipe": (function("functions:load_function", lambda target: f"{target}/m.py:build"),),
}


# --- honest files ---------------------------------------------------------------------------------------------------


def config():
    return {
        "module": "keras",
        "class_name": "Sequential",
        "config": {
            "name": "small",
            "layers": [layer("InputLayer", batch_shape=[None, 3]), layer("Dense", units=2, activation="relu")],
        },
        "registered_name": None,
        "build_config": {"input_shape": [None, 3]},
        "compile_config": {"optimizer": "sgd", "loss": "mse", "metrics": ["mae"]},
    }


def hdf5_file(names=("layers/dense/vars/0", "layers/dense/vars/1"), attributes=()):
    stream = io.BytesIO()
    with h5py.File(stream, "w") as file:
        file[names[0]] = np.arange(6, dtype="float32").reshape(3, 2)
        file[names[1]] = np.ones(2, "float32")
        file.attrs.update(attributes)
    return stream.getvalue()


def legacy_file():
    attributes = {"model_config": json.dumps(config()), "keras_version": "3.15.1", "backend": "jax"}
    return hdf5_file(("model_weights/dense/kernel", "model_weights/dense/bias"), attributes)


def archive(**members):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, content in members.items():
            opened.writestr(name, content)
    return stream.getvalue()


def keras_file():
    members = {"metadata.json": '{"keras_version": "3.15.1"}', "config.json": json.dumps(config())}
    return archive(**members, **{"model.weights.h5": hdf5_file()})


def record():
    return {
        "schema": 1,
        "recipe": "dense/small",
        "settings": {"epochs": 2, "options": {}},
        "dataset": {"name": "mnist:sample"},
        "history": History(EPOCHS).to_json(),
        "environment": {"backend": "jax"},
        "state": "finished",
    }


def bundle_file(folder):
    numbers = np.ones((4, 3), "float32")
    preprocessing = Preprocessing(Chain((Scale(), Reshape((3,)))))
    Bundle(keras_file(), preprocessing, ("a", "b"), record(), numbers, numbers[:, :2]).save(folder / "b.trivium")
    return (folder / "b.trivium").read_bytes()


def checkpoint_file(folder, written=("a.safetensors",)):
    metadata = {
        "schema": checkpoint.SCHEMA,
        "epoch": 2,
        "stopped": False,
        "backend": "jax",
        "seconds": [[1.0], [0.1]],
        "history": History(EPOCHS).to_json(),
        "callbacks": [],
        "written": [list(written)],
        "generators": 0,
    }
    arrays = {"model/0000/kernel": tensor_file.LazyArray.of(np.ones((3, 2), "float32"))}
    tensor_file.write(folder / "c.safetensors", metadata, arrays)
    return (folder / "c.safetensors").read_bytes()


def run_files(folder):
    write_history(folder / HISTORY, History(EPOCHS))
    return {RECORD: json.dumps(record()).encode(), HISTORY: (folder / HISTORY).read_bytes()}


def _arrays():
    return {"x_train": np.arange(120, dtype="float32").reshape(40, 3) / 7, "y_train": np.arange(40) % 2}


def _saved(save, *arguments, **keywords):
    stream = io.BytesIO()
    save(stream, *arguments, **keywords)
    return stream.getvalue()


def _safetensors():
    from safetensors.numpy import save

    return save(_arrays())


def _csv(separator=",", decimal="."):
    rows = [
        f"{number / 4:.2f}".replace(".", decimal) + f"{separator}word{separator}{number % 3}" for number in range(30)
    ]
    return "\n".join((separator.join(("a", "b", "label")), *rows, "")).encode()


def _frame():
    import polars

    return polars.DataFrame({"a": np.arange(30) / 4, "b": ["x", "y", "z"] * 10, "label": np.arange(30) % 3})


def _digit(form, side=60):
    pixels = np.full((side, side), 250, "uint8")
    pixels[10:50, 25:33] = 10
    return _saved(Image.fromarray(pixels).save, form)


def _results():
    row = {"recipe": "dense/small", "backend": "jax", "device": "cpu", "runner": "fit", "metric": "epoch", "unit": "s"}
    row |= {"median": 1.0, "q1": 0.9, "q3": 1.1, "n": 5}
    ratio = {"recipe": "dense/small", "backend": "jax", "of": "a", "over": "b", "metric": "epoch", "ratio": 1.0}
    from trivium.benchmarks.results import FILE, SCHEMA

    whole = {"schema": SCHEMA, "suite": "speed", "rows": [row], "ratios": [{**ratio, "low": 0.9, "high": 1.1}]}
    return {FILE: json.dumps(whole).encode()}


def _onnx():
    import onnx

    def value(name, *shape):
        return onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, shape)

    make = onnx.helper.make_node
    nodes = [make("Gemm", ["x", "kernel", "bias"], ["a"]), make("twice", ["a"], ["y"], domain="own")]
    weights = [
        onnx.numpy_helper.from_array(np.arange(6, dtype="float32").reshape(3, 2), "kernel"),
        onnx.numpy_helper.from_array(np.ones(2, "float32"), "bias"),
    ]
    opsets = [onnx.helper.make_opsetid("", 20), onnx.helper.make_opsetid("own", 1)]
    body = [make("Relu", ["v"], ["w"]), make("Relu", ["w"], ["u"])]
    twice = onnx.helper.make_function("own", "twice", ["v"], ["u"], body, opsets[:1])
    graph = onnx.helper.make_graph(nodes, "net", [value("x", "n", 3)], [value("y", "n", 2)], weights)
    return onnx.helper.make_model(graph, opset_imports=opsets, functions=[twice]).SerializeToString()


_RECIPE = b"""import math

WIDTHS = [4, 8, 0.5]


def build(units: int = 3, rate=0.25, kind="relu"):
    return sum(WIDTHS) * units / math.pi


def loss(y, z):
    return abs(y - z)
"""
_YAML = b"""class_name: Sequential
config:
  name: "small"
  layers:
  - {class_name: InputLayer, config: {batch_shape: [null, 3]}}
  - {class_name: Dense, config: {units: 2, name: "dense", activation: "relu"}}
"""


def honest_files(folder):
    """Return the files of an honest example of each kind: by kind, by name, their bytes.

    Args:
        folder: empty, to write into.
    """
    kinds = {
        "bundle": {"b.trivium": bundle_file(folder)},
        "keras": {"m.keras": keras_file()},
        "h5": {"m.h5": legacy_file()},
        "weights": {"m.weights.h5": hdf5_file()},
        "checkpoint": {"c.safetensors": checkpoint_file(folder)},
        "safetensors": {"t.safetensors": _safetensors()},
        "run": {**run_files(folder), "checkpoints/c.safetensors": checkpoint_file(folder)},
        "architecture": {"m.json": json.dumps(config()).encode()},
        "savedmodel": {"saved/saved_model.pb": bytes(range(200)), "saved/keras_metadata.pb": b"\n{}"},
        "program": {"net.pt2": program_bytes()},
        "results": _results(),
        "npz": {"d.npz": _saved(np.savez, **_arrays())},
        "npy": {"x.npy": _saved(np.save, _arrays()["x_train"])},
        "csv": {"t.csv": _csv()},
        "semicolons": {"t.csv": _csv(";", ",")},
        "series": {"t.csv": b"time,value\n" + b"".join(b"%d,%d\n" % (step, step % 5) for step in range(40))},
        "text": {"t.txt": b"It was a bright cold day in April, and the clocks were striking 13.\n" * 20},
        "parquet": {"t.parquet": _saved(_frame().write_parquet)},
        "arrow": {"t.arrow": _saved(_frame().write_ipc)},
        "picture": {"p.png": _digit("PNG")},
        "photograph": {"p.jpg": _digit("JPEG")},
        "picture folder": {f"classes/{name}/{number}.png": _digit("PNG") for name in "ab" for number in range(3)},
        "recipe": {"m.py": _RECIPE},
    }
    with contextlib.suppress(ModuleNotFoundError):  # read only where it is installed
        kinds["onnx"] = {"net.onnx": _onnx()}
    if importlib.util.find_spec("yaml"):
        kinds["yaml"] = {"m.yaml": _YAML}
    return kinds
