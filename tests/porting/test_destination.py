"""An artifact takes its place whole, over an earlier port and over nothing else."""

import json

import pytest

from trivium.errors import OutputError
from trivium.porting import destination

pytestmark = pytest.mark.plain


def deliver(place, **files):
    with destination.aside(place) as staged:
        for name, text in files.items():
            (staged / name).write_text(text)
        destination.deliver(staged, place, {"files": sorted(files), "artifact": "elsewhere"})


def contents(folder):
    return {path.name: path.read_text() for path in folder.iterdir() if path.name != destination.NOTE}


def test_without_out_it_goes_into_a_folder_beside_the_source(tmp_path):
    place = destination.choose(tmp_path / "bundle.trivium", "onnx", "model.onnx", None)
    assert place.artifact == tmp_path / "bundle-onnx" / "model.onnx"
    deliver(place, **{"model.onnx": "it"})
    assert contents(tmp_path / "bundle-onnx") == {"model.onnx": "it"}
    assert json.loads((tmp_path / "bundle-onnx" / "port.json").read_text())["artifact"] == "model.onnx"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle-onnx"]


def test_out_may_name_the_file(tmp_path):
    place = destination.choose(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "deep" / "digits.onnx")
    deliver(place, **{"digits.onnx": "it"})
    assert contents(tmp_path / "deep") == {"digits.onnx": "it"}
    assert (tmp_path / "deep" / "port.json").is_file()


def test_out_may_name_the_folder(tmp_path):
    place = destination.choose(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")
    assert place.artifact == tmp_path / "served" / "model.onnx"


@pytest.mark.parametrize("out", ["served", "served/digits.onnx"])
def test_an_earlier_port_is_replaced(tmp_path, out):
    for text in ("one", "two"):
        place = destination.choose(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / out)
        deliver(place, **{place.name: text})
    assert contents(tmp_path / "served") == {place.name: "two"}
    assert [path.name for path in tmp_path.iterdir()] == ["served"]


def test_a_folder_of_something_else_is_refused(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"served exists and holds thesis.txt, which is no port's"):
        destination.choose(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")


def test_a_folder_with_something_beside_a_port_is_refused(tmp_path):
    place = destination.choose(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")
    deliver(place, **{"model.onnx": "it"})
    (tmp_path / "served" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match=r"holds thesis\.txt"):
        destination.choose(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "served")


def test_the_note_of_another_artifact_is_not_overwritten(tmp_path):
    deliver(destination.choose(tmp_path / "b", "onnx", "model.onnx", tmp_path / "one.onnx"), **{"one.onnx": "it"})
    with pytest.raises(OutputError, match=r"port.json belongs to one.onnx"):
        destination.choose(tmp_path / "b", "onnx", "model.onnx", tmp_path / "two.onnx")


def test_what_was_made_aside_is_gone_when_it_was_not_delivered(tmp_path):
    place = destination.choose(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "deep" / "served")
    with destination.aside(place) as staged:
        (staged / "model.onnx").write_text("it")
        assert list(tmp_path.iterdir()) != []
    assert list(tmp_path.iterdir()) == []


def test_a_place_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="file is a file"):
        destination.choose(tmp_path / "b.trivium", "onnx", "model.onnx", tmp_path / "file" / "served")
