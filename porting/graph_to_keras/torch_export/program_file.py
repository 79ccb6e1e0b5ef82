"""A `torch.export` program's file (`.pt2`), read as data: JSON and plain arrays, without PyTorch.

`torch.export.load` must not be given a stranger's file. It unpickles example inputs, weights and constants where the
file says so, evaluates its lengths as Python by SymPy, writes guards and names into Python source, imports what its
nests of inputs name, and loads compiled libraries. So nothing is loaded here: the graph is JSON, the arrays are raw
bytes, and what would need more is refused. What PyTorch is to run is written anew from what was understood (`clean`).
"""

from __future__ import annotations

import io
import json
import math
import re
import sys
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....errors import FileError
from ....storage import safe_json, safe_zip

# Torch 2.13 writes 8.20; a larger first number is another language.
_SCHEMA, _FORMAT, _VERSION = 8, "pt2", "0"
_LARGEST_GRAPH = 256 * 2**20  # bytes: where each node came from is in it, whole stack traces
_DTYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "?"}
_KNOWN = ("data/weights/", "data/constants/", "data/sample_inputs/", "models/", "extra/", ".data/")
_SINGLE = ("archive_format", "archive_version", "byteorder")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,200}", re.ASCII)
# Lengths as SymPy writes them: `Mul(Integer(12), Symbol('s33', positive=True, integer=True))`. No powers, which may
# be as large as one likes.
_SYMBOL = re.compile(r"Symbol\('[su]\d{1,6}'(, (positive|integer|nonnegative)=True)*\)|\b[su]\d{1,6}\b", re.ASCII)
_FUNCTION = re.compile(r"\b(Add|Mul|Integer|FloorDiv|CleanDiv|Mod|PythonMod|Max|Min)(?=\()", re.ASCII)
_ARITHMETIC = re.compile(r"([\d\s+,()-]|(?<!\*)\*(?!\*)){1,300}", re.ASCII)
# What Python raises on JSON that is not what it should be.
DAMAGE = (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError)


@dataclass(frozen=True)
class Stored:
    """An array in the file: a parameter, a buffer or a constant."""

    value: np.ndarray
    parameter: bool


@dataclass(frozen=True)
class Program:
    """What a file holds.

    Attributes:
        graph: as torch's own schema writes it: `nodes`, `inputs`, `outputs`, `tensor_values`, `sym_int_values`.
        inputs, outputs: the signature, a specification for each of the graph's.
        arrays: by the name that the signature has.
        whole: all of the JSON.
    """

    graph: Mapping[str, Any]
    inputs: list[dict[str, Any]]
    outputs: list[dict[str, Any]]
    arrays: Mapping[str, Stored]
    whole: Mapping[str, Any]


def read(path: Path) -> Program:
    """What a `.pt2` file holds; nothing in it is run or unpickled.

    Raises:
        FileError: it is none, was truncated, or would have to be unpickled or run.
    """
    what = str(path)
    if not path.is_file():
        raise FileError(f"no file at {path}")
    with safe_zip.open_checked(path, what) as archive:
        root = _root(archive, what)
        for member, expected in (("archive_format", _FORMAT), ("archive_version", _VERSION), ("byteorder", "little")):
            found = safe_zip.read(archive, root + member, what, max_size=100).decode("ascii", "replace").strip()
            if found != expected:
                raise FileError(f"{what} is no exported program that can be read: its {member} is {found!r}")
        whole = safe_json.parse(
            safe_zip.read(archive, f"{root}models/model.json", what, max_size=_LARGEST_GRAPH),
            f"{what}: models/model.json",
            max_size=_LARGEST_GRAPH,
        )
        try:
            arrays = _arrays(archive, root, "weights", what) | _arrays(archive, root, "constants", what)
            return _program(whole, arrays, what)
        except DAMAGE as error:
            raise FileError(f"{what} is no exported program: {type(error).__name__} {str(error)[:100]}") from error


def _root(archive: zipfile.ZipFile, what: str) -> str:
    """The folder that everything in the archive is in, with a slash behind it."""
    names = archive.namelist()
    root = names[0].partition("/")[0] + "/" if names else ""
    for name in names:
        inner = name.removeprefix(root)
        if not name.startswith(root) or not (inner in _SINGLE or inner.startswith(_KNOWN)):
            raise FileError(f"{what}: {name!r} is not part of an exported program's graph; compiled code is not run")
    if f"{root}models/model.json" not in names or len([n for n in names if n.startswith(f"{root}models/")]) != 1:
        raise FileError(f"{what} is no exported program: expected one models/model.json in it")
    return root


