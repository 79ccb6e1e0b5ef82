"""The sampler that learns from scores. Optuna is installed in one environment of tox."""

import json

import numpy as np
import pytest

import trivium
from trivium.errors import OptionError

pytest.importorskip("optuna")

GRID = {"units": list(range(1, 33)), "rate": [0.1, 0.01, 0.001], "kind": ["a", "b", "c"]}


def worth(params):
    """The best: 20 units of kind b at rate 0.01."""
    return -abs(params["units"] - 20) / 20 - abs(np.log10(params["rate"]) + 2) - (params["kind"] != "b")


def tried(seed, count, grid=GRID):
    from trivium.engine.search.tree_parzen import TreeParzen

    sampler = TreeParzen(grid, seed)
    every = []
    while len(every) < count and not sampler.is_exhausted:
        every.append(sampler.ask())
        sampler.tell(worth(every[-1]))
    return every


@pytest.mark.plain
def test_the_sampler_finds_better_combinations_than_chance():
    from trivium.engine.search.candidates import combinations

    best = [max(map(worth, tried(seed, 30))) for seed in range(8)]
    by_chance = [max(map(worth, combinations(GRID, 30, seed))) for seed in range(8)]
    assert np.mean(best) > np.mean(by_chance) + 0.05


@pytest.mark.plain
def test_no_combination_is_asked_for_twice_and_the_same_seed_asks_for_the_same():
    grid = {"units": [1, 2, 3], "rate": [0.1, 0.01], "kind": ["b"]}
    every = tried(1, 100, grid)
    assert len(every) == len({json.dumps(params) for params in every}) == 6
    assert tried(1, 10) == tried(1, 10) != tried(2, 10)


@pytest.mark.plain
def test_scores_that_are_not_finite_do_not_stop_it():
    from trivium.engine.search.tree_parzen import TreeParzen

    sampler = TreeParzen({"units": [1, 2, 3]}, 1)
    asked = []
    while not sampler.is_exhausted:
        asked.append(sampler.ask()["units"])
        sampler.tell(float("nan"))
    assert sorted(asked) == [1, 2, 3]


@pytest.mark.plain
def test_a_search_by_the_sampler_goes_on_where_it_stopped():
    from sklearn.linear_model import Ridge

    x = np.linspace(-1, 1, 40)[:, None]
    grid = {"alpha": [0.001, 0.01, 0.1, 1.0, 10.0, 100.0], "fit_intercept": [True, False]}
    data = (x, 3 * x[:, 0] + 1)
    found = trivium.search(Ridge(), grid, data, random=6, sampler="tpe")
    assert (len(found.candidates), found.fits) == (6, 18)
    begun = trivium.search(Ridge(), grid, data, random=4, sampler="tpe")
    again = trivium.search(Ridge(), grid, data, random=6, sampler="tpe", earlier=begun.to_json())
    assert again.fits == 6
    assert [each.params for each in again.candidates] == [each.params for each in found.candidates]
    assert len(trivium.search(Ridge(), grid, data, random=100, sampler="tpe").candidates) == 12
    with pytest.raises(OptionError, match="how many combinations"):
        trivium.search(Ridge(), grid, data, sampler="tpe")
    with pytest.raises(OptionError, match="leave `zoom` out"):
        trivium.search(Ridge(), grid, data, random=4, sampler="tpe", zoom=1)
    with pytest.raises(OptionError, match=r"sampler.*rnadom"):
        trivium.search(Ridge(), grid, data, random=4, sampler="rnadom")
