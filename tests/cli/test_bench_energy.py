"""`trivium bench epochs` shows joules where they were measured, and says whose they are."""

import pytest

from trivium.benchmarks.cells import CellGroup, TimedCell
from trivium.benchmarks.measure import InterleavedRounds
from trivium.benchmarks.results import Results, group_result
from trivium.benchmarks.suites import epochs

pytestmark = pytest.mark.plain


def results(joules):
    cell = TimedCell("rnn/lstm", "jax", "jax")
    info = {"environment": {"device": "cpu"}, "plan": {}, "energy": {"joules": joules}}
    rounds = InterleavedRounds({cell: [0.1, 0.1, 0.1]}, "budget")
    return Results("epochs", groups={"g": group_result("epochs", CellGroup("g", [cell], []), {cell: info}, {}, rounds)})


def test_the_table_has_joules_where_they_were_measured(cli, monkeypatch):
    monkeypatch.setattr(epochs, "measure", lambda *_, **__: results([3.0, 2.0, 4.0]))
    shown = cli("bench", "epochs")
    assert "J/epoch" in shown.out
    assert "Joules are those of the whole CPU packages, other work on the machine included." in shown.out
    monkeypatch.setattr(epochs, "measure", lambda *_, **__: results([]))
    shown = cli("bench", "epochs")
    assert shown.code == 0
    assert "J/epoch" not in shown.out
    assert "Joules" not in shown.out
