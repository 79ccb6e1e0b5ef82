"""`trivium train --explain`: shows the times of the plans, trains nothing, and only writes the plan cache."""

import json

from trivium.backends import runtime
from trivium.models import recipe as recipes

SHORT = ["train", "rnn/lstm", "--data", "waves:0:40", "--epochs", "1", "--batch-size", "8"]


def test_the_plans_are_shown_with_their_times_and_remembered(cli, here, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    shown = cli(*SHORT, "--explain")
    assert shown.code == 0, shown.err
    assert list(here.iterdir()) == [], "nothing was trained"
    names = [plan.name for plan in runtime.current().plans(recipes.find("rnn/lstm")(), 5)]
    rows = {line.split()[0]: line.split()[1:] for line in shown.out.splitlines() if line.split()}
    assert f"run by      {names[0]}: a run of fewer than 1,000 steps goes by the rule" in shown.out
    explanation = json.loads(cli(*SHORT, "--explain", "--json").out)
    assert (explanation["schema"], explanation["recipe"], explanation["plan"], explanation["steps"]) == (
        1,
        "rnn/lstm",
        names[0],
        5,
    )
    assert explanation["remembered"] is True
    assert sorted(candidate["plan"] for candidate in explanation["candidates"]) == sorted(names)
    for candidate in explanation["candidates"]:
        assert float(rows[candidate["plan"]][1]) == float(f"{candidate['step'] * 1e3:.3g}")
    (file,) = (tmp_path / "cache/trivium/plans").iterdir()
    assert json.loads(file.read_text())["key"]["batch_size"] == 8


def test_where_there_is_no_choice_it_says_why(cli, here):
    shown = cli(*SHORT, "--plan", "fit", "--explain")
    assert (shown.code, shown.out) == (0, "run by      fit: asked for\n")
