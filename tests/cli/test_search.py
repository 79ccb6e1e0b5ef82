"""`trivium search`: the grid as it is typed, the table, the files."""

import json
from pathlib import Path

import pytest
import schemas

from trivium.cli.search import parse_grid
from trivium.errors import OptionError

pytestmark = pytest.mark.one_environment

BUILDERS = Path(__file__).parents[1] / "helpers" / "functions_for_estimators.py"


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("units=20,30", [20, 30]),
        ("rate=1e-3,0.1", [0.001, 0.1]),
        ("optimizer=adam,sgd", ["adam", "sgd"]),
        ("mixed=adam,3,null", ["adam", 3, None]),
        ("filters=[8,4],[16,8]", [(8, 4), (16, 8)]),
        ('word="a,b","c"', ["a,b", "c"]),
    ],
)
def test_values_are_json_where_they_can_be(typed, expected):
    assert list(parse_grid((typed,)).values()) == [expected]


@pytest.mark.parametrize("typed", [("units",), ("=3",), ("units=",), ("units=3", "units=4")])
def test_an_invalid_grid_is_refused(typed):
    with pytest.raises(OptionError, match=r"^--grid "):
        parse_grid(typed)


def test_its_help_has_an_example(cli):
    shown = cli("search", "--help")
    assert shown.code == 0
    assert "trivium search dense/dropout --grid units=20,30,40" in shown.out


def test_the_ranked_table_and_its_files(cli, here, shared_worker):
    grid = ["--grid", "learning_rate=0.0001,0.1", "--set", "units=6", "--data", "iris", "--workers", "1"]
    shown = cli("search", f"{BUILDERS}:classes", *grid, "--epochs", "10", "--batch-size", "64", "--out", "kept")
    assert shown.code == 0, shown
    lines = [line.split() for line in shown.out.splitlines()]
    (first,) = (line for line in lines if line[:1] == ["1"])
    assert first[1:3] == ["0.1", "10"]
    assert next(line for line in lines if line[:1] == ["best"])[:3] == ["best", "learning_rate=0.1:", "accuracy"]
    results = json.loads((here / "kept" / "results.json").read_text())
    schemas.validate("files/search-results", results)
    assert [row["params"] for row in results["rows"]] == [{"learning_rate": 0.1}, {"learning_rate": 0.0001}]
    assert (here / "kept" / "scores.png").stat().st_size > 5_000
    as_json = cli("search", f"{BUILDERS}:classes", *grid, "--epochs", "1", "--json", "--random", "1", "--folds", "2")
    printed = json.loads(as_json.out)
    assert (len(printed["rows"]), printed["fits"]) == (1, 2)
    assert printed["files"][0] == "runs/search-functions_for_estimators-classes/scores.png"


def test_a_search_that_was_stopped_goes_on(cli, refused, here, shared_worker):
    grid = ["--grid", "units=3,4,5", "--data", "iris", "--workers", "1"]
    grid += ["--epochs", "2", "--folds", "2", "--out", "kept"]
    assert "kept holds no search: leave it out" in refused("search", f"{BUILDERS}:classes", *grid, "--resume")
    assert cli("search", f"{BUILDERS}:classes", *grid).code == 0
    results = json.loads((here / "kept" / "results.json").read_text())
    (here / "kept" / "results.json").write_text(json.dumps({**results, "rows": results["rows"][:2]}))
    shown = cli("search", f"{BUILDERS}:classes", *grid, "--resume", "--json")
    again = json.loads(shown.out)
    assert (again["fits"], again["stopped"], again["untried"]) == (2, "", 0)
    assert [row["params"] for row in again["rows"]] == [row["params"] for row in results["rows"]]
    (here / "kept" / "results.json").write_text("[]")
    assert "is no result of a search" in refused("search", f"{BUILDERS}:classes", *grid, "--resume")


def test_an_invalid_search_is_refused_in_one_line(refused, shared_worker):
    assert "unknown recipe 'dense/dropuot'" in refused("search", "dense/dropuot", "--grid", "units=3")
    assert "has no parameter 'unit'" in refused("search", "dense/dropout", "--grid", "unit=3")
    assert "Missing option '--grid'" in refused("search", "dense/dropout")
