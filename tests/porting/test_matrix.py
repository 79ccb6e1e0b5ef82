"""Every recipe to every target: works, or is refused with the reason. Prints the matrix."""

import pytest

from trivium.errors import DataError
from trivium.models import recipe as recipes
from trivium.porting import matrix, targets
from trivium.porting.matrix import Cell

CELLS = [
    Cell("dense/a", "jax", "onnx", "torch", 3e-7, passed=True),
    Cell("dense/a", "jax", "litert", refused="a port to litert needs ai-edge-litert"),
    Cell("rnn/b", "torch", "onnx", "tensorflow", 2e-2),
    Cell("rnn/b", "torch", "litert", "tensorflow", 1e-6, passed=True),
]


def test_the_table_has_a_row_a_recipe_and_a_column_a_target_and_the_reasons_of_refusals():
    lines = matrix.table(CELLS).splitlines()
    assert "| recipe | trained on | onnx | litert |" in lines
    assert "| `dense/a` | jax | 3e-07 | – |" in lines
    assert "| `rnn/b` | torch | **fails** (2e-02) | 1e-06 |" in lines
    assert "Made by: `onnx` by torch or tensorflow, `litert` by tensorflow." in lines
    assert "- `dense/a` to `litert`: a port to litert needs ai-edge-litert" in lines


def test_a_document_without_the_marks_is_refused_before_anything_is_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(matrix, "measure", lambda *_: pytest.fail("it began"))
    (tmp_path / "page.md").write_text("nothing")
    with pytest.raises(DataError, match="expected the lines <!-- matrix"):
        matrix.main(["--write", str(tmp_path / "page.md")])
    assert (tmp_path / "page.md").read_text() == "nothing"


@pytest.mark.parametrize("name", ["dense/small", "rnn/time-distributed", "text/letters", "functional/digit-or-not"])
def test_a_recipe_has_few_data_of_its_own_kind(backend, name):
    recipe = recipes.find(name)
    few = matrix.few(recipe)
    assert len(few.train) <= 1_500
    assert few.name


@pytest.mark.slow
@pytest.mark.several_backends
def test_every_recipe_goes_to_every_target_or_is_refused_with_the_reason(backend, tmp_path):
    cells = list(matrix.measure(sorted(recipes.registry()), targets.names(), tmp_path))
    print(matrix.table(cells))
    assert len(cells) == len(recipes.registry()) * len(targets.names())
    assert [str(cell) for cell in cells if not (cell.passed or cell.refused)] == []
    refused = {(cell.recipe, cell.target) for cell in cells if cell.refused}
    # It remembers from batch to batch, as no format does.
    assert {each for each in refused if not each[1].startswith(targets.SOURCE)} == {
        ("rnn/stateful", target.name) for target in targets.FORMATS
    }
