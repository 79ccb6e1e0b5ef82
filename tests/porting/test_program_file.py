"""A `.pt2` file is read as data: anything that torch.export.load would unpickle or run is refused in one line."""

import contextlib
import io
import json
from pathlib import Path

import numpy as np
import pytest

from trivium.errors import FileError, PortError, TriviumError
from trivium.functions import load_function
from trivium.porting.graph_to_keras.torch_export import program, program_file

WRITTEN = Path(__file__).parents[1] / "helpers" / "written_programs.py"
program_bytes, honest, payload = (
    load_function(f"{WRITTEN}:{name}") for name in ("program_bytes", "program", "payload")
)
KERNEL, BIAS = (load_function(f"{WRITTEN}:{name}")() for name in ("kernel", "bias"))
LENGTH = "Symbol('s0', positive=True, integer=True)"


def form_of(content, folder):
    path = folder / "net.pt2"
    path.write_bytes(content)
    return program.to_graph(program_file.read(path), path)


def refused(content, folder, match, error=FileError):
    with pytest.raises(TriviumError, match=match) as caught:
        form_of(content, folder)
    assert isinstance(caught.value, error)
    assert len(str(caught.value).splitlines()) == 1
    assert [path.name for path in folder.iterdir()] == ["net.pt2"]


def changed(edit):
    whole = honest()
    edit(whole)
    return program_bytes(whole)


def graph_of(whole):
    return whole["graph_module"]["graph"]


def renamed(whole, before, after):
    return json.loads(json.dumps(whole).replace(json.dumps(before), json.dumps(after)))


def test_an_honest_program_is_read_with_its_weights_and_names(tmp_path):
    graph = form_of(program_bytes(), tmp_path)
    assert [(node.kind, node.outputs) for node in graph.nodes] == [("linear", ("linear",)), ("activation", ("relu",))]
    assert [(each.name, each.shape, each.batch, each.size) for each in graph.inputs] == [("x", (None, 3), 0, None)]
    assert {weight.name for weight in graph.weights.values()} == {"net.dense.weight", "net.dense.bias"}
    np.testing.assert_array_equal(graph.weights["p_w"].value, KERNEL)
    assert all(weight.trainable for weight in graph.weights.values())


def test_a_program_with_a_fixed_batch_size_states_it(tmp_path):
    (graph_input,) = form_of(program_bytes(honest((4, 3))), tmp_path).inputs
    assert (graph_input.shape, graph_input.size) == ((4, 3), 4)


def test_a_transposed_weight_is_read_by_its_strides(tmp_path):
    turned = payload("weight_0", (2, 3))
    turned["tensor_meta"]["strides"] = [{"as_int": 1}, {"as_int": 2}]
    value = form_of(program_bytes(weights={"net.dense.weight": turned}), tmp_path).weights["p_w"].value
    np.testing.assert_array_equal(value, KERNEL.ravel().reshape(3, 2).T)


def test_unknown_operators_are_named_all_at_once(tmp_path):
    extra = [
        ("aten.fft_fft.default", {"self": {"as_tensor": {"name": "relu"}}}, "a"),
        ("custom.thing.default", {"self": {"as_tensor": {"name": "a"}}}, "b"),
        ("aten.fft_fft.default", {"self": {"as_tensor": {"name": "b"}}}, "c"),
    ]
    content = program_bytes(honest(extra=extra))
    refused(content, tmp_path, r"aten\.fft_fft\.default \(2\), custom\.thing\.default; teach it", PortError)


def test_a_program_that_was_exported_in_training_is_refused(tmp_path):
    def edit(whole):
        specs = whole["graph_module"]["signature"]["output_specs"]
        specs[0] = {"buffer_mutation": {"arg": {"name": "relu"}, "buffer_name": "mean"}}

    refused(changed(edit), tmp_path, r"exported in training mode.*module\.eval\(\)", PortError)


@pytest.mark.parametrize("length", [0, 10, 300, -60, -1])
def test_a_truncated_program_is_refused(tmp_path, length):
    refused(program_bytes()[:length], tmp_path, r"net\.pt2")


def test_a_pickled_weight_is_refused(tmp_path):
    pickled = payload("weight_0", (2, 3), use_pickle=True)
    refused(program_bytes(weights={"net.dense.weight": pickled}), tmp_path, "is a pickled object, which could run code")


def test_weights_of_the_old_kind_are_refused(tmp_path):
    refused(program_bytes(members=[("data/weights/model.pt", b"x")]), tmp_path, "its weights are a pickle")


def test_an_object_among_the_constants_is_refused(tmp_path):
    config = {"config": {"object": payload("custom_obj_0", (1,), use_pickle=True)}}
    members = [
        ("data/constants/model_constants_config.json", json.dumps(config)),
        ("data/constants/custom_obj_0", b"x"),
    ]
    refused(program_bytes(members=members), tmp_path, "'object' is a pickled object")


def test_compiled_code_is_refused(tmp_path):
    members = [("data/aotinductor/model/net.so", b"\x7fELF")]
    refused(program_bytes(members=members), tmp_path, r"net\.so' is not part of an exported program's graph")


@pytest.mark.parametrize("name", ["../weight_0", "/etc/passwd", "weight_9"])
def test_a_weight_from_elsewhere_is_refused(tmp_path, name):
    refused(program_bytes(weights={"net.dense.weight": payload(name, (2, 3))}), tmp_path, r"weight")


def test_a_member_that_leaves_its_folder_is_refused(tmp_path):
    refused(program_bytes(members=[("data/weights/../../../out", b"x")]), tmp_path, "could leave the folder")


