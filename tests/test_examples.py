"""The notebooks of `examples/`: they run as they are, and a training is one output that ends with its last epoch."""

import json
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
NOTEBOOKS = sorted(path.stem for path in EXAMPLES.glob("*.ipynb"))
SECONDS = 600  # for a cell


def execute(name, folder, monkeypatch):
    """Run a notebook in a kernel of its own, and return its cells. An error in a cell is raised."""
    nbclient = pytest.importorskip("nbclient", reason="needs nbclient and ipykernel")
    nbformat = pytest.importorskip("nbformat", reason="needs nbformat")
    for variable in ("JUPYTER_RUNTIME_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
        monkeypatch.setenv(variable, str(folder / variable))
    notebook = nbformat.read(EXAMPLES / f"{name}.ipynb", 4)
    resources = {"metadata": {"path": str(folder)}}
    nbclient.NotebookClient(notebook, timeout=SECONDS, kernel_name="python3", resources=resources).execute()
    return notebook.cells


def output_of(cells, call):
    """The only output of the cell that calls a function, by its MIME types."""
    (output,) = next(cell.outputs for cell in cells if f"{call}(" in cell.source)
    return output.data


@pytest.mark.one_environment
def test_a_training_is_one_output_with_its_curves_and_its_last_epoch(tmp_path, monkeypatch):
    cells = execute("table", tmp_path, monkeypatch)
    output = output_of(cells, "trivium.train")
    assert output["text/plain"].startswith("train tabular/mlp: epoch 40/40  val_loss ")
    html = output["text/html"]
    assert "epoch 40/40" in html
    assert "done" in html
    assert 'aria-label="loss, epochs 1 to 40"' in html
    lines = [points.split() for points in re.findall(r'<polyline points="([^"]*)"', html)]
    assert [len(points) for points in lines] == [40, 40], "the training and the validation, a point for each epoch"
    assert "<td" in output_of(cells, "trivium.predict")["text/html"]
    assert "<svg" in output_of(cells, "trivium.load")["text/html"]


@pytest.mark.slow
@pytest.mark.several_backends
@pytest.mark.parametrize("name", [name for name in NOTEBOOKS if name != "table"])
def test_a_notebook_runs(tmp_path, monkeypatch, name):
    cells = execute(name, tmp_path, monkeypatch)
    assert not [output for cell in cells for output in cell.get("outputs", []) if output.get("name") == "stderr"]


@pytest.mark.plain
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_is_stored_without_its_outputs(name):
    notebook = json.loads((EXAMPLES / f"{name}.ipynb").read_text("utf-8"))
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert [cell for cell in code if cell["outputs"] or cell["execution_count"] is not None] == []


@pytest.mark.plain
def test_there_are_notebooks_for_five_uses():
    assert NOTEBOOKS == ["backends", "digits", "from_pytorch", "series", "table"]
