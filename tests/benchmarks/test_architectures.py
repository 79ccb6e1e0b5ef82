"""Real architectures: two tiny rows are ported for real, a stopped run goes on, and the page is what was measured."""

import json
import re
from pathlib import Path

import pytest

from trivium.benchmarks import results
from trivium.benchmarks.architectures import __main__ as command
from trivium.benchmarks.architectures import catalog, measure, page
from trivium.benchmarks.architectures.cell import LOST, REFUSED, Cell
from trivium.errors import DataError, OptionError

DOCUMENT = Path(__file__).parents[2] / "docs" / "architectures.md"
RESULTS = {
    "schema": 1,
    "suite": "architectures",
    "environment": {"cores": 2, "processor": "x86_64", "versions": {"keras": "3.15.1"}},
    "ratios": [],
    "rows": [
        Cell("applications/VGG16", "onnx", "same", 3e-7, "torch", 9.0).to_json(),
        Cell("applications/VGG16", "source:jax", "ill-conditioned", 3e-4, "jax", 14.0, "ILL-CONDITIONED").to_json(),
        Cell("applications/ResNet50", "onnx", REFUSED, seconds=1.0, reason="it needs onnx").to_json(),
        Cell("applications/ResNet50", "source:jax", LOST, reason="it took longer than 5 s").to_json(),
        Cell("torchvision/alexnet", "keras on jax", "same", 2e-6, "jax", 7.0, training="tied weights").to_json(),
    ],
}


@pytest.mark.plain
def test_rows_are_chosen_by_family_or_by_name():
    assert {row.family.name for row in catalog.architectures(["timm"])} == {"timm"}
    assert [row.title for row in catalog.architectures(["examples/u_*", "examples/u_net"])] == ["examples/u_net"]
    assert len(catalog.architectures()) > 90
    with pytest.raises(OptionError, match="no architecture matches 'ResNet'"):
        catalog.architectures(["ResNet"])


@pytest.mark.plain
def test_the_page_has_a_figure_for_each_port_and_the_reason_of_each_that_failed():
    lines = page.page(RESULTS).splitlines()
    assert "| onnx | 1 of 2; 9 s, at most 9 s |" in lines
    assert "| source:jax | 1 of 2, 1 ill-conditioned; 14 s, at most 14 s |" in lines
    assert "| VGG16 | 3e-07 | ill-conditioned 3e-04 |" in lines
    assert "| ResNet50 | – | **lost** |" in lines
    assert "- `applications/ResNet50` to onnx: it needs onnx" in lines
    assert "| alexnet | 2e-06\\* |" in lines
    assert "- \\* only answers were compared: tied weights (`alexnet`)" in lines
    with pytest.raises(DataError, match="expected results of"):
        page.page({**RESULTS, "suite": "epochs"})


@pytest.mark.plain
def test_the_document_is_what_the_command_writes(tmp_path):
    text = DOCUMENT.read_text("utf-8")
    page.SECTION.require_place(DOCUMENT)
    ports, *_ = re.findall(r"(\d+) ports: ", text)
    summary = [int(number) for number in re.findall(r"\d+ of (\d+)", text)]
    assert int(ports) == sum(summary) > 0, "each port of the tables is counted in the summaries"
    copy = tmp_path / "page.md"
    copy.write_text(text, "utf-8")
    (tmp_path / results.FILE).write_text(json.dumps(RESULTS))
    assert page.main([str(tmp_path), "--write", str(copy)]) == 0
    assert "5 ports: 2 same, 1 ill-conditioned, 0 different, 1 refused, 1 lost." in copy.read_text("utf-8")


@pytest.mark.plain
def test_what_was_measured_is_of_rows_and_columns_that_there_are():
    rows = {row.title: row.family for row in catalog.architectures()}
    cells = measure.Measurements.open(DOCUMENT.with_suffix("")).cells
    assert cells
    assert all(column in rows[row].columns for row, column in cells)


@pytest.mark.plain
def test_what_was_measured_is_not_measured_again(tmp_path):
    (tmp_path / results.FILE).write_text(json.dumps(RESULTS))
    (row,) = catalog.architectures(["applications/VGG16"])
    assert measure.Measurements.open(tmp_path).left(row, ["onnx", "litert", "source:jax"]) == ["litert"]


@pytest.mark.one_environment
def test_models_are_ported_by_a_process_and_a_cell_that_takes_too_long_is_lost(backend, tmp_path):
    targets = [backend.name, f"source:{backend.name}"]
    arguments = ["--out", str(tmp_path), "--rows", "examples/recommender", "--to"]
    assert command.main([*arguments, *targets]) == 0
    cells = {row["column"]: Cell.from_json(row) for row in json.loads((tmp_path / results.FILE).read_text())["rows"]}
    assert cells.keys() == set(targets)
    assert all(cell.verdict == "same" and cell.difference < 1e-5 and cell.seconds > 0 for cell in cells.values())
    told = []
    (row,) = catalog.architectures(["examples/recommender"])
    measure.measure([row], tmp_path, [*targets, "source:numpy", "litert"][:3], limit=0.1, announce=told.append)
    assert told == []
    lost = measure.measure([row], tmp_path / "again", targets, limit=0.1).cells.values()
    assert {(cell.column, cell.verdict, cell.reason) for cell in lost} == {
        (target, LOST, "it took longer than 0 s") for target in targets
    }


@pytest.mark.one_environment
def test_a_module_that_cannot_be_built_is_lost_with_the_reason(backend, tmp_path, monkeypatch):
    pytest.importorskip("torch")
    family = catalog.Family("torchvision", "torchvision", catalog.MODULES, "torch.torchvision_networks", ("none",))
    (cell, *_) = measure.measure([catalog.Architecture(family, "none")], tmp_path).cells.values()
    assert cell.verdict == LOST
    assert cell.reason.startswith("its process ended: ")
