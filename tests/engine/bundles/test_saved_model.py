"""A SavedModel is refused in one line that says which Keras wrote it and what to do, wherever a model is given."""

import pytest

from trivium.engine.bundles import bundle, saved_model
from trivium.engine.inspection import inspect
from trivium.errors import TriviumError
from trivium.porting import port

pytestmark = pytest.mark.one_environment

# As in the files of tf_keras, and of Keras 3's `export`.
DESCRIPTION = (
    b'\n\x13_tf_keras_sequential*"{"class_name": "Sequential", "keras_version": "2.13.1", "backend": "tensorflow"}'
)
GRAPH = b"\x08\x01\x12\x0bsaver_filename"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "served").mkdir()
    (tmp_path / "served" / "saved_model.pb").write_bytes(GRAPH)
    return tmp_path / "served"


@pytest.mark.parametrize("read", [bundle.locate, inspect, lambda path: port.port(path, "source:torch")])
def test_a_saved_model_of_keras_2_is_refused_with_its_version_and_a_command(folder, read):
    (folder / "keras_metadata.pb").write_bytes(DESCRIPTION)
    with pytest.raises(TriviumError, match=r"which Keras 2\.13\.1 wrote and Keras 3 cannot read") as caught:
        read(folder)
    assert f"tf_keras.models.load_model({str(folder)!r}).save({str(folder) + '.keras'!r})" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_graph_without_layers_is_told_from_a_model_of_keras_2(folder):
    assert "holds a graph instead of layers: give the .keras file" in saved_model.refusal(folder)
    (folder / "saved_model.pb").write_bytes(GRAPH + DESCRIPTION[:20])  # before TensorFlow 2.5
    assert "which Keras 2 wrote" in saved_model.refusal(folder)


def test_a_folder_without_a_graph_is_no_saved_model(tmp_path):
    assert not saved_model.is_saved_model(tmp_path)