def _arrays(archive: zipfile.ZipFile, root: str, kind: str, what: str) -> dict[str, Stored]:
    """The arrays of one kind."""
    folder = f"{root}data/{kind}/"
    if f"{folder}model.pt" in archive.namelist():
        raise FileError(f"{what}: its {kind} are a pickle, which could run code: export it by torch 2.9 or later")
    content = safe_zip.read(archive, f"{folder}model_{kind}_config.json", what, max_size=safe_json.MAX_SIZE)
    config = safe_json.parse(content, f"{what}: {kind}")["config"]
    return {name: _array(archive, folder, name, meta, what) for name, meta in config.items()}


def _array(archive: zipfile.ZipFile, folder: str, name: str, meta: dict[str, Any], what: str) -> Stored:
    if meta["use_pickle"] is not False or not str(meta["path_name"]).startswith(("weight_", "tensor_")):
        raise FileError(f"{what}: {name!r} is a pickled object, which could run code: only plain arrays are read")
    tensor = meta["tensor_meta"]
    if tensor["dtype"] not in _DTYPES:
        raise FileError(f"{what}: {name!r} is of a dtype that NumPy does not have (number {tensor['dtype']})")
    content = safe_zip.read(archive, folder + meta["path_name"], what)
    dtype = np.dtype(_DTYPES[tensor["dtype"]])
    flat = np.frombuffer(content, dtype)
    shape, strides = (tuple(_whole(each["as_int"]) for each in tensor[key]) for key in ("sizes", "strides"))
    start = _whole(tensor["storage_offset"]["as_int"])
    if len(shape) != len(strides) or math.prod(shape) > flat.size:
        raise FileError(
            f"{what}: {name!r} is said to have shape {shape}, and the file has {flat.size:,} numbers for it"
        )
    last = start + sum((length - 1) * step for length, step in zip(shape, strides, strict=True))
    if math.prod(shape) and last >= flat.size:
        raise FileError(f"{what}: {name!r} reaches beyond its {flat.size:,} numbers")
    steps = [step * dtype.itemsize for step in strides]
    view = np.lib.stride_tricks.as_strided(flat[start:], shape, steps, writeable=False)
    return Stored(np.array(view), bool(meta["is_param"]))


def _whole(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{value!r} is no length")
    return value


def _program(whole: dict[str, Any], arrays: dict[str, Stored], what: str) -> Program:
    major = whole["schema_version"]["major"]
    if major != _SCHEMA:
        raise FileError(f"{what} is written in schema {major} of torch.export, and {_SCHEMA} is known: export it anew")
    module = whole["graph_module"]
    graph, signature = module["graph"], module["signature"]
    inputs, outputs = signature["input_specs"], signature["output_specs"]
    for value, _ in safe_json.walk([graph, inputs, outputs]):
        names = _names(value) if isinstance(value, dict) else ()
        if any(not isinstance(name, str) or not _NAME.fullmatch(name) for name in names):
            raise FileError(f"{what}: a value has a name that is no plain word, and would be run as Python")
        if isinstance(value, dict) and "expr_str" in value:
            _require_arithmetic(value["expr_str"], what)
    return Program(graph, list(inputs), list(outputs), arrays, whole)


def _names(value: dict[str, Any]) -> list[Any]:
    """The names that a piece of the graph gives to values, or calls them by."""
    found = [value["as_name"]] if "as_name" in value else []
    found += [
        each["name"] for key in ("as_tensor", "arg") if isinstance(each := value.get(key), dict) and "name" in each
    ]
    found += [each["name"] for each in value.get("as_tensors") or ()]
    if "target" in value and value.get("name") is not None:
        found.append(value["name"])
    for key in ("tensor_values", "sym_int_values", "sym_bool_values", "sym_float_values"):
        found += list(value.get(key) or ())
    return found


def _require_arithmetic(text: Any, what: str) -> None:
    """Raise a FileError unless a length is plain arithmetic with symbols: SymPy evaluates it as Python."""
    if not isinstance(text, str) or not _ARITHMETIC.fullmatch(_FUNCTION.sub("", _SYMBOL.sub("1", text))):
        raise FileError(f"{what}: a length is given as {str(text)[:40]!r}, which would be run as Python")


# --- what PyTorch is given to run -----------------------------------------------------------------------------------


def clean(program: Program) -> bytes:
    """The program's file written anew: its operators and arrays, and nothing that torch would unpickle or run.

    Every operator must be known before. Inputs and outputs are tuples, in the order of the signature.
    """
    names = {name: f"w{number}" for number, name in enumerate(program.arrays)}
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_STORED) as archive:
        for kind in ("weights", "constants"):
            config = {}
            for name in (name for name in program.arrays if _kind_of(program, name) == kind):
                file = f"{'weight' if kind == 'weights' else 'tensor'}_{names[name][1:]}"
                stored = program.arrays[name]
                archive.writestr(f"model/data/{kind}/{file}", stored.value.tobytes())
                config[names[name]] = _meta(file, stored)
            archive.writestr(f"model/data/{kind}/model_{kind}_config.json", json.dumps({"config": config}))
        archive.writestr("model/models/model.json", json.dumps(_rewritten(program, names)))
        archive.writestr("model/data/sample_inputs/model.pt", b"")
        for name, text in (("archive_format", _FORMAT), ("archive_version", _VERSION), ("byteorder", sys.byteorder)):
            archive.writestr(f"model/{name}", text)
        archive.writestr("model/.data/version", "6")
    return made.getvalue()


