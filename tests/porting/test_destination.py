"""An artifact is published whole, and replaces an earlier port but nothing else."""

import json
from pathlib import Path

import pytest

from trivium.errors import OutputError
from trivium.porting.destination import REPORT_FILE, choose_destination, publish, staging

pytestmark = pytest.mark.plain


def port_files(destination, **files):
    with staging(destination) as staged:
        for name, text in files.items():
            (staged / name).write_text(text)
        publish(staged, destination, {"files": sorted(files), "artifact": "elsewhere"})


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if not path.name.endswith(REPORT_FILE)}


def test_without_out_the_artifact_goes_into_a_folder_beside_the_source(tmp_path):
    destination = choose_destination(tmp_path / "bundle.trivium", "onnx", "model.onnx", None)
    assert destination.artifact == tmp_path / "bundle-onnx" / "model.onnx"
    port_files(destination, **{"model.onnx": "it"})
    assert contents(tmp_path / "bundle-onnx") == {"model.onnx": "it"}
    assert json.loads((tmp_path / "bundle-onnx" / "port.json").read_text())["artifact"] == "model.onnx"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle-onnx"]


def test_out_may_name_the_file(tmp_path):
    destination = choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "deep" / "digits.onnx")
    port_files(destination, **{"digits.onnx": "it"})
    assert contents(tmp_path / "deep") == {"digits.onnx": "it"}
    assert (tmp_path / "deep" / "digits.onnx.port.json").is_file()


def test_out_may_name_the_folder(tmp_path):
    destination = choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")
    assert destination.artifact == tmp_path / "served" / "model.onnx"


@pytest.mark.parametrize("out", ["served", "served/digits.onnx"])
def test_an_earlier_port_is_replaced(tmp_path, out):
    for text in ("one", "two"):
        destination = choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / out)
        port_files(destination, **{destination.name: text})
    assert contents(tmp_path / "served") == {destination.name: "two"}
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_a_folder_that_no_port_wrote_is_refused(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"served exists and holds thesis.txt, which belongs to no earlier port"):
        choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")


def test_a_folder_with_other_files_beside_a_port_is_refused(tmp_path):
    destination = choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")
    port_files(destination, **{"model.onnx": "it"})
    (tmp_path / "served" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds thesis\.txt"):
        choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")


def test_a_folder_holds_the_files_of_several_ports(tmp_path):
    for name, text in (("one.keras", "1"), ("two.keras", "2"), ("one.onnx", "3"), ("two.keras", "4")):
        destination = choose_destination(tmp_path / "b", "any", f"model{Path(name).suffix}", tmp_path / name)
        port_files(destination, **{name: text})
    assert contents(tmp_path) == {"one.keras": "1", "two.keras": "4", "one.onnx": "3"}
    artifacts = {path.name: json.loads(path.read_text())["artifact"] for path in tmp_path.glob("*.json")}
    assert artifacts == {f"{name}.port.json": name for name in contents(tmp_path)}


def test_a_file_that_no_port_wrote_is_not_overwritten(tmp_path):
    (tmp_path / "net.keras").write_text("mine")
    with pytest.raises(OutputError, match=r"net\.keras exists, and no port wrote it: choose another `out`"):
        choose_destination(tmp_path / "net.pt2", "keras", "model.keras", tmp_path / "net.keras")


def test_a_second_file_of_a_port_overwrites_no_other(tmp_path):
    (tmp_path / "net.bin").write_text("mine")
    destination = choose_destination(tmp_path / "b", "openvino", "model.xml", tmp_path / "net.xml")
    with pytest.raises(OutputError, match=r"net\.bin exists, and no port wrote it"):
        port_files(destination, **{"net.xml": "it", "net.bin": "it"})
    assert contents(tmp_path) == {"net.bin": "mine"}


def test_a_port_to_a_folder_deletes_no_file_of_another_port(tmp_path):
    port_files(choose_destination(tmp_path / "b", "keras", "model.keras", tmp_path / "f/a.keras"), **{"a.keras": "it"})
    with pytest.raises(OutputError, match=r"f exists and holds a\.keras, which belongs to no earlier port into this"):
        choose_destination(tmp_path / "b", "keras", "model.keras", tmp_path / "f")


def test_the_file_in_the_folder_of_a_port_keeps_its_report(tmp_path):
    folder = tmp_path / "served"
    port_files(choose_destination(tmp_path / "b", "onnx", "model.onnx", folder), **{"model.onnx": "one"})
    destination = choose_destination(tmp_path / "b", "onnx", "model.onnx", folder / "model.onnx")
    port_files(destination, **{"model.onnx": "two"})
    assert contents(folder) == {"model.onnx": "two"}
    assert [path.name for path in folder.glob("*.json")] == ["port.json"]


def test_staged_files_are_deleted_if_they_were_not_published(tmp_path):
    destination = choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "deep" / "served")
    with staging(destination) as staged:
        (staged / "model.onnx").write_text("it")
        assert list(tmp_path.iterdir()) != []
    assert list(tmp_path.iterdir()) == []


def test_a_destination_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is a file"):
        choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "file" / "served")
