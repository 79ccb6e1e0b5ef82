"""The model of scaling, against results by hand and an exhaustive search."""

import json
import re
from pathlib import Path

import pytest

from trivium.benchmarks.suites import scaling, scaling_table
from trivium.benchmarks.suites.scaling_model import Network, StepCost
from trivium.errors import DataError

pytestmark = pytest.mark.one_environment

DOCUMENT = Path(__file__).parents[2] / "docs" / "scaling.md"


def test_a_ring_all_reduce_sends_almost_twice_the_gradients():
    """100 MB at 1 GB/s: two workers send half of it twice, a hundred nearly all of it twice."""
    step, network = StepCost(1.0, 10**8), Network(bandwidth=1e9, latency=0.0)
    assert step.communication(1, network) == 0
    assert step.communication(2, network) == pytest.approx(0.1)
    assert step.communication(100, network) == pytest.approx(0.198)
    assert step.communication(2, Network(1e9, 0.001)) == pytest.approx(0.102)
    assert step.seconds(4, network) == pytest.approx(0.25 + 0.15)


@pytest.mark.parametrize("latency", [0.0, 50e-6, 0.01])
@pytest.mark.parametrize(("compute", "gradients"), [(1.0, 10**8), (0.5, 2_493_160), (0.001, 3_616), (1e-5, 10**9)])
def test_the_counts_are_those_of_an_exhaustive_search(compute, gradients, latency):
    step, network = StepCost(compute, gradients), Network(1.25e9, latency)
    tried = range(1, 20_000)
    equal = next(n for n in tried if n > 1 and step.communication(n, network) >= compute / n)
    assert step.equal_at(network) == equal
    if latency:  # otherwise one more worker never costs more than it saves
        best = min(tried, key=lambda n: step.seconds(n, network))
        assert step.best(network) == (best, pytest.approx(compute / step.seconds(best, network)))


def test_without_a_network_there_is_no_limit():
    assert StepCost(1.0, 0).equal_at(Network(1.0, 0.0)) == 1_000_000


def test_the_modelled_figures_follow_from_the_measured_ones(suite_results):
    """An epoch of 0.1 s by one and of 0.08 s by two; 3,750 samples are 15 batches of 256."""
    rows = {
        (row["metric"], row.get("cores")): row["median"]
        for row in suite_results["scaling"]["rows"]
        if row["backend"] == "jax"
    }
    assert rows["step_compute", None] == pytest.approx(rows["steady_epoch", 1] / 15)
    together = next(
        row["median"]
        for row in suite_results["scaling"]["rows"]
        if row["backend"] == "jax" and row["metric"] == "steady_epoch" and row["workers"] == 2
    )
    assert rows["step_shared", None] == pytest.approx(together / 15 - rows["step_compute", None] / 2)
    assert rows["gradient_bytes", None] == 4 * 114_502
    step = StepCost(rows["step_compute", None], 4 * 114_502)
    assert rows["equal_at", None] == step.equal_at(Network())
    assert (rows["best_workers", None], rows["best_speedup", None]) == step.best(Network())


def test_the_tables_show_the_results_and_are_written_between_their_marks(suite_results, tmp_path, capsys):
    (tmp_path / "results.json").write_text(json.dumps(suite_results["scaling"]))
    document = tmp_path / "scaling.md"
    document.write_text(DOCUMENT.read_text())
    for _ in range(2):  # what is written can be written again
        assert scaling_table.main([str(tmp_path), "--write", str(document)]) == 0
    text = document.read_text()
    assert (
        text.partition(scaling_table.SECTION.begin)[0] == DOCUMENT.read_text().partition(scaling_table.SECTION.begin)[0]
    )
    measured_line, model_line = (
        line
        for line in text.partition(scaling_table.SECTION.begin)[2].splitlines()
        if line.startswith("| `dense/one-hidden` | jax")
    )
    (gain,) = (
        ratio
        for ratio in suite_results["scaling"]["ratios"]
        if (ratio["backend"], ratio["of"], ratio["over"]) == ("jax", scaling.ONE, scaling.TWO)
    )
    shown = [float(number) for number in re.findall(r"[\d.]+", measured_line.split("|")[4])]
    assert shown == pytest.approx([gain["ratio"], gain["low"], gain["high"]], abs=0.006)
    equal = next(row["median"] for row in suite_results["scaling"]["rows"] if row["metric"] == "equal_at")
    assert model_line.split("|")[5].strip() == f"{equal:,.0f}"
    assert "With 10 Gbit/s and 50 µs between workers" in text
    assert scaling_table.main([str(tmp_path / "none.json")]) == 2
    assert "none.json cannot be read" in capsys.readouterr().err


def test_other_results_and_other_documents_are_refused(suite_results):
    with pytest.raises(DataError, match="expected results of `trivium bench scaling`, received epochs"):
        scaling_table.table(suite_results["epochs"])
    with pytest.raises(DataError, match="no place for the generated section"):
        scaling_table.SECTION.insert_into("nothing", "")


def test_a_session_leads_the_requested_number_of_workers(backend):
    from trivium.benchmarks.epoch_session import EpochSession

    session = EpochSession("dense/small", samples=128, batch_size=32, workers=2)
    try:
        assert session.plan == {"name": "processes", "count": 2}
        alone = EpochSession("dense/small", samples=128, batch_size=32)
        for each in (session, alone):
            assert each.time_epoch() > 0
        ours, expected = session.quality()["metrics"], alone.quality()["metrics"]
        assert session.epochs == alone.epochs == 3
        assert ours == pytest.approx(expected, abs=1e-5)
    finally:
        session.close()