def test_a_weight_that_reaches_beyond_its_bytes_is_refused(tmp_path):
    refused(
        program_bytes(weights={"net.dense.weight": payload("weight_0", (2000, 3000))}),
        tmp_path,
        "the file has 6 numbers",
    )
    beyond = payload("weight_0", (2, 3))
    beyond["tensor_meta"]["strides"] = [{"as_int": 4000}, {"as_int": 1}]
    refused(program_bytes(weights={"net.dense.weight": beyond}), tmp_path, "reaches beyond its 6 numbers")
    beyond["tensor_meta"]["strides"] = [{"as_int": -1}, {"as_int": 1}]
    refused(program_bytes(weights={"net.dense.weight": beyond}), tmp_path, "-1 is no length")


@pytest.mark.parametrize(
    "text", ["__import__('os').getcwd()", f"{LENGTH}.__class__", "9**9**9**9 if 1 else 2", "x" * 999]
)
def test_a_length_that_sympy_would_run_is_refused(tmp_path, text):
    whole = renamed(honest(), LENGTH, text)
    refused(program_bytes(whole), tmp_path, "which would be run as Python")


@pytest.mark.parametrize("name", ["linear = print(1)\n", "a.b", "", "x;y"])
def test_a_name_that_torch_would_run_is_refused(tmp_path, name):
    refused(program_bytes(renamed(honest(), "linear", name)), tmp_path, "would be run as Python")


def test_json_that_is_no_graph_is_refused(tmp_path):
    for path in ("graph_module", "schema_version"):
        for value in (None, [], {}, 3, "text"):
            refused(changed(lambda whole: whole.__setitem__(path, value)), tmp_path, r"is no exported program|schema")  # noqa: B023
    for key in ("nodes", "tensor_values"):
        refused(changed(lambda whole: graph_of(whole).__setitem__(key, 3)), tmp_path, "is no exported program")  # noqa: B023


def test_a_program_in_another_schema_is_refused(tmp_path):
    refused(changed(lambda whole: whole["schema_version"].update(major=9)), tmp_path, "schema 9 of torch.export")


def test_the_clean_file_contains_nothing_that_pytorch_would_run(tmp_path):
    whole = honest()
    whole["guards_code"] = ["open('ran', 'w')"]
    graph_of(whole)["nodes"][0]["metadata"] = {"stack_trace": "secret", "custom": "{}"}
    call = whole["graph_module"]["module_call_graph"][0]["signature"]
    call["in_spec"] = json.dumps([1, {"type": "os.system", "context": "{}", "children_spec": []}])
    path = tmp_path / "net.pt2"
    path.write_bytes(program_bytes(whole, members=[("extra/port.json", b"{}")]))
    clean = program_file.clean(program_file.read(path))
    again = tmp_path / "clean.pt2"
    again.write_bytes(clean)
    reread = program_file.read(again)
    assert reread.document["guards_code"] == []
    assert all(node["metadata"] == {} for node in reread.graph["nodes"])
    assert b"os.system" not in clean
    assert b"which nobody reads" not in clean
    assert b"secret" not in clean
    np.testing.assert_array_equal(next(each.value for each in reread.arrays.values()), KERNEL)


def test_pytorch_loads_the_clean_file_and_computes_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    path = tmp_path / "net.pt2"
    path.write_bytes(program_bytes())
    clean = tmp_path / "clean.pt2"
    clean.write_bytes(program_file.clean(program_file.read(path)))
    x = np.array([[1, 2, 3], [-4, 5, 1]], "float32")
    (answered,) = torch.export.load(clean).module()(torch.from_numpy(x))
    np.testing.assert_allclose(answered.numpy(), np.maximum(x @ KERNEL.T + BIAS, 0), rtol=1e-6)


def test_damage_anywhere_is_refused_in_one_line_or_changes_nothing_that_runs(tmp_path):
    generator = np.random.default_rng(0)
    content, path = program_bytes(), tmp_path / "net.pt2"
    for _ in range(150):
        damaged = bytearray(content)
        for place in generator.integers(0, len(content), generator.integers(1, 5)):
            damaged[place] = generator.integers(0, 256)
        path.write_bytes(
            bytes(damaged[: generator.integers(1, len(damaged) + 1)] if generator.random() < 0.2 else damaged)
        )
        message = ""
        try:
            graph = program.to_graph(program_file.read(path), path)
            assert {node.operator for node in graph.nodes} <= {"aten.linear.default", "aten.relu.default"}
        except TriviumError as error:
            message = str(error)
        assert len(message.splitlines()) <= 1


class Opens:
    """An object that creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("by", ["a pickle", "a length"])
def test_torch_itself_would_run_what_is_in_a_hostile_program(tmp_path, by):
    """Show that the refusals are necessary: torch runs the code in a hostile file."""
    torch = pytest.importorskip("torch")
    ran, path, pickled = tmp_path / "ran", tmp_path / "net.pt2", io.BytesIO()
    torch.save((Opens(ran),), pickled)
    whole = renamed(honest(), LENGTH, f"open({str(ran)!r}, 'w').close() or 1") if by == "a length" else honest()
    content = pickled.getvalue() if by == "a pickle" else b""
    path.write_bytes(program_bytes(whole, members=[("data/sample_inputs/model.pt", content)]))
    with contextlib.suppress(Exception):
        torch.export.load(path)
    assert ran.exists()
    ran.unlink()
    with contextlib.suppress(FileError):
        torch.export.load(io.BytesIO(program_file.clean(program_file.read(path))))
    assert not ran.exists()