def _kind_of(program: Program, name: str) -> str:
    """The folder that an array lies in: constants and buffers that are not kept apart from weights."""
    for each in program.inputs:
        (kind,) = each
        if kind == "tensor_constant" and each[kind]["tensor_constant_name"] == name:
            return "constants"
        if kind == "buffer" and each[kind]["buffer_name"] == name:
            return "weights" if each[kind]["persistent"] else "constants"
    return "weights"


def _meta(file: str, stored: Stored) -> dict[str, Any]:
    value = stored.value
    number = next(number for number, name in _DTYPES.items() if np.dtype(name) == value.dtype)
    return {
        "path_name": file,
        "is_param": stored.parameter,
        "use_pickle": False,
        "tensor_meta": {
            "dtype": number,
            "sizes": [{"as_int": length} for length in value.shape],
            "requires_grad": False,
            "device": {"type": "cpu", "index": None},
            "strides": [{"as_int": step // value.itemsize} for step in value.strides],
            "storage_offset": {"as_int": 0},
            "layout": 7,
        },
    }


def _rewritten(program: Program, names: Mapping[str, str]) -> dict[str, Any]:
    """The JSON without guards, metadata and nests, its arrays under new names."""
    inputs = [_renamed(each, names) for each in program.inputs]
    leaf: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
    given = sum("user_input" in each for each in inputs)
    arguments = _tuple_of([leaf] * given)
    nest = _tuple_of([arguments, {"type": "builtins.dict", "context": "[]", "children_spec": []}])
    call = {
        "fqn": "",
        "signature": {
            "inputs": [],
            "outputs": [],
            "in_spec": json.dumps([1, nest]),
            "out_spec": json.dumps([1, _tuple_of([leaf] * len(program.outputs))]),
            "forward_arg_names": None,
        },
    }
    graph = {**program.graph, "nodes": [{**node, "metadata": {}} for node in program.graph["nodes"]]}
    return {
        **{key: program.whole[key] for key in ("opset_version", "range_constraints", "schema_version")},
        "graph_module": {
            "graph": graph,
            "signature": {"input_specs": inputs, "output_specs": program.outputs},
            "module_call_graph": [call],
            "metadata": {},
            "treespec_namedtuple_fields": {},
        },
        "verifiers": ["TRAINING"],
        "torch_version": str(program.whole.get("torch_version", "")),
        "guards_code": [],
    }


def _tuple_of(children: list[dict[str, Any]]) -> dict[str, Any]:
    return {"type": "builtins.tuple", "context": "null", "children_spec": children}


def _renamed(spec: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    ((kind, value),) = spec.items()
    key = f"{kind}_name"
    return {kind: {**value, key: names[value[key]]}} if key in value else spec
