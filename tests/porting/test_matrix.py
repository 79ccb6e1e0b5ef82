"""Every recipe is ported to every target or refused with the reason; the test prints the matrix."""

import pytest

from trivium.errors import DataError
from trivium.models import recipe as recipes
from trivium.porting import matrix, targets
from trivium.porting.matrix import PortOutcome

OUTCOMES = [
    PortOutcome("dense/a", "jax", "onnx", "torch", 3e-7, passed=True),
    PortOutcome("dense/a", "jax", "litert", refusal="a port to litert needs ai-edge-litert"),
    PortOutcome("rnn/b", "torch", "onnx", "tensorflow", 2e-2),
    PortOutcome("rnn/b", "torch", "litert", "tensorflow", 1e-6, passed=True),
]


def test_the_table_has_recipes_as_rows_targets_as_columns_and_the_reasons_of_refusals():
    lines = matrix.table(OUTCOMES).splitlines()
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
def test_a_recipe_gets_a_small_dataset_of_its_own_kind(backend, name):
    recipe = recipes.find(name)
    few = matrix.small_dataset(recipe)
    assert len(few.train) <= 1_500
    assert few.name


@pytest.mark.slow
@pytest.mark.several_backends
def test_every_recipe_is_ported_to_every_target_or_refused_with_the_reason(backend, tmp_path):
    outcomes = list(matrix.measure(sorted(recipes.registry()), targets.names(), tmp_path))
    print(matrix.table(outcomes))
    assert len(outcomes) == len(recipes.registry()) * len(targets.names())
    assert [str(outcome) for outcome in outcomes if not (outcome.passed or outcome.refusal)] == []
    refusal = {(outcome.recipe, outcome.target) for outcome in outcomes if outcome.refusal}
    # The recipe is stateful, which no format supports.
    assert {each for each in refusal if not each[1].startswith(targets.SOURCE)} == {
        ("rnn/stateful", target.name) for target in targets.FORMATS
    }
