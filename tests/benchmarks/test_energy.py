"""Joules of an epoch: from counters in files like those of Linux, into the rows and the table of `bench epochs`."""

import pytest

from trivium.benchmarks import epoch_session
from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds
from trivium.benchmarks.results import group_result
from trivium.benchmarks.suite import BenchmarkOptions
from trivium.benchmarks.suites import epochs
from trivium.storage import energy_counters
from trivium.storage.energy_counters import EnergyMeter


@pytest.fixture
def package(tmp_path):
    """The counter of a package, which stands at 1 J."""
    zone = tmp_path / "intel-rapl:0"
    zone.mkdir()
    (zone / "name").write_text("package-0\n")
    (zone / "max_energy_range_uj").write_text("262143328850\n")
    (zone / "energy_uj").write_text("1000000\n")
    return zone / "energy_uj"


@pytest.mark.one_environment
def test_a_session_has_the_joules_of_each_epoch_after_those_that_compile(backend, package):
    session = epoch_session.EpochSession("rnn/lstm", "waves:0:20", energy_meter=EnergyMeter(package.parents[1]))
    assert session.joules == []
    train = session._train

    def train_and_count(count):
        train(count)
        package.write_text(str(int(package.read_text()) + 500_000))

    session._train = train_and_count
    for _ in range(3):
        session.time_epoch()
    assert session.joules == [0.5] * 3
    session._epochs_per_timing = 4
    session.time_epoch()
    assert session.joules[-1] == 0.125, "four short epochs in a row are one timing"


@pytest.mark.one_environment
def test_bench_epochs_has_joules_or_says_why_it_has_none(backend, shared_worker):
    options = BenchmarkOptions(budget=0.1, precision=1.0, ceilings=False)
    results = epochs.measure(["rnn/lstm"], [backend.name], data="waves:0:20", options=options)
    if reason := energy_counters.why_not():
        assert results.extra["without"] == {"energy": reason}
        assert results.find(metric="energy") == []
    else:
        (row,) = results.find(metric="energy")
        assert row["unit"] == "J"


def rows_on(device):
    cell = TimedCell("rnn/lstm", "jax", "jax")
    info = {"environment": {"device": device}, "plan": {}, "energy": {"joules": [3.0, 2.0, 4.0]}}
    rounds = InterleavedRounds({cell: [0.1, 0.1, 0.1]}, "budget")
    return group_result("epochs", CellGroup("g", [cell], []), {cell: info}, {}, rounds)


@pytest.mark.plain
def test_the_packages_tell_nothing_of_an_accelerator():
    (energy,) = (row for row in rows_on("cpu").rows if row["metric"] == "energy")
    assert (energy["unit"], energy["n"], energy["median"]) == ("J", 3, 3.0)
    assert "energy" not in {row["metric"] for row in rows_on("gpu").rows}
