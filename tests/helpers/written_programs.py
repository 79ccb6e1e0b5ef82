"""`torch.export` program files, written without PyTorch: a valid one, and changes that an attacker would make."""

import io
import json
import zipfile

import numpy as np


def kernel():
    return np.arange(6, dtype="float32").reshape(2, 3) / 10


def bias():
    return np.array([0.5, -0.5], "float32")


def tensor(name):
    return {"as_tensor": {"name": name}}


def meta(shape, dtype=7):
    """Return a tensor's description; None in its shape is an unknown length."""
    sizes = [
        {"as_expr": {"expr_str": "Symbol('s0', positive=True, integer=True)", "hint": {"as_int": 2}}}
        if length is None
        else {"as_int": length}
        for length in shape
    ]
    strides = [{"as_int": int(np.prod(shape[axis + 1 :] or [1]))} for axis in range(len(shape))]
    device = {"type": "cpu", "index": None}
    plain = {"dtype": dtype, "sizes": sizes, "requires_grad": False, "device": device, "strides": strides}
    return {**plain, "storage_offset": {"as_int": 0}, "layout": 7}


def node(target, inputs, output, **more):
    arguments = [{"name": name, "arg": value, "kind": 1} for name, value in inputs.items()]
    return {
        "target": f"torch.ops.{target}",
        "inputs": arguments,
        "outputs": [tensor(output)],
        "metadata": {},
        "is_hop_single_tensor_return": None,
        "name": output,
        **more,
    }


def program(shape=(None, 3), extra=()):
    """Return the JSON of `relu(x @ kernel.T + bias)`, then of the operators `extra`: (target, arguments, output)."""
    nodes = [
        node("aten.linear.default", {"input": tensor("x"), "weight": tensor("p_w"), "bias": tensor("p_b")}, "linear"),
        node("aten.relu.default", {"self": tensor("linear")}, "relu"),
        *(node(*operator) for operator in extra),
    ]
    last = nodes[-1]["outputs"][0]["as_tensor"]["name"]
    values = {"x": meta(shape), "p_w": meta((2, 3)), "p_b": meta((2,)), "linear": meta((shape[0], 2))}
    values |= {operator["outputs"][0]["as_tensor"]["name"]: meta((shape[0], 2)) for operator in nodes[1:]}
    leaf = {"type": None, "context": None, "children_spec": []}
    nest = {"type": "builtins.tuple", "context": "null", "children_spec": [leaf]}
    whole = {"type": "builtins.dict", "context": "[]", "children_spec": []}
    call = {
        "inputs": [],
        "outputs": [],
        "out_spec": json.dumps([1, leaf]),
        "forward_arg_names": ["x"],
        "in_spec": json.dumps([1, {"type": "builtins.tuple", "context": "null", "children_spec": [nest, whole]}]),
    }
    graph = {
        "inputs": [tensor("p_w"), tensor("p_b"), tensor("x")],
        "outputs": [tensor(last)],
        "nodes": nodes,
        "tensor_values": values,
        "sym_int_values": {},
        "sym_bool_values": {},
        "is_single_tensor_return": False,
        "custom_obj_values": {},
        "sym_float_values": {},
    }
    signature = {
        "input_specs": [
            {"parameter": {"arg": {"name": "p_w"}, "parameter_name": "net.dense.weight"}},
            {"parameter": {"arg": {"name": "p_b"}, "parameter_name": "net.dense.bias"}},
            {"user_input": {"arg": tensor("x")}},
        ],
        "output_specs": [{"user_output": {"arg": tensor(last)}}],
    }
    return {
        "graph_module": {
            "graph": graph,
            "signature": signature,
            "metadata": {},
            "treespec_namedtuple_fields": {},
            "module_call_graph": [{"fqn": "", "signature": call}],
        },
        "opset_version": {"aten": 10},
        "schema_version": {"major": 8, "minor": 20},
        "verifiers": ["TRAINING"],
        "range_constraints": {"s0": {"min_val": 2, "max_val": None}},
        "torch_version": "2.13.0",
        "guards_code": [],
    }


def payload(path, shape, **more):
    return {"path_name": path, "is_param": True, "use_pickle": False, "tensor_meta": meta(shape), **more}


def program_bytes(whole=None, weights=None, members=(), drop=()):
    """Return a program file as bytes.

    Args:
        whole: the program's JSON.
        weights: changes to the configuration of its weights.
        members: further archive members, (name, bytes); they replace those of the same name.
        drop: names of members that are left out.
    """
    config = {"net.dense.weight": payload("weight_0", (2, 3)), "net.dense.bias": payload("weight_1", (2,))}
    contents = {
        "data/weights/weight_0": kernel().tobytes(),
        "data/weights/weight_1": bias().tobytes(),
        "data/weights/model_weights_config.json": json.dumps({"config": {**config, **(weights or {})}}),
        "data/constants/model_constants_config.json": json.dumps({"config": {}}),
        "models/model.json": json.dumps(whole or program()),
        "data/sample_inputs/model.pt": b"a pickle, which nobody reads",
        "archive_format": "pt2",
        "archive_version": "0",
        "byteorder": "little",
        ".data/version": "6",
        **dict(members),
    }
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in contents.items():
            if name not in drop:
                archive.writestr(f"net/{name}", content)
    return stream.getvalue()
