"""An artifact is published whole, and replaces an earlier port but nothing else."""

import json

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
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != REPORT_FILE}


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
    assert (tmp_path / "deep" / "port.json").is_file()


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
    with pytest.raises(OutputError, match=r"served exists and holds thesis.txt, which no port wrote"):
        choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")


def test_a_folder_with_other_files_beside_a_port_is_refused(tmp_path):
    destination = choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")
    port_files(destination, **{"model.onnx": "it"})
    (tmp_path / "served" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds thesis\.txt"):
        choose_destination(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")


def test_the_report_of_another_artifact_is_not_overwritten(tmp_path):
    port_files(choose_destination(tmp_path / "b", "onnx", "model.onnx", tmp_path / "one.onnx"), **{"one.onnx": "it"})
    with pytest.raises(OutputError, match=r"port.json belongs to one.onnx"):
        choose_destination(tmp_path / "b", "onnx", "model.onnx", tmp_path / "two.onnx")


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
