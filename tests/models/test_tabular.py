"""The recipes for tables learn scikit-learn's own tables as well as its best estimator, from files as people have them.

Each table is written with another separator, with words in place of one column's numbers, and with gaps.
"""

import csv

import numpy as np
import pytest
from sklearn import datasets as scikit
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import accuracy_score, r2_score
from sklearn.neural_network import MLPClassifier, MLPRegressor

import trivium
from trivium.data import datasets

# A test part has few rows: one wine is 2.8 points. So each is one of several, after the rows were shuffled.
SHUFFLES = range(5)
MOST_BEHIND = {"accuracy": 0.02, "r2": 0.03}

# (name, file, separator, the column whose numbers become words)
TABLES = [
    ("wine", "wine.csv", ";", "hue"),
    ("breast_cancer", "cancer.tsv", "\t", "mean texture"),
    ("diabetes", "diabetes.csv", ",", "sex"),
]


def write(path, name, separator, words, shuffle):
    """Write one of scikit-learn's tables; with semicolons, numbers have decimal commas."""
    bunch = getattr(scikit, f"load_{name}")(**({"scaled": False} if name == "diabetes" else {}))
    generator = np.random.default_rng(shuffle)
    low, high = np.quantile(bunch.data[:, list(bunch.feature_names).index(words)], [1 / 3, 2 / 3])

    def cell(column, value):
        if column == words:
            return "low" if value < low else "middle" if value < high else "high"
        text = "" if generator.random() < 0.03 else f"{value:.6g}"
        return text.replace(".", ",") if separator == ";" else text

    targets = [bunch.target_names[y] for y in bunch.target] if "target_names" in bunch else bunch.target
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        rows = csv.writer(file, delimiter=separator)
        rows.writerow(["", *bunch.feature_names, "outcome"])
        for place, row in enumerate(generator.permutation(len(targets))):
            rows.writerow([place, *map(cell, bunch.feature_names, bunch.data[row]), targets[row]])


def score(dataset, predicted):
    if dataset.labels:
        return accuracy_score(dataset.test.y, predicted)
    return r2_score(dataset.test.y, predicted)


def rivals(dataset, prepared):
    """Return the scores of scikit-learn's estimators on the same split: trees on cells, a network on features."""
    train, test, y = prepared(dataset.train.x), prepared(dataset.test.x), dataset.train.y
    if dataset.labels:
        trees = HistGradientBoostingClassifier(random_state=0).fit(dataset.train.x, y)
        network = MLPClassifier(max_iter=1000, random_state=0).fit(train, y)
        return score(dataset, trees.predict(dataset.test.x)), score(dataset, network.predict(test))
    trees = HistGradientBoostingRegressor(random_state=0).fit(dataset.train.x, y)
    network = MLPRegressor(max_iter=1000, random_state=0).fit(train, (y - y.mean()) / y.std())
    return score(dataset, trees.predict(dataset.test.x)), score(dataset, network.predict(test) * y.std() + y.mean())


@pytest.mark.slow
@pytest.mark.one_environment
@pytest.mark.parametrize(("name", "file", "separator", "words"), TABLES, ids=[table[0] for table in TABLES])
def test_the_network_is_as_good_as_scikit_learn(tmp_path, name, file, separator, words):
    scores = []
    for shuffle in SHUFFLES:
        write(tmp_path / file, name, separator, words, shuffle)
        dataset = datasets.load(f"{tmp_path / file}:target=outcome")
        run = trivium.train("tabular/mlp", dataset, seed=shuffle)
        if dataset.labels:
            ours = run.evaluation["accuracy"]
        else:
            ours = 1 - run.evaluation["rms_error"] ** 2 / dataset.test.y.var()
        scores.append((ours, *rivals(dataset, run.preprocessing.inputs)))
    assert bool(dataset.labels) == (name != "diabetes")
    ours, trees, network = np.mean(scores, axis=0)
    print(f"\n{name}: tabular/mlp {ours:.4f}, trees {trees:.4f}, MLP {network:.4f}")
    assert ours >= max(trees, network) - MOST_BEHIND["accuracy" if dataset.labels else "r2"]
