"""The recommended backend: a line of text, and remembered."""

import pytest

from trivium.benchmarks.measure import make_row
from trivium.benchmarks.recommend import Recommendation, recommend, recommended_backend, remember
from trivium.benchmarks.results import GroupResult, Results
from trivium.errors import OptionError

pytestmark = pytest.mark.plain


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def results(seconds, ratios=()):
    """What the suite would find: seconds by backend, ratios as (of, over, ratio, low, high)."""
    rows = [
        make_row(
            "epochs",
            {"recipe": "rnn/lstm", "backend": name, "device": "cpu", "runner": "trivium"},
            "steady_epoch",
            "s",
            [s],
        )
        for name, s in seconds.items()
    ]
    ratio_rows = [
        {
            "recipe": "rnn/lstm",
            "backend": f"{of} ÷ {over}",
            "device": "cpu",
            "of": of,
            "over": over,
            "ratio": ratio,
            "low": low,
            "high": high,
        }
        for of, over, ratio, low, high in ratios
    ]
    return Results("epochs", groups={"rnn/lstm": GroupResult(rows=rows, ratios=ratio_rows)})


def test_the_fastest_backend_is_named_with_its_ratio_to_the_next():
    ratios = [("tensorflow", "jax", 12.0, 10.0, 14.0), ("jax", "torch", 0.5, 0.4, 0.625)]
    (recommendation,) = recommend(results({"tensorflow": 1.2, "jax": 0.1, "torch": 0.2}, ratios))
    assert str(recommendation) == "rnn/lstm: take jax on the cpu, 0.1 s an epoch, 2.00 × as fast as torch [1.60, 2.50]"


def test_no_difference_is_reported_as_such():
    (recommendation,) = recommend(results({"jax": 0.1, "torch": 0.11}, [("jax", "torch", 0.9, 0.8, 1.05)]))
    assert str(recommendation).endswith("no difference from torch was found [0.95, 1.25]")


def test_a_single_backend_is_the_fastest():
    (recommendation,) = recommend(results({"jax": 0.1}))
    assert str(recommendation).endswith("(nothing else was measured)")


def test_a_recommendation_is_remembered_and_replaced(cache):
    path = remember(recommend(results({"jax": 0.1})))
    assert path.is_relative_to(cache)
    assert recommended_backend("rnn/lstm") == "jax"
    remember(recommend(results({"torch": 0.1})))
    assert recommended_backend("rnn/lstm") == "torch"


def test_a_model_of_ones_own_is_remembered_by_the_content_of_its_file(cache, tmp_path):
    file = tmp_path / "my.py"
    file.write_text("def build(): ...")
    remember([Recommendation(f"{file}:build", "jax", "cpu", 0.1)])
    moved = file.rename(tmp_path / "elsewhere.py")
    assert recommended_backend(f"{moved}:build") == "jax"
    with pytest.raises(OptionError, match=f"trivium bench epochs --model {moved}:other --recommend"):
        recommended_backend(f"{moved}:other")
    moved.write_text("def build(): return 1")
    with pytest.raises(OptionError, match="not known yet"):
        recommended_backend(f"{moved}:build")


def test_a_recipe_without_a_measurement_is_an_error_with_the_command_to_run(cache):
    with pytest.raises(OptionError, match="trivium bench epochs --recipes cnn/simple --recommend"):
        recommended_backend("cnn/simple")
    (cache / "trivium").mkdir(parents=True)
    (cache / "trivium" / "backends.json").write_text("[1]")
    with pytest.raises(OptionError, match="not known yet"):
        recommended_backend("rnn/lstm")
