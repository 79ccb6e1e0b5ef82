"""The table of Keras' overhead: its ratios are those of the results, and it is written to the section of its device."""

import re
from pathlib import Path

import pytest

from trivium.benchmarks.suites import overhead_table
from trivium.benchmarks.suites.overhead import OTHERS
from trivium.errors import DataError

pytestmark = pytest.mark.one_environment

DOCUMENT = Path(__file__).parents[2] / "docs" / "performance.md"


@pytest.fixture
def overhead(suite_results):
    return suite_results["overhead"]


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


def test_each_row_is_a_recipe_on_a_backend_with_its_ratios_and_its_share_of_the_peak(overhead):
    lines = [line for line in overhead_table.table(overhead).splitlines() if line.startswith("| `")]
    assert len(lines) == len({(row["recipe"], row["backend"]) for row in overhead["rows"]}) > 1
    for line in lines:
        recipe, backend, plan, seconds, *ratios, share = cells(line)
        assert plan == overhead["plans"][f"{recipe.strip('`')} on {backend}"]
        rows = [row for row in overhead["rows"] if (row["backend"], row["runner"]) == (backend, "trivium")]
        medians = {row["metric"]: row["median"] for row in rows}
        assert float(seconds) == pytest.approx(medians["steady_epoch"], rel=0.01)
        assert share == f"{medians['gemm_share']:.0%}"
        for shown, of in zip(ratios, OTHERS, strict=True):
            (ratio,) = (each for each in overhead["ratios"] if (each["backend"], each["of"]) == (backend, of))
            numbers = [float(number) for number in re.findall(r"[\d.]+", shown)]
            assert numbers == pytest.approx([ratio["ratio"], ratio["low"], ratio["high"]], abs=0.006)


def test_results_of_several_runs_are_one_table(overhead):
    halves = [
        {**overhead, **{name: [each for each in overhead[name] if mine(each)] for name in ("rows", "ratios")}}
        for mine in (lambda each: each["backend"] == "jax", lambda each: each["backend"] != "jax")
    ]
    lines = overhead_table.table(overhead_table.merge_results(halves)).splitlines()
    assert sorted(lines) == sorted(overhead_table.table(overhead).splitlines())


def test_a_repeated_measurement_replaces_the_earlier_one(overhead):
    again = {
        **overhead,
        **{name: [each for each in overhead[name] if each["backend"] == "jax"] for name in ("rows", "ratios")},
    }
    again["ratios"] = [{**each, "ratio": 7.77, "low": 7.5, "high": 7.9} for each in again["ratios"]]
    lines = [
        line
        for line in overhead_table.table(overhead_table.merge_results([overhead, again])).splitlines()
        if "| `" in line
    ]
    before = [line for line in overhead_table.table(overhead).splitlines() if "| `" in line]
    assert len(lines) == len(before)
    assert [line for line in lines if "| jax |" in line] != [line for line in before if "| jax |" in line]
    assert all(("7.77 [7.50, 7.90]" in line) == ("| jax |" in line) for line in lines)


def test_the_table_names_the_machine_and_the_lost_cells(overhead):
    shown = overhead_table.table({**overhead, "failed": [{"cell": "cnn/pooling on torch", "why": "killed"}]})
    assert "A Processor, 2 cores; keras 3.15.1." in shown
    assert "The largest matrix product reached 80 GFLOP/s, by numpy." in shown
    assert "- cnn/pooling on torch was lost: killed" in shown
    assert "busy" not in shown
    assert "The machine was busy" in overhead_table.table({**overhead, "load": {"busy": True}})


def test_the_table_replaces_the_text_between_the_marks_of_its_device(overhead, tmp_path, capsys):
    import json

    (tmp_path / "results.json").write_text(json.dumps(overhead))
    document = tmp_path / "performance.md"
    document.write_text(DOCUMENT.read_text())
    for _ in range(2):  # what is written can be written again
        assert overhead_table.main([str(tmp_path), "--write", str(document)]) == 0
    text, before = document.read_text(), DOCUMENT.read_text()
    assert overhead_table.table(overhead) in text
    gpu = overhead_table.section_of("gpu").begin
    assert text.partition(gpu)[2] == before.partition(gpu)[2]
    assert (
        text.partition(overhead_table.section_of("cpu").begin)[0]
        == before.partition(overhead_table.section_of("cpu").begin)[0]
    )
    assert overhead_table.main([str(tmp_path / "results.json")]) == 0
    assert capsys.readouterr().out.strip() == overhead_table.table(overhead)


def test_the_real_models_have_a_section_of_their_own(overhead):
    def of_mlp(rows):
        return [{**row, "recipe": "real/mlp"} for row in rows]

    section = overhead_table.section_of("cpu", "overhead of real models")
    of_real = {**overhead, "rows": of_mlp(overhead["rows"]), "ratios": of_mlp(overhead["ratios"])}
    table = overhead_table.table(of_real)
    assert table.startswith(section.begin)
    assert "| `real/mlp` | jax |" in table
    before = DOCUMENT.read_text()
    text = section.insert_into(before, table)
    assert table in text
    assert text.partition(section.begin)[0] == before.partition(section.begin)[0]
    assert text.partition(section.end)[2] == before.partition(section.end)[2]


def test_other_results_and_other_documents_are_refused_in_a_line(overhead, tmp_path, capsys):
    with pytest.raises(DataError, match="expected results of `trivium bench overhead` on one device, received epochs"):
        overhead_table.table({**overhead, "suite": "epochs"})
    with pytest.raises(DataError, match=r"expected the lines .* on a tpu"):
        overhead_table.section_of("tpu").insert_into(DOCUMENT.read_text(), "")
    assert overhead_table.main([str(tmp_path / "none.json")]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err
